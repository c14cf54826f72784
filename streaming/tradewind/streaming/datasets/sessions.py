"""Core: an exchange's trading sessions, as arrays that can be searched.

The times come from `exchange_calendars`, which knows holidays and half days. A calendar is built from 1999 on: the
package's own default starts twenty years ago, which would cut early history off without a word.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

import exchange_calendars
import numpy as np
import numpy.typing as npt
import pandas as pd

from tradewind.streaming.datasets.errors import DataError

_FIRST_YEAR = 1999
Int64Array = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class SessionCalendar:
    """Sessions of one exchange, in order.

    Attributes:
        name: as `exchange_calendars` has it ("XNYS").
        zone: IANA name of the exchange's time zone.
        days: dates of the sessions, `datetime64[D]`.
        opens: ns UTC.
        closes: ns UTC.
    """

    name: str
    zone: str
    days: npt.NDArray[np.datetime64]
    opens: Int64Array
    closes: Int64Array

    @staticmethod
    def load(name: str, last_year: int) -> SessionCalendar:
        """The calendar `name` from 1999 to the end of `last_year` at least.

        Raises:
            DataError: there is no such calendar.
        """
        # Building one takes most of a second: whole decades are shared by all that ask.
        return _load(name, last_year // 10 * 10 + 9)

    def index_of_day(self, day: date) -> int | None:
        """Position of the session of `day`, or None if the exchange was closed."""
        stamp = np.datetime64(day, "D")
        index = int(np.searchsorted(self.days, stamp))
        return index if index < len(self.days) and self.days[index] == stamp else None

    def session_of(self, times: Int64Array, *, closed_right: bool) -> Int64Array:
        """Session index of each time, -1 outside; sessions are [open, close), or (open, close] if `closed_right`."""
        side: Literal["left", "right"] = "left" if closed_right else "right"
        index = np.searchsorted(self.opens, times, side=side) - 1
        inside = times <= self.closes[index] if closed_right else times < self.closes[index]
        found: Int64Array = np.where((index >= 0) & inside, index, -1)
        return found

    def bars_in(self, session: int, interval_ns: int) -> int:
        """How many bars of `interval_ns` a session has; a shorter last bar counts."""
        return int(-(-(self.closes[session] - self.opens[session]) // interval_ns))

    def slot_closes(self, session: int, interval_ns: int) -> Int64Array:
        """Close times of the session's bars; the last is the session's close."""
        count = self.bars_in(session, interval_ns)
        closes = self.opens[session] + interval_ns * np.arange(1, count + 1, dtype=np.int64)
        cut: Int64Array = np.minimum(closes, self.closes[session])
        return cut


@lru_cache(maxsize=8)
def _load(name: str, last_year: int) -> SessionCalendar:
    if name not in exchange_calendars.get_calendar_names():
        raise DataError(f"calendar: {name!r} is not known: use a name of exchange_calendars, e.g. XNYS")
    calendar = exchange_calendars.get_calendar(name, start=f"{_FIRST_YEAR}-01-01", end=f"{last_year}-12-31")
    schedule = calendar.schedule
    return SessionCalendar(
        name=name,
        zone=str(calendar.tz),
        days=schedule.index.to_numpy().astype("datetime64[D]"),
        opens=_ns(schedule["open"]),
        closes=_ns(schedule["close"]),
    )


def _ns(column: pd.Series) -> Int64Array:
    values: Int64Array = (
        column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[ns]").astype(np.int64)
    )
    return values


def wall_time_ns(day: date, clock: str, zone: str) -> int:
    """The moment `clock` ("HH:MM") of `day` in `zone`, ns UTC."""
    hour, minute = (int(part) for part in clock.split(":"))
    moment = datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone))
    return int(moment.timestamp()) * 1_000_000_000


def days_between(calendar: SessionCalendar, first_ns: int, last_ns: int) -> range:
    """Indices of the sessions whose close lies in [first_ns, last_ns]."""
    low = int(np.searchsorted(calendar.closes, first_ns, side="left"))
    high = int(np.searchsorted(calendar.closes, last_ns, side="right"))
    return range(low, high)
