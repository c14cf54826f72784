"""Which bars are for learning and which are traded. Shell (reads the data set)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from tradewind.console.errors import ConsoleError
from tradewind.console.stack import absolute
from tradewind.specs import Strategy
from tradewind.streaming.datasets import DataError, read_dataset
from tradewind.streaming.news.configured import NewsConfig, events_frame, recorded_events

DEMO = "demo"


@dataclass(frozen=True)
class Window:
    """A data set cut in two. Times are ns UTC; `end` None means its last bar."""

    dataset: str
    trained_until: int
    end: int | None


def choose_window(
    replay: str, strategies: Sequence[Strategy], state: Path, start: date | None, end: date | None
) -> Window:
    """Trading starts after the last day that any strategy learns from, or on `start` if that is later.

    Raises ConsoleError when a symbol is not in the data, or no bar is left to trade.
    """
    try:
        path = _dataset(replay, state)
        dataset = read_dataset(path)
    except DataError as error:
        raise ConsoleError(str(error)) from None
    known = set(dataset.bars["symbol"].unique().to_list())
    for strategy in strategies:
        universe = strategy.spec.universe
        wanted = [*universe.symbols, *([universe.context] if universe.context else [])]
        missing = [s for s in wanted if s not in known]
        if missing:
            raise ConsoleError(
                f"Strategy/{strategy.metadata.name}: spec.universe: {', '.join(missing)} not in data set {path}; "
                f"it has {', '.join(sorted(known))}"
            )
        interval = dataset.manifest.interval
        if interval != strategy.spec.bars:
            raise ConsoleError(
                f"Strategy/{strategy.metadata.name}: spec.bars is {strategy.spec.bars} but the bars of {path} are "
                f"{interval}; change one"
            )
    traded_symbols = sorted({symbol for s in strategies for symbol in s.spec.universe.symbols})
    times = dataset.bars.filter(pl.col("symbol").is_in(traded_symbols))["event_time"]
    untils = [s.spec.training.until for s in strategies if s.spec.training.until]
    boundary = max(
        [*(_end_of(day) for day in untils), *([_end_of(start - timedelta(days=1))] if start else [])], default=None
    )
    if boundary is None:
        raise ConsoleError(
            "spec.training.until is not set: say where learning ends, or where trading starts with --start"
        )
    last = _end_of(end) if end else None
    traded = times.filter((times > boundary) & (times <= (last or times.max())))
    if traded.is_empty():
        raise ConsoleError(
            f"no bar of {path} lies between the end of training and {end or 'its last bar'}; set an earlier until"
        )
    return Window(absolute(path), boundary, last)


def write_history_events(window: Window, news: Sequence[dict[str, Any]], state: Path) -> str | None:
    """The events known before trading starts, as a Parquet file for the feature engine; None when there are no news.

    Raises ConsoleError when a source can't be read.
    """
    if not news:
        return None
    try:
        configs = [NewsConfig.model_validate(n) for n in news]
        events = recorded_events(configs, read_dataset(Path(window.dataset)), until=window.trained_until)
    except DataError as error:
        raise ConsoleError(str(error)) from None
    path = state / "history-events.parquet"
    events_frame(events).write_parquet(path)
    return str(path)


def _end_of(day: date) -> int:
    return int(datetime.combine(day, time.max, UTC).timestamp() * 10**9)


def _dataset(replay: str, state: Path) -> Path:
    if replay != DEMO:
        return Path(replay)
    from tradewind.console.demo import build_demo_dataset

    path = state / "demo-data"
    if not path.exists():
        build_demo_dataset(path)
    return path
