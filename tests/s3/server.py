"""Shell: an S3-compatible server for tests (Moto's), with one bucket; what it holds is gone with it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.exceptions import EndpointConnectionError

from tradewind.bus import ports

START_LIMIT_S = 60
BUCKET = "models"


class ServerError(Exception):
    """The server cannot be started; the message holds its last words."""


class Server:
    """A running server.

    Attributes:
        environment: what a client needs to reach it, as MLflow's page on artefact stores has it.

    Args:
        folder: holds the server's output.
    """

    def __init__(self, folder: Path) -> None:
        port = ports.reserve()
        self.environment = {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "MLFLOW_S3_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        }
        self._client = boto3.client(
            "s3",
            endpoint_url=self.environment["MLFLOW_S3_ENDPOINT_URL"],
            region_name=self.environment["AWS_DEFAULT_REGION"],
            aws_access_key_id=self.environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.environment["AWS_SECRET_ACCESS_KEY"],
        )
        self._log = folder / "s3.out"
        self._output = self._log.open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)],
            stdout=self._output,
            stderr=subprocess.STDOUT,
            cwd=folder,
        )
        try:
            self._make_bucket()
        except BaseException:
            self.stop()
            raise

    def objects(self) -> dict[str, bytes]:
        """What the bucket holds, by key."""
        listed: list[dict[str, Any]] = self._client.list_objects_v2(Bucket=BUCKET).get("Contents", [])
        return {o["Key"]: self._client.get_object(Bucket=BUCKET, Key=o["Key"])["Body"].read() for o in listed}

    def stop(self) -> None:
        """End the server."""
        self._process.terminate()
        self._process.wait(30)
        self._output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _make_bucket(self) -> None:
        """Once it is there; as it starts, nobody listens."""
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            try:
                self._client.create_bucket(Bucket=BUCKET)
            except EndpointConnectionError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    said = self._log.read_text(errors="replace")[-2000:]
                    raise ServerError(f"Moto did not start: {error}\n{said}") from error
                time.sleep(0.2)
            else:
                return
