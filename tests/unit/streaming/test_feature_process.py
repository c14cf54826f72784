"""The features process: order, restarts and what the topic, Feast and the commits hold after each."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.bus import Bus, FileBus, Outgoing, Record
from tradewind.streaming.features import FeatureRow, FeatureSet
from tradewind.streaming.features.process import FeatureProcess
from tradewind.streaming.features.stream import FeatureStream
from tradewind.v1.features_pb2 import FeatureVector
from tradewind.v1.market_pb2 import Bar, DeadLetter, Event

SET = FeatureSet("daily", ("a", "b", "c"), "0123456789abcdef", "1d")
DAY = 86_400_000_000_000
INDEX = "^GSPC"


class HashingEngine:
    """A vector depends on every input so far and on their order, as an exponential average's does."""

    def __init__(self) -> None:
        self._context = 0.5
        self._events: list[tuple[int, float]] = []
        self._symbols: dict[str, float] = {}

    def context(self, bar: Bar) -> None:
        self._context = math.sin(self._context * 1.1 + bar.close)

    def event(self, event: Event) -> None:
        self._events.append((event.available_time, event.impact))

    def bar(self, bar: Bar) -> list[float]:
        if bar.high < bar.low:
            raise ValueError(f"bar of {bar.symbol}: high below low")
        state = math.sin(self._symbols.get(bar.symbol, 0.1) * 1.3 + bar.close + self._context)
        self._symbols[bar.symbol] = state
        if bar.close == 999:
            return [state, self._context, math.nan]
        impact = math.fsum(impact for time, impact in self._events if time <= bar.event_time)
        return [state, self._context, impact]


class Sink:
    """Feast, as far as this process sees it: what was pushed, the newest per symbol."""

    def __init__(self) -> None:
        self.newest: dict[str, FeatureRow] = {}

    def push(self, rows: Sequence[FeatureRow]) -> None:
        for row in rows:
            if row.symbol not in self.newest or row.event_time >= self.newest[row.symbol].event_time:
                self.newest[row.symbol] = row


class Killed(BaseException):
    """SIGKILL."""


class MortalBus:
    """A FileBus whose process dies at a chosen write, before or after it has happened."""

    def __init__(self, bus: Bus, deaths: random.Random | None, rate: float = 0.15) -> None:
        self._bus = bus
        self._deaths = deaths
        self._rate = rate

    def _maybe_die(self) -> None:
        if self._deaths is not None and self._deaths.random() < self._rate:
            raise Killed

    def publish_many(self, messages: Sequence[Outgoing]) -> list[int]:
        self._maybe_die()
        offsets = self._bus.publish_many(messages)
        self._maybe_die()
        return offsets

    def subscribe(self, topics: Sequence[str], group: str) -> MortalSubscription:
        return MortalSubscription(self, self._bus.subscribe(topics, group))

    def __getattr__(self, name: str) -> object:
        return getattr(self._bus, name)


class MortalSubscription:
    def __init__(self, owner: MortalBus, subscription: object) -> None:
        self._owner = owner
        self._subscription = subscription

    def commit(self, done: Record | dict[str, int]) -> None:
        self._owner._maybe_die()
        self._subscription.commit(done)  # type: ignore[attr-defined]
        self._owner._maybe_die()

    def __getattr__(self, name: str) -> object:
        return getattr(self._subscription, name)


def bar(symbol: str, day: int, *, interval: str = "1d", high: int = 200) -> Bar:
    close = 100 + day * 7 % 13 + len(symbol)
    return Bar(
        symbol=symbol, interval=interval, open_time=(day - 1) * DAY, event_time=day * DAY, available_time=day * DAY + 5,
        open=100, high=high, low=90, close=close, volume=10, context=symbol == INDEX,
    )  # fmt: skip


def event(number: int, day: int) -> Event:
    return Event(id=f"e{number}", symbol="*", type="rate_decision", available_time=day * DAY, impact=0.1 * number)


