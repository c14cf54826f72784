"""Shell: the file-backed log: one file that the processes of one host share, with nothing to install or to start."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tradewind.bus.dead_letters import DeadLetterOffice, dead_letter
from tradewind.bus.encoding import encode
from tradewind.bus.errors import BusError
from tradewind.bus.file_store import FileStore
from tradewind.bus.interface import DEFAULT_POLL_RECORDS, Bus, Start, Subscription
from tradewind.bus.progress import Progress
from tradewind.bus.record import Outgoing, RawRecord, Record
from tradewind.bus.topics import require_topic
from tradewind.bus.wakeup import Bells, listen

_READ_CHUNK = 1000
_COMMITS_BELL = "commits"


class FileBus(Bus):
    """A log in the file `path`. `path` + ".d" holds the bells and the locks of the consumers, nothing that lasts.

    Open it after a fork, not before: SQLite's connections do not survive one.

    Raises:
        BusError: the path is not a bus file, is damaged, or was written by a newer version.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.store = FileStore(self.path)
        self.folder = self.path.with_name(self.path.name + ".d")
        self.folder.mkdir(exist_ok=True)
        self.bells = Bells(self.folder)
        self.office = DeadLetterOffice(self)

    @property
    def identity(self) -> str:
        return self.store.identity

    def publish_many(self, messages: Sequence[Outgoing]) -> list[int]:
        rows = [(outgoing.topic, outgoing.key, *encode(outgoing)) for outgoing in messages]
        if not rows:
            return []
        offsets = self.store.append(rows)
        for topic in {row[0] for row in rows}:
            self.bells.ring(topic)
        return offsets

    def flush(self) -> None:
        """Nothing to wait for: `publish` returns after its transaction."""

    def subscribe(
        self, topics: Sequence[str], group: str, *, start: Start = "committed", evict: bool = False
    ) -> Subscription:
        for topic in topics:
            require_topic(topic)
        return FileSubscription(self, topics, group, start, evict=evict)

    def read(self, topic: str, start: int = 0, end: int | None = None) -> Iterator[Record]:
        require_topic(topic)
        return self._read(topic, start, self.end_offset(topic) if end is None else end)

    def _read(self, topic: str, start: int, end: int) -> Iterator[Record]:
        while start < end:
            chunk = self.store.fetch(topic, start, min(_READ_CHUNK, end - start))
            if not chunk:
                return
            for raw in chunk:
                record = self.office.read(raw, "read")
                if record is not None:
                    yield record
            start = chunk[-1].offset + 1

    def end_offset(self, topic: str) -> int:
        require_topic(topic)
        return self.store.end(topic)

    def committed(self, group: str, topic: str) -> int:
        require_topic(topic)
        return self.store.committed(group, topic)

    def commit(self, group: str, offsets: Mapping[str, int]) -> None:
        """Remember how far `group` is, and wake those who wait for it. Consumers use `Subscription.commit`."""
        self.store.commit(group, offsets)
        self.bells.ring(_COMMITS_BELL)

    def wait_committed(self, goals: Mapping[tuple[str, str], int], timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        waiter = listen(self.bells, [_COMMITS_BELL])
        try:
            while any(self.committed(group, topic) < offset for (group, topic), offset in goals.items()):
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                waiter.wait(left)
            return True
        finally:
            waiter.close()

    def dead_letter(self, topic: str, key: str, payload: bytes, payload_type: str, reason: str, consumer: str) -> int:
        return self.publish_many([dead_letter(topic, key, payload, payload_type, reason, consumer)])[0]

    def reach(self) -> None:
        self.end_offset("control")

    def close(self) -> None:
        self.store.close()
        self.bells.close()


class FileSubscription(Subscription):
    """A group's reading of a `FileBus`. A topic is held by a lock that the kernel lets go of when the process dies."""

    def __init__(self, bus: FileBus, topics: Sequence[str], group: str, start: Start, *, evict: bool) -> None:
        self._bus = bus
        self._evict = evict
        self._topics = list(topics)
        self._group = group
        self._start: Start = {topic: bus.end_offset(topic) for topic in topics} if start == "latest" else start
        self._waiter = listen(bus.bells, self._topics)
        self._locks: dict[str, int] = {}
        self._next: dict[str, int] = {}  # of the topics held
        self._progress: dict[str, Progress] = {}
        self._closed = False

    def poll(self, max_records: int = DEFAULT_POLL_RECORDS, timeout: float = 1.0) -> list[Record]:
        self._require_open()
        deadline = time.monotonic() + timeout
        while True:
            self._hold_topics()
            records = self._take(max_records)
            left = deadline - time.monotonic()
            if records or left <= 0:
                return records
            self._waiter.wait(left)

    def commit(self, done: Record | Mapping[str, int]) -> None:
        self._require_open()
        offsets = {done.topic: done.offset + 1} if isinstance(done, Record) else done
        for topic in offsets:
            if topic not in self._progress:
                raise BusError(
                    f"group {self._group} does not read topic {topic}: subscribe to it, and poll, to commit it"
                )
        for topic, offset in offsets.items():
            if offset > self._next[topic]:  # read by other means, such as `Bus.read`
                self._bus.require_end(self._group, topic, offset)
                self._next[topic] = offset
        commits = {topic: self._progress[topic].commit(offset) for topic, offset in offsets.items()}
        self._commit({topic: offset for topic, offset in commits.items() if offset is not None})

    def lag(self) -> dict[str, int]:
        return {topic: self._bus.end_offset(topic) - offset for topic, offset in self._next.items()}

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._waiter.close()
        for topic, lock in self._locks.items():
            os.close(lock)
            self._bus.bells.ring(topic)  # whoever waits to take over looks now
        self._locks.clear()

    def _take(self, max_records: int) -> list[Record]:
        records: list[Record] = []
        for topic in self._topics:
            if topic in self._next and len(records) < max_records:
                records += self._take_topic(topic, max_records - len(records))
        # The topic that was first goes last, so that a busy one cannot keep the others from being read.
        self._topics.append(self._topics.pop(0))
        return records

    def _take_topic(self, topic: str, count: int) -> list[Record]:
        records = []
        for raw in self._bus.store.fetch(topic, self._next[topic], count):
            record = self._read(raw)
            if record is not None:
                records.append(record)
            self._next[topic] = raw.offset + 1
        return records

    def _read(self, raw: RawRecord) -> Record | None:
        record = self._bus.office.read(raw, self._group)
        if record is None:
            skipped_to = self._progress[raw.topic].skip(raw.offset)
            if skipped_to is not None:
                self._commit({raw.topic: skipped_to})
        return record

    def _commit(self, offsets: Mapping[str, int]) -> None:
        if offsets:
            self._bus.commit(self._group, offsets)

    def _hold_topics(self) -> None:
        """Take the topics that nobody else of the group holds, each from where its last holder committed."""
        for topic in self._topics:
            if topic in self._locks:
                continue
            path = self._bus.folder / _lock_name(self._group, topic)
            lock = _try_lock(path)
            if lock is None and self._evict:
                lock = _new_lock(path)
            if lock is None:
                continue
            self._locks[topic] = lock
            floor = self._bus.committed(self._group, topic)
            begin = self._begin(topic, floor)
            self._next[topic] = begin
            self._progress[topic] = Progress(begin, floor)

    def _begin(self, topic: str, committed: int) -> int:
        if isinstance(self._start, Mapping):
            return self._start.get(topic, committed)
        return 0 if self._start == "earliest" else committed

    def _require_open(self) -> None:
        if self._closed:
            raise BusError(f"the subscription of group {self._group} is closed: subscribe again")


def _lock_name(group: str, topic: str) -> str:
    return f"{hashlib.sha256(group.encode()).hexdigest()[:16]}.{topic}.lock"  # a group's name may hold any character


def _try_lock(path: Path) -> int | None:
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


def _new_lock(path: Path) -> int:
    """A lock under the same name; the old one stays with the process that has it, and counts for nobody else."""
    temporary = path.with_suffix(f".{os.getpid()}")
    file = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC)
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    temporary.replace(path)
    return file
