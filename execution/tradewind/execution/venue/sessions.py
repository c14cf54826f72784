"""Shell. The New York Stock Exchange's sessions, loaded from `exchange_calendars` on first use (about two seconds)."""

from __future__ import annotations

import bisect
import datetime as dt
from functools import cached_property
from typing import Literal

from tradewind.execution.venue.hours import EVENING, MORNING, Hours
from tradewind.execution.venue.queries import NEW_YORK
from tradewind.execution.venue.times import DAY, from_rfc3339, to_rfc3339, utc
from tradewind.execution.venue.wire import Json

FIRST_YEAR = 1990


class Sessions:
    """Opens and closes of the sessions since 1990, in ns."""

    @cached_property
    def _table(self) -> tuple[list[int], list[int]]:
        import exchange_calendars

        last = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=365)
        schedule = exchange_calendars.get_calendar("XNYS", start=f"{FIRST_YEAR}-01-01", end=last.isoformat()).schedule
        opens = [moment.value for moment in schedule["open"]]
        closes = [moment.value for moment in schedule["close"]]
        return opens, closes

    def next_close(self, now: int) -> int:
        """The close of the running session, or of the next one; a day on when the calendar ends."""
        _, closes = self._table
        index = bisect.bisect_right(closes, now)
        return closes[index] if index < len(closes) else now + DAY

    def hours(self, now: int, *, strict: bool) -> Hours:
        """What the calendar says at `now`."""
        opens, closes = self._table
        index = bisect.bisect_right(closes, now)
        if not 0 < index < len(closes) - 1:
            return Hours(session=(now + DAY, now + DAY), strict=strict)
        phase: Literal["regular", "extended", "closed"] = "closed"
        if opens[index] <= now:
            phase = "regular"
        elif opens[index] - MORNING <= now or now < closes[index - 1] + EVENING:
            phase = "extended"
        return Hours(phase, (opens[index], closes[index]), closes[index - 1], opens[index + 1], strict)

    def clock(self, now: int) -> Json:
        """GET /v2/clock at `now`."""
        opens, closes = self._table
        running = bisect.bisect_right(closes, now)
        is_open = running < len(opens) and opens[running] <= now
        following = bisect.bisect_right(opens, now)
        next_open = opens[following] if following < len(opens) else now + DAY
        return {
            "timestamp": to_rfc3339(now),
            "is_open": is_open,
            "next_open": to_rfc3339(next_open),
            "next_close": to_rfc3339(self.next_close(now)),
        }

    def calendar(self, start: str | None, end: str | None) -> list[Json]:
        """GET /v2/calendar: sessions with New York times, `start` and `end` inclusive. Raises ValueError."""
        opens, closes = self._table
        first = opens[0] if start is None else from_rfc3339(start)
        last = closes[-1] if end is None else from_rfc3339(end) + DAY
        rows: list[Json] = []
        for index in range(bisect.bisect_left(opens, first), len(opens)):
            if opens[index] >= last:
                break
            opened, closed = (utc(time).astimezone(NEW_YORK) for time in (opens[index], closes[index]))
            settles = opens[min(index + 1, len(opens) - 1)]
            rows.append(
                {
                    "date": opened.date().isoformat(),
                    "open": f"{opened:%H:%M}",
                    "close": f"{closed:%H:%M}",
                    "session_open": "0400",
                    "session_close": "2000",
                    "settlement_date": utc(settles).astimezone(NEW_YORK).date().isoformat(),
                }
            )
        return rows