def market(days: int) -> list[tuple[str, Bar | Event]]:
    """What the feed publishes: the events up to a time, its context, its bars; one symbol lists late."""
    out: list[tuple[str, Bar | Event]] = []
    for day in range(1, days + 1):
        if day % 3 == 0:
            out.append(("events", event(day, day)))
        symbols = ["AAPL", "IBM", *(["FB"] if day > days // 2 else [])]
        out += [("bars", bar(symbol, day)) for symbol in (INDEX, *symbols)]
    return out


def publish(bus: Bus, messages: Sequence[tuple[str, Bar | Event]]) -> None:
    for topic, message in messages:
        bus.publish(topic, message.symbol, message)


def start(bus: Bus, sink: Sink, *, timeout: int = 0, poll_records: int = 7, clock: object = None) -> FeatureProcess:
    stream = FeatureStream(HashingEngine(), "1d", INDEX, timeout)
    options = {} if clock is None else {"clock": clock}
    return FeatureProcess(bus, "features", SET, stream, sink, poll_records=poll_records, **options)  # type: ignore[arg-type]


def topic(bus: Bus) -> list[FeatureVector]:
    return [record.message for record in bus.read("features")]  # type: ignore[misc]


def expected(days: int) -> dict[tuple[str, int], list[float]]:
    """The batch: one engine over everything in order of time."""
    engine, vectors = HashingEngine(), {}
    for _, message in market(days):
        if isinstance(message, Event):
            engine.event(message)
        elif message.context:
            engine.context(message)
        else:
            vectors[message.symbol, message.event_time] = engine.bar(message)
    return vectors


def caught_up(bus: Bus) -> bool:
    return all(bus.committed("features", name) == bus.end_offset(name) for name in ("bars", "events"))


def run_until_caught_up(bus: Bus, process: FeatureProcess) -> None:
    for _ in range(1_000):
        if caught_up(bus):
            return
        process.step(0.01)
    raise AssertionError("never caught up")


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32), poll_records=st.sampled_from([1, 3, 50]))
def test_killed_at_random_writes_the_topic_holds_each_vector_of_the_batch_once(
    tmp_path_factory: pytest.TempPathFactory, seed: int, poll_records: int
) -> None:
    deaths = random.Random(seed)
    days, sink = 9, Sink()
    messages = market(days)
    with FileBus(tmp_path_factory.mktemp("bus") / "bus.db") as bus:
        published = 0
        for _ in range(10_000):
            mortal = MortalBus(bus, deaths)
            process = start(mortal, sink, poll_records=poll_records)  # type: ignore[arg-type]
            try:
                process.restore()
                while published < len(messages) or not caught_up(bus):
                    some = deaths.randrange(1, 9)
                    publish(bus, messages[published : published + some])
                    published += some
                    process.step(0.0)
            except Killed:
                continue
            finally:
                process.close()
            break
        vectors = topic(bus)
        found = [((v.symbol, v.event_time), list(v.values)) for v in vectors]
        assert sorted(found) == sorted(expected(days).items())
        assert {v.bar_offset for v in vectors} == {
            r.offset
            for r in bus.read("bars")
            if not r.message.context  # type: ignore[attr-defined]
        }
        for symbol in ("AAPL", "IBM", "FB"):
            assert list(sink.newest[symbol].values) == expected(days)[symbol, days * DAY]


