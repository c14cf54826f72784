"""Starts, awaits and ends the processes of a cluster on this machine. Shell."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

READY_WITHIN_S = 120
_FIRST_PORT, _PORTS = 4_000, 2_000


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on now, below those that the kernel gives: one of its own could be anybody's by the time it
    is bound."""
    found: list[int] = []
    start = os.getpid() * 37  # clusters that begin together begin apart
    for number in range(start, start + _PORTS):
        port = _FIRST_PORT + number % _PORTS
        with suppress(OSError), socket.create_server(("", port)):
            found.append(port)
        if len(found) == count:
            return found
    raise RuntimeError(f"of the ports from {_FIRST_PORT} to {_FIRST_PORT + _PORTS - 1} not {count} are free")


def start(state: Path, name: str, *command: str) -> subprocess.Popen[bytes]:
    """Starts a process that outlives this one; its pid and log lie in the state directory."""
    with (state / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    (state / f"{name}.pid").write_text(str(process.pid))
    return process


def await_ready(state: Path, process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> None:
    """Returns when `ready` says so; ends this process when the other one dies first or takes too long."""
    until = time.monotonic() + READY_WITHIN_S
    while time.monotonic() < until:
        if ready():
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    names = ", ".join(sorted(str(p) for p in state.glob("*.log")))
    sys.exit(f"the cluster is not ready after {READY_WITHIN_S} s or a part of it died; see {names}")


def end(state: Path, name: str, number: signal.Signals = signal.SIGKILL, within_s: float = 10) -> None:
    """Ends the process that `start` called `name`, if it still is that one: a pid may be somebody else's by now."""
    try:
        pid = int((state / f"{name}.pid").read_text())
        if name.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes():
            return
        os.kill(pid, number)
    except (FileNotFoundError, ProcessLookupError):
        return
    until = time.monotonic() + within_s
    while _runs(pid):
        if time.monotonic() > until:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
