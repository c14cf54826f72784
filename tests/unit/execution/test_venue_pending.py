"""A venue whose cancels and replaces take their time: what is pending still trades, and a fill before it wins."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.execution.venue_bench import Bench, dollars, opened
from tradewind.execution.venue import core
from tradewind.execution.venue.market import Quote
from tradewind.execution.venue.rejections import Rejection
from tradewind.execution.venue.session import take_quote, tick


@pytest.fixture
def bench() -> Bench:
    return opened(slow_changes=True, participation_ppm=100_000)


def names(bench: Bench, *orders: dict[str, Any]) -> list[tuple[str, int]]:
    """Events and the place of their order among `orders`."""
    ids = [order["id"] for order in orders]
    return [(event, ids.index(order_id)) for event, order_id in bench.events()]


def resting(bench: Bench, **more: Any) -> dict[str, Any]:
    body: dict[str, Any] = {"limit_price": 90, "time_in_force": "gtc", **more}
    order = bench.send("buy", 10, **body)
    bench.events()
    return order


def test_a_cancel_is_pending_until_the_next_step(bench: Bench) -> None:
    order = resting(bench)
    core.cancel(bench.state, order["id"], bench.now)
    core.cancel(bench.state, order["id"], bench.now)
    assert bench.shown(order)[0] == "pending_cancel"
    bench.step(bench.bar())
    assert bench.shown(order)[0] == "canceled"
    assert names(bench, order) == [("pending_cancel", 0), ("canceled", 0)]


def test_a_fill_before_the_cancel_wins(bench: Bench) -> None:
    order = resting(bench)
    core.cancel(bench.state, order["id"], bench.now)
    bench.step(bench.bar(o="89"))
    assert bench.shown(order) == ("filled", "10", "89")
    assert names(bench, order) == [("pending_cancel", 0), ("fill", 0), ("order_cancel_rejected", 0)]


def test_what_is_filled_in_part_is_cancelled_for_the_rest(bench: Bench) -> None:
    order = resting(bench)
    core.cancel(bench.state, order["id"], bench.now)
    bench.step(bench.bar(o="89", volume=40))
    assert bench.shown(order)[:2] == ("canceled", "4")


def test_a_replacement_waits_for_its_place(bench: Bench) -> None:
    old = resting(bench)
    new = core.replace(bench.state, old["id"], {"limit_price": 95, "qty": 20}, bench.now)
    assert (new["status"], new["replaces"], bench.shown(old)[0]) == ("pending_new", old["id"], "pending_replace")
    assert bench.order(old)["replaced_by"] is None
    # Until then the larger of the two counts: 20 at 95.
    assert bench.buying_power() == "198100"
    bench.step(bench.bar(o="96", low="94"))
    assert (bench.shown(old)[0], bench.order(old)["replaced_by"]) == ("replaced", new["id"])
    # It was not in the market when the bar passed 95.
    assert bench.shown(new)[0] == "new"
    assert names(bench, old, new) == [("pending_replace", 0), ("replaced", 0), ("new", 1)]
    assert bench.buying_power() == "198100"


def test_a_fill_before_the_replacement_rejects_it(bench: Bench) -> None:
    old = resting(bench)
    new = core.replace(bench.state, old["id"], {"limit_price": 85}, bench.now)
    bench.step(bench.bar(o="89"))
    assert (bench.shown(old)[0], bench.shown(new)[0]) == ("filled", "rejected")
    assert names(bench, old, new) == [
        ("pending_replace", 0),
        ("fill", 0),
        ("order_replace_rejected", 0),
        ("rejected", 1),
    ]


def test_a_replacement_no_larger_than_what_was_filled_meanwhile_is_rejected(bench: Bench) -> None:
    old = resting(bench)
    new = core.replace(bench.state, old["id"], {"qty": 4}, bench.now)
    bench.step(bench.bar(o="89", volume=40))
    assert (bench.shown(old)[:2], bench.shown(new)[0]) == (("partially_filled", "4"), "rejected")


def test_shares_are_held_once_for_both(bench: Bench) -> None:
    bench.send("buy", 10)
    bench.step(bench.bar())
    old = bench.send("sell", 4, limit_price=110, time_in_force="gtc")
    core.replace(bench.state, old["id"], {"qty": 6}, bench.now)
    with pytest.raises(Rejection, match=r"requested: 5, available: 4"):
        bench.send("sell", 5, limit_price=110)
    bench.step(bench.bar())
    with pytest.raises(Rejection, match=r"requested: 5, available: 4"):
        bench.send("sell", 5, limit_price=110)


def test_a_cancel_takes_a_waiting_replacement_with_it(bench: Bench) -> None:
    old = resting(bench)
    new = core.replace(bench.state, old["id"], {"limit_price": 85}, bench.now)
    core.cancel(bench.state, old["id"], bench.now)
    bench.step(bench.bar())
    assert (bench.shown(old)[0], bench.shown(new)[0]) == ("canceled", "canceled")


def test_a_cancelled_replacement_leaves_the_old_order(bench: Bench) -> None:
    old = resting(bench)
    new = core.replace(bench.state, old["id"], {"limit_price": 85}, bench.now)
    core.cancel(bench.state, new["id"], bench.now)
    bench.step(bench.bar())
    assert (bench.shown(old)[0], bench.shown(new)[0]) == ("new", "canceled")


def test_what_is_pending_cannot_be_replaced(bench: Bench) -> None:
    order = resting(bench)
    new = core.replace(bench.state, order["id"], {"limit_price": 85}, bench.now)
    for order_id, status in ((order["id"], "pending_replace"), (new["id"], "pending_new")):
        with pytest.raises(Rejection, match=f"cannot replace order in {status} status"):
            core.replace(bench.state, order_id, {"limit_price": 86}, bench.now)
    core.cancel(bench.state, order["id"], bench.now)
    with pytest.raises(Rejection, match="cannot replace order in pending_cancel status"):
        core.replace(bench.state, order["id"], {"limit_price": 86}, bench.now)


def test_a_replaced_entry_keeps_its_exits(bench: Bench) -> None:
    exits: dict[str, Any] = {"take_profit": {"limit_price": 110}, "stop_loss": {"stop_price": 80}}
    old = bench.send("buy", 10, limit_price=90, time_in_force="gtc", order_class="bracket", **exits)
    new = core.replace(bench.state, old["id"], {"limit_price": 95}, bench.now)
    bench.step(bench.bar())
    bench.step(bench.bar(o="94"))
    assert bench.shown(new)[0] == "filled"
    assert [bench.shown(leg)[0] for leg in old["legs"]] == ["new", "held"]


def test_in_real_time_the_next_quote_or_tick_settles() -> None:
    bench = Bench(virtual=False, slow_changes=True)

    def quote(bid: str, ask: str) -> None:
        take_quote(bench.state, Quote("AAPL", 1, dollars(bid), dollars(ask), 100, 100), 1)

    quote("99.99", "100.01")
    first, second, third = (resting(bench) for _ in range(3))
    core.cancel(bench.state, first["id"], 1)
    tick(bench.state, 2, new_day=False)
    assert bench.shown(first)[0] == "canceled"
    core.cancel(bench.state, second["id"], 3)
    new = core.replace(bench.state, third["id"], {"limit_price": 96}, 3)
    quote("94.99", "95")
    assert (bench.shown(second)[0], bench.shown(third)[0]) == ("canceled", "replaced")
    # It goes to the market and meets the quote at once.
    assert bench.shown(new) == ("filled", "10", "95")