def test_a_successor_that_restored_while_its_predecessor_still_worked_misses_nothing(tmp_path: Path) -> None:
    messages = market(6)
    with FileBus(tmp_path / "bus.db") as bus:
        predecessor, successor = start(bus, Sink()), start(bus, Sink())
        predecessor.restore()
        successor.restore()
        publish(bus, messages[: len(messages) // 2])
        run_until_caught_up(bus, predecessor)
        predecessor.close()
        publish(bus, messages[len(messages) // 2 :])
        run_until_caught_up(bus, successor)
        assert {(v.symbol, v.event_time): list(v.values) for v in topic(bus)} == expected(6)


def test_history_before_the_bus_warms_the_engine_and_publishes_nothing(tmp_path: Path) -> None:
    messages = market(8)
    cut = next(i for i, (_, m) in enumerate(messages) if isinstance(m, Bar) and m.event_time == 6 * DAY)
    with FileBus(tmp_path / "bus.db") as bus:
        publish(bus, messages[cut:])
        process = start(bus, Sink())
        history = [m for _, m in messages[:cut]]
        process.restore([m for m in history if isinstance(m, Bar)], [m for m in history if isinstance(m, Event)])
        run_until_caught_up(bus, process)
        batch = expected(8)
        assert {(v.symbol, v.event_time): list(v.values) for v in topic(bus)} == {
            key: values for key, values in batch.items() if key[1] >= 6 * DAY
        }


def test_events_on_the_bus_before_a_bar_are_in_its_vector_though_polled_later(tmp_path: Path) -> None:
    with FileBus(tmp_path / "bus.db") as bus:
        publish(bus, [("events", event(n, 1)) for n in range(1, 30)])
        publish(bus, [("bars", bar(INDEX, 1)), ("bars", bar("AAPL", 1))])
        process = start(bus, Sink(), poll_records=2)
        process.restore()
        run_until_caught_up(bus, process)
        (vector,) = topic(bus)
        assert vector.values[2] == math.fsum(0.1 * n for n in range(1, 30))


def test_an_event_published_twice_counts_once(tmp_path: Path) -> None:
    with FileBus(tmp_path / "bus.db") as bus:
        publish(bus, [("events", event(1, 1)), ("events", event(1, 1)), ("bars", bar("AAPL", 1))])
        process = start(bus, Sink())
        process.restore()
        run_until_caught_up(bus, process)
        assert topic(bus)[0].values[2] == 0.1


def test_a_bar_waits_for_its_context_and_holds_back_the_commit(tmp_path: Path) -> None:
    now = [0]
    with FileBus(tmp_path / "bus.db") as bus:
        process = start(bus, Sink(), timeout=100, clock=lambda: now[0])
        process.restore()
        publish(bus, [("bars", bar("AAPL", 1))])
        process.step(0.0)
        assert (topic(bus), bus.committed("features", "bars")) == ([], 0)
        publish(bus, [("bars", bar(INDEX, 1))])
        process.step(0.0)
        assert bus.committed("features", "bars") == 2
        late = Bar()
        late.CopyFrom(bar("AAPL", 2))
        publish(bus, [("bars", late)])
        process.step(0.0)
        now[0] = 101  # the context of day 2 does not come: the last one is used
        process.step(0.0)
        engine = HashingEngine()
        engine.context(bar(INDEX, 1))
        assert [list(v.values) for v in topic(bus)] == [engine.bar(bar("AAPL", 1)), engine.bar(bar("AAPL", 2))]
        assert bus.committed("features", "bars") == 3


def test_a_vector_with_a_value_missing_is_not_warm(tmp_path: Path) -> None:
    cold = bar("AAPL", 1)
    cold.close = 999
    with FileBus(tmp_path / "bus.db") as bus:
        publish(bus, [("bars", cold), ("bars", bar("AAPL", 2))])
        process = start(bus, Sink())
        process.restore()
        run_until_caught_up(bus, process)
        assert [(v.warm, v.close) for v in topic(bus)] == [(False, 999), (True, bar("AAPL", 2).close)]


def test_a_vector_is_known_when_its_last_input_is(tmp_path: Path) -> None:
    slow = bar(INDEX, 1)
    slow.available_time = 2 * DAY
    with FileBus(tmp_path / "bus.db") as bus:
        publish(bus, [("bars", slow), ("bars", bar("AAPL", 1))])
        process = start(bus, Sink())
        process.restore()
        run_until_caught_up(bus, process)
        assert topic(bus)[0].available_time == 2 * DAY


def test_late_double_and_foreign_bars_make_no_vector_and_a_broken_one_is_buried(tmp_path: Path) -> None:
    with FileBus(tmp_path / "bus.db") as bus:
        bars = [bar("AAPL", 2), bar("AAPL", 2), bar("AAPL", 1), bar("AAPL", 3, interval="1m"), bar("IBM", 3, high=80)]
        publish(bus, [("bars", b) for b in bars])
        process = start(bus, Sink())
        process.restore()
        run_until_caught_up(bus, process)
        assert [v.event_time for v in topic(bus)] == [2 * DAY]
        (dead,) = [r.message for r in bus.read("bars.dead")]
        assert isinstance(dead, DeadLetter)
        assert (dead.key, dead.reason) == ("IBM", "bar of IBM: high below low")


def test_the_last_published_vector_is_found_behind_many_of_another_set(tmp_path: Path) -> None:
    """Committed up to bar 0, published bar 1; then another set filled the topic."""
    with FileBus(tmp_path / "bus.db") as bus:
        publish(bus, [("bars", bar("AAPL", day)) for day in (1, 2)])
        process = start(bus, Sink())
        process.restore()
        run_until_caught_up(bus, process)
        other = FeatureVector(symbol="AAPL", feature_set_version="other", interval="1d", bar_offset=5)
        bus.publish_many([Outgoing("features", "AAPL", other)] * 2_500)
        process.close()
        late = MortalBus(bus, None)
        late.committed = lambda group, name: 0  # type: ignore[attr-defined]
        again = FeatureProcess(late, "again", SET, FeatureStream(HashingEngine(), "1d", INDEX, 0), Sink())  # type: ignore[arg-type]
        again.restore()
        again.step(0.0)
        assert sum(v.feature_set_version == SET.version for v in topic(bus)) == 2
