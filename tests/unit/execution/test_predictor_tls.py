"""A signal process's client of the predictor over TLS: whom it trusts, and what it says of the others."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest

from tests.certificates import Authority
from tests.unit.execution.test_signal_process import Predictor, serve
from tradewind.execution.signals.predictor import PredictorClient, PredictorUnavailableError
from tradewind.v1 import features_pb2, prediction_pb2_grpc

ROWS = [features_pb2.FeatureVector(symbol="AAPL", event_time=1, values=[0.5, 0.2])]
TIMEOUT_S = 60.0


def serve_tls(servicer: Predictor, folder: Path, port: int = 0) -> tuple[grpc.Server, int]:
    server = grpc.server(futures.ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    prediction_pb2_grpc.add_PredictionServicer_to_server(servicer, server)
    pair = ((folder / "tls.key").read_bytes(), (folder / "tls.crt").read_bytes())
    bound = server.add_secure_port(f"127.0.0.1:{port}", grpc.ssl_server_credentials([pair]))
    server.start()
    return server, bound


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority") / "ca", "ours")


@pytest.fixture(scope="module")
def secret(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secret")
    authority.sign(folder, "localhost")
    return folder


@pytest.fixture
def served(secret: Path) -> Iterator[tuple[Predictor, int]]:
    servicer = Predictor()
    server, port = serve_tls(servicer, secret)
    yield servicer, port
    server.stop(None).wait()


def refusal(client: PredictorClient) -> str:
    with pytest.raises(PredictorUnavailableError) as refused:
        client.predict("one", "v", ROWS)
    client.close()
    (line,) = str(refused.value).splitlines()
    return line


def test_who_has_the_ca_is_answered(served: tuple[Predictor, int], authority: Authority) -> None:
    client = PredictorClient(f"localhost:{served[1]}", TIMEOUT_S, str(authority.certificate))
    assert client.problem() == ""
    assert [p.value for p in client.predict("one", "v", ROWS)] == [0.5]
    client.close()


def test_a_certificate_of_another_ca_is_not_trusted(served: tuple[Predictor, int], tmp_path: Path) -> None:
    other = Authority(tmp_path / "ca", "theirs").certificate
    client = PredictorClient(f"localhost:{served[1]}", TIMEOUT_S, str(other))
    assert client.problem() == (
        f"localhost:{served[1]} is not trusted by {other} (unable to get local issuer certificate)"
    )
    assert "CERTIFICATE_VERIFY_FAILED" in refusal(client)
    assert served[0].requests == []


def test_a_certificate_of_another_name_is_not_trusted(served: tuple[Predictor, int], authority: Authority) -> None:
    client = PredictorClient(f"127.0.0.1:{served[1]}", TIMEOUT_S, str(authority.certificate))
    assert client.problem() == (
        f"127.0.0.1:{served[1]} is not trusted by {authority.certificate} "
        "(IP address mismatch, certificate is not valid for '127.0.0.1'.)"
    )
    assert "Hostname Verification Check failed" in refusal(client)
    assert served[0].requests == []


def test_plain_text_gets_nothing(served: tuple[Predictor, int]) -> None:
    client = PredictorClient(f"localhost:{served[1]}", TIMEOUT_S)
    assert refusal(client)
    assert served[0].requests == []


def test_a_predictor_in_plain_text_is_told_nothing(authority: Authority) -> None:
    """No row leaves for a server that shows no certificate."""
    servicer = Predictor()
    server, port = serve(servicer)
    client = PredictorClient(f"localhost:{port}", TIMEOUT_S, str(authority.certificate))
    assert client.problem().startswith(f"localhost:{port} is not reached (")
    assert refusal(client)
    assert servicer.requests == []
    server.stop(None).wait()


def test_a_ca_that_is_not_there_is_named(tmp_path: Path) -> None:
    client = PredictorClient("localhost:1", TIMEOUT_S, f"{tmp_path}/ca.pem")
    said = f"predictor: CA file {tmp_path}/ca.pem cannot be read (No such file or directory)"
    assert (client.problem(), refusal(client)) == (said, said)


def test_a_ca_that_is_renewed_is_read_again(secret: Path, authority: Authority, tmp_path: Path) -> None:
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(authority.certificate.read_bytes())
    server, port = serve_tls(Predictor(), secret)
    client = PredictorClient(f"localhost:{port}", TIMEOUT_S, str(trusted))
    assert client.predict("one", "v", ROWS)
    server.stop(None).wait()
    renewed = Authority(tmp_path / "ca", "renewed")
    renewed.sign(tmp_path / "secret", "localhost")
    server, _ = serve_tls(Predictor(), tmp_path / "secret", port)
    assert "CERTIFICATE_VERIFY_FAILED" in refusal(client)
    trusted.write_bytes(renewed.certificate.read_bytes())
    assert client.predict("one", "v", ROWS)
    client.close()
    server.stop(None).wait()
