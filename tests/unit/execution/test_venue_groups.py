"""Bracket, oco and oto orders: when their exits work, how one ends the other, and what is refused of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.execution.venue_bench import Bench, dollars, opened
from tradewind.execution.venue import core, queries
from tradewind.execution.venue.market import Quote
from tradewind.execution.venue.rejections import Rejection
from tradewind.execution.venue.session import take_quote

EXITS: dict[str, Any] = {"take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "95"}}


@pytest.fixture
def bench() -> Bench:
    return opened()


def group(bench: Bench, order_class: str = "bracket", side: str = "buy", **more: Any) -> dict[str, Any]:
    body = {"qty": 10, "time_in_force": "gtc", "order_class": order_class, **EXITS, "side": side, **more}
    return bench.send(**{key: value for key, value in body.items() if value is not None})


def statuses(bench: Bench, *orders: dict[str, Any]) -> list[str]:
    return [bench.shown(order)[0] for order in orders]


def entered(bench: Bench, order_class: str = "bracket", **more: Any) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A group whose entry was filled at 100.01."""
    parent = group(bench, order_class, **more)
    bench.step(bench.bar())
    assert bench.shown(parent) == ("filled", "10", "100.01")
    bench.state.take_changes()
    return parent, parent["legs"]


# --- entry and activation ---


def test_a_bracket_is_answered_with_its_held_legs(bench: Bench) -> None:
    parent = group(bench)
    profit, loss = parent["legs"]
    assert (parent["order_class"], parent["status"], profit["legs"]) == ("bracket", "pending_new", None)
    assert [(leg["type"], leg["side"], leg["qty"], leg["status"], leg["order_class"]) for leg in (profit, loss)] == [
        ("limit", "sell", "10", "held", "bracket"),
        ("stop", "sell", "10", "held", "bracket"),
    ]
    assert (profit["limit_price"], loss["stop_price"], loss["position_intent"]) == ("110", "95", "sell_to_close")
    # Legs are not in the market before the entry, whatever the price does.
    core.cancel(bench.state, parent["id"], bench.now)
    assert statuses(bench, parent, profit, loss) == ["canceled"] * 3


def test_exits_wait_for_the_whole_entry() -> None:
    bench = opened(participation_ppm=100_000)
    parent = group(bench)
    profit, loss = parent["legs"]
    bench.step(bench.bar(volume=40))
    bench.step(bench.bar(o="100", h="120", low="80", volume=10))
    assert statuses(bench, parent, profit, loss) == ["partially_filled", "held", "held"]
    bench.step(bench.bar(volume=1000))
    assert statuses(bench, parent, profit, loss) == ["filled", "new", "held"]
    names = [event for event, order_id in bench.events() if order_id == profit["id"]]
    assert names == ["new"]


def test_an_entry_cancelled_half_way_leaves_its_shares_without_exits() -> None:
    bench = opened(participation_ppm=100_000)
    parent = group(bench)
    bench.step(bench.bar(volume=40))
    core.cancel(bench.state, parent["id"], bench.now)
    assert statuses(bench, parent, *parent["legs"]) == ["canceled"] * 3
    assert bench.state.position_qty("AAPL") == 4 * 10**9


def test_exits_of_shares_that_were_sold_meanwhile_are_rejected() -> None:
    bench = opened(participation_ppm=100_000)
    parent = group(bench)
    bench.step(bench.bar(volume=40))
    bench.send("sell", 2)
    bench.step(bench.bar(volume=1000))
    assert statuses(bench, parent, *parent["legs"]) == ["filled", "rejected", "rejected"]
    assert bench.order(parent["legs"][0])["failed_at"] is not None


# --- one cancels the other ---


@pytest.mark.parametrize(
    ("bar", "shown"),
    [
        ({"o": "100", "h": "110"}, [("filled", "10", "110"), ("canceled", "0", None)]),
        ({"o": "100", "low": "95"}, [("canceled", "0", None), ("filled", "10", "94.99")]),
        # Both are within the bar: the loss is taken, unless the profit was there at the open.
        ({"o": "100", "h": "115", "low": "90"}, [("canceled", "0", None), ("filled", "10", "94.99")]),
        ({"o": "112", "h": "115", "low": "90"}, [("filled", "10", "112"), ("canceled", "0", None)]),
        ({"o": "100", "h": "109", "low": "96"}, [("new", "0", None), ("held", "0", None)]),
    ],
)
def test_one_exit_cancels_the_other(bench: Bench, bar: dict[str, Any], shown: list[Any]) -> None:
    _, legs = entered(bench)
    bench.step(bench.bar(**bar))
    assert [bench.shown(leg) for leg in legs] == shown


def test_a_reached_stop_loss_becomes_new_and_its_partner_is_told_first(bench: Bench) -> None:
    _, (profit, loss) = entered(bench)
    bench.step(bench.bar(o="90"))
    assert bench.events() == [("canceled", profit["id"]), ("new", loss["id"]), ("fill", loss["id"])]


