"""What an executor without a clock's ticks does while the bus is away. With Kafka: tests/chaos/test_kafka_away.py."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from google.protobuf.message import Message

from tradewind.bus import BusAwayError, BusError, Record
from tradewind.execution.executor.process import FreeLoop
from tradewind.v1 import control_pb2, market_pb2

AWAY = BusAwayError("away")


def record(topic: str, offset: int, message: Message) -> Record:
    return Record(topic, 0, offset, "SPY", message, {}, 0)


def bar(offset: int, *, context: bool = False) -> Record:
    return record("bars", offset, market_pb2.Bar(symbol="SPY", event_time=offset, context=context))


class World:
    """Bus, engine, intake, publisher and policy in one. Each list holds what a call's next answers are."""

    def __init__(self, *polls: Sequence[Record]) -> None:
        self.polls = list(polls)
        self.stop = threading.Event()
        self.taken: list[int] = []
        self.times = 0
        self.committed: list[Mapping[str, int]] = []
        self.publishes: list[Exception] = []
        self.commits: list[Exception] = []
        self.indexes: list[Exception] = []
        self.letters: list[int] = []
        self.bad: set[int] = set()
        self.buries = True
        self.rounds = 0
        self.lost = 0  # how often it does not answer
        self.commands: list[int] = []
        self.books: list[int | None] = []
        self.lock = threading.RLock()

    def run(self) -> None:
        loop = FreeLoop(self, self, self, self, self, "group", wall=True)  # type: ignore[arg-type]
        loop.run(self.stop)

    def poll(self, *_: object) -> Sequence[Record]:
        if self.polls:
            return self.polls.pop(0)
        self.stop.set()
        return []

    def commit(self, offsets: Mapping[str, int]) -> None:
        _raise(self.commits)
        self.committed.append(dict(offsets))

    def reach(self) -> None:
        if self.lost:
            self.lost -= 1
            raise AWAY

    def publish(self, time: int | None) -> bool:
        _raise(self.publishes)
        self.rounds += 1
        if self.rounds > 20:
            self.stop.set()
        if self.buries:
            self.letters.clear()
        self.books.append(time)
        return False

    @property
    def owes_letters(self) -> bool:
        return bool(self.letters)

    def command(self, _command: object, offset: int) -> None:
        self.commands.append(offset)

    def read_index(self) -> None:
        _raise(self.indexes)

    def bar(self, _bar: market_pb2.Bar, offset: int) -> None:
        self.taken.append(offset)
        if offset in self.bad:
            self.letters.append(offset)

    def time_passed(self) -> None:
        self.times += 1

    def offsets(self) -> dict[str, int]:
        return {"bars": 0, "intents": 0}

    @contextmanager
    def watched(self) -> Any:
        yield

    def subscribe(self, *_: object, **__: object) -> World:
        return self

    def __getattr__(self, name: str) -> Callable[..., bool]:
        if name in ("look", "guard", "keep_session", "bars_done", "advance", "wait_idle", "close"):
            return lambda *_: True
        raise AttributeError(name)


def _raise(errors: list[Exception]) -> None:
    if errors:
        raise errors.pop(0)


def test_what_could_not_be_told_or_committed_is_made_up_for(capfd: pytest.CaptureFixture[str]) -> None:
    world = World([bar(1)], [bar(2)], [], [], [])
    world.publishes = [AWAY, AWAY]
    world.lost = 2
    world.commits = [AWAY]
    world.run()
    assert world.taken == [1, 2]
    assert world.committed == [{"bars": 3}]
    assert world.books[:2] == [2, None], "once, as of the newest bar"
    said = capfd.readouterr().err.splitlines()
    assert [line.split(";")[0] for line in said] == ["alert: away", "the bus answers again"], "once each"


def test_a_bar_waits_for_the_volatility_index_and_no_command_does(capfd: pytest.CaptureFixture[str]) -> None:
    halt = control_pb2.ControlMessage(command=control_pb2.ControlCommand())
    world = World([record("control", 7, halt), bar(0, context=True)], [bar(1)])
    world.indexes = [AWAY, AWAY]
    world.run()
    assert world.commands == [7]
    assert world.committed[0] == {"control": 8}, "without the bar"
    assert world.taken == [0, 1]
    assert world.committed[-1] == {"bars": 2}
    assert world.times >= 2
    said = capfd.readouterr().err.splitlines()
    assert [line.split(";")[0] for line in said] == ["alert: away", "the bus answers again"], "once each"


def test_what_comes_after_a_record_to_be_buried_waits_until_it_is() -> None:
    """After a death the journal would say that all before the newest was taken."""
    world = World([bar(0), bar(1), bar(2)], [])
    world.bad = {1}
    world.run()
    assert world.taken == [0, 1, 2]
    world = World([bar(0), bar(1), bar(2)], [])
    world.bad = {1}
    world.buries = False
    world.run()
    assert world.taken == [0, 1]
    assert world.letters == [1]


def test_a_bus_that_answers_for_long_and_not_what_it_is_asked_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 50))
    monkeypatch.setattr("tradewind.execution.executor.process.time.monotonic", lambda: next(clock))
    world = World(*[[] for _ in range(50)])
    world.publishes = [AWAY] * 50
    with pytest.raises(BusAwayError):
        world.run()


def test_another_error_of_the_bus_ends_it() -> None:
    world = World([bar(0)])
    world.publishes = [BusError("not allowed")]
    with pytest.raises(BusError, match="not allowed"):
        world.run()
