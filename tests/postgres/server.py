"""Shell: a real PostgreSQL for tests: a cluster of its own in a folder, on a free local port, ended by its pid.

PostgreSQL refuses to run as root: then it runs as the system's user `postgres`, whom the Debian package makes.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import psycopg

from tradewind.bus import ports

START_LIMIT_S = 120
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=16MB", "max_connections=60")


class ServerError(Exception):
    """The server cannot be started; the message says what is missing."""


class Server:
    """A running server. `url(name)` makes a database and gives its SQLAlchemy address."""

    def __init__(self) -> None:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
        if not found:
            raise ServerError("PostgreSQL is not installed: tools/system-packages test installs it on Debian")
        self._bin = found[-1].parent
        self._folder = Path(tempfile.mkdtemp(prefix="tradewind-postgres-"))
        self._as = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] if os.getuid() == 0 else []
        if self._as:
            shutil.chown(self._folder, "postgres", "postgres")
        self.port = ports.reserve()
        data = self._folder / "data"
        self._run("initdb", "--pgdata", str(data), "--username", "tradewind", "--auth", "trust", "--no-sync")
        self._output = (self._folder / "server.out").open("wb")
        settings = [
            f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self._folder}", *_FAST,
        ]  # fmt: skip
        options = [option for setting in settings for option in ("-c", setting)]
        self._process = subprocess.Popen(
            [*self._as, str(self._bin / "postgres"), "-D", str(data), *options],
            stdout=self._output,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
        )
        try:
            self._await_ready()
        except BaseException:
            self.stop()
            raise

    def url(self, name: str) -> str:
        """The address of a new, empty database `name`."""
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"'.encode())
        return f"postgresql+psycopg://tradewind@127.0.0.1:{self.port}/{name}"

    def stop(self) -> None:
        """End the server; what it kept is gone."""
        self._process.send_signal(signal.SIGINT)  # a fast shutdown: it does not wait for clients
        self._process.wait(30)
        self._output.close()
        shutil.rmtree(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _conninfo(self, database: str) -> str:
        return f"host=127.0.0.1 port={self.port} user=tradewind dbname={database} connect_timeout=5"

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [*self._as, str(self._bin / program), *arguments], capture_output=True, text=True, cwd=self._folder
        )
        if done.returncode:
            raise ServerError(f"{program}: {done.stderr.strip()}")

    def _await_ready(self) -> None:
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            try:
                psycopg.connect(self._conninfo("postgres")).close()
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    output = (self._folder / "server.out").read_text(errors="replace")[-2000:]
                    raise ServerError(f"PostgreSQL did not start: {error}\n{output}") from error
                time.sleep(0.05)
            else:
                return
