"""What a run leaves on disk: pids that are still the same processes, files that are never half there."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tradewind.console.errors import ConsoleError
from tradewind.console.state import ProcessRecord, StateDirectory, started_at, terminate


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    # Its name has what proc(5) warns of: spaces and brackets.
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    directory = StateDirectory(tmp_path / "state")
    directory.create()
    return directory


def record_of(process: subprocess.Popen[bytes]) -> ProcessRecord:
    started = started_at(process.pid)
    assert started is not None
    return ProcessRecord("feed", process.pid, "a.module", started)


def test_start_time_is_the_kernels(sleeper: subprocess.Popen[bytes]) -> None:
    started = started_at(sleeper.pid)
    assert started is not None

    def age() -> float:
        return float(Path("/proc/uptime").read_text().split()[0]) - started / os.sysconf("SC_CLK_TCK")

    least = age()
    shown = subprocess.run(
        ["ps", "-o", "etimes=", "-p", str(sleeper.pid)], capture_output=True, text=True, check=True
    ).stdout
    assert least - 2 < int(shown) < age() + 2


def test_a_process_named_with_brackets_and_spaces_is_read_right(tmp_path: Path) -> None:
    odd = tmp_path / "a) R (b 7"
    odd.symlink_to("/bin/sleep")
    process = subprocess.Popen([str(odd), "60"])
    try:
        own = started_at(os.getpid())
        other = started_at(process.pid)
        assert own is not None
        assert other is not None
        assert other >= own
    finally:
        process.kill()
        process.wait()


def test_a_dead_process_does_not_run(sleeper: subprocess.Popen[bytes], state: StateDirectory) -> None:
    state.record(record_of(sleeper))
    assert [p.name for p in state.alive()] == ["feed"]
    sleeper.kill()
    os.waitid(os.P_PID, sleeper.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the table: a zombie
    assert state.alive() == []
    sleeper.wait()
    assert started_at(sleeper.pid) is None
    assert state.alive() == []
    assert [p.name for p in state.processes()] == ["feed"]


def test_a_pid_given_again_is_another_process(sleeper: subprocess.Popen[bytes], state: StateDirectory) -> None:
    earlier = replace(record_of(sleeper), started=record_of(sleeper).started - 1)
    state.record(earlier)
    assert state.alive() == []
    assert not terminate(earlier)
    assert sleeper.poll() is None
    assert terminate(record_of(sleeper), signal.SIGKILL)
    assert sleeper.wait(60) == -signal.SIGKILL
    assert not terminate(earlier)


def test_a_forgotten_process_is_gone_and_forgetting_twice_is_harmless(
    sleeper: subprocess.Popen[bytes], state: StateDirectory
) -> None:
    state.record(record_of(sleeper))
    state.forget("feed")
    state.forget("feed")
    assert state.processes() == []


def test_readers_see_whole_files_and_no_gap_while_processes_come_and_go(state: StateDirectory) -> None:
    stop = threading.Event()

    def churn() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            state.record(ProcessRecord("feed", number, "m" * 2000, number))
            state.write_json(state.run_file, {"number": number, "filler": "x" * 5000})
            state.forget("feed")

    writer = threading.Thread(target=churn)
    writer.start()
    try:
        seen = looks = 0
        while looks < 2000 or not seen:
            looks += 1
            seen += len(state.processes())
            if state.run_file.exists():
                assert set(json.loads(state.run_file.read_text())) == {"number", "filler"}
    finally:
        stop.set()
        writer.join()
    assert [p.name for p in state.root.iterdir() if p.is_file()] == ["run.json"]


def fails_after_writing(state: StateDirectory) -> None:
    with state.prepared():
        state.write_json(state.run_file, {"kept": True})
        raise ConsoleError("no data")


def test_a_preparation_that_fails_leaves_what_was_there_and_nothing_new(tmp_path: Path) -> None:
    state = StateDirectory(tmp_path / "state")
    with pytest.raises(ConsoleError, match="no data"):
        fails_after_writing(state)
    assert list(tmp_path.iterdir()) == []
    with state.prepared():
        pass
    with pytest.raises(ConsoleError, match="no data"):
        fails_after_writing(state)
    assert json.loads(state.run_file.read_text()) == {"kept": True}
    with pytest.raises(ConsoleError, match=r"--state .*run\.json/x: Not a directory; choose"):
        fails_after_writing(StateDirectory(state.run_file / "x"))


def test_a_directory_that_was_never_made_runs_nothing(tmp_path: Path) -> None:
    assert StateDirectory(tmp_path / "none").alive() == []
    assert list(tmp_path.iterdir()) == []
