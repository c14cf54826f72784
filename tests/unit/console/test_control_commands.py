"""`tradewind halt`, `resume`, `status` and `down` against running processes and real Control services."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent import futures
from pathlib import Path

import grpc
import pytest

from tradewind.console.commands import control, down, status
from tradewind.console.errors import ConsoleError
from tradewind.console.state import ProcessRecord, StateDirectory, started_at
from tradewind.v1 import control_pb2, control_pb2_grpc


class Executor(control_pb2_grpc.ControlServicer):
    """Takes every command, or refuses it with `refusal`."""

    def __init__(self, account: str, refusal: str = "") -> None:
        self.account = account
        self.refusal = refusal
        self.commands: list[control_pb2.ControlCommand] = []

    def Command(  # noqa: N802
        self, request: control_pb2.ControlRequest, context: grpc.ServicerContext
    ) -> control_pb2.ControlReply:
        self.commands.append(request.command)
        return control_pb2.ControlReply(accepted=not self.refusal, message=self.refusal or "done")

    def Status(  # noqa: N802
        self, request: control_pb2.StatusRequest, context: grpc.ServicerContext
    ) -> control_pb2.StatusReply:
        return control_pb2.StatusReply(account=self.account, orders=3, equity=1_005 * 10**7, kill_switch=True)


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    directory = StateDirectory(tmp_path / "state")
    directory.create()
    return directory


@pytest.fixture
def run(state: StateDirectory) -> Iterator[Callable[..., Executor]]:
    """A Control service and, as an executor has, its address and its latencies in the state directory."""
    servers: list[grpc.Server] = []

    def start(account: str, refusal: str = "", *, answers: bool = True) -> Executor:
        executor = Executor(account, refusal)
        server = grpc.server(futures.ThreadPoolExecutor(1), options=[("grpc.so_reuseport", 0)])
        control_pb2_grpc.add_ControlServicer_to_server(executor, server)
        port = server.add_insecure_port("127.0.0.1:0")
        if answers:
            server.start()
            servers.append(server)
        state.record(ProcessRecord(f"executor-{account}", os.getpid(), "m", started_at(os.getpid()) or 0))
        address = {"account": account, "address": f"127.0.0.1:{port if answers else 1}"}
        state.write_json(state.root / "executors" / f"{account}.json", address)
        state.write_json(state.root / "executors" / f"{account}.latency.json", [{"hop": "risk", "count": 1}])
        return executor

    yield start
    for server in servers:
        server.stop(None)


def test_halt_reaches_every_account_with_name_and_reason(
    state: StateDirectory, run: Callable[..., Executor], capsys: pytest.CaptureFixture[str]
) -> None:
    executors = [run("first"), run("second")]
    control.halt(state.root, None, "ada", "drill", flatten=True)
    for executor in executors:
        (command,) = executor.commands
        assert command.action == control_pb2.CONTROL_ACTION_HALT
        assert (command.account, command.issued_by, command.reason) == (executor.account, "ada", "drill")
        assert command.flatten
    assert executors[0].commands[0].id != executors[1].commands[0].id
    assert capsys.readouterr().out.splitlines() == ["first: done", "second: done"]


@pytest.mark.parametrize("answers", [True, False], ids=["refuses", "does not answer"])
def test_one_that_fails_does_not_keep_the_switch_from_the_others(
    state: StateDirectory, run: Callable[..., Executor], answers: bool
) -> None:
    run("first", "already halted", answers=answers)
    second = run("second")
    with pytest.raises(ConsoleError, match=r"^executor of first .*"):
        control.halt(state.root, None, "ada", "drill", flatten=False)
    assert [c.flatten for c in second.commands] == [False]


def test_resume_of_one_account_leaves_the_other(state: StateDirectory, run: Callable[..., Executor]) -> None:
    first, second = run("first"), run("second")
    control.resume(state.root, "second", "ada", "checked")
    assert first.commands == []
    assert [c.action for c in second.commands] == [control_pb2.CONTROL_ACTION_RESUME]


def test_an_account_that_does_not_run_is_named(state: StateDirectory, run: Callable[..., Executor]) -> None:
    run("first")
    with pytest.raises(ConsoleError, match=r"^no executor of third runs in"):
        control.halt(state.root, "third", "ada", "drill", flatten=True)
    state.forget("executor-first")
    with pytest.raises(ConsoleError, match=r"^no executor runs in"):
        control.halt(state.root, None, "ada", "drill", flatten=True)


def test_status_tells_programs_what_runs_and_how_accounts_stand(
    state: StateDirectory, run: Callable[..., Executor], capsys: pytest.CaptureFixture[str]
) -> None:
    run("first")
    run("mute", answers=False)
    status.run(state.root, as_json=True)
    shown = json.loads(capsys.readouterr().out)
    assert [p["name"] for p in shown["processes"]] == ["executor-first", "executor-mute"]
    (account,) = shown["accounts"]
    assert (account["account"], account["orders"], account["equity"], account["kill_switch"]) == (
        "first",
        3,
        100.5,
        True,
    )


def test_down_stops_what_runs_and_nothing_else(state: StateDirectory, capsys: pytest.CaptureFixture[str]) -> None:
    sleep = [sys.executable, "-c", "import time; time.sleep(60)"]
    ours, reused = subprocess.Popen(sleep), subprocess.Popen(sleep)
    try:
        state.record(ProcessRecord("feed", ours.pid, "m", started_at(ours.pid) or 0))
        state.record(ProcessRecord("old", reused.pid, "m", 1))
        reaped = futures.ThreadPoolExecutor(1).submit(ours.wait)
        down.run(state.root)
        assert reaped.result(60) == -signal.SIGTERM
        assert reused.poll() is None
        assert capsys.readouterr().out.strip() == "stopped feed"
        down.run(state.root)
        assert capsys.readouterr().out.startswith("nothing runs in")
    finally:
        for process in (ours, reused):
            process.kill()
            process.wait()
