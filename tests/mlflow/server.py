"""Shell: a real MLflow server for tests: records in a database, artefacts handed out by the server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tradewind.bus import ports

START_LIMIT_S = 180  # it makes some fifty tables first


class ServerError(Exception):
    """The server cannot be started; the message holds its last words."""


class Server:
    """A running server at `url`.

    Args:
        records: SQLAlchemy address of an empty database.
        folder: holds the server's output, and the artefacts where `artefacts` names no other place.
        artefacts: root of the artefacts, for example s3://models/here.
        environment: what the server alone is told, for example its keys for that place.
    """

    def __init__(
        self, records: str, folder: Path, artefacts: str = "", environment: Mapping[str, str] | None = None
    ) -> None:
        port = ports.reserve()
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / "mlflow.out"
        command = [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
            "--backend-store-uri", records,
            "--serve-artifacts", "--artifacts-destination", artefacts or str(folder / "artefacts"),
        ]  # fmt: skip
        self._output = self._log.open("wb")
        self._process = subprocess.Popen(
            command,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={
                **os.environ,
                "MLFLOW_DISABLE_TELEMETRY": "true",
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                **(environment or {}),
            },
            start_new_session=True,
        )
        try:
            self._await_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End the server and the workers that it started."""
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(30)
        self._output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _await_ready(self) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                    return
            except OSError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = self._log.read_text(errors="replace")[-2000:]
                    raise ServerError(f"MLflow did not start: {error}\n{said}") from error
                time.sleep(0.2)
