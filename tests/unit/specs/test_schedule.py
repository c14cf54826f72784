"""Cron schedules against times worked out by hand."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from tradewind.specs.schedule import PATTERN, first_after, last_before

AT = datetime(2026, 11, 21, 10, 30, 15, tzinfo=UTC)  # a Saturday


@pytest.mark.parametrize(
    ("schedule", "last", "following"),
    [
        ("* * * * *", "2026-11-21 10:30", "2026-11-21 10:31"),
        ("0 3 * * *", "2026-11-21 03:00", "2026-11-22 03:00"),
        ("*/20 * * * *", "2026-11-21 10:20", "2026-11-21 10:40"),
        ("30 10 * * *", "2026-11-21 10:30", "2026-11-22 10:30"),
        ("0 22 * * 1-5", "2026-11-20 22:00", "2026-11-23 22:00"),
        ("0 0 * * 0", "2026-11-15 00:00", "2026-11-22 00:00"),
        ("0 0 * * 7", "2026-11-15 00:00", "2026-11-22 00:00"),
        ("15 6 1 * *", "2026-11-01 06:15", "2026-12-01 06:15"),
        ("0 0 29 2 *", "2024-02-29 00:00", "2028-02-29 00:00"),
        ("0 0 13 * 5", "2026-11-20 00:00", "2026-11-27 00:00"),
        ("5,35 8-10/2 * 1,11 *", "2026-11-21 10:05", "2026-11-21 10:35"),
        ("50/5 10 * * *", "2026-11-20 10:55", "2026-11-21 10:50"),
    ],
)
def test_times_before_and_after(schedule: str, last: str, following: str) -> None:
    assert re.match(PATTERN, schedule)
    found = last_before(schedule, AT), first_after(schedule, AT)
    assert found == tuple(datetime.fromisoformat(f"{text}+00:00") for text in (last, following))


@pytest.mark.parametrize("schedule", ["", "0 0 31 2 *"])
def test_never(schedule: str) -> None:
    assert re.match(PATTERN, schedule)
    assert last_before(schedule, AT) is None
    assert first_after(schedule, AT) is None


@pytest.mark.parametrize(
    "schedule", ["daily", "0 3 * *", "60 3 * * *", "0 24 * * *", "0 0 0 * *", "0 0 * 13 *", "*/0 * * * *", "0  3 * * *"]
)
def test_what_is_no_schedule(schedule: str) -> None:
    assert not re.match(PATTERN, schedule)
