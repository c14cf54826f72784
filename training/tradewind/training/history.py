"""The recorded past that a training run may see. Shell: reads a data set.

This is the one place where `until` is enforced: bars, events and news that were not available at that time never enter
the process's data, so no later stage can look at them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import polars as pl

from tradewind.specs.strategy import StrategySpec
from tradewind.streaming.datasets.errors import DataError
from tradewind.streaming.datasets.store import Dataset, read_dataset
from tradewind.training.errors import TrainingError
from tradewind.v1.market_pb2 import Event

# Data set, time (ns) → the events of a strategy's news that were known by then. Raises DataError.
EventSource = Callable[[Dataset, int], Iterable[Event]]


@dataclass(frozen=True)
class History:
    """What was known at `until`.

    bars: as the data set has them, sorted by event_time and symbol; traded symbols and, if any, the market context.
    events: in the order they became known. digest: SHA-256 of all of it. first, until: ns UTC.
    """

    bars: pl.DataFrame
    events: tuple[Event, ...]
    first: int
    until: int
    digest: str


def no_events(dataset: Dataset, until: int) -> Iterable[Event]:  # noqa: ARG001
    """The event source of a strategy without news."""
    return ()


def load_history(path: Path, spec: StrategySpec, until_ns: int, events: EventSource = no_events) -> History:
    """Read `path` and keep what `spec` names and what was available at `until_ns` (and at `training.until`).

    Raises TrainingError when the data set cannot be read, has another bar interval, lacks a symbol, or has no bar in
    the span.
    """
    try:
        dataset = read_dataset(path)
    except DataError as error:
        raise TrainingError(str(error)) from None
    if dataset.manifest.interval != spec.bars:
        raise TrainingError(
            f"bars: the strategy wants {spec.bars} bars, {path} has {dataset.manifest.interval}; "
            "change spec.bars or import the data at that interval"
        )
    _refuse_missing_symbols(dataset, spec, path)
    until = effective_until(spec, until_ns)
    start = _day_start(spec.training.start) if spec.training.start else None
    context = [spec.universe.context] if spec.universe.context else []
    bars = dataset.bars.filter(pl.col("symbol").is_in([*spec.universe.symbols, *context]))
    bars = known_at(bars, until, start)
    if bars.filter(~pl.col("context")).is_empty():
        raise TrainingError(
            f"training.until: {path} has no bar of {', '.join(spec.universe.symbols)} up to {_date(until)}; "
            f"it begins {_date(dataset.manifest.first_time or 0)}: train until a later day or give earlier data"
        )
    news = dataset.news.filter(pl.col("available_time") <= until)
    try:
        found = list(events(Dataset(dataset.manifest, bars, news), until))
    except DataError as error:
        raise TrainingError(str(error)) from None
    found = [event for event in found if event.available_time <= until]
    found.sort(key=lambda event: (event.available_time, event.id))
    first = bars["event_time"].to_numpy()[0]
    return History(bars, tuple(found), int(first), until, _digest(bars, found))


def known_at(bars: pl.DataFrame, until: int, start: int | None = None) -> pl.DataFrame:
    """The bars that were available at `until` (and closed after `start`), in time order."""
    keep = (pl.col("available_time") <= until) & (pl.col("event_time") <= until)
    if start is not None:
        keep &= pl.col("event_time") >= start
    return bars.filter(keep).sort("event_time", "symbol")


def effective_until(spec: StrategySpec, until_ns: int) -> int:
    """The earlier of `until_ns` and the end of the day `training.until` (UTC)."""
    day = spec.training.until
    return until_ns if day is None else min(until_ns, _day_start(day + timedelta(days=1)) - 1)


def _refuse_missing_symbols(dataset: Dataset, spec: StrategySpec, path: Path) -> None:
    there = dataset.manifest
    missing = sorted(set(spec.universe.symbols) - set(there.symbols))
    if missing:
        raise TrainingError(
            f"universe.symbols: {', '.join(missing)} is not in {path} (it has {', '.join(there.symbols)}); "
            "remove the symbol or add its bars"
        )
    if spec.universe.context and spec.universe.context not in there.context:
        raise TrainingError(
            f"universe.context: {spec.universe.context} is not a context symbol of {path} "
            f"(it has {', '.join(there.context) or 'none'}); set universe.context to null or add its bars"
        )


def _digest(bars: pl.DataFrame, events: Iterable[Event]) -> str:
    """Depends on every value and on nothing else: not on file names, row groups or what lies after `until`."""
    digest = hashlib.sha256()
    for column in bars.columns:
        digest.update(f"{column}:".encode())
        digest.update("\x1f".join(map(str, bars[column].to_list())).encode())
    for event in events:
        digest.update(event.SerializeToString(deterministic=True))
    return digest.hexdigest()


def _day_start(day: date) -> int:
    return int(datetime.combine(day, time(), UTC).timestamp()) * 10**9


def _date(time_ns: int) -> str:
    return datetime.fromtimestamp(time_ns / 1e9, UTC).date().isoformat()
