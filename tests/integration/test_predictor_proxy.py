"""Predictions over TLS: a signal process's client, the chart's proxy, and a gRPC server in plain text behind it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.haproxy.proxy import LIMIT_S, Proxy
from tests.unit.execution.test_signal_process import Predictor, serve
from tradewind.bus import ports
from tradewind.execution.signals.predictor import PredictorClient, PredictorUnavailableError
from tradewind.v1 import features_pb2

ROOT = Path(__file__).parents[2]
ROWS = [features_pb2.FeatureVector(symbol="AAPL", event_time=1, values=[0.5, 0.2])]


class Behind:
    """What Serve is in the pod."""

    def __init__(self) -> None:
        self.port, self.servicer = ports.reserve(), Predictor()
        self.server, _ = serve(self.servicer, self.port)


def refusal(client: PredictorClient) -> str:
    with closing(client), pytest.raises(PredictorUnavailableError) as refused:
        client.predict("one", "v", ROWS)
    (line,) = str(refused.value).splitlines()
    return line


@pytest.fixture(scope="module")
def behind() -> Iterator[Behind]:
    made = Behind()
    yield made
    made.server.stop(None).wait()


@pytest.fixture(scope="module")
def proxy(behind: Behind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with Proxy(tmp_path_factory.mktemp("predictor"), behind.port) as made:
        yield made


def test_who_has_the_ca_is_answered(proxy: Proxy) -> None:
    with closing(proxy.client()) as client:
        assert client.problem() == ""
        assert [p.value for p in client.predict("one", "v", ROWS)] == [0.5]


def test_others_are_refused_in_one_line(proxy: Proxy, behind: Behind, tmp_path: Path) -> None:
    asked = len(behind.servicer.requests)
    theirs = Authority(tmp_path / "ca", "theirs").certificate
    stranger, misnamed = proxy.client(theirs), proxy.client(address=f"127.0.0.1:{proxy.port}")
    assert stranger.problem() == (
        f"{proxy.address} is not trusted by {theirs} (unable to get local issuer certificate)"
    )
    assert "CERTIFICATE_VERIFY_FAILED" in refusal(stranger)
    assert misnamed.problem().startswith(f"127.0.0.1:{proxy.port} is not trusted by {proxy.authority.certificate} (")
    assert "Hostname Verification Check failed" in refusal(misnamed)
    assert len(behind.servicer.requests) == asked


def test_the_page_s_look_at_it_finds_it_trusted(proxy: Proxy) -> None:
    (line,) = re.findall(r"^openssl s_client .*", (ROOT / "docs" / "install.md").read_text(), re.M)
    places = {"localhost:9000": proxy.address, "tradewind-ray": "localhost", "ca.crt": str(proxy.secret / "ca.crt")}
    for there, here in places.items():
        assert there in line
        line = line.replace(there, here)
    done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=LIMIT_S)
    assert done.returncode == 0, done.stderr
    assert "Verification: OK" in done.stderr
    misnamed = line.replace("-verify_hostname localhost", "-verify_hostname another")
    assert subprocess.run(misnamed, shell=True, capture_output=True, timeout=LIMIT_S).returncode != 0


def test_plain_text_gets_nothing(proxy: Proxy, behind: Behind) -> None:
    asked = len(behind.servicer.requests)
    refusal(PredictorClient(proxy.address, LIMIT_S))
    assert len(behind.servicer.requests) == asked


def test_a_renewed_certificate_is_shown_without_a_restart_and_a_broken_one_never(proxy: Proxy) -> None:
    first = proxy.shown()
    with closing(proxy.client()) as client:
        assert client.predict("one", "v", ROWS)
        # As cert-manager writes it.
        proxy.authority.sign(proxy.secret, "localhost", traditional=True)
        proxy.await_condition(lambda: proxy.shown() != first, "the renewed certificate")
        assert client.predict("one", "v", ROWS)
        renewed = proxy.shown()
        assert renewed == (proxy.secret / "tls.crt").read_text()
        read = proxy.log.read_text()
        (proxy.secret / "tls.crt").write_text("no certificate")
        proxy.await_condition(lambda: "unable to load" in proxy.log.read_text()[len(read) :], "the refusal")
        assert proxy.shown() == renewed
        assert client.problem() == ""
        proxy.authority.sign(proxy.secret, "localhost")
        proxy.await_condition(lambda: proxy.shown() not in (first, renewed), "the next certificate")
    with closing(proxy.client()) as client:
        assert client.predict("one", "v", ROWS)
    assert proxy.process.poll() is None


# Python's own: of a connection that was reset before it is wrapped.
@pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning")
def test_nobody_seems_to_listen_while_serve_does_not(proxy: Proxy, behind: Behind) -> None:
    """Last, since it ends the server."""
    behind.server.stop(None).wait()
    proxy.await_condition(lambda: "is not reached" in proxy.client().problem(), "the closed door")
    behind.server, _ = serve(behind.servicer, behind.port)
    proxy.await_condition(lambda: proxy.client().problem() == "", "the open door")
    with closing(proxy.client()) as client:
        assert client.predict("one", "v", ROWS)
