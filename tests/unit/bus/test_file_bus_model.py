"""The file-backed log against a model of it: lists and dictionaries, driven by random operations."""

from __future__ import annotations

import sqlite3
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tradewind.bus import FileBus, Outgoing, Subscription
from tradewind.v1.market_pb2 import Bar, NewsItem

TOPICS = ("bars", "news")
READERS = [(group, topic) for group in ("features", "executor") for topic in TOPICS]
UNREADABLE = None

topics = st.sampled_from(TOPICS)
readers = st.sampled_from(READERS)
Reader = tuple[str, str]


@dataclass
class ReaderModel:
    """What is known of one subscription of one topic."""

    start: int
    floor: int  # what its group had committed when it began
    position: int
    asked: int = 0  # the most that it was told to commit
    skipped: set[int] = field(default_factory=set)

    def committed(self) -> int:
        """Up to the first record that was neither committed nor found unreadable."""
        first_open = self.start
        while first_open < self.asked or first_open in self.skipped:
            first_open += 1
        return max(self.floor, self.asked, first_open if first_open > self.start else 0)


class FileBusMachine(RuleBasedStateMachine):
    """Publishes, damages, reads, commits, and reopens the bus and its subscriptions at random."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name) / "bus.db"
        self.bus = FileBus(self.path)
        self.log: dict[str, list[int | None]] = {topic: [] for topic in TOPICS}
        self.real: dict[Reader, Subscription] = {}
        self.model: dict[Reader, ReaderModel] = {}

    @initialize()
    def subscribe_all(self) -> None:
        for reader in READERS:
            self.subscribe(reader, "committed")

    @rule(reader=readers, start=st.sampled_from(["committed", "earliest", "latest", 1]))
    def subscribe(self, reader: Reader, start: str | int) -> None:
        group, topic = reader
        floor = self.model[reader].committed() if reader in self.model else 0
        if reader in self.real:
            self.real[reader].close()
        begin = {"committed": floor, "earliest": 0, "latest": len(self.log[topic]), 1: min(1, len(self.log[topic]))}[
            start
        ]
        if isinstance(start, int):
            self.real[reader] = self.bus.subscribe([topic], group, start={topic: begin})
        else:
            self.real[reader] = self.bus.subscribe([topic], group, start=start)  # type: ignore[arg-type]
        self.model[reader] = ReaderModel(begin, floor, begin)
        assert self.real[reader].poll(0, 0.0) == []

    @rule(values=st.lists(st.tuples(topics, st.integers(0, 99)), max_size=5))
    def publish(self, values: list[tuple[str, int]]) -> None:
        expected = []
        for topic, value in values:
            expected.append(len(self.log[topic]))
            self.log[topic].append(value)
        assert self.bus.publish_many([Outgoing(t, "key", _message(t, value)) for t, value in values]) == expected

    @rule(topic=topics)
    def damage(self, topic: str) -> None:
        db = sqlite3.connect(self.path)
        with db:
            row = (topic, len(self.log[topic]), "key", b"\xff", '{"schema": "tradewind.v1.Quote"}', 0)
            db.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)", row)
        db.close()
        self.log[topic].append(UNREADABLE)

    @rule(reader=readers, count=st.integers(1, 4))
    def poll(self, reader: Reader, count: int) -> None:
        model = self.model[reader]
        window = list(enumerate(self.log[reader[1]]))[model.position : model.position + count]
        records = self.real[reader].poll(count, 0.0)
        assert [(record.offset, _value(record.message)) for record in records] == _readable(window)
        model.position += len(window)
        model.skipped |= {offset for offset, value in window if value is UNREADABLE}

    @rule(reader=readers, data=st.data())
    def commit(self, reader: Reader, data: st.DataObject) -> None:
        topic, model = reader[1], self.model[reader]
        offset = data.draw(st.integers(0, len(self.log[topic])))
        self.real[reader].commit({topic: offset})
        model.asked = max(model.asked, offset)
        model.position = max(model.position, offset)

    @rule()
    def reopen(self) -> None:
        for subscription in self.real.values():
            subscription.close()
        self.bus.close()
        self.bus = FileBus(self.path)
        self.subscribe_all()

    @rule(topic=topics, start=st.integers(0, 8), length=st.integers(0, 8))
    def read(self, topic: str, start: int, length: int) -> None:
        expected = _readable(list(enumerate(self.log[topic]))[start : start + length])
        assert [(r.offset, _value(r.message)) for r in self.bus.read(topic, start, start + length)] == expected

    @invariant()
    def offsets_agree(self) -> None:
        for topic in TOPICS:
            assert self.bus.end_offset(topic) == len(self.log[topic])
        for (group, topic), model in self.model.items():
            assert self.bus.committed(group, topic) == model.committed()

    def teardown(self) -> None:
        for subscription in self.real.values():
            subscription.close()
        self.bus.close()
        self.folder.cleanup()


def _readable(window: list[tuple[int, int | None]]) -> list[tuple[int, int]]:
    return [(offset, value) for offset, value in window if value is not None]


def _message(topic: str, value: int) -> Bar | NewsItem:
    return Bar(volume=value) if topic == "bars" else NewsItem(event_time=value)


def _value(message: object) -> int:
    assert isinstance(message, Bar | NewsItem)
    return message.volume if isinstance(message, Bar) else message.event_time


TestFileBusModel = FileBusMachine.TestCase
TestFileBusModel.settings = settings(max_examples=30, stateful_step_count=30)
