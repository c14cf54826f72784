"""Replacing and cancelling orders."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.execution.venue_bench import Bench, opened
from tradewind.execution.venue import core
from tradewind.execution.venue.rejections import Rejection


@pytest.fixture
def bench() -> Bench:
    return opened()


def test_a_replacement_is_a_new_linked_order(bench: Bench) -> None:
    old = bench.send("buy", 10, limit_price=90, time_in_force="gtc", client_order_id="one")
    bench.events()
    new = core.replace(bench.state, old["id"], {"limit_price": "91"}, bench.now)
    assert (new["replaces"], new["qty"], new["limit_price"]) == (old["id"], "10", "91")
    assert bench.events() == [("replaced", old["id"]), ("new", new["id"])]
    assert (bench.order(old)["status"], bench.order(old)["replaced_by"]) == ("replaced", new["id"])
    # Only the new order still reserves.
    assert bench.buying_power() == "199090"
    bench.step(bench.bar(o="80"))
    assert (bench.shown(old)[0], bench.shown(new)[0]) == ("replaced", "filled")


def test_what_a_request_leaves_empty_stays_as_it_is(bench: Bench) -> None:
    """The Go client sends every key: null, and an empty time in force and client order id."""
    old = bench.send("buy", 10, limit_price=90, time_in_force="gtc")
    empty = {"qty": None, "stop_price": None, "trail": None, "time_in_force": "", "client_order_id": ""}
    new = core.replace(bench.state, old["id"], {**empty, "limit_price": "91"}, bench.now)
    assert (new["time_in_force"], new["qty"], new["limit_price"]) == ("gtc", "10", "91")


def test_a_replacement_needs_buying_power_for_itself_only(bench: Bench) -> None:
    old = bench.send("buy", 1500, limit_price=100, time_in_force="gtc")
    new = core.replace(bench.state, old["id"], {"qty": 2000}, bench.now)
    with pytest.raises(Rejection, match="insufficient buying power"):
        core.replace(bench.state, new["id"], {"qty": 2001}, bench.now)
    assert bench.order(new)["status"] == "new"


def test_replacements_that_are_refused(bench: Bench) -> None:
    state = bench.state
    order = bench.send("buy", 10, limit_price=90, time_in_force="gtc", client_order_id="one")
    cases: list[tuple[dict[str, Any], int, str]] = [
        ({"limit_price": 90}, 42210000, "order parameters are not changed"),
        ({}, 42210000, "order parameters are not changed"),
        ({"qty": "1.5"}, 42210000, "qty of a replacement must be a whole number of shares"),
        ({"qty": 0}, 40010001, "qty must be > 0"),
        ({"limit_price": 91, "client_order_id": "one"}, 40010001, "client_order_id must be unique"),
        ({"stop_price": 91}, 40010001, "limit orders require no stop_price"),
    ]
    for body, code, message in cases:
        with pytest.raises(Rejection) as refused:
            core.replace(state, order["id"], body, bench.now)
        assert (refused.value.code, refused.value.message) == (code, message)
    bench.step(bench.bar(o="80"))
    with pytest.raises(Rejection, match='order is already in "filled" state'):
        core.replace(state, order["id"], {"qty": 11}, bench.now)
    with pytest.raises(Rejection, match='order is already in "filled" state'):
        core.cancel(state, order["id"], bench.now)
    with pytest.raises(Rejection) as missing:
        core.cancel(state, "2e3d7d5c-0000-4000-8000-000000000000", bench.now)
    assert (missing.value.status, missing.value.code) == (404, 40410000)


def test_the_quantity_of_a_replacement_must_exceed_what_is_filled() -> None:
    bench = Bench(participation_ppm=100_000)
    bench.step(bench.bar())
    order = bench.send("buy", 10, limit_price=100, time_in_force="gtc")
    bench.step(bench.bar(volume=40))
    with pytest.raises(Rejection, match="qty must be > filled_qty"):
        core.replace(bench.state, order["id"], {"qty": 4}, bench.now)
    new = core.replace(bench.state, order["id"], {"qty": 5}, bench.now)
    assert (new["filled_qty"], bench.shown(order)[:2]) == ("0", ("replaced", "4"))


def test_a_cancel_twice_is_one_cancel(bench: Bench) -> None:
    order = bench.send("buy", 10, limit_price=90)
    core.cancel(bench.state, order["id"], bench.now)
    core.cancel(bench.state, order["id"], bench.now)
    assert [event for event, _ in bench.events()] == ["pending_new", "new", "canceled"]
