"""Shell: the chart's proxy of the predictor, run as its container runs it but for paths, ports and patience."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from tests.certificates import Authority
from tradewind.bus import ports
from tradewind.execution.signals.predictor import PredictorClient

FILES = Path(__file__).parents[2] / "charts" / "tradewind" / "files" / "predictor"
COMMAND = ["sh", "/etc/tradewind/proxy/run.sh"]
MOUNTS = {"proxy": "/etc/tradewind/proxy", "predictor-tls": "/etc/tradewind/tls"}
PORT, BEHIND = 9443, "127.0.0.1:9000"
LIMIT_S = 60.0


class Proxy:
    """A running proxy before the port `behind`, its certificate for `localhost` from `authority`, in `secret`."""

    def __init__(self, folder: Path, behind: int) -> None:
        assert shutil.which("haproxy"), "haproxy is missing: tools/system-packages test installs it on Debian"
        self.authority, self.secret = Authority(folder / "ca", "ours"), folder / "secret"
        self.authority.sign(self.secret, "localhost")
        self.port = ports.reserve()
        self.address = f"localhost:{self.port}"
        places = {
            MOUNTS["proxy"]: str(folder / "proxy"), MOUNTS["predictor-tls"]: str(self.secret),
            f":{PORT}": f":{self.port}", BEHIND: f"127.0.0.1:{behind}", "sleep 10": "sleep 0.2",
        }  # fmt: skip

        def here(text: str) -> str:
            for there, instead in places.items():
                text = text.replace(there, instead)
            return text

        (folder / "proxy").mkdir()
        for file in FILES.iterdir():
            (folder / "proxy" / file.name).write_text(here(file.read_text()))
        self.log = folder / "log"
        with self.log.open("w") as log:
            # A group of its own, as a container is: with it goes who watches the certificate.
            command = [here(word) for word in COMMAND]
            self.process = subprocess.Popen(command, stdout=log, stderr=log, process_group=0)
        try:
            self.await_condition(lambda: self.client().problem() == "", "the proxy")
        except AssertionError:
            self.close()
            raise

    def client(self, ca: Path | None = None, address: str = "") -> PredictorClient:
        """One that trusts the CA, or another."""
        return PredictorClient(address or self.address, LIMIT_S, str(ca or self.authority.certificate))

    def shown(self) -> str:
        """The certificate that a new connection is shown."""
        return ssl.get_server_certificate(("localhost", self.port))

    def await_condition(self, condition: Callable[[], bool], what: str) -> None:
        """Fails with what the proxy said."""
        deadline = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < deadline, f"waited {LIMIT_S:.0f} s for {what}: {self.log.read_text()[-2000:]}"
            time.sleep(0.05)

    def close(self) -> None:
        """End it and who watches the certificate."""
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(LIMIT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
