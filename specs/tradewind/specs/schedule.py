"""Cron schedules: five fields, in UTC. Core.

`minute hour day-of-month month day-of-week`; each `*`, numbers, ranges and steps, with commas between. As in cron(8), a
day counts when day of month or day of week says so, where both are restricted. Sunday is 0 and 7.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_NUMBERS = ("[0-5]?[0-9]", "([01]?[0-9]|2[0-3])", "([1-9]|[12][0-9]|3[01])", "([1-9]|1[0-2])", "[0-7]")
_FARTHEST_DAYS = 3_000  # the 29th of February comes again within eight years, whatever the century


def _field(number: str) -> str:
    one = rf"(\*|{number}(-{number})?)(/[1-9][0-9]?)?"
    return f"{one}(,{one})*"


PATTERN = f"^({' '.join(_field(number) for number in _NUMBERS)})?$"


def last_before(schedule: str, at: datetime) -> datetime | None:
    """The schedule's newest time that is not after `at`; None: none within eight years, or an empty schedule."""
    return _search(schedule, at.astimezone(UTC).replace(second=0, microsecond=0), -1)


def first_after(schedule: str, at: datetime) -> datetime | None:
    """The schedule's first time after `at`; None: none within eight years, or an empty schedule."""
    return _search(schedule, at.astimezone(UTC).replace(second=0, microsecond=0) + timedelta(minutes=1), 1)


def _search(schedule: str, start: datetime, step: int) -> datetime | None:
    if not schedule:
        return None
    fields = schedule.split(" ")
    minutes, hours = (_members(fields[i], *_BOUNDS[i]) for i in (0, 1))
    times = sorted((hour, minute) for hour in hours for minute in minutes)
    for distance in range(_FARTHEST_DAYS):
        day = start.date() + timedelta(days=step * distance)
        if not _counts(fields, day):
            continue
        for hour, minute in times if step > 0 else reversed(times):
            found = datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC)
            if (found - start) * step >= timedelta(0):
                return found
    return None


def _counts(fields: list[str], day: date) -> bool:
    if day.month not in _members(fields[3], *_BOUNDS[3]):
        return False
    of_month = day.day in _members(fields[2], *_BOUNDS[2])
    of_week = day.isoweekday() % 7 in {number % 7 for number in _members(fields[4], *_BOUNDS[4])}
    either = fields[2] != "*" and fields[4] != "*"
    return (of_month or of_week) if either else (of_month and of_week)


def _members(field: str, lowest: int, highest: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        low, high = (lowest, highest) if span == "*" else (int(first), int(last or (highest if step else first)))
        found |= set(range(low, high + 1, int(step or 1)))
    return found
