"""`tradewind down`. Shell."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from rich.console import Console

from tradewind.console.state import StateDirectory, terminate


def run(state: Path) -> None:
    """Stops the supervisor first, so that it restarts nothing, then whatever is left."""
    directory = StateDirectory(state)
    out = Console()
    alive = directory.alive()
    if not alive:
        out.print(f"nothing runs in {state}")
        return
    # The supervisor is recorded under the name `up`.
    for process in sorted(alive, key=lambda p: p.name != "up"):
        terminate(process)
    deadline = time.monotonic() + 20
    while directory.alive() and time.monotonic() < deadline:
        time.sleep(0.1)
    for process in directory.alive():
        terminate(process, signal.SIGKILL)
    out.print(f"stopped {', '.join(p.name for p in alive)}")
