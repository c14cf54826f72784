"""Shell: a data set as a source of market data, at recorded speed, a multiple of it, or as fast as it goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from tradewind.streaming.datasets.store import Dataset
from tradewind.streaming.sources.base import MarketMessage, MarketSource, Unreadable
from tradewind.v1 import market_pb2

Speed = Literal["max"] | float


@dataclass(frozen=True, slots=True)
class Step:
    """All bars that become known at one time: market context first, which the others' features need, then by symbol."""

    number: int
    time: int
    bars: tuple[market_pb2.Bar, ...]


class ReplaySource(MarketSource):
    """The bars of a data set between two times (ns UTC, both included)."""

    def __init__(
        self,
        dataset: Dataset,
        *,
        start: int | None = None,
        end: int | None = None,
        speed: Speed = "max",
        max_gap_s: float = 5.0,
    ) -> None:
        self._dataset = dataset
        self._bars = dataset.between(start, end).bars.sort(
            "available_time", pl.col("context").not_(), "symbol", "event_time"
        )
        self._speed = speed
        self._max_gap_s = max_gap_s

    @property
    def name(self) -> str:
        return f"replay:{self._dataset.manifest.name}"

    @property
    def step_count(self) -> int:
        """How many steps there are."""
        return self._bars["available_time"].n_unique()

    def steps(self) -> Iterator[Step]:
        """Steps in order, counted from 1."""
        number, time, bars = 0, None, list[market_pb2.Bar]()
        for row in self._bars.iter_rows(named=True):
            if row["available_time"] != time:
                if time is not None:
                    yield Step(number, time, tuple(bars))
                number, time, bars = number + 1, row["available_time"], []
            bars.append(bar_of(row, self.name))
        if time is not None:
            yield Step(number, time, tuple(bars))

    async def messages(self) -> AsyncIterator[MarketMessage | Unreadable]:
        last: int | None = None
        for step in self.steps():
            if last is not None:
                await asyncio.sleep(pause_s(step.time - last, self._speed, self._max_gap_s))
            last = step.time
            for bar in step.bars:
                yield bar


def pause_s(gap_ns: int, speed: Speed, max_gap_s: float) -> float:
    """Seconds to wait between two steps that lie `gap_ns` apart; nights and week-ends are cut to `max_gap_s`."""
    return 0.0 if speed == "max" else min(gap_ns / 1e9 / speed, max_gap_s)


def bar_of(row: dict[str, Any], source: str) -> market_pb2.Bar:
    """A row of a data set as a message."""
    bar = market_pb2.Bar(
        symbol=row["symbol"],
        interval=row["interval"],
        open_time=row["open_time"],
        event_time=row["event_time"],
        available_time=row["available_time"],
        open=row["open"],
        high=row["high"],
        low=row["low"],
        close=row["close"],
        volume=row["volume"],
        source=source,
        context=row["context"],
    )
    if row["vwap"] is not None:
        bar.vwap = row["vwap"]
    if row["trade_count"] is not None:
        bar.trade_count = row["trade_count"]
    return bar
