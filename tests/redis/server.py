"""Shell: a real Redis for tests: on a free local port, with a password, without a disk, ended by its pid."""

from __future__ import annotations

import shutil
import subprocess
import time
from typing import Self

import redis

from tradewind.bus import ports

START_LIMIT_S = 60


class ServerError(Exception):
    """The server cannot be started; the message says what is missing."""


class Server:
    """A running server. `url(number)` is a database of it; `password` opens all."""

    password = "a password of the tests"

    def __init__(self) -> None:
        if shutil.which("redis-server") is None:
            raise ServerError("Redis is not installed: tools/system-packages test installs it on Debian")
        self.port = ports.reserve()
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", "/tmp"]
        self._process = subprocess.Popen(
            [*command, "--databases", "64", "--requirepass", self.password], stdout=subprocess.DEVNULL
        )
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            try:
                self.client(0).ping()
            except redis.ConnectionError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise
                time.sleep(0.05)
            else:
                return

    def client(self, number: int) -> redis.Redis:
        """A client of database `number`."""
        return redis.Redis(port=self.port, db=number, password=self.password)

    def url(self, number: int) -> str:
        """The address of database `number`, emptied."""
        self.client(number).flushdb()
        return f"redis://127.0.0.1:{self.port}/{number}"

    def stop(self) -> None:
        """End the server; what it kept is gone."""
        self._process.terminate()
        self._process.wait(30)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
