"""Runs workloads as processes of this machine: starts, watches, restarts, stops. Shell."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tradewind.console.errors import ConsoleError
from tradewind.console.state import ProcessRecord, StateDirectory, started_at
from tradewind.planning import Workload

_USER_ERROR = 2  # exit status of a process whose last line on stderr says what the user must mend
_MAX_RESTARTS = 200
_MAX_CRASHES = (
    5  # in a row, before it was ready or soon after: what fails by its own doing each time isn't mended by restarts
)
_LAST_WORDS_S = 1.0  # for what a process wrote just before it ended
_MIN_LIFE_S = 5.0  # a process that dies younger than this is restarted more and more slowly

Lines = Callable[[str, dict[str, Any]], None]


class SupervisedProcess:
    """One workload's process, started again when it dies by anything but its own decision."""

    def __init__(self, workload: Workload, state: StateDirectory, environment: Mapping[str, str], lines: Lines) -> None:
        self.workload = workload
        self.ready = threading.Event()
        self.ended = threading.Event()
        self.announcement: dict[str, Any] = {}
        self.restarts = 0
        self.failure: str | None = None
        self._state = state
        self._environment = dict(environment)
        self._lines = lines
        self._stopping = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._thread = threading.Thread(target=self._watch, name=workload.name, daemon=True)

    def start(self) -> None:
        """Writes the configuration and starts the process and its watcher."""
        self._state.write_json(self._config_path, self.workload.config)
        self._thread.start()

    def stop(self, timeout_s: float = 15.0) -> None:
        """SIGTERM, then SIGKILL for what doesn't listen."""
        self._stopping.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
        self._thread.join(timeout_s)

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    @property
    def _config_path(self) -> Path:
        return self._state.configs / f"{self.workload.name}.json"

    @property
    def _log_path(self) -> Path:
        return self._state.logs / f"{self.workload.name}.log"

    def _watch(self) -> None:
        delay = 0.1
        crashes = 0
        while not self._stopping.is_set():
            born = time.monotonic()
            status = self._run_once()
            self._state.forget(self.workload.name)
            if self._stopping.is_set() or (self.workload.kind == "Job" and status == 0):
                break
            # A negative status is a signal: it was killed, which says nothing about the next time.
            young = time.monotonic() - born < _MIN_LIFE_S
            crashes = crashes + 1 if status > 0 and (young or not self.ready.is_set()) else 0
            if status == _USER_ERROR or self.restarts >= _MAX_RESTARTS or crashes >= _MAX_CRASHES:
                self.failure = f"{self.workload.name}: {self._last_log_line()}"
                break
            self.ready.clear()
            self.restarts += 1
            delay = 0.1 if time.monotonic() - born > _MIN_LIFE_S else min(delay * 2, 5.0)
            self._stopping.wait(delay)
        self.ended.set()

    def _run_once(self) -> int:
        name = self.workload.name
        command = [sys.executable, "-m", self.workload.module, "--config", str(self._config_path)]
        with self._log_path.open("a", encoding="utf-8") as log:
            # A session of its own: Ctrl-C reaches the supervisor alone, which stops its processes in order.
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=log, text=True, env=self._environment, start_new_session=True
            )
        self._process = process
        if self._stopping.is_set():  # `stop` looked before there was a process to end
            process.terminate()
        self._state.record(ProcessRecord(name, process.pid, self.workload.module, started_at(process.pid) or 0))
        # A thread of its own: children that outlive the process hold its standard output open.
        reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        reader.start()
        status = process.wait()
        reader.join(_LAST_WORDS_S)
        return status

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout, self._log_path.open("a", encoding="utf-8") as log:
            for line in process.stdout:
                try:
                    message = json.loads(line)
                except ValueError:
                    message = None
                if not isinstance(message, dict):
                    log.write(line)
                    log.flush()
                elif process.poll() is None or not message.get("ready"):
                    self._take(message)

    def _take(self, message: dict[str, Any]) -> None:
        if message.get("ready"):
            self.announcement = message
            self.ready.set()
        self._lines(self.workload.name, message)

    def _last_log_line(self) -> str:
        path = self._log_path
        lines = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
        return lines[-1] if lines else f"ended without a word; see {path}"


class Supervisor:
    """The processes of one run."""

    def __init__(self, state: StateDirectory, environment: Mapping[str, str], lines: Lines) -> None:
        self._state = state
        self._environment = {**environment, "PYTHONUNBUFFERED": "1"}
        self._lines = lines
        self.processes: dict[str, SupervisedProcess] = {}

    def start(self, workload: Workload) -> SupervisedProcess:
        """Starts one workload with the secrets it names and no others."""
        hidden = {"APCA_API_KEY_ID", "APCA_API_SECRET_KEY"} - set(workload.secrets)
        environment = {k: v for k, v in self._environment.items() if k not in hidden}
        process = SupervisedProcess(workload, self._state, environment, self._lines)
        self.processes[workload.name] = process
        process.start()
        return process

    def wait_ready(self, names: list[str], timeout_s: float) -> None:
        """Until the named services are ready or jobs have ended. Raises ConsoleError naming the first that isn't."""
        deadline = time.monotonic() + timeout_s
        for name in names:
            process = self.processes[name]
            done = process.ended if process.workload.kind == "Job" else process.ready
            while not done.wait(0.1):
                self.raise_failures()
                if time.monotonic() > deadline:
                    log = self._state.logs / f"{name}.log"
                    raise ConsoleError(f"{name} was not ready after {timeout_s:.0f} s; see {log}")
            self.raise_failures()

    def watch(self) -> None:
        """Keeps the run going until a process gives up (ConsoleError) or somebody interrupts."""
        while True:
            self.raise_failures()
            time.sleep(0.5)

    def raise_failures(self) -> None:
        """Raises ConsoleError with the one line of a process that gave up."""
        for process in self.processes.values():
            if process.failure is not None:
                raise ConsoleError(process.failure)

    def stop(self) -> None:
        """Stops everything, last started first."""
        for process in reversed(list(self.processes.values())):
            process.stop()


def base_environment() -> dict[str, str]:
    """The environment of the processes: ours, with quiet libraries and one thread per numeric kernel."""
    quiet = {
        "OMP_NUM_THREADS": "1",
        "RAY_DEDUP_LOGS": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
        "FEAST_USAGE": "False",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "GRPC_VERBOSITY": "ERROR",
    }
    return {**os.environ, **quiet}
