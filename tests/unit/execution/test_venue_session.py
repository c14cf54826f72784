"""Steps of time: they repeat exactly, never go back, and refuse bad bars by name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.execution.venue_bench import Bench, opened
from tradewind.execution.venue import queries
from tradewind.execution.venue.rejections import Rejection
from tradewind.execution.venue.session import advance


@pytest.fixture
def bench() -> Bench:
    return opened()


def test_a_step_given_twice_changes_nothing(bench: Bench) -> None:
    bench.send()
    answer = bench.step(bench.bar(o="101"))
    bench.send("buy", 1)
    before = queries.sim_state(bench.state)
    again = advance(bench.state, {"time": bench.time, "bars": [bench.bar(o="500")], "session_end": True})
    assert again == answer
    assert queries.sim_state(bench.state) == before


def test_time_does_not_go_back(bench: Bench) -> None:
    with pytest.raises(Rejection, match="time must be after"):
        advance(bench.state, {"time": bench.time - 1, "bars": []})


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"high": 1}, "high and low must enclose"),
        ({"volume": -1}, r"bars\[0\] \(AAPL\)\.volume"),
        ({"close": 1.5}, r"bars\[0\] \(AAPL\)\.close must be an integer"),
        ({"symbol": ""}, r"bars\[0\]\.symbol"),
        ({"event_time": 0}, "event_time must be after open_time"),
    ],
)
def test_a_bad_bar_is_refused_by_name_and_moves_nothing(bench: Bench, change: dict[str, Any], complaint: str) -> None:
    before = queries.sim_state(bench.state)
    with pytest.raises(Rejection, match=complaint):
        advance(bench.state, {"time": bench.time + 10**12, "bars": [{**bench.bar(), **change}]})
    assert queries.sim_state(bench.state) == before


def test_ids_and_events_repeat_exactly() -> None:
    def run() -> list[tuple[int, dict[str, Any]]]:
        bench = Bench(participation_ppm=100_000)
        bench.step(bench.bar(), bench.bar("MSFT"))
        for qty in (10, 20):
            bench.send(qty=qty, limit_price=100, time_in_force="gtc")
            bench.send("sell", qty, "MSFT")
        bench.step(bench.bar(volume=150), bench.bar("MSFT"))
        return bench.state.take_changes().events

    assert run() == run()


def test_submission_times_are_unique_so_paging_by_time_loses_nothing(bench: Bench) -> None:
    sent = [bench.send(qty=1)["id"] for _ in range(7)]
    found: list[str] = []
    query = {"limit": "3", "direction": "asc"}
    for _ in range(4):
        page = queries.list_orders(bench.state, query)
        found += [row["id"] for row in page]
        query["after"] = page[-1]["submitted_at"] if page else query["after"]
    assert found == sent


@pytest.mark.parametrize(
    ("interval", "kept"), [(None, "1Min"), ("1m", "1Min"), ("15Min", "15Min"), ("1d", "1Day"), ("2h", "2Hour")]
)
def test_intervals_are_kept_by_alpacas_names(bench: Bench, interval: str | None, kept: str) -> None:
    bench.step({**bench.bar(), "interval": interval})
    assert [bar.interval for bar in bench.state.take_changes().bars] == [kept]


def test_an_unknown_interval_is_refused(bench: Bench) -> None:
    with pytest.raises(Rejection, match=r"bars\[0\] \(AAPL\)\.interval must be like 1Min, 1Hour or 1Day: fortnight"):
        bench.step({**bench.bar(), "interval": "fortnight"})
