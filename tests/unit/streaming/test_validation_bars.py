"""What a bar must be to pass, one fault at a time."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tradewind.streaming.validation import BarValidator, Limits
from tradewind.streaming.validation.bars import JUMP_FLAG
from tradewind.v1 import market_pb2

MINUTE = 60 * 10**9
START = 1_549_895_400 * 10**9


def bar(minute: int = 0, **over: Any) -> market_pb2.Bar:
    opened = START + minute * MINUTE
    fields: dict[str, Any] = {
        "symbol": "A",
        "interval": "1m",
        "open_time": opened,
        "event_time": opened + MINUTE,
        "available_time": opened + MINUTE,
        "open": 100,
        "high": 110,
        "low": 90,
        "close": 105,
        "volume": 7,
    }
    return market_pb2.Bar(**(fields | over))


def judge(candidate: market_pb2.Bar, validator: BarValidator | None = None) -> tuple[str, ...]:
    return (validator or BarValidator()).check(candidate, candidate.event_time).reasons


def test_a_sound_bar_passes() -> None:
    assert judge(bar()) == ()


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({"symbol": ""}, "symbol: empty"),
        ({"high": 80}, "high: below low"),
        ({"open": 111}, "open: outside low and high"),
        ({"close": 89}, "close: outside low and high"),
        ({"low": 0}, "low: not above 0"),
        ({"volume": -1}, "volume: negative"),
        ({"vwap": -5}, "vwap: not above 0"),
        ({"trade_count": -5}, "trade_count: negative"),
        ({"interval": "soon"}, "interval: 'soon' is not a duration"),
        ({"open_time": START + MINUTE}, "event_time: not after open_time"),
        ({"open_time": START - 1}, "event_time: more than 1m after open_time"),
        ({"available_time": START + MINUTE - 1}, "available_time: before event_time"),
        ({"available_time": START + 2 * MINUTE}, "available_time: in the future"),
    ],
)
def test_each_fault_has_its_reason(over: dict[str, Any], reason: str) -> None:
    assert reason in judge(bar(**over))


def test_all_faults_are_told_at_once() -> None:
    assert set(judge(bar(high=80, volume=-1))) == {"high: below low", "volume: negative"}


def test_a_clock_slightly_ahead_is_tolerated() -> None:
    late = bar(available_time=START + MINUTE + 4 * 10**9)
    assert BarValidator().check(late, START + MINUTE).valid
    assert not BarValidator(Limits(future_ns=10**9)).check(late, START + MINUTE).valid


def test_times_must_grow_within_symbol_and_interval() -> None:
    validator = BarValidator()
    assert judge(bar(1), validator) == ()
    assert judge(bar(1), validator) == ("event_time: duplicate of the bar before",)
    assert judge(bar(0), validator) == ("event_time: earlier than the bar before",)
    assert judge(bar(0, symbol="B"), validator) == ()
    assert judge(bar(2), validator) == ()


def test_a_refused_bar_leaves_no_trace() -> None:
    validator = BarValidator()
    assert judge(bar(0), validator) == ()
    assert judge(bar(5, high=80), validator) != ()
    assert judge(bar(1), validator) == ()


def test_a_jump_is_flagged_and_passes() -> None:
    validator = BarValidator()
    generator = random.Random(3)
    price = 10**10
    flags: list[tuple[str, ...]] = []
    for minute in range(200):
        price = round(price * (1 + generator.gauss(0, 0.001)))
        verdict = validator.check(bar(minute, open=price, high=price, low=price, close=price), START + 10**18)
        assert verdict.valid
        flags.append(verdict.flags)
    assert set(flags) == {()}
    for minute, factor in ((200, 1.05), (201, 1 / 1.05)):
        price = round(price * factor)
        verdict = validator.check(bar(minute, open=price, high=price, low=price, close=price), START + 10**18)
        assert (verdict.valid, verdict.flags) == (True, (JUMP_FLAG,))
