"""Stop, stop-limit and trailing-stop orders: what elects them, where they trade, how a trailing stop follows."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.execution.venue_bench import Bench, dollars, opened
from tradewind.execution.venue import core
from tradewind.execution.venue.market import Quote
from tradewind.execution.venue.rejections import Rejection
from tradewind.execution.venue.session import take_quote


@pytest.fixture
def bench() -> Bench:
    """Ten shares of AAPL are held."""
    bench = opened()
    bench.send("buy", 10)
    bench.step(bench.bar())
    bench.state.take_changes()
    return bench


def stop(bench: Bench, side: str, price: object, symbol: str | None = None, **more: Any) -> dict[str, Any]:
    """A stop order: sells of AAPL close the position, buys of MSFT open one."""
    kind = "stop_limit" if "limit_price" in more else "stop"
    symbol = symbol or ("AAPL" if side == "sell" else "MSFT")
    return bench.send(side, 10, symbol, type=kind, stop_price=price, time_in_force="gtc", **more)


@pytest.mark.parametrize(
    ("side", "stop_price", "bar", "price"),
    [
        # Not reached, reached to the cent, passed, and gapped through at the open; one basis point of slippage.
        ("sell", 95, {"o": "100", "low": "95.01"}, None),
        ("sell", 95, {"o": "100", "low": "95"}, "94.99"),
        ("sell", 95, {"o": "100", "low": "80"}, "94.99"),
        ("sell", 95, {"o": "90", "h": "99"}, "89.99"),
        ("buy", 105, {"o": "100", "h": "104.99"}, None),
        ("buy", 105, {"o": "100", "h": "105"}, "105.02"),
        ("buy", 105, {"o": "106"}, "106.02"),
    ],
)
def test_a_stop_order_trades_where_it_was_met(
    bench: Bench, side: str, stop_price: int, bar: dict[str, Any], price: str | None
) -> None:
    order = stop(bench, side, stop_price)
    bench.step(bench.bar(order["symbol"], **bar))
    assert bench.shown(order) == (("filled", "10", price) if price else ("new", "0", None))


def test_a_stop_to_buy_becomes_a_limit_order_a_little_over_its_price(bench: Bench) -> None:
    order = stop(bench, "buy", 100)
    assert order["limit_price"] is None
    # 2.5 % over 100 is 102.50: the market opens above that and comes back to it in the next bar.
    bench.step(bench.bar("MSFT", o="110", low="103"))
    assert bench.shown(order)[0] == "new"
    bench.step(bench.bar("MSFT", o="104", low="102.50"))
    assert bench.shown(order) == ("filled", "10", "102.5")
    cheap = stop(bench, "buy", 40)
    bench.step(bench.bar("MSFT", o="42", low="41.60"))
    # 4 % over a stop below 50.
    assert bench.shown(cheap) == ("filled", "10", "41.6")


@pytest.mark.parametrize(
    ("limit", "bar", "price"),
    [
        # Elected at 95 and the limit is met there.
        (94, {"o": "100", "low": "90", "c": "91"}, "95"),
        # Elected at the open of 93, below the limit; the bar later comes up to it.
        (94, {"o": "93", "h": "94.50"}, "94"),
        (94, {"o": "93", "h": "93.99"}, None),
        # Its limit is above the stop: within the bar only the close is known to follow.
        (97, {"o": "100", "low": "94", "c": "96.99"}, None),
        (97, {"o": "100", "low": "94", "c": "97.01"}, "97"),
    ],
)
def test_a_stop_limit_order_is_elected_and_then_limited(
    bench: Bench, limit: int, bar: dict[str, Any], price: str | None
) -> None:
    order = stop(bench, "sell", 95, limit_price=limit)
    bench.step(bench.bar(**bar))
    assert bench.shown(order) == (("filled", "10", price) if price else ("new", "0", None))


def test_an_elected_stop_limit_order_stays_elected(bench: Bench) -> None:
    order = stop(bench, "sell", 95, limit_price=97)
    bench.step(bench.bar(o="100", low="94", c="96"))
    assert bench.shown(order)[0] == "new"
    bench.step(bench.bar(o="96", h="97.20"))
    assert bench.shown(order) == ("filled", "10", "97")


def test_an_elected_stop_order_that_finds_no_volume_goes_on_as_a_market_order() -> None:
    bench = opened(participation_ppm=100_000)
    bench.send("buy", 10)
    bench.step(bench.bar())
    order = stop(bench, "sell", 95)
    bench.step(bench.bar(o="95", volume=40))
    bench.step(bench.bar(o="99", volume=1000))
    # Four at 94.99 and six at 98.99, though the market is above the stop again.
    assert bench.shown(order) == ("filled", "10", "97.39")


# --- trailing stops ---


def trailing(bench: Bench, side: str = "sell", **trail: object) -> dict[str, Any]:
    symbol = "AAPL" if side == "sell" else "MSFT"
    return bench.send(side, 10, symbol, type="trailing_stop", time_in_force="gtc", **trail)


def trail_of(bench: Bench, order: dict[str, Any]) -> tuple[str, str]:
    row = bench.order(order)
    return row["hwm"], row["stop_price"]


def test_a_trailing_stop_follows_the_market_and_never_turns(bench: Bench) -> None:
    order = trailing(bench, trail_price="5")
    assert (order["hwm"], order["stop_price"], order["trail_price"]) == ("100", "95", "5")
    bench.step(bench.bar(o="100", h="110", low="98", c="108"))
    assert trail_of(bench, order) == ("110", "105")
    bench.step(bench.bar(o="108", h="109", low="106"))
    assert trail_of(bench, order) == ("110", "105")
    bench.step(bench.bar(o="106", low="104"))
    assert bench.shown(order) == ("filled", "10", "104.98")


def test_a_trailing_stop_by_percentage_keeps_its_distance_on_the_grid(bench: Bench) -> None:
    order = trailing(bench, trail_percent="1.5")
    bench.step(bench.bar(o="103.33"))
    # 103.33 less 1.5 % is 101.78005, and the stop stays away from the market.
    assert (order["trail_percent"], *trail_of(bench, order)) == ("1.5", "103.33", "101.78")


def test_a_trailing_stop_to_buy_follows_downwards(bench: Bench) -> None:
    order = trailing(bench, "buy", trail_percent=10)
    assert (order["hwm"], order["stop_price"]) == ("100", "110")
    bench.step(bench.bar("MSFT", o="90", h="95", low="80", c="85"))
    assert trail_of(bench, order) == ("80", "88")
    bench.step(bench.bar("MSFT", o="85", h="88"))
    assert bench.shown(order) == ("filled", "10", "88.01")


def test_within_a_bar_only_a_fall_that_ends_below_the_new_stop_elects(bench: Bench) -> None:
    """High and low of one bar came in an order nobody knows, but the close came after both."""
    order = trailing(bench, trail_price=5)
    # From 120 the stop would be 115: the low of 96 may have come before the high, the close of 116 says nothing.
    bench.step(bench.bar(o="100", h="120", low="96", c="116"))
    assert (bench.shown(order)[0], trail_of(bench, order)) == ("new", ("120", "115"))
    # From 130 it would be 125, and the close of 124 is known to be after the 130.
    bench.step(bench.bar(o="116", h="130", low="115.50", c="124"))
    assert bench.shown(order) == ("filled", "10", "124.98")


def test_a_replacement_moves_the_trail_from_the_same_mark(bench: Bench) -> None:
    order = trailing(bench, trail_price=5)
    bench.step(bench.bar(o="110"))
    bench.step(bench.bar(o="107"))
    new = core.replace(bench.state, order["id"], {"trail": "2"}, bench.now)
    assert (new["trail_price"], new["hwm"], new["stop_price"]) == ("2", "110", "108")
    with pytest.raises(Rejection, match="trailing stop orders require no stop_price"):
        core.replace(bench.state, new["id"], {"stop_price": 100}, bench.now)


@pytest.mark.parametrize(
    ("change", "shown"),
    [({"stop_price": 97}, ("97", None)), ({"stop_price": 97, "limit_price": 96}, ("97", "96"))],
)
def test_stop_prices_can_be_replaced(bench: Bench, change: dict[str, Any], shown: tuple[str, str | None]) -> None:
    first: dict[str, Any] = {"limit_price": 94} if "limit_price" in change else {}
    order = stop(bench, "sell", 95, **first)
    new = core.replace(bench.state, order["id"], change, bench.now)
    assert (new["stop_price"], new["limit_price"]) == shown
    bench.step(bench.bar(o="100", low="96.50"))
    assert bench.shown(new)[0] == "filled"


# --- what they tie up, and when they trade ---


def test_stops_hold_shares_and_buying_power(bench: Bench) -> None:
    stop(bench, "sell", 95)
    with pytest.raises(Rejection, match=r"requested: 1, available: 0"):
        bench.send("sell", 1, limit_price=120)
    before = float(bench.buying_power())
    stop(bench, "buy", 104)
    # Ten shares at 104 plus 2.5 %.
    assert before - float(bench.buying_power()) == pytest.approx(1066)


def test_stops_are_not_elected_outside_the_regular_session(bench: Bench) -> None:
    order = stop(bench, "sell", 95)
    early = bench.send("sell", 10, "MSFT", limit_price=50, extended_hours=True)
    bench.step(bench.bar(o="90"), bench.bar("MSFT", o="90"), end=False, extended=True)
    assert (bench.shown(order)[0], bench.shown(early)) == ("new", ("filled", "10", "90"))
    bench.step(bench.bar(o="96"))
    assert bench.shown(order)[0] == "new"
    with pytest.raises(Rejection, match="session_end must be false in an extended step"):
        bench.step(bench.bar(), extended=True)


def test_an_extended_step_is_no_opening(bench: Bench) -> None:
    order = bench.send("buy", 1, "MSFT", time_in_force="opg")
    bench.step(bench.bar("MSFT", o="90"), end=False, extended=True)
    bench.step(bench.bar("MSFT", o="91"), end=False)
    assert bench.shown(order) == ("filled", "1", "91.01")


def test_in_real_time_quotes_elect_stops_and_move_trails() -> None:
    bench = Bench(virtual=False)

    def quote(bid: str, ask: str) -> None:
        take_quote(bench.state, Quote("AAPL", 1, dollars(bid), dollars(ask), 100, 100), 1)

    quote("99.99", "100.01")
    bench.send("buy", 20)
    fixed = stop(bench, "sell", 95)
    moving = trailing(bench, trail_price=2)
    quote("104.99", "105.01")
    assert trail_of(bench, moving) == ("105", "103")
    quote("102.98", "103")
    assert bench.shown(moving) == ("filled", "10", "102.98")
    assert bench.shown(fixed)[0] == "new"
    quote("94.90", "95.10")
    assert bench.shown(fixed) == ("filled", "10", "94.9")
