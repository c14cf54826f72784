"""Core: bars of 5 or 15 minutes, an hour or a session from minute bars.

Bars are counted from the session's open (09:30, 09:45, …), the last is cut at its close, and none spans two sessions.
Minutes outside regular sessions belong to no bar. VWAP is Σ vwapᵢ·volumeᵢ / Σ volumeᵢ in integers, rounded half-even,
and absent as soon as one minute that traded has none.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from tradewind.specs.base import interval_ns
from tradewind.streaming.datasets.sessions import SessionCalendar
from tradewind.v1 import market_pb2


class LateBarError(ValueError):
    """A minute came after the bar it belongs to was closed."""


@dataclass
class _Open:
    start: int
    close: int
    bar: market_pb2.Bar
    turnover: Fraction
    has_vwap: bool
    has_count: bool


class BarAggregator:
    """Coarser bars, symbol by symbol.

    Args:
        interval: of the bars to make; "1d" makes one of each session.
    """

    def __init__(self, interval: str, calendar: SessionCalendar) -> None:
        self._interval = interval
        self._calendar = calendar
        self._step = interval_ns(interval)
        self._open: dict[str, _Open] = {}
        self._closed_until: dict[str, int] = {}

    def add(self, minute: market_pb2.Bar) -> list[market_pb2.Bar]:
        """The bars that `minute` completes: the one before, if it was still open, and its own if it is the last in it.

        Raises:
            LateBarError: its bar was already closed; the minute changes nothing.
        """
        slot = self._slot(minute.open_time)
        if slot is None:
            return []
        if slot[0] < self._closed_until.get(minute.symbol, -1):
            raise LateBarError(
                f"event_time: minute closing at {minute.event_time} came after its {self._interval} bar was closed"
            )
        done: list[market_pb2.Bar] = []
        current = self._open.get(minute.symbol)
        if current is not None and slot[0] > current.start:
            done.append(self._close(minute.symbol, minute.available_time))
            current = None
        if current is None:
            self._open[minute.symbol] = _begin(minute, slot, self._interval)
        else:
            _extend(current, minute)
        if minute.event_time >= slot[1]:
            done.append(self._close(minute.symbol, minute.available_time))
        return done

    def advance(self, now: int, *, available: int | None = None) -> list[market_pb2.Bar]:
        """Close every bar that ended at or before `now`; they could be known at `available` (default: now)."""
        due = sorted(symbol for symbol, current in self._open.items() if current.close <= now)
        return [self._close(symbol, now if available is None else available) for symbol in due]

    def _slot(self, opened: int) -> tuple[int, int] | None:
        session = int(self._calendar.session_of(np.array([opened], dtype=np.int64), closed_right=False)[0])
        if session < 0:
            return None
        first, last = int(self._calendar.opens[session]), int(self._calendar.closes[session])
        if self._interval == "1d":
            return first, last
        start = first + (opened - first) // self._step * self._step
        return start, min(start + self._step, last)

    def _close(self, symbol: str, available: int) -> market_pb2.Bar:
        current = self._open.pop(symbol)
        self._closed_until[symbol] = current.close
        bar = current.bar
        bar.available_time = max(bar.available_time, bar.event_time, available)
        if current.has_vwap and bar.volume > 0:
            bar.vwap = round(current.turnover / bar.volume)
        if not current.has_count:
            bar.ClearField("trade_count")
        return bar


def _begin(minute: market_pb2.Bar, slot: tuple[int, int], interval: str) -> _Open:
    bar = market_pb2.Bar()
    bar.CopyFrom(minute)
    bar.interval = interval
    bar.open_time, bar.event_time = slot
    bar.ClearField("vwap")
    return _Open(slot[0], slot[1], bar, _turnover(minute), _vwap_known(minute), minute.HasField("trade_count"))


def _extend(current: _Open, minute: market_pb2.Bar) -> None:
    bar = current.bar
    bar.high = max(bar.high, minute.high)
    bar.low = min(bar.low, minute.low)
    bar.close = minute.close
    bar.volume += minute.volume
    bar.trade_count += minute.trade_count
    bar.available_time = max(bar.available_time, minute.available_time)
    current.turnover += _turnover(minute)
    current.has_vwap = current.has_vwap and _vwap_known(minute)
    current.has_count = current.has_count and minute.HasField("trade_count")


def _turnover(minute: market_pb2.Bar) -> Fraction:
    return Fraction(minute.vwap * minute.volume)


def _vwap_known(minute: market_pb2.Bar) -> bool:
    return minute.HasField("vwap") or minute.volume == 0
