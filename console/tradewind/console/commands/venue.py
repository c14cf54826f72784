"""`tradewind venue`. Shell."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

from pydantic import ValidationError

from tradewind.console.errors import ConsoleError
from tradewind.console.state import StateDirectory
from tradewind.execution.venue.config import VenueConfig
from tradewind.planning.local import BROKER_KEYS

_OPTIONS = {"port": "--port", "starting_cash": "--cash", "symbols": "--symbols", "state_dir": "--state"}


def run(state: Path, port: int, cash: str, symbols: str) -> None:
    """Becomes the simulated venue: the process is replaced, so that signals reach it and nothing watches it."""
    config = {
        "state_dir": str(state),
        "port": port,
        "starting_cash": cash,
        "symbols": [s.strip() for s in symbols.split(",") if s.strip()],
        "clock": "wall",
    }
    # Checked here too, so that a start that can't be leaves no directory behind.
    try:
        VenueConfig.model_validate(config)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = str(first["loc"][0])
        raise ConsoleError(f"{_OPTIONS.get(field, field)} {config[field]}: {first['msg']}") from None
    missing = [name for name in BROKER_KEYS if not os.environ.get(name)]
    if missing:
        raise ConsoleError(f"{' and '.join(missing)} not set: export the keys that the venue shall accept")
    _require_free(port)
    path = state / "venue.json"
    try:
        StateDirectory(state).write_json(path, config)
    except OSError as error:
        raise ConsoleError(f"--state {state}: {error.strerror}; choose a directory that can be written") from None
    os.execv(sys.executable, [sys.executable, "-m", "tradewind.execution.venue", "--config", str(path)])  # noqa: S606


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ConsoleError(f"--port {port}: {error.strerror}; free it or choose another") from None
