"""Shell: Alpaca's historical bars and news to a data set (`tradewind data pull`)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl

from tradewind.streaming.datasets.checks import Coverage, check_bars, mark_bad
from tradewind.streaming.datasets.errors import DataError
from tradewind.streaming.datasets.fixedpoint import fixed_series, whole_series
from tradewind.streaming.datasets.manifest import Manifest
from tradewind.streaming.datasets.sessions import SessionCalendar
from tradewind.streaming.datasets.stamping import bar_times, to_utc
from tradewind.streaming.datasets.store import BAR_SCHEMA, write_dataset
from tradewind.streaming.news.alpaca import raw_item
from tradewind.streaming.news.storage import news_frame
from tradewind.streaming.news.validation import validate_item
from tradewind.streaming.sources.alpaca_rest import DATA_URL, AlpacaData
from tradewind.streaming.sources.alpaca_wire import TIMEFRAMES
from tradewind.streaming.sources.credentials import Credentials

_FIELDS = {
    "o": "open",
    "h": "high",
    "l": "low",
    "c": "close",
    "v": "volume",
    "vw": "vwap",
    "n": "trade_count",
    "t": "time",
}
_REQUIRED = ("t", "o", "h", "l", "c", "v")


@dataclass(frozen=True)
class PullSummary:
    """What a pull did; counts of what was written, `rejected` by reason, `missing` symbols without one bar."""

    directory: Path
    manifest: Manifest
    bars: int
    news: int
    rejected: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    coverage: list[Coverage] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def pull_bars_and_news(
    directory: Path | str,
    *,
    symbols: Sequence[str],
    interval: str,
    start: int,
    end: int,
    base_url: str = DATA_URL,
    ca_file: Path | str | None = None,
    credentials: Credentials | None = None,
    feed: Literal["iex", "sip"] | None = None,
    adjustment: Literal["raw", "split", "all"] = "raw",
    with_news: bool = True,
    context: Sequence[str] = (),
    calendar: str = "XNYS",
    name: str | None = None,
    replace: bool = False,
) -> PullSummary:
    """Fetch bars and news and write a data set.

    Args:
        start, end: ns UTC, both included, of the bars' open and the news' last update.
        credentials: default: from the environment.
        adjustment: "raw" as traded; others are the vendor's, which know later actions.

    Raises:
        DataError: naming the argument, the service or the file.
    """
    if interval not in TIMEFRAMES:
        raise DataError(f"interval: {interval!r} is not known: use {', '.join(TIMEFRAMES)}")
    if not symbols:
        raise DataError("symbols: none given; name at least one")
    if end <= start:
        raise DataError("end: not after start; give a later end")
    with AlpacaData(base_url, credentials or Credentials.from_environment(), ca_file=ca_file) as client:
        rows = list(client.bars(symbols, interval, start, end, feed=feed, adjustment=adjustment))
        articles = list(client.news(symbols, start, end)) if with_news else []
    marked, raw = _mark(rows, interval, calendar, context)
    good = marked.filter(pl.col("reason").is_null()).select(*BAR_SCHEMA)
    bad = marked.filter(pl.col("reason").is_not_null())
    counts = dict(bad["reason"].value_counts(sort=True).iter_rows())
    news, unread = _news_frame(articles)
    manifest = write_dataset(
        directory,
        good,
        name=name or Path(directory).name,
        interval=interval,
        stamps="session" if interval == "1d" else "open",
        adjustment="raw" if adjustment == "raw" else "vendor",
        source=f"alpaca:{feed or 'default'} {base_url}",
        licence="Alpaca Market Data terms",
        calendar=calendar,
        news=news,
        rejected=raw.with_row_index("index").join(bad.select("index", "reason"), on="index").drop("index"),
        notes=[f"{n} rows set aside: {reason}" for reason, n in counts.items()] + unread,
        replace=replace,
    )
    last_year = time.gmtime(int(good["event_time"].max()) // 10**9).tm_year  # type: ignore[arg-type]
    report = check_bars(good.sort("event_time"), interval, SessionCalendar.load(calendar, last_year), time.time_ns())
    missing = sorted(set(symbols) - set(good["symbol"].unique()))
    warnings = report.warnings() + [f"{symbol}: not one bar in that time" for symbol in missing] + unread
    return PullSummary(Path(directory), manifest, good.height, news.height, counts, missing, report.coverage, warnings)


def _mark(
    rows: list[tuple[str, dict[str, Any]]], interval: str, calendar: str, context: Sequence[str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    if not rows:
        raise DataError("symbols: not one bar in that time; check symbols, start, end and feed")
    columns: dict[str, list[str | None]] = {ours: [] for ours in _FIELDS.values()}
    for _, row in rows:
        for theirs, ours in _FIELDS.items():
            value = row.get(theirs)
            columns[ours].append(None if value is None else str(value))
    raw = pl.DataFrame(
        {"symbol": [symbol for symbol, _ in rows], **columns}, schema_overrides=dict.fromkeys(columns, pl.String)
    )
    utc = to_utc(raw["time"], "UTC", ignore_offset=False)
    latest = utc.max()
    year = time.gmtime(latest // 10**9).tm_year if isinstance(latest, int) else time.gmtime().tm_year
    sessions = SessionCalendar.load(calendar, year)
    times = bar_times(utc, interval, "open", sessions, sessions.zone)
    table = pl.DataFrame(
        {
            "symbol": raw["symbol"],
            "open_time": times.open_time,
            "event_time": times.event_time,
            "available_time": times.event_time,
            **{p: fixed_series(raw[p]) for p in ("open", "high", "low", "close", "vwap")},
            "volume": whole_series(raw["volume"]),
            "trade_count": whole_series(raw["trade_count"]),
            "time_reason": times.reason,
        }
    ).with_columns(interval=pl.lit(interval), context=pl.col("symbol").is_in(list(context)))
    # Alpaca answers symbol by symbol; checks of order are within a symbol.
    marked = mark_bad(table.with_row_index("index"), time.time_ns())
    return marked.with_columns(reason=pl.coalesce("time_reason", "reason")), raw


def _news_frame(articles: list[dict[str, Any]]) -> tuple[pl.DataFrame, list[str]]:
    """Articles as rows of the data set; those our news source cannot read are named, not lost in silence."""
    kept, unread = [], []
    seen: set[str] = set()
    for article in articles:
        item, reason = validate_item(raw_item(article, "alpaca", received=None), now=time.time_ns())
        if item is None:
            unread.append(f"news {article.get('id')!r} left out: {reason}")
        elif item.id not in seen:
            seen.add(item.id)
            kept.append(item)
    return news_frame(kept), unread
