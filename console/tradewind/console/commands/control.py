"""`tradewind halt` and `tradewind resume`: the command line's door to the kill switch. Shell."""

from __future__ import annotations

import time
import uuid
from pathlib import Path

from rich.console import Console

from tradewind.console.errors import ConsoleError
from tradewind.console.executors import executors
from tradewind.v1 import control_pb2


def halt(state: Path, account: str | None, by: str, reason: str, *, flatten: bool) -> None:
    """Latches the kill switch of the run's executors."""
    _send(state, account, control_pb2.CONTROL_ACTION_HALT, by, reason, flatten)


def resume(state: Path, account: str | None, by: str, reason: str) -> None:
    """Releases it."""
    _send(state, account, control_pb2.CONTROL_ACTION_RESUME, by, reason, False)


def _send(
    state: Path, account: str | None, action: control_pb2.ControlAction.ValueType, by: str, reason: str, flatten: bool
) -> None:
    out = Console()
    failures = []
    for executor in executors(state, account):
        command = control_pb2.ControlCommand(
            id=str(uuid.uuid4()),
            account=executor.account,
            action=action,
            issued_by=by,
            reason=reason,
            issued_time=time.time_ns(),
            flatten=flatten,
        )
        try:
            out.print(f"{executor.account}: {executor.command(command)}")
        except ConsoleError as error:
            failures.append(str(error))  # one that doesn't answer must not keep the switch from the others
    if failures:
        raise ConsoleError("; ".join(failures))
