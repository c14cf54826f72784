"""The exchange's calendar as the executor tells it to the engine: holidays, half days, summer time, its ends."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from tradewind.execution.executor.sessions import ExchangeCalendar
from tradewind.execution.process import ProcessError

NEW_YORK = ZoneInfo("America/New_York")


def ns(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()) * 10**9


@pytest.fixture(scope="module")
def calendar() -> ExchangeCalendar:
    return ExchangeCalendar("XNYS")


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (
            "2012-03-09 16:00",
            ("2012-03-09 09:30", "2012-03-09 16:00", "2012-03-12 09:30"),
        ),  # a weekend, and summer time
        ("2012-11-22 12:00", ("2012-11-21 09:30", "2012-11-21 16:00", "2012-11-23 09:30")),  # Thanksgiving
        ("2012-11-23 12:59", ("2012-11-23 09:30", "2012-11-23 13:00", "2012-11-26 09:30")),  # half a day
        ("2012-10-30 10:00", ("2012-10-26 09:30", "2012-10-26 16:00", "2012-10-31 09:30")),  # hurricane Sandy
        ("2011-03-01 09:30", ("2011-03-01 09:30", "2011-03-01 16:00", "2011-03-02 09:30")),  # goes back, too
        ("2011-03-01 09:29", ("2011-02-28 09:30", "2011-02-28 16:00", "2011-03-01 09:30")),
    ],
)
def test_the_session_that_began_last(calendar: ExchangeCalendar, at: str, expected: tuple[str, str, str]) -> None:
    session = calendar.at(ns(at))
    assert session is not None
    assert (session.open, session.close, session.next_open) == tuple(ns(text) for text in expected)


def test_a_time_that_no_calendar_covers_has_no_session(calendar: ExchangeCalendar) -> None:
    assert calendar.at(ns("2262-03-01 12:00")) is None
    assert calendar.at(ns("2012-03-09 16:00")) is not None


def test_another_exchange_and_one_that_is_none() -> None:
    always = ExchangeCalendar("24/7").at(ns("2012-11-22 12:00"))
    assert always is not None
    assert always.close == always.next_open
    with pytest.raises(ProcessError, match=r"limits\.session\.calendar: MOON is not an exchange's calendar"):
        ExchangeCalendar("MOON")
