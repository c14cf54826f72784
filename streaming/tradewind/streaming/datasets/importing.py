"""Shell: a user's own bar files to a data set (`tradewind data import`)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import polars as pl

from tradewind.streaming.datasets.checks import Coverage, check_bars, mark_bad
from tradewind.streaming.datasets.errors import DataError
from tradewind.streaming.datasets.fixedpoint import fixed_series, whole_series
from tradewind.streaming.datasets.manifest import Manifest
from tradewind.streaming.datasets.readers import read_table
from tradewind.streaming.datasets.sessions import SessionCalendar
from tradewind.streaming.datasets.stamping import bar_times, refuse_swapped, to_utc
from tradewind.streaming.datasets.store import BAR_SCHEMA, write_dataset

_INTERVALS = ("1m", "5m", "15m", "1h", "1d")
_PRICES = ("open", "high", "low", "close")
_REQUIRED = ("time", *_PRICES, "volume")
_OPTIONAL = ("symbol", "vwap", "trade_count")


@dataclass(frozen=True)
class SymbolFrom:
    """Where a row's symbol comes from: a column, or the file's name up to the first of `._-`."""

    kind: Literal["column", "file", "fixed"] = "column"
    value: str = "symbol"


@dataclass(frozen=True)
class ImportSummary:
    """What an import did.

    Attributes:
        rows: rows read from all files.
        bars: bars written.
        rejected: rows set aside in `rejected.parquet`, by reason.
        coverage: per symbol, against the exchange's calendar.
        warnings: one line each, for people.
    """

    directory: Path
    manifest: Manifest
    rows: int
    bars: int
    rejected: dict[str, int] = field(default_factory=dict)
    coverage: list[Coverage] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def import_bars(
    files: Sequence[Path | str],
    directory: Path | str,
    *,
    format: Literal["csv", "parquet", "hdf5"],  # noqa: A002 - the word people use
    stamps: Literal["open", "close"],
    timezone: str,
    interval: str,
    columns: Mapping[str, str] | None = None,
    symbol: SymbolFrom | None = None,
    ignore_offset: bool = False,
    on_bad: Literal["refuse", "set-aside"] = "refuse",
    context: Sequence[str] = (),
    calendar: str = "XNYS",
    name: str | None = None,
    adjustment: Literal["raw", "forward", "vendor"] = "raw",
    source: str = "",
    licence: str = "",
    replace: bool = False,
) -> ImportSummary:
    """Read bar files, check every row, write a data set.

    Args:
        stamps: what the time column means; data whose own stamps say otherwise is refused. Ignored for daily bars.
        timezone: IANA name, for stamps without an offset (or for all, with `ignore_offset`).
        columns: our name to the file's: time, open, high, low, close, volume, and optionally symbol, vwap, trade_count.
        ignore_offset: the source writes an offset (often "Z") that is not true; read the wall time in `timezone`.
        on_bad: refuse the import at the first bad row, or set bad rows aside.
        context: symbols that are inputs only.

    Raises:
        DataError: naming the file, row (counted from 1, headings not counted) and field.
    """
    _check_arguments(files, interval, timezone, stamps, on_bad)
    tables = [_read_one(Path(path), format, dict(columns or {}), symbol or SymbolFrom()) for path in files]
    raw = pl.concat(tables, how="diagonal_relaxed")
    utc = to_utc(raw["time"], timezone, ignore_offset)
    last_year = _year(utc)
    sessions = SessionCalendar.load(calendar, last_year)
    refuse_swapped(utc, stamps, interval, sessions)
    rows = _rows(raw, utc, interval, stamps, sessions, timezone if interval == "1d" else "UTC", frozenset(context))
    marked = _mark(rows)
    bad = marked.filter(pl.col("reason").is_not_null())
    if on_bad == "refuse" and not bad.is_empty():
        first = bad.row(0, named=True)
        raise DataError(f"{first['file']}: row {first['row']}: {first['reason']}; correct it or set bad rows aside")
    good = marked.filter(pl.col("reason").is_null()).select(*BAR_SCHEMA)
    rejected = raw.with_row_index("index").join(bad.select("index", "reason"), on="index").drop("index")
    counts = dict(bad["reason"].value_counts(sort=True).iter_rows())
    manifest = write_dataset(
        directory,
        good,
        name=name or Path(directory).name,
        interval=interval,
        stamps="session" if interval == "1d" else stamps,
        adjustment=adjustment,
        source=source or ", ".join(Path(path).name for path in files),
        licence=licence,
        calendar=calendar,
        rejected=rejected,
        notes=[f"{count} rows set aside: {reason}" for reason, count in counts.items()],
        replace=replace,
    )
    report = check_bars(good.sort("event_time"), interval, sessions, time.time_ns())
    return ImportSummary(Path(directory), manifest, raw.height, good.height, counts, report.coverage, report.warnings())


def _check_arguments(files: Sequence[Path | str], interval: str, timezone: str, stamps: str, on_bad: str) -> None:
    if not files:
        raise DataError("files: none given; name at least one file")
    if interval not in _INTERVALS:
        raise DataError(f"interval: {interval!r} is not known: use {', '.join(_INTERVALS)}")
    if stamps not in ("open", "close"):
        raise DataError(f"stamps: {stamps!r} is not known: use open or close")
    if on_bad not in ("refuse", "set-aside"):
        raise DataError(f"on_bad: {on_bad!r} is not known: use refuse or set-aside")
    try:
        ZoneInfo(timezone)
    except (ZoneInfoNotFoundError, ValueError):
        raise DataError(f"timezone: {timezone!r} is not known: use an IANA name, e.g. America/New_York") from None


def _read_one(path: Path, form: str, columns: dict[str, str], symbol: SymbolFrom) -> pl.DataFrame:
    table = read_table(path, form)
    wanted = {ours: columns.pop(ours, ours) for ours in (*_REQUIRED, *_OPTIONAL)}
    if columns:
        raise DataError(f"columns: {min(columns)!r} is not a field of a bar: use {', '.join((*_REQUIRED, *_OPTIONAL))}")
    if symbol.kind == "column":
        wanted["symbol"] = symbol.value if symbol.value != "symbol" else wanted["symbol"]
        required: tuple[str, ...] = (*_REQUIRED, "symbol")
    else:
        required = _REQUIRED
        del wanted["symbol"]
    for ours in required:
        if wanted[ours] not in table.columns:
            raise DataError(
                f"{path}: column {wanted[ours]!r} for {ours} is missing (there are: {', '.join(table.columns)}); "
                f"map it, e.g. {ours}=NAME"
            )
    picked = table.select(pl.col(theirs).alias(ours) for ours, theirs in wanted.items() if theirs in table.columns)
    if symbol.kind == "file":
        picked = picked.with_columns(symbol=pl.lit(path.name.split(".")[0].split("_")[0].split("-")[0].upper()))
    elif symbol.kind == "fixed":
        picked = picked.with_columns(symbol=pl.lit(symbol.value))
    return picked.with_columns(file=pl.lit(str(path)), row=pl.int_range(1, picked.height + 1, dtype=pl.Int64))


def _year(utc: pl.Series) -> int:
    latest = utc.max()
    if not isinstance(latest, int):
        raise DataError("time: not one row has a readable time; check the column and the format of its values")
    return min(time.gmtime(latest // 1_000_000_000).tm_year, time.gmtime().tm_year)


def _rows(
    raw: pl.DataFrame,
    utc: pl.Series,
    interval: str,
    stamps: str,
    sessions: SessionCalendar,
    zone: str,
    context: frozenset[str],
) -> pl.DataFrame:
    times = bar_times(utc, interval, stamps, sessions, zone)
    absent = pl.Series([None] * raw.height, dtype=pl.Int64)
    return (
        pl.DataFrame(
            {
                "symbol": raw["symbol"].cast(pl.String).str.strip_chars(),
                "open_time": times.open_time,
                "event_time": times.event_time,
                "available_time": times.event_time,
                **{price: fixed_series(raw[price]) for price in _PRICES},
                "volume": whole_series(raw["volume"]),
                "vwap": fixed_series(raw["vwap"]) if "vwap" in raw.columns else absent,
                "trade_count": whole_series(raw["trade_count"]) if "trade_count" in raw.columns else absent,
                "file": raw["file"],
                "row": raw["row"],
                "time_reason": times.reason,
            }
        )
        .with_columns(interval=pl.lit(interval), context=pl.col("symbol").is_in(list(context)).fill_null(False))
        .with_row_index("index")
    )


def _mark(rows: pl.DataFrame) -> pl.DataFrame:
    """Reasons row by row. Rows without a time are judged apart: they can be neither late nor duplicate."""
    symbol = pl.col("symbol")
    early = (
        pl.when(pl.col("time_reason").is_not_null())
        .then(pl.col("time_reason"))
        .when(symbol.is_null() | (symbol == ""))
        .then(pl.lit("symbol: empty"))
        .when(~symbol.str.contains(r"^\^?[A-Z0-9][A-Z0-9./-]{0,14}$"))
        .then(pl.lit("symbol: not a ticker (capital letters, digits, '.', '/', '-')"))
    )
    judged = rows.with_columns(early=early)
    timed = mark_bad(judged.filter(pl.col("early").is_null()), time.time_ns())
    untimed = judged.filter(pl.col("early").is_not_null()).with_columns(reason=pl.col("early"))
    return pl.concat([timed, untimed.select(timed.columns)]).sort("index")
