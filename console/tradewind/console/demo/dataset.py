"""Shell: the demo's data set: five large companies and the S&P 500, daily, March 2000 to March 2013.

Companies: `bokeh_sampledata.stocks` (open, high, low, close as traded, and the vendor's adjusted close; public domain).
Market: `arch.data.sp500` (NCSA licence). Prices are forward-adjusted with the factors that the adjusted close reveals
on ex-dates; the adjusted close itself, which knows later splits, goes no further than this file.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tradewind.streaming.datasets import (
    Adjustment,
    DataError,
    Manifest,
    SessionCalendar,
    forward_adjust,
    write_dataset,
)
from tradewind.streaming.datasets.checks import mark_bad
from tradewind.streaming.datasets.fixedpoint import fixed_series, whole_series
from tradewind.streaming.datasets.store import BAR_SCHEMA

DEMO_SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
MARKET = "^GSPC"
_FIRST, _LAST = date(2000, 3, 1), date(2013, 3, 1)
_PRICES = ("open", "high", "low", "close")
_NEVER = 2**63 - 1


@dataclass(frozen=True)
class DemoSummary:
    """What was made.

    Attributes:
        actions: per symbol, the ex-date and the split or dividend found.
        left_out: one line per row that was not fit, with its reason.
    """

    directory: Path
    manifest: Manifest
    bars: int
    actions: dict[str, list[tuple[date, Adjustment]]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def build_demo_dataset(directory: Path | str, *, replace: bool = False) -> DemoSummary:
    """Make the demo's data set in `directory`.

    Raises:
        DataError: a package is missing or its data are not what they were.
    """
    calendar = SessionCalendar.load("XNYS", _LAST.year)
    frames: list[pl.DataFrame] = []
    left_out: list[str] = []
    actions: dict[str, list[tuple[date, Adjustment]]] = {}
    for symbol in DEMO_SYMBOLS:
        table, adjusted = _company(symbol)
        good, bad = _timed(table, symbol, calendar, context=False)
        left_out += bad
        # The adjusted close of a row that is left out goes with it.
        result = forward_adjust(good, [adjusted[row] for row in good["row"]])
        actions[symbol] = [(good["date"][a.row], a) for a in result.actions]
        frames.append(result.bars.select(*BAR_SCHEMA))
    market, bad = _timed(_market(), MARKET, calendar, context=True)
    left_out += bad
    bars = pl.concat([*frames, market.select(*BAR_SCHEMA)])
    manifest = write_dataset(
        directory,
        bars,
        name="demo",
        interval="1d",
        stamps="session",
        adjustment="forward",
        source="bokeh_sampledata.stocks (companies), arch.data.sp500 (market)",
        licence="public domain (bokeh_sampledata), NCSA (arch)",
        notes=left_out,
        replace=replace,
    )
    return DemoSummary(Path(directory), manifest, bars.height, actions, left_out)


def _company(symbol: str) -> tuple[pl.DataFrame, Sequence[str]]:
    columns: Mapping[str, Sequence[Any]] = getattr(_package("bokeh_sampledata.stocks"), symbol)
    frame = pl.DataFrame(
        {
            "date": [date.fromisoformat(day) for day in columns["date"]],
            **{name: fixed_series(pl.Series(name, columns[name])) for name in _PRICES},
            "volume": whole_series(pl.Series("volume", columns["volume"])),
        }
    )
    return frame, [repr(float(value)) for value in columns["adj_close"]]


def _market() -> pl.DataFrame:
    table = _package("arch.data.sp500").load()
    frame = pl.DataFrame(
        {
            "date": [stamp.date() for stamp in table.index],
            **{name: fixed_series(pl.Series(name, table[name.capitalize()].to_numpy())) for name in _PRICES},
            "volume": whole_series(pl.Series("volume", table["Volume"].to_numpy())),
        }
    )
    return frame.filter(pl.col("date").is_between(_FIRST, _LAST))


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        package = name.split(".")[0]
        raise DataError(f"{package}: not installed; install tradewind-console with its dependencies") from None


def _timed(
    table: pl.DataFrame, symbol: str, calendar: SessionCalendar, *, context: bool
) -> tuple[pl.DataFrame, list[str]]:
    """Rows with the times of their session, and a line for each row that is not fit."""
    index = [calendar.index_of_day(day) for day in table["date"]]
    known = np.array([i if i is not None else 0 for i in index])
    rows = table.with_row_index("row").with_columns(
        symbol=pl.lit(symbol),
        interval=pl.lit("1d"),
        open_time=pl.Series(calendar.opens[known]),
        event_time=pl.Series(calendar.closes[known]),
        available_time=pl.Series(calendar.closes[known]),
        vwap=pl.lit(None, dtype=pl.Int64),
        trade_count=pl.lit(None, dtype=pl.Int64),
        context=pl.lit(context),
        closed=pl.Series([i is None for i in index]),
    )
    marked = mark_bad(rows.filter(~pl.col("closed")), _NEVER)
    bad = [
        f"{symbol} {row['date']}: the exchange was closed"
        for row in rows.filter(pl.col("closed")).iter_rows(named=True)
    ]
    bad += [f"{symbol} {row['date']}: {row['reason']}" for row in marked.iter_rows(named=True) if row["reason"]]
    return marked.filter(pl.col("reason").is_null()), bad
