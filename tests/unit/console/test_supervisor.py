"""Processes of the local stack: started, watched, restarted, stopped. The children are small real processes."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tradewind.console.errors import ConsoleError
from tradewind.console.stack import LocalStack
from tradewind.console.state import StateDirectory, started_at
from tradewind.console.supervisor import SupervisedProcess, Supervisor
from tradewind.planning import Workload

LIMIT_S = 120.0

# What a child can be told to do, by its configuration.
CHILD = """\
import argparse, json, os, signal, subprocess, sys, time
parser = argparse.ArgumentParser()
parser.add_argument("--config")
config = json.load(open(parser.parse_args().config))
if config.get("ignore_term"):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
else:
    def end(*_):
        with open(config["ends"], "a") as log:
            log.write(config["name"] + "\\n")
        sys.exit(0)
    signal.signal(signal.SIGTERM, end)
if config.get("orphan"):
    orphan = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    print(json.dumps({"orphan": orphan.pid}), flush=True)
for line in config.get("stdout", []):
    print(line, flush=True)
for line in config.get("stderr", []):
    print(line, file=sys.stderr, flush=True)
if config.get("ready", True):
    keys = sorted(k for k in os.environ if k.startswith("APCA"))
    print(json.dumps({"ready": True, "pid": os.getpid(), "keys": keys}), flush=True)
if "seconds" in config:
    time.sleep(config["seconds"])
if "status" in config:
    sys.exit(config["status"])
while True:
    time.sleep(60)
