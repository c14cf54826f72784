"""Core: checks of a whole set of bars, and how complete it is against the exchange's calendar.

Requirements R-02-19 (increasing times, no duplicates, OHLC relation, volume, no future data) and R-02-20 (at most 5
missing bars in a row, at least 95 % coverage).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from tradewind.specs.base import interval_ns
from tradewind.streaming.datasets.sessions import SessionCalendar, days_between

MAX_CONSECUTIVE_MISSING = 5
MIN_COVERAGE = 0.95

# In order of severity: the first that holds is the row's reason.
_ROW_RULES: tuple[tuple[str, pl.Expr], ...] = (
    ("open: no price", pl.col("open").is_null()),
    ("high: no price", pl.col("high").is_null()),
    ("low: no price", pl.col("low").is_null()),
    ("close: no price", pl.col("close").is_null()),
    ("volume: not a whole number", pl.col("volume").is_null()),
    ("open: not above 0", pl.col("open") <= 0),
    ("high: not above 0", pl.col("high") <= 0),
    ("low: not above 0", pl.col("low") <= 0),
    ("close: not above 0", pl.col("close") <= 0),
    ("high: below low", pl.col("high") < pl.col("low")),
    ("open: outside low and high", (pl.col("open") > pl.col("high")) | (pl.col("open") < pl.col("low"))),
    ("close: outside low and high", (pl.col("close") > pl.col("high")) | (pl.col("close") < pl.col("low"))),
    ("volume: negative", pl.col("volume") < 0),
)


@dataclass(frozen=True)
class Coverage:
    """How complete one symbol is between its first and last bar.

    Attributes:
        present: bars that stand where the calendar expects one.
        expected: bars the calendar expects.
        outside: bars outside regular sessions; they count neither way.
        longest_gap: most missing bars in a row.
    """

    symbol: str
    present: int
    expected: int
    outside: int
    longest_gap: int

    @property
    def share(self) -> float:
        """present / expected; 1 when nothing was expected."""
        return self.present / self.expected if self.expected else 1.0

    @property
    def within_limits(self) -> bool:
        """Whether R-02-20 holds."""
        return self.share >= MIN_COVERAGE and self.longest_gap <= MAX_CONSECUTIVE_MISSING


@dataclass(frozen=True)
class BarSetReport:
    """The outcome of `check_bars`.

    Attributes:
        rows: rows looked at.
        bad: the rows that fail, with a column `reason`.
        coverage: per symbol, in order of name.
    """

    rows: int
    bad: pl.DataFrame
    coverage: list[Coverage]

    def warnings(self) -> list[str]:
        """One line for each symbol that is less complete than R-02-20 asks."""
        return [
            f"{c.symbol}: {c.share:.1%} of the expected bars, longest gap {c.longest_gap} bars "
            f"(limits: {MIN_COVERAGE:.0%}, {MAX_CONSECUTIVE_MISSING})"
            for c in self.coverage
            if not c.within_limits
        ]


def check_bars(bars: pl.DataFrame, interval: str, calendar: SessionCalendar, now: int) -> BarSetReport:
    """Check every bar and the set as a whole.

    Args:
        bars: columns of a data set's bars; prices and volume may be null.
        now: no bar may close later, ns UTC.
    """
    marked = mark_bad(bars, now)
    bad = marked.filter(pl.col("reason").is_not_null())
    good = marked.filter(pl.col("reason").is_null())
    coverage = [
        _coverage(str(symbol), group["event_time"].to_numpy(), interval_ns(interval), interval, calendar)
        for (symbol,), group in sorted(good.group_by("symbol"), key=lambda item: str(item[0][0]))
    ]
    return BarSetReport(rows=bars.height, bad=bad, coverage=coverage)


def mark_bad(bars: pl.DataFrame, now: int) -> pl.DataFrame:
    """`bars` with a column `reason`: what is wrong with the row, or null. Rows keep their order.

    Within a symbol, the first of several bars with one open time is kept and later ones are duplicates; a bar that
    closes before one that stands above it is out of order.
    """
    earlier = pl.col("event_time").cum_max().shift(1).over("symbol")
    rules = [
        *_ROW_RULES,
        ("event_time: not after open_time", pl.col("event_time") <= pl.col("open_time")),
        ("available_time: before event_time", pl.col("available_time") < pl.col("event_time")),
        ("event_time: in the future", pl.col("event_time") > now),
        ("event_time: duplicate of an earlier row", ~pl.struct("symbol", "event_time").is_first_distinct()),
        ("event_time: earlier than the row above", pl.col("event_time") < earlier),
    ]
    reason = pl.lit(None, dtype=pl.String)
    for text, broken in reversed(rules):
        reason = pl.when(broken.fill_null(False)).then(pl.lit(text)).otherwise(reason)
    return bars.with_columns(reason=reason)


def _coverage(symbol: str, closes: object, step: int, interval: str, calendar: SessionCalendar) -> Coverage:
    times = np.unique(np.asarray(closes, dtype=np.int64))
    sessions = days_between(calendar, int(times[0]), int(times[-1]) + 86_400_000_000_000)
    if interval == "1d":
        slots = calendar.closes[sessions.start : sessions.stop] if len(sessions) else times[:0]
    else:
        slots = np.concatenate([calendar.slot_closes(i, step) for i in sessions] or [times[:0]])
    slots = slots[(slots >= times[0]) & (slots <= times[-1])]
    here = np.isin(slots, times)
    missing = np.concatenate([[0], (~here).astype(np.int64), [0]])
    edges = np.flatnonzero(np.diff(missing))
    longest = int((edges[1::2] - edges[::2]).max()) if len(edges) else 0
    present = int(here.sum())
    return Coverage(symbol, present, len(slots), len(times) - present, longest)
