"""Core: from a source's one time stamp to a bar's open and close.

Sources stamp bars at their open or at their close. Taking one for the other shows a model one bar of the future, so the
meaning is always asked for and, where the data itself can tell, checked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from tradewind.specs.base import interval_ns
from tradewind.streaming.datasets.errors import DataError
from tradewind.streaming.datasets.sessions import Int64Array, SessionCalendar

_MICROS = pl.Datetime("us")
_FORMS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d", "%Y%m%d %H:%M:%S", "%Y%m%d")
# A stamp that hits session opens this often and closes that rarely (or the other way) is no accident.
_TELLING, _RARE = 0.5, 0.1
_MIN_SESSIONS = 2


@dataclass(frozen=True)
class Stamped:
    """Times of each row, ns UTC; `reason` is why a row has none."""

    open_time: pl.Series
    event_time: pl.Series
    reason: pl.Series


def to_utc(stamps: pl.Series, zone: str, ignore_offset: bool) -> pl.Series:
    """Stamps as Int64 ns UTC, to the microsecond; null where unreadable, or skipped or repeated by the wall clock.

    Text is read as ISO 8601 (date, or date and time), whole numbers as seconds, milliseconds, microseconds or
    nanoseconds since the epoch, by their size.

    Args:
        zone: of stamps that carry no offset.
        ignore_offset: take the wall time as written and read it in `zone`, for sources that write "Z" on local times.
    """
    if stamps.dtype.is_integer():
        value, size = pl.col("t").cast(pl.Int64), pl.col("t").cast(pl.Int64).abs()
        micros = (
            pl.when(size >= 10**17)
            .then(value // 1000)
            .when(size >= 10**14)
            .then(value)
            .when(size >= 10**11)
            .then(value * 10**3)
            .otherwise(value * 10**6)
        )
        naive = stamps.to_frame("t").select(micros.cast(_MICROS).alias("t"))["t"]
        return _localise(naive, zone if ignore_offset else "UTC")
    if stamps.dtype == pl.Date:
        return _localise(stamps.cast(_MICROS), zone)
    if isinstance(stamps.dtype, pl.Datetime):
        micros_wall = stamps.dt.cast_time_unit("us")
        if stamps.dtype.time_zone is not None and not ignore_offset:
            return _ns(micros_wall.dt.convert_time_zone("UTC"))
        return _localise(micros_wall.dt.replace_time_zone(None), zone)
    return _text_to_utc(stamps.cast(pl.String).str.strip_chars(), zone, ignore_offset)


def _ns(moments: pl.Series) -> pl.Series:
    """Microseconds to nanoseconds; a time that 64 bits of these cannot hold (after 2262) is none, and not 1677."""
    value = pl.col("t").cast(pl.Int64)
    fits = value.abs() <= (2**63 - 1) // 1000
    return moments.to_frame("t").select(pl.when(fits).then(value * 1000).alias("t"))["t"]


def _localise(naive: pl.Series, zone: str) -> pl.Series:
    return _ns(naive.dt.replace_time_zone(zone, ambiguous="null", non_existent="null").dt.convert_time_zone("UTC"))


def _text_to_utc(text: pl.Series, zone: str, ignore_offset: bool) -> pl.Series:
    table = text.to_frame("t").with_columns(
        # A bare date ends in "-NN" too; only text with a time of day can carry an offset.
        offset=pl.col("t").str.extract(r"[T ]\d{2}:?\d{2}[:\d.]*\s*(Z|[+-]\d{2}:?\d{2})$", 1)
    )
    bare = pl.col("t").str.replace(r"\s*(Z|[+-]\d{2}:?\d{2})$", "")
    wall = pl.when(pl.col("offset").is_null()).then(pl.col("t")).otherwise(bare).str.replace("T", " ")
    naive = table.select(
        pl.coalesce(wall.str.to_datetime(form, time_unit="us", strict=False) for form in _FORMS).alias("t")
    )["t"]
    local = _localise(naive, zone)
    if ignore_offset:
        return local
    digits = pl.col("offset").str.replace(":", "")
    hours, rest = (digits.str.slice(at, 2).cast(pl.Int64, strict=False) for at in (1, 3))
    sign = pl.when(digits.str.starts_with("-")).then(-1).otherwise(1)
    minutes = pl.when(pl.col("offset") == "Z").then(0).otherwise(sign * (hours * 60 + rest))
    return table.with_columns(local=local, written=_ns(naive)).select(
        pl.when(pl.col("offset").is_null())
        .then(pl.col("local"))
        .otherwise(pl.col("written") - minutes * 60_000_000_000)
        .alias("t")
    )["t"]


def bar_times(utc: pl.Series, interval: str, stamps: str, calendar: SessionCalendar, zone: str) -> Stamped:
    """Open and close of the bar that each stamp stands for.

    Daily bars belong to the session of the stamp's date in `zone`, from its open to its close; the date of a day
    without a session is a reason to refuse the row. Intraday bars span `interval`, cut at the session's close.
    """
    if interval == "1d":
        return _session_times(utc, calendar, zone)
    step = interval_ns(interval)
    known = utc.is_not_null().to_numpy()
    times = utc.fill_null(0).to_numpy().astype(np.int64)
    session = calendar.session_of(times, closed_right=stamps == "close")
    inside = session >= 0
    opens, closes = calendar.opens[session], calendar.closes[session]
    if stamps == "open":
        start = times
        end = np.where(inside, np.minimum(times + step, closes), times + step)
    else:
        end = times
        rest = (closes - opens) % step
        short = inside & (times == closes) & (rest > 0)
        start = np.where(short, times - rest, times - step)
    reason = pl.Series(
        [None if ok else "time: not a time, or one the wall clock skips or repeats" for ok in known], dtype=pl.String
    )
    return Stamped(_with_nulls("open_time", start, known), _with_nulls("event_time", end, known), reason)


def _session_times(utc: pl.Series, calendar: SessionCalendar, zone: str) -> Stamped:
    local = utc.cast(pl.Datetime("ns", "UTC")).dt.convert_time_zone(zone).dt.date()
    days = local.fill_null(pl.date(1970, 1, 1)).to_numpy().astype("datetime64[D]")
    index = np.searchsorted(calendar.days, days)
    found = (index < len(calendar.days)) & (calendar.days[np.minimum(index, len(calendar.days) - 1)] == days)
    known = utc.is_not_null().to_numpy()
    index = np.where(found, index, 0)
    reason = pl.Series(
        [
            None if ok else (f"time: no session of {calendar.name} on that day" if given else "time: not a date")
            for ok, given in zip(found & known, known, strict=True)
        ],
        dtype=pl.String,
    )
    good = found & known
    return Stamped(
        _with_nulls("open_time", calendar.opens[index], good),
        _with_nulls("event_time", calendar.closes[index], good),
        reason,
    )


def _with_nulls(name: str, values: Int64Array, known: object) -> pl.Series:
    frame = pl.DataFrame({"v": values, "k": known})
    return frame.select(pl.when(pl.col("k")).then(pl.col("v")).alias(name))[name]


def refuse_swapped(utc: pl.Series, stamps: str, interval: str, calendar: SessionCalendar) -> None:
    """Refuse intraday data whose own stamps show that open and close were mixed up.

    A regular session's first bar is stamped 09:30 if stamps mean opens, its last 16:00 if they mean closes. Data with
    extended hours has both and proves nothing.

    Raises:
        DataError: the stamps say the opposite of `stamps`.
    """
    if interval == "1d" or utc.len() == utc.null_count():
        return
    times = np.unique(utc.drop_nulls().to_numpy().astype(np.int64))
    low = np.searchsorted(calendar.closes, times[0])
    high = np.searchsorted(calendar.opens, times[-1], side="right")
    opens, closes = calendar.opens[low:high], calendar.closes[low:high]
    if len(opens) < _MIN_SESSIONS:
        return
    at_open, at_close = float(np.isin(opens, times).mean()), float(np.isin(closes, times).mean())
    told = None
    if at_open >= _TELLING and at_close <= _RARE:
        told = "open"
    elif at_close >= _TELLING and at_open <= _RARE:
        told = "close"
    if told is not None and told != stamps:
        raise DataError(
            f"stamps: {stamps!r} was given, but {at_open:.0%} of the sessions have a bar stamped at their open and "
            f"{at_close:.0%} one stamped at their close: these are stamps of the {told}; give stamps {told!r}, "
            "or correct the time zone"
        )
