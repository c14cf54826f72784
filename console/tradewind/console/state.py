"""What a local run leaves on disk, and where. Shell (reads and writes the state directory)."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tradewind.console.errors import ConsoleError


@dataclass(frozen=True)
class ProcessRecord:
    """One process of the local stack."""

    name: str
    pid: int
    module: str
    started: int  # start time of the pid, in clock ticks since boot: a reused pid is another process


class StateDirectory:
    """Layout of one run: configs, logs, pids, stores, report."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def create(self) -> None:
        """Makes the directories. Raises OSError when that's not possible."""
        for part in (self.configs, self.logs, self.pids):
            part.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def prepared(self) -> Iterator[None]:
        """Makes the directories; if they weren't there and what prepares the run fails, they go again.

        Raises ConsoleError when they can't be made.
        """
        fresh = not self.root.exists()
        try:
            self.create()
        except OSError as error:
            raise ConsoleError(
                f"--state {self.root}: {error.strerror}; choose a directory that can be written"
            ) from None
        try:
            yield
        except BaseException:
            if fresh:
                shutil.rmtree(self.root, ignore_errors=True)
            raise

    @property
    def configs(self) -> Path:
        """A JSON file per process."""
        return self.root / "config"

    @property
    def logs(self) -> Path:
        """A log file per process."""
        return self.root / "logs"

    @property
    def pids(self) -> Path:
        """A record per running process."""
        return self.root / "pids"

    @property
    def run_file(self) -> Path:
        """What this state directory is running: `up` goes on with it."""
        return self.root / "run.json"

    def write_json(self, path: Path, value: Any) -> None:
        """Writes a file in one step, so that a reader never sees half of it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        temporary.replace(path)

    def record(self, process: ProcessRecord) -> None:
        """Remembers a running process."""
        self.write_json(self.pids / f"{process.name}.json", asdict(process))

    def forget(self, name: str) -> None:
        """Forgets a process that has ended."""
        (self.pids / f"{name}.json").unlink(missing_ok=True)

    def processes(self) -> list[ProcessRecord]:
        """Every process remembered, alive or not."""
        if not self.pids.is_dir():
            return []
        records = []
        for path in sorted(self.pids.glob("*.json")):
            # A process may end, and be forgotten, while we read.
            with contextlib.suppress(FileNotFoundError):
                records.append(ProcessRecord(**json.loads(path.read_text(encoding="utf-8"))))
        return records

    def alive(self) -> list[ProcessRecord]:
        """Those that still run."""
        return [p for p in self.processes() if started_at(p.pid) == p.started]


def started_at(pid: int) -> int | None:
    """Start time of a process in clock ticks since boot (proc(5), field 22); None when it doesn't run."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


def terminate(process: ProcessRecord, number: signal.Signals = signal.SIGTERM) -> bool:
    """Signals a process if it is still the one that was recorded; whether it was."""
    if started_at(process.pid) != process.started:
        return False
    try:
        os.kill(process.pid, number)
    except ProcessLookupError:
        return False
    return True
