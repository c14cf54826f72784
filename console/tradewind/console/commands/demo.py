"""`tradewind demo`: the README's first command. Shell."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tradewind.console.commands.up import UpOptions
from tradewind.console.commands.up import run as up
from tradewind.console.errors import ConsoleError


def run(*, as_json: bool) -> None:
    """Runs examples/megacap-daily.yaml on the demo data from scratch, in a directory of its own."""
    strategy = Path("examples/megacap-daily.yaml")
    if not strategy.exists():
        raise ConsoleError(f"{strategy}: not here; run tradewind demo in the project's folder")
    runs = Path("runs")
    state = runs / datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    up(UpOptions([strategy], "demo", "max", None, None, None, state, as_json))
    link = runs / ".latest"
    link.unlink(missing_ok=True)
    link.symlink_to(state.name)
    link.replace(runs / "latest")
