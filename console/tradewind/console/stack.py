"""A run on this machine, from plan to ended feed. Shell."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from tradewind.console.errors import ConsoleError
from tradewind.console.state import ProcessRecord, StateDirectory, started_at
from tradewind.console.supervisor import Supervisor, base_environment
from tradewind.planning import Workload
from tradewind.planning.local import BROKER_KEYS

READY_S = 300.0  # for one service, on a slow and busy machine that starts Ray for the first time
JOB_S = 24 * 3600.0  # a training takes as long as it takes

Progress = Callable[[str, dict[str, Any]], None]


class LocalStack:
    """The processes of one plan."""

    def __init__(
        self, state: StateDirectory, workloads: Sequence[Workload], keys: dict[str, str], lines: Progress
    ) -> None:
        self._state = state
        self._workloads = list(workloads)
        self._lines = lines
        self.supervisor = Supervisor(state, {**base_environment(), **keys}, self._on_line)

    @contextlib.contextmanager
    def running(self, on_phase: Callable[[str], None]) -> Iterator[Supervisor]:
        """Starts every workload after those it names; stops them all on the way out, whatever happened."""
        self._state.record(ProcessRecord("up", os.getpid(), "tradewind.console", started_at(os.getpid()) or 0))
        try:
            for workload in self._workloads:
                for name in workload.after:
                    awaited = self.supervisor.processes[name].workload
                    self.supervisor.wait_ready([name], READY_S if awaited.kind == "Service" else JOB_S)
                on_phase(workload.name)
                self.supervisor.start(workload)
            yield self.supervisor
        finally:
            self.supervisor.stop()
            self._state.forget("up")

    def _on_line(self, name: str, message: dict[str, Any]) -> None:
        # A training job's last line is its result: kept for the report, and for `tradewind train`.
        if "gates_passed" in message:
            self._state.write_json(self._state.root / "training" / f"{message['model']}.json", message)
        self._lines(name, message)


def broker_keys(state: StateDirectory, *, simulated: bool) -> dict[str, str]:
    """The broker's keys: from the environment, or for the simulated venue a pair of this state directory's own.

    Raises ConsoleError when a real broker's keys are not there.
    """
    given = {name: os.environ[name] for name in BROKER_KEYS if os.environ.get(name)}
    if len(given) == len(BROKER_KEYS) and not simulated:
        return given
    if not simulated:
        missing = " and ".join(name for name in BROKER_KEYS if name not in given)
        raise ConsoleError(f"{missing} not set: export the account's keys, or replay a data set with --replay")
    path = state.root / "venue-keys.json"
    if not path.exists():
        state.write_json(
            path, {BROKER_KEYS[0]: f"SIM{secrets.token_hex(8).upper()}", BROKER_KEYS[1]: secrets.token_hex(20)}
        )
        path.chmod(0o600)
    keys: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return keys


def absolute(path: Path) -> str:
    """An absolute path as text."""
    return str(path.expanduser().resolve())