"""


@pytest.fixture
def child(tmp_path: Path) -> dict[str, str]:
    """Environment in which `python -m tradewind_test_child` is the child above."""
    (tmp_path / "tradewind_test_child.py").write_text(CHILD)
    return {**os.environ, "PYTHONPATH": str(tmp_path), "APCA_API_KEY_ID": "K", "APCA_API_SECRET_KEY": "S"}


@pytest.fixture
def lines() -> list[tuple[str, dict[str, Any]]]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, child: dict[str, str], lines: list[tuple[str, dict[str, Any]]]) -> Iterator[Supervisor]:
    state = StateDirectory(tmp_path / "state")
    state.create()
    own = Supervisor(state, child, lambda name, message: lines.append((name, message)))
    yield own
    own.stop()


@pytest.fixture
def start(supervisor: Supervisor, tmp_path: Path) -> Callable[..., SupervisedProcess]:
    def run(name: str, *, kind: Any = "Service", secrets: tuple[str, ...] = (), **config: Any) -> SupervisedProcess:
        own = {"name": name, "ends": str(tmp_path / "ends"), **config}
        return supervisor.start(Workload(name, "tradewind_test_child", own, kind, secrets))

    return run


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_a_killed_process_runs_again(supervisor: Supervisor, start: Callable[..., SupervisedProcess]) -> None:
    process = start("feed")
    supervisor.wait_ready(["feed"], LIMIT_S)
    first = process.announcement["pid"]
    assert process.pid == first
    os.kill(first, signal.SIGKILL)
    eventually(lambda: process.announcement["pid"] != first and process.ready.is_set())
    assert process.restarts == 1
    assert process.failure is None
    assert started_at(first) is None


def test_a_killed_process_whose_child_holds_its_output_runs_again(
    supervisor: Supervisor, start: Callable[..., SupervisedProcess], lines: list[tuple[str, dict[str, Any]]]
) -> None:
    process = start("serving", orphan=True)
    supervisor.wait_ready(["serving"], LIMIT_S)
    first = process.announcement["pid"]
    os.kill(first, signal.SIGKILL)
    try:
        eventually(lambda: process.announcement["pid"] != first)
    finally:
        for orphan in [message["orphan"] for _, message in lines if "orphan" in message]:
            os.kill(orphan, signal.SIGKILL)


def test_status_2_ends_it_with_the_last_line_on_stderr(
    supervisor: Supervisor, start: Callable[..., SupervisedProcess]
) -> None:
    process = start("venue", ready=False, stderr=["WARNING: something", "port 1: in use; free it"], status=2)
    with pytest.raises(ConsoleError, match=r"^venue: port 1: in use; free it$"):
        supervisor.wait_ready(["venue"], LIMIT_S)
    assert process.restarts == 0


def test_what_crashes_each_time_is_given_up(supervisor: Supervisor, start: Callable[..., SupervisedProcess]) -> None:
    process = start("train-a", kind="Job", ready=False, stderr=["ZeroDivisionError: division by zero"], status=1)
    with pytest.raises(ConsoleError, match=r"^train-a: ZeroDivisionError: division by zero$"):
        supervisor.wait_ready(["train-a"], LIMIT_S)
    assert process.restarts == 4


def test_a_service_that_ends_by_itself_is_started_again_and_a_job_is_done(
    supervisor: Supervisor, start: Callable[..., SupervisedProcess]
) -> None:
    job = start("train-a", kind="Job", status=0)
    service = start("recorder", status=0)
    supervisor.wait_ready(["train-a"], LIMIT_S)
    assert (job.restarts, job.failure, job.pid) == (0, None, None)
    eventually(lambda: service.restarts >= 2)


def test_what_waits_in_vain_is_named(supervisor: Supervisor, start: Callable[..., SupervisedProcess]) -> None:
    start("slow", ready=False)
    with pytest.raises(ConsoleError, match=r"slow was not ready after 0 s; see .*slow\.log"):
        supervisor.wait_ready(["slow"], 0.2)


def test_last_started_is_stopped_first(
    supervisor: Supervisor, start: Callable[..., SupervisedProcess], tmp_path: Path
) -> None:
    names = ["venue", "serving", "executor", "feed"]
    for name in names:
        start(name)
    supervisor.wait_ready(names, LIMIT_S)
    pids = [supervisor.processes[name].pid for name in names]
    supervisor.stop()
    assert (tmp_path / "ends").read_text().split() == names[::-1]
    assert [started_at(pid) for pid in pids if pid] == [None] * 4
    assert StateDirectory(tmp_path / "state").processes() == []


def test_what_does_not_listen_is_killed(supervisor: Supervisor, start: Callable[..., SupervisedProcess]) -> None:
    process = start("deaf", ignore_term=True)
    supervisor.wait_ready(["deaf"], LIMIT_S)
    pid = process.announcement["pid"]
    process.stop(timeout_s=0.3)
    eventually(lambda: started_at(pid) is None)


def test_secrets_reach_those_who_name_them(supervisor: Supervisor, start: Callable[..., SupervisedProcess]) -> None:
    start("executor", secrets=("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"))
    start("half", secrets=("APCA_API_KEY_ID",))
    start("serving")
    supervisor.wait_ready(["executor", "half", "serving"], LIMIT_S)
    keys = {name: process.announcement["keys"] for name, process in supervisor.processes.items()}
    assert keys == {
        "executor": ["APCA_API_KEY_ID", "APCA_API_SECRET_KEY"],
        "half": ["APCA_API_KEY_ID"],
        "serving": [],
    }


def test_messages_go_to_the_listener_and_other_words_to_the_log(
    supervisor: Supervisor,
    start: Callable[..., SupervisedProcess],
    lines: list[tuple[str, dict[str, Any]]],
    tmp_path: Path,
) -> None:
    start("feed", kind="Job", stdout=["hello", json.dumps({"step": 3, "total": 9}), "[1]"], status=0)
    supervisor.wait_ready(["feed"], LIMIT_S)
    assert ("feed", {"step": 3, "total": 9}) in lines
    assert (tmp_path / "state" / "logs" / "feed.log").read_text() == "hello\n[1]\n"
    assert json.loads((tmp_path / "state" / "config" / "feed.json").read_text())["name"] == "feed"


def test_stopped_while_it_starts_nothing_is_left_behind(
    supervisor: Supervisor, start: Callable[..., SupervisedProcess], tmp_path: Path
) -> None:
    for round_ in range(5):
        process = start(f"quick-{round_}", ready=False)
        threads = [threading.Thread(target=process.stop) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT_S)
        assert process.ended.is_set()
        assert process.pid is None
    assert StateDirectory(tmp_path / "state").alive() == []


def test_a_service_waits_for_a_job_longer_than_for_a_service(
    tmp_path: Path, child: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training takes as long as it takes; only what should be ready at once is given up."""
    monkeypatch.setattr("tradewind.console.stack.READY_S", 1.0)
    monkeypatch.setenv("PYTHONPATH", child["PYTHONPATH"])
    state = StateDirectory(tmp_path / "state")
    state.create()
    ends = str(tmp_path / "ends")
    job = Workload("job", "tradewind_test_child", {"name": "job", "ends": ends, "status": 0, "seconds": 2.5}, "Job")
    service = Workload("service", "tradewind_test_child", {"name": "service", "ends": ends}, after=("job",))
    with LocalStack(state, [job, service], {}, lambda *_: None).running(lambda _: None) as supervisor:
        supervisor.wait_ready(["service"], LIMIT_S)
    silent = Workload("silent", "tradewind_test_child", {"name": "silent", "ends": ends, "ready": False})
    behind = Workload("behind", "tradewind_test_child", {"name": "behind", "ends": ends}, after=("silent",))
    with (
        pytest.raises(ConsoleError, match="silent was not ready after 1 s"),
        LocalStack(state, [silent, behind], {}, lambda *_: None).running(lambda _: None),
    ):
        pass
