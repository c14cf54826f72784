"""Shell: what the feed must remember of a run that the bus cannot tell: where each topic stood when it began."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from tradewind.bus import Bus
from tradewind.streaming.feed.errors import FeedError

TOPICS = ("bars", "news", "events", "control", "bars.dead", "news.dead")


class RunBase(BaseModel):
    """Ends of our topics before the run's first record."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    run: str
    bus: str
    data: str
    ends: dict[str, int]


@dataclass
class RunState:
    """Holds the state directory for this process alone, as two clocks of one run would both publish."""

    directory: Path

    def __enter__(self) -> Self:
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._lock = (self.directory / "lock").open("w")
        except OSError as error:
            raise FeedError(f"state_dir: {self.directory}: {error.strerror}; choose a directory we may write") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise FeedError(f"state_dir: {self.directory}: another feed is at work here; stop it first") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.close()

    def base(self, run: str, bus: Bus, data: str) -> RunBase:
        """The run's base: noted before anything is published, read back ever after.

        Args:
            data: identifies what is replayed; a run cannot go on with other data.
        """
        path = self.directory / f"{_file_name(run)}.json"
        if path.is_file():
            try:
                base = RunBase.model_validate_json(path.read_bytes())
            except ValidationError:
                raise FeedError(f"{path}: damaged; start a new run") from None
            if (base.run, base.bus, base.data) != (run, bus.identity, data):
                raise FeedError(
                    f"{path}: run {run} began on another bus or with other data; give the new run another id"
                )
            return base
        base = RunBase(run=run, bus=bus.identity, data=data, ends={topic: bus.end_offset(topic) for topic in TOPICS})
        scratch = path.with_suffix(".new")
        with scratch.open("w") as file:
            file.write(json.dumps(base.model_dump()))
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
        return base


def _file_name(run: str) -> str:
    return "run-" + "".join(c if c.isalnum() or c in "-_" else f"%{ord(c):x}" for c in run)