def test_a_partial_profit_shrinks_the_stop_loss() -> None:
    bench = opened(participation_ppm=100_000)
    parent = group(bench)
    bench.step(bench.bar(volume=1000))
    profit, loss = parent["legs"]
    bench.step(bench.bar(o="110", volume=30))
    assert (bench.shown(profit)[:2], bench.order(loss)["qty"]) == (("partially_filled", "3"), "7")
    bench.step(bench.bar(o="90", volume=1000))
    assert (bench.shown(profit)[:2], bench.shown(loss)[:2]) == (("canceled", "3"), ("filled", "7"))
    assert bench.state.position_qty("AAPL") == 0


def test_cancelling_one_exit_cancels_the_pair(bench: Bench) -> None:
    _, legs = entered(bench)
    core.cancel(bench.state, legs[1]["id"], bench.now)
    assert statuses(bench, *legs) == ["canceled", "canceled"]


def test_day_groups_expire_together(bench: Bench) -> None:
    parent = group(bench, time_in_force="day", type="limit", limit_price=98)
    bench.step(bench.bar())
    assert statuses(bench, parent, *parent["legs"]) == ["expired"] * 3


def test_cancel_all_names_each_order_of_a_group_once(bench: Bench) -> None:
    parent = group(bench, type="limit", limit_price=98)
    rows = core.cancel_all(bench.state, bench.now)
    assert [row["id"] for row in rows] == [parent["id"], *(leg["id"] for leg in parent["legs"])]
    assert [event for event, _ in bench.events()][-3:] == ["canceled"] * 3


def test_a_short_bracket_is_the_mirror(bench: Bench) -> None:
    exits: dict[str, Any] = {"take_profit": {"limit_price": 90}}
    exits |= {"stop_loss": {"stop_price": 105, "limit_price": "105.5"}}
    parent = group(bench, side="sell", **exits)
    bench.step(bench.bar())
    profit, loss = parent["legs"]
    assert (profit["side"], loss["type"], loss["limit_price"]) == ("buy", "stop_limit", "105.5")
    bench.step(bench.bar(o="100", h="105.20"))
    assert (bench.shown(loss), bench.shown(profit)[0]) == (("filled", "10", "105"), "canceled")


# --- oco and oto ---


def test_an_oco_order_leaves_a_position_one_way_or_the_other(bench: Bench) -> None:
    bench.send("buy", 10)
    bench.step(bench.bar())
    profit = group(bench, "oco", "sell", type="limit")
    (loss,) = profit["legs"]
    assert (profit["limit_price"], loss["stop_price"], bench.shown(profit)[0], loss["status"]) == (
        "110",
        "95",
        "new",
        "held",
    )
    # The two exits hold the shares once.
    (position,) = queries.list_positions(bench.state)
    assert position["qty_available"] == "0"
    with pytest.raises(Rejection, match=r"requested: 1, available: 0") as refused:
        bench.send("sell", 1, limit_price=120)
    assert refused.value.body["related_orders"] == [profit["id"]]
    bench.step(bench.bar(o="94"))
    assert (bench.shown(profit)[0], bench.shown(loss)) == ("canceled", ("filled", "10", "93.99"))


@pytest.mark.parametrize(
    ("exit_", "bar", "price"),
    [
        ({"take_profit": None}, {"o": "100", "low": "95"}, "94.99"),
        ({"stop_loss": None}, {"o": "100", "h": "110"}, "110"),
    ],
)
def test_an_oto_order_has_one_exit(bench: Bench, exit_: dict[str, Any], bar: dict[str, Any], price: str) -> None:
    _, (leg,) = entered(bench, "oto", **exit_)
    assert bench.shown(leg)[0] == "new"
    bench.step(bench.bar(**bar))
    assert bench.shown(leg) == ("filled", "10", price)


def test_groups_are_exempt_from_the_wash_trade_rule(bench: Bench) -> None:
    entered(bench)
    assert bench.send("buy", 1)["status"] == "pending_new"


def test_in_real_time_quotes_run_the_group() -> None:
    bench = Bench(virtual=False)

    def quote(bid: str, ask: str) -> None:
        take_quote(bench.state, Quote("AAPL", 1, dollars(bid), dollars(ask), 100, 100), 1)

    quote("99.99", "100.01")
    parent = group(bench)
    assert statuses(bench, parent, *parent["legs"]) == ["filled", "new", "held"]
    quote("94.90", "95")
    assert [bench.shown(leg) for leg in parent["legs"]] == [("canceled", "0", None), ("filled", "10", "94.9")]


# --- views ---


def test_nested_views_show_legs_under_their_parent(bench: Bench) -> None:
    parent, legs = entered(bench)
    flat = queries.list_orders(bench.state, {"status": "all"})
    assert [(row["id"], row["legs"]) for row in flat] == [(row["id"], None) for row in (legs[1], legs[0], parent)]
    (nested,) = queries.list_orders(bench.state, {"status": "all", "nested": "True"})
    assert [leg["id"] for leg in nested["legs"]] == [leg["id"] for leg in legs]
    # The entry is filled and so not among the open ones: its exits are shown by themselves.
    assert [row["id"] for row in queries.list_orders(bench.state, {"nested": "true"})] == [legs[1]["id"], legs[0]["id"]]
    assert queries.order_view(bench.state, parent["id"], {})["legs"] is None
    assert len(queries.order_view(bench.state, parent["id"], {"nested": "true"})["legs"]) == 2


