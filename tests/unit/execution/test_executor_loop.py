"""What an executor without a clock's ticks does while the bus is away. With Kafka: tests/chaos/test_kafka_away.py."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from tradewind.bus import BusAwayError, BusError, Record
from tradewind.execution.executor.process import FreeLoop
from tradewind.v1 import market_pb2

AWAY = BusAwayError("away")


def bar(offset: int, *, context: bool = False) -> Record:
    message = market_pb2.Bar(symbol="SPY", event_time=offset, context=context)
    return Record(topic="bars", partition=0, offset=offset, key="SPY", message=message, headers={}, timestamp_ns=0)


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

    def publish(self, _time: int | None) -> bool:
        _raise(self.publishes)
        return False

    def read_index(self) -> None:
        _raise(self.indexes)

    def bar(self, _bar: market_pb2.Bar, offset: int) -> None:
        self.taken.append(offset)

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
    world = World([bar(0)], [bar(1)], [])
    world.publishes = [AWAY, AWAY]
    world.commits = [AWAY]
    world.run()
    assert world.taken == [0, 1]
    assert world.committed == [{"bars": 2}]
    said = capfd.readouterr().err.splitlines()
    assert [line.split(";")[0] for line in said] == ["alert: away", "the bus answers again"], "once each"


def test_a_bar_waits_for_the_volatility_index_and_time_goes_on() -> None:
    world = World([bar(0, context=True)], [bar(1)])
    world.indexes = [AWAY, AWAY]
    world.run()
    assert world.taken == [0, 1]
    assert world.committed == [{"bars": 1}, {"bars": 2}]
    assert world.times >= 2


def test_another_error_of_the_bus_ends_it() -> None:
    world = World([bar(0)])
    world.publishes = [BusError("not allowed")]
    with pytest.raises(BusError, match="not allowed"):
        world.run()
