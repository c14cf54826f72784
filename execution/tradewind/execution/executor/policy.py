"""The policy of a running executor: its configuration file, watched, and taken over when it changes. Shell.

A policy that is refused leaves the last one in force and is told on stderr; what became of the latest one stands in
`<state_dir>/<account>.policy.json` for whoever applied it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from tradewind.execution.executor.config import ExecutorConfig
from tradewind.execution.executor.intake import Intake
from tradewind.execution.executor.publisher import Publisher
from tradewind.execution.process import ProcessError, read_config
from tradewind.native.executor import Executor, ExecutorError

_LOOK_S = 0.05
# What may change while the process runs; the rest is where it is, and needs a new process.
POLICY = frozenset({"policy_generation", "engine", "canaries", "calendar", "estimates", "kill_switch"})


class PolicyFile:
    """Looks at the file between two records, so that a change is in force before the next intent is judged.

    `lock` is held while a change is taken over. Who holds it while it takes records, and in no wait, can have the file
    `watched` besides: what a loop waits for, such as the bus, does not keep it from the kill switch.
    """

    def __init__(
        self, path: Path, config: ExecutorConfig, executor: Executor, intake: Intake, publisher: Publisher
    ) -> None:
        self._path = path
        self._config = config
        self._executor = executor
        self._intake = intake
        self._publisher = publisher
        self.lock = threading.RLock()
        self._failed: Exception | None = None
        # Not seen yet: it may have changed since the process read it.
        self._seen: tuple[int, int] | None = None

    def begin(self) -> None:
        """The policy that the process starts with: an engaged switch is engaged."""
        if self._config.kill_switch.engaged:
            self._engage(self._config)
        self._told("")

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Looks every now and then from a thread of its own. What it did not foresee, the next `look` raises."""
        ending = threading.Event()

        def watch() -> None:
            while not ending.wait(_LOOK_S):
                try:
                    self.look()
                except Exception as error:  # noqa: BLE001 - raised in the loop
                    self._failed = error
                    return

        watcher = threading.Thread(target=watch, name="policy", daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ending.set()
            watcher.join()

    def look(self) -> None:
        """Takes a changed file over, or says why not."""
        with self.lock:
            if self._failed is not None:
                raise self._failed
            self._look()

    def _look(self) -> None:
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            return
        self._seen = stamp
        try:
            config = read_config(ExecutorConfig, self._path)
            self._take(config)
        except (ProcessError, ExecutorError) as error:
            print(  # noqa: T201 - the process's own log
                f"alert: {self._config.account}: the changed policy is refused, generation "
                f"{self._config.policy_generation} stays: {error}",
                file=sys.stderr,
            )
            self._told(str(error))
            return
        self._told("")

    def _take(self, config: ExecutorConfig) -> None:
        changed = {name for name in ExecutorConfig.model_fields if getattr(config, name) != getattr(self._config, name)}
        fixed = sorted(changed - POLICY)
        if fixed:
            raise ProcessError(f"{self._path}: {fixed[0]} can't change while the executor runs; start it again")
        calendar = self._intake.calendar_of(config.calendar)
        self._executor.reconfigure(config.native_engine)
        self._intake.follow(config, calendar)
        self._intake.time_passed()  # what it asks for of orders that are out needs no other input
        self._publisher.policy_generation = config.policy_generation
        before, self._config = self._config, config
        switch = config.kill_switch
        if switch.engaged and not before.kill_switch.engaged:
            self._engage(config)
        released = before.kill_switch.engaged or switch.released_by != before.kill_switch.released_by
        if switch.released_by and released:
            self._intake.resume(switch.released_by, f"releasedBy, generation {config.policy_generation}")

    def _engage(self, config: ExecutorConfig) -> None:
        reason = f"killSwitch.engaged, generation {config.policy_generation}"
        self._intake.halt(f"RiskPolicy/{config.account}", reason, flatten=config.kill_switch.flatten)

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = self._path.stat()
        except OSError:
            return None  # gone: the last policy stays
        return status.st_mtime_ns, status.st_ino

    def _told(self, problem: str) -> None:
        path = Path(self._config.state_dir) / f"{self._config.account}.policy.json"
        temporary = path.with_suffix(f".{os.getpid()}")
        record = {"generation": self._config.policy_generation, "problem": problem, "pid": os.getpid()}
        # Only a process in the container can see whether its CPUs are its own.
        record |= {"cpus": sorted(os.sched_getaffinity(0)), "of": os.cpu_count()}
        temporary.write_text(json.dumps(record), encoding="utf-8")
        temporary.replace(path)