# --- replacing ---


def test_an_exit_is_replaced_within_its_group(bench: Bench) -> None:
    parent, (profit, loss) = entered(bench)
    new = core.replace(bench.state, loss["id"], {"stop_price": 97}, bench.now)
    assert (new["status"], new["replaces"], new["order_class"]) == ("held", loss["id"], "bracket")
    view = queries.order_view(bench.state, parent["id"], {"nested": "true"})
    assert [leg["id"] for leg in view["legs"]] == [profit["id"], new["id"]]
    higher = core.replace(bench.state, profit["id"], {"limit_price": 120}, bench.now)
    bench.step(bench.bar(o="100", low="97", h="115"))
    assert statuses(bench, loss, profit, higher, new) == ["replaced", "replaced", "canceled", "filled"]


def test_an_entry_is_replaced_with_its_exits(bench: Bench) -> None:
    parent = group(bench, type="limit", limit_price=98)
    new = core.replace(bench.state, parent["id"], {"limit_price": 99}, bench.now)
    assert [leg["id"] for leg in new["legs"]] == [leg["id"] for leg in parent["legs"]]
    bench.step(bench.bar(o="98"))
    assert statuses(bench, parent, new, *new["legs"]) == ["replaced", "filled", "new", "held"]


def test_replacements_in_a_group_that_are_refused(bench: Bench) -> None:
    parent = group(bench, type="limit", limit_price=98)
    cases: list[tuple[str, dict[str, Any], str]] = [
        (parent["id"], {"qty": 11}, "only prices of bracket orders can be replaced"),
        (parent["id"], {"time_in_force": "day"}, "only prices of bracket orders can be replaced"),
        (parent["id"], {"limit_price": 95}, "stop_loss.stop_price must be <= base_price - 0.01"),
        (parent["legs"][0]["id"], {"limit_price": 95}, "take_profit.limit_price must be > stop_loss.stop_price"),
        (parent["legs"][1]["id"], {"stop_price": 110}, "take_profit.limit_price must be > stop_loss.stop_price"),
        (parent["legs"][1]["id"], {"limit_price": 94}, "stop orders require no limit_price"),
    ]
    for order_id, body, message in cases:
        with pytest.raises(Rejection) as refused:
            core.replace(bench.state, order_id, body, bench.now)
        assert refused.value.message == message


# --- refusals ---


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"take_profit": None}, 40010001, "bracket orders require take_profit.limit_price"),
        ({"stop_loss": {"limit_price": 9}}, 40010001, "bracket orders require stop_loss.stop_price"),
        ({"take_profit": 110}, 40010001, "take_profit must be an object"),
        ({"order_class": "oto"}, 40010001, "oto orders require either take_profit or stop_loss"),
        ({"order_class": "simple"}, 40010001, "simple orders require no take_profit or stop_loss"),
        ({"order_class": "oco"}, 40010001, "oco orders must be limit orders"),
        ({"order_class": "oco", "type": "limit", "side": "sell"}, 42210000, "oco orders must be exit orders"),
        ({"type": "stop", "stop_price": 105}, 40010001, "bracket orders must be market or limit orders"),
        ({"time_in_force": "ioc"}, 42210000, "bracket orders must be DAY or GTC orders"),
        ({"qty": "1.5", "time_in_force": "day"}, 42210000, "fractional orders must be simple orders"),
        (
            {"type": "limit", "limit_price": 99, "extended_hours": True},
            42210000,
            "bracket orders must not be extended hours orders",
        ),
        ({"take_profit": {"limit_price": 94}}, 42210000, "take_profit.limit_price must be > stop_loss.stop_price"),
        ({"stop_loss": {"stop_price": 100}}, 42210000, "stop_loss.stop_price must be <= base_price - 0.01"),
        ({"take_profit": {"limit_price": 100}}, 42210000, "take_profit.limit_price must be >= base_price + 0.01"),
        (
            {"stop_loss": {"stop_price": "95.001"}},
            42210000,
            "invalid stop_loss.stop_price 95.001. sub-penny increment does not fulfill minimum pricing criteria",
        ),
        ({"symbol": "BTC/USD"}, 42210000, "crypto orders not allowed for advanced order_class: otoco"),
        ({"symbol": "MSFT", "side": "buy"}, 42210000, "bracket orders must be entry orders"),
    ],
)
def test_refusals_of_order_classes(bench: Bench, body: dict[str, Any], code: int, message: str) -> None:
    bench.send("sell", 5, "MSFT")
    bench.step(bench.bar("MSFT"), bench.bar("BTC/USD"))
    with pytest.raises(Rejection) as refused:
        group(bench, **body)
    assert (refused.value.code, refused.value.message) == (code, message)


def test_a_refused_price_names_the_base_it_was_measured_against(bench: Bench) -> None:
    with pytest.raises(Rejection) as refused:
        group(bench, type="limit", limit_price="94.50")
    assert refused.value.body["base_price"] == "94.5"
