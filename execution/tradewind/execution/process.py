"""How a process of this member starts and ends: configuration file, readiness line, signals, exit status. Shell."""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from tradewind.bus import BusError, Probes
from tradewind.bus.stopping import StopEvent

Config = TypeVar("Config", bound=BaseModel)


class ProcessError(Exception):
    """Why a process can't run; its text is one line that names the fix."""


class TakenOverError(Exception):
    """Another process does this one's work now; its text is one line."""


class StoppedError(Exception):
    """The process was asked to stop while it waited; what it was doing is not done and not committed."""


def main(model: type[Config], run: Callable[[Config], None]) -> int:
    """Reads `--config FILE`, runs, and turns what the user can mend into one line on stderr and status 2.

    SIGUSR1 writes the stack of every thread to stderr and changes nothing.
    """
    path = config_path(model)
    faulthandler.register(signal.SIGUSR1)  # where every thread is, for who wonders why nothing happens
    try:
        run(read_config(model, path))
    except (ProcessError, BusError) as error:
        print(error, file=sys.stderr)  # noqa: T201 - the one line a user sees
        return 2
    except TakenOverError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1  # not the user's to mend: started again, it waits for its turn
    return 0


def config_path(model: type[BaseModel]) -> Path:
    """The file that `--config` names."""
    parser = argparse.ArgumentParser(description=model.__doc__)
    parser.add_argument("--config", required=True, type=Path, help="JSON file with the process's configuration")
    path: Path = parser.parse_args().config
    return path


def read_config(model: type[Config], path: Path) -> Config:
    """The configuration in `path`. Raises ProcessError naming the file and the field."""
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ProcessError(f"{path}: can't be read: {error.strerror}; check --config") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ProcessError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def run_until_signalled(loop: Callable[[StopEvent], None], ready: dict[str, Any], probes: Probes) -> None:
    """Says that the process is ready, then runs `loop` until SIGTERM or SIGINT sets its event."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: probes.stop.set())
    probes.begin()
    announce(ready)
    with contextlib.suppress(StoppedError):
        loop(probes.stop)


def announce(ready: dict[str, Any]) -> None:
    """One JSON line on stdout: whoever started the process waits for it."""
    print(json.dumps({"ready": True, **ready}), flush=True)  # noqa: T201 - read by the supervisor
