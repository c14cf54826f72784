"""The demo's data set and its news: real, whole, and without knowledge of the future."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import exchange_calendars
import polars as pl
import pytest
from bokeh_sampledata import stocks

from tradewind.console.demo import DEMO_SYMBOLS, MARKET, DemoSummary, build_demo_dataset
from tradewind.streaming.datasets import Dataset, read_dataset
from tradewind.streaming.news.calendar import Calendar, load_calendar
from tradewind.streaming.news.configured import NewsConfig, events_frame, recorded_events
from tradewind.streaming.news.rates import target_range

FOMC = Path(__file__).parents[3] / "examples" / "fomc.yaml"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoSummary, Dataset]:
    directory = tmp_path_factory.mktemp("demo") / "d"
    summary = build_demo_dataset(directory)
    return summary, read_dataset(directory)


@pytest.fixture(scope="module")
def fomc() -> Calendar:
    return load_calendar(FOMC)


def test_every_row_of_the_packages_is_there_or_named(built: tuple[DemoSummary, Dataset]) -> None:
    summary, dataset = built
    for symbol in DEMO_SYMBOLS:
        rows = dataset.bars.filter(pl.col("symbol") == symbol).height
        left_out = sum(line.startswith(f"{symbol} ") for line in summary.left_out)
        assert rows + left_out == len(getattr(stocks, symbol)["date"])
    assert dataset.manifest.symbols == list(DEMO_SYMBOLS)
    assert dataset.manifest.context == [MARKET]
    assert (dataset.manifest.adjustment, dataset.manifest.notes) == ("forward", summary.left_out)


def test_bars_close_when_their_session_did(built: tuple[DemoSummary, Dataset]) -> None:
    _, dataset = built
    calendar = exchange_calendars.get_calendar("XNYS", start="2000-01-01", end="2013-12-31")
    closes = [int(calendar.session_close(day).value) for day in calendar.sessions_in_range("2000-03-01", "2013-03-01")]
    apple = dataset.bars.filter(pl.col("symbol") == "AAPL")
    assert apple["event_time"].to_list() == closes
    # The day after Thanksgiving 2012 ended at 13:00 in New York.
    half_day = int(datetime(2012, 11, 23, 18, 0, tzinfo=UTC).timestamp()) * 10**9
    assert half_day in apple["event_time"].to_list()
    assert apple["available_time"].equals(apple["event_time"].alias("available_time"))


def test_before_its_first_action_a_price_is_as_traded_and_after_a_split_double(
    built: tuple[DemoSummary, Dataset],
) -> None:
    summary, dataset = built
    apple = dataset.bars.filter(pl.col("symbol") == "AAPL")["close"].to_list()
    days = stocks.AAPL["date"]
    for day, factor in (("2000-03-01", 1), ("2000-06-20", 1), ("2000-06-21", 2), ("2005-02-25", 2), ("2005-02-28", 4)):
        raw = round(stocks.AAPL["close"][days.index(day)] * 10**8)
        assert apple[days.index(day)] == factor * raw
    assert [day for day, _ in summary.actions["AAPL"]][:2] == [date(2000, 6, 21), date(2005, 2, 28)]


def test_facebook_joins_when_it_lists(built: tuple[DemoSummary, Dataset]) -> None:
    _, dataset = built
    first = dataset.bars.filter(pl.col("symbol") == "FB")["event_time"].min()
    assert first == int(datetime(2012, 5, 18, 20, 0, tzinfo=UTC).timestamp()) * 10**9


def test_building_it_again_gives_the_same_bytes(built: tuple[DemoSummary, Dataset], tmp_path: Path) -> None:
    summary, _ = built
    again = build_demo_dataset(tmp_path / "again")
    assert again.manifest.parts == summary.manifest.parts


def test_each_decision_starts_where_the_last_one_ended(fomc: Calendar) -> None:
    for before, after in pairwise(fomc.entries):
        assert after.facts["target_before"] == before.facts["target_after"], after.date
    assert len({entry.date for entry in fomc.entries}) == len(fomc.entries)
    assert all(entry.date.weekday() < 5 for entry in fomc.entries)


def test_moves_are_quarters_and_headlines_say_them(fomc: Calendar) -> None:
    for entry in fomc.entries:
        old, new = target_range(entry.facts["target_before"]), target_range(entry.facts["target_after"])
        assert old is not None
        assert new is not None
        change = new[1] - old[1]
        assert change * 4 == int(change * 4), entry.date
        verb = "raises" if change > 0 else "cuts" if change < 0 else "leaves"
        assert f"Fed {verb} " in entry.headline, entry.date
        assert ("between meetings" in entry.headline) == (entry.facts["scheduled"] == "false"), entry.date


@pytest.mark.parametrize(
    ("day", "target"),
    [  # Board of Governors, open market operations archive: turning points of three cycles.
        ("2000-05-16", "6.50"),
        ("2001-01-03", "6.00"),
        ("2001-12-11", "1.75"),
        ("2002-11-06", "1.25"),
        ("2003-06-25", "1.00"),
        ("2004-06-30", "1.25"),
        ("2006-06-29", "5.25"),
        ("2007-09-18", "4.75"),
        ("2008-01-22", "3.50"),
        ("2008-10-08", "1.50"),
        ("2008-12-16", "0.00-0.25"),
    ],
)
def test_turning_points(fomc: Calendar, day: str, target: str) -> None:
    (entry,) = [entry for entry in fomc.entries if entry.date.isoformat() == day]
    assert entry.facts["target_after"] == target


def test_eight_scheduled_decisions_a_year(fomc: Calendar) -> None:
    years = [entry.date.year for entry in fomc.entries if entry.facts["scheduled"] == "true"]
    # The meeting of 2001-09-17 took the place of none; 2001 had eight besides its three moves between meetings.
    assert {year: years.count(year) for year in range(2001, 2013)} == dict.fromkeys(range(2001, 2013), 8)
    assert sum(entry.facts["scheduled"] == "false" for entry in fomc.entries) == 5


def test_statements_were_published_on_these_days(fomc: Calendar) -> None:
    """Against the record of statements where there is one; else against days known from elsewhere."""
    shared = os.environ.get("TRADEWIND_SHARED_DATA")
    ours = {entry.date: entry.time for entry in fomc.entries}
    if shared:
        table = pl.read_parquet(Path(shared) / "fomc_statements_2000_2024.parquet")
        rows = table.select(pl.col("date").dt.date(), "release_et").rows()
        record = {day: at for day, at in rows if date(2000, 3, 1) <= day <= max(ours)}
        covered = {day for day in ours if day.year not in (2006, 2007, 2008) and day != date(2004, 11, 10)}
    else:
        record = {date(2011, 4, 27): "12:30", date(2013, 3, 20): "14:00", date(2001, 10, 2): "14:15"}
        covered = set(record)
    assert covered == set(record)
    assert {day: ours[day] for day, at in record.items() if at} == {day: at for day, at in record.items() if at}


def test_the_decisions_become_events_in_time(built: tuple[DemoSummary, Dataset], fomc: Calendar) -> None:
    _, dataset = built
    config = NewsConfig(kind="Calendar", name="fomc", path=str(FOMC))
    events = recorded_events([config], dataset)
    assert len(events) == len(fomc.entries)
    assert {(event.type, event.symbol) for event in events} == {("rate_decision", "*")}
    cut = next(event for event in events if event.news_id.startswith("2008-01-22"))
    assert (cut.impact, cut.event_time) == (1.0, int(datetime(2008, 1, 22, 13, 20, tzinfo=UTC).timestamp()) * 10**9)
    until = cut.available_time - 1
    earlier = recorded_events([config], dataset, until=until)
    assert earlier == events[: len(earlier)]
    assert len(earlier) == events.index(cut)
    assert events_frame(earlier)["available_time"].to_list() == [event.available_time for event in earlier]
