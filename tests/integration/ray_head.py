"""A Ray head with its dashboard, as processes of this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from tradewind.bus import ports

WITHIN_S = 180.0
TOKEN = "a-token-of-thirty-two-characters"
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_worker_niceness": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": TOKEN,
}


@dataclass(frozen=True)
class Running:
    """A service that answers."""

    url: str
    log: Path


@contextmanager
def ray_head(directory: Path) -> Iterator[Running]:
    """A Ray of one node, with jobs and Serve by HTTP."""
    dashboard, gcs, agent, client, metrics = (ports.reserve() for _ in range(5))
    # Ray's sockets lie in it, and their names have an end; pytest's directories are too deep.
    short = Path(tempfile.mkdtemp(prefix="tw-ray-", dir="/tmp"))
    arguments = [
        "start",
        "--head",
        "--block",
        f"--port={gcs}",
        f"--ray-client-server-port={client}",
        f"--dashboard-port={dashboard}",
        f"--dashboard-agent-listen-port={agent}",
        f"--metrics-export-port={metrics}",
        "--num-cpus=2",
        f"--object-store-memory={100 * 2**20}",
        f"--temp-dir={short}",
        "--disable-usage-stats",
    ]
    command = [str(Path(sys.executable).with_name("ray")), *arguments]
    url = f"http://127.0.0.1:{dashboard}"
    try:
        with _process(command, directory / "ray.log", f"{url}/api/jobs/") as log:
            yield Running(url, log)
    finally:
        shutil.rmtree(short, ignore_errors=True)


@contextmanager
def _process(command: list[str], log: Path, answers: str) -> Iterator[Path]:
    environment = {k: v for k, v in os.environ.items() if k != "RAY_ADDRESS"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"  # a job's `python` is this one
    with log.open("w") as told:
        process = subprocess.Popen(
            command, env={**environment, **_QUIET}, stdout=told, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _await(process, answers, log)
        yield log
    finally:
        family = _family(process)
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        _, left = psutil.wait_procs(family, timeout=20)
        for one in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        process.wait()


def _family(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(process.pid)
        return [parent, *parent.children(recursive=True)]
    return []


def _await(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    until = time.monotonic() + WITHIN_S
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()[-4000:]
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(request, timeout=5) as answer:
            if answer.status == 200:
                return
        time.sleep(0.3)
    raise AssertionError(f"{url} doesn't answer: {log.read_text()[-4000:]}")
