"""Coarser bars against sums made the plain way."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.streaming.datasets import SessionCalendar
from tradewind.streaming.sources.aggregation import BarAggregator, LateBarError
from tradewind.v1 import market_pb2

MINUTE = 60 * 10**9
CALENDAR = SessionCalendar.load("XNYS", 2019)
OPEN = int(datetime(2019, 2, 11, 14, 30, tzinfo=UTC).timestamp()) * 10**9
HALF_DAY = int(datetime(2018, 11, 23, 14, 30, tzinfo=UTC).timestamp()) * 10**9  # closes 13:00, after 210 minutes


def minute_bar(k: int, *, start: int = OPEN, vwap: bool = True, seed: int = 0, symbol: str = "A") -> market_pb2.Bar:
    generator = random.Random(f"{k} {seed} {symbol}")
    prices = [generator.randrange(10**9, 2 * 10**9) for _ in range(4)]
    low, high = min(prices), max(prices)
    bar = market_pb2.Bar(
        symbol=symbol,
        interval="1m",
        open_time=start + k * MINUTE,
        event_time=start + (k + 1) * MINUTE,
        available_time=start + (k + 1) * MINUTE + 5,
        open=prices[1],
        high=high,
        low=low,
        close=prices[2],
        volume=generator.randrange(0, 1000),
        trade_count=generator.randrange(1, 50),
        source="s",
    )
    if vwap:
        bar.vwap = (low + high) // 2
    return bar


def run(aggregator: BarAggregator, minutes: list[market_pb2.Bar]) -> list[market_pb2.Bar]:
    return [bar for minute in minutes for bar in aggregator.add(minute)]


@pytest.mark.parametrize(("interval", "size"), [("15m", 15), ("1h", 60), ("5m", 5), ("1d", 390)])
@given(data=st.data())
@settings(max_examples=8)
def test_every_bar_is_the_sum_of_its_minutes(interval: str, size: int, data: st.DataObject) -> None:
    missing = data.draw(st.sets(st.integers(0, 388), max_size=60))
    minutes = [minute_bar(k) for k in range(390) if k not in missing]
    aggregator = BarAggregator(interval, CALENDAR)
    found = run(aggregator, minutes)
    expected: dict[int, list[market_pb2.Bar]] = {}
    for bar in minutes:
        expected.setdefault((bar.open_time - OPEN) // (size * MINUTE), []).append(bar)
    assert len(found) == len(expected)
    for bar, (slot, parts) in zip(found, sorted(expected.items()), strict=True):
        volume = sum(part.volume for part in parts)
        assert bar.open_time == OPEN + slot * size * MINUTE
        assert bar.event_time == min(bar.open_time + size * MINUTE, OPEN + 390 * MINUTE)
        assert (bar.open, bar.close) == (parts[0].open, parts[-1].close)
        assert (bar.high, bar.low) == (max(p.high for p in parts), min(p.low for p in parts))
        assert (bar.volume, bar.trade_count) == (volume, sum(p.trade_count for p in parts))
        assert (bar.interval, bar.symbol) == (interval, "A")
        assert bar.available_time >= max(bar.event_time, *(p.available_time for p in parts))
        if volume:
            assert bar.vwap == round(Fraction(sum(p.vwap * p.volume for p in parts), volume))


def test_a_full_bar_is_out_with_its_last_minute() -> None:
    aggregator = BarAggregator("15m", CALENDAR)
    assert run(aggregator, [minute_bar(k) for k in range(14)]) == []
    (bar,) = aggregator.add(minute_bar(14))
    assert (bar.event_time, bar.available_time) == (OPEN + 15 * MINUTE, OPEN + 15 * MINUTE + 5)


def test_the_last_hour_is_half_an_hour_and_nothing_crosses_the_night() -> None:
    aggregator = BarAggregator("1h", CALENDAR)
    night = 24 * 60  # minutes to the next session's open
    found = run(aggregator, [minute_bar(k) for k in range(380)] + [minute_bar(night)])
    assert [(b.open_time - OPEN) // MINUTE for b in found] == [0, 60, 120, 180, 240, 300, 360]
    assert found[-1].event_time == OPEN + 390 * MINUTE


def test_a_half_day_ends_at_one() -> None:
    found = run(BarAggregator("1h", CALENDAR), [minute_bar(k, start=HALF_DAY) for k in range(210)])
    assert [b.event_time - b.open_time for b in found] == [60 * MINUTE, 60 * MINUTE, 60 * MINUTE, 30 * MINUTE]


def test_minutes_outside_the_session_belong_to_no_bar() -> None:
    aggregator = BarAggregator("15m", CALENDAR)
    assert run(aggregator, [minute_bar(-5), minute_bar(390), minute_bar(400)]) == []
    assert aggregator.advance(OPEN + 500 * MINUTE) == []


def test_time_closes_a_bar_whose_last_minute_never_came() -> None:
    aggregator = BarAggregator("15m", CALENDAR)
    run(aggregator, [minute_bar(0), minute_bar(0, symbol="B")])
    assert aggregator.advance(OPEN + 15 * MINUTE - 1) == []
    closed = aggregator.advance(OPEN + 15 * MINUTE, available=OPEN + 16 * MINUTE)
    assert [(b.symbol, b.available_time) for b in closed] == [("A", OPEN + 16 * MINUTE), ("B", OPEN + 16 * MINUTE)]
    with pytest.raises(LateBarError, match="event_time: minute closing at"):
        aggregator.add(minute_bar(14))
    assert aggregator.add(minute_bar(15)) == []


def test_a_vwap_that_is_not_known_throughout_is_not_told() -> None:
    minutes = [minute_bar(k, vwap=k != 3, seed=1) for k in range(15)]
    assert minutes[3].volume > 0
    (bar,) = run(BarAggregator("15m", CALENDAR), minutes)
    assert not bar.HasField("vwap")
