"""The sessions of an exchange: holidays and half days as `exchange_calendars` knows them. Shell: reads its tables."""

from __future__ import annotations

import bisect
import datetime as dt
from dataclasses import dataclass, field

from tradewind.execution.process import ProcessError

_BEFORE = dt.timedelta(days=30)  # longer than any pause between two sessions
_AFTER = dt.timedelta(days=365)


@dataclass(frozen=True)
class Session:
    """One session, ns UTC, and when the next begins."""

    open: int
    close: int
    next_open: int


@dataclass
class ExchangeCalendar:
    """Sessions by time. Raises ProcessError for a calendar that `exchange_calendars` doesn't have."""

    name: str
    _opens: list[int] = field(default_factory=list)
    _closes: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        import exchange_calendars

        if self.name not in exchange_calendars.get_calendar_names():
            raise ProcessError(f"limits.session.calendar: {self.name} is not an exchange's calendar, e.g. XNYS")

    def at(self, time: int) -> Session | None:
        """The session that has begun last at `time` (ns UTC); None where the calendar doesn't reach."""
        if not self._opens or not self._opens[0] <= time < self._opens[-1]:
            self._load(time)
        index = bisect.bisect_right(self._opens, time) - 1
        if index < 0 or index + 1 >= len(self._opens):
            return None
        return Session(self._opens[index], self._closes[index], self._opens[index + 1])

    def _load(self, time: int) -> None:
        """The table around `time`: reading all years takes seconds."""
        import exchange_calendars
        from exchange_calendars.errors import CalendarError

        day = dt.datetime.fromtimestamp(time / 1e9, dt.UTC).date()
        try:
            schedule = exchange_calendars.get_calendar(
                self.name, start=(day - _BEFORE).isoformat(), end=(day + _AFTER).isoformat()
            ).schedule
        except (CalendarError, ValueError):
            schedule = None
        self._opens = [] if schedule is None else [moment.value for moment in schedule["open"]]
        self._closes = [] if schedule is None else [moment.value for moment in schedule["close"]]
