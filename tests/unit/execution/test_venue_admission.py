"""What an order must pass: wash trades, buying power and quantities."""

from __future__ import annotations

import pytest

from tests.unit.execution.venue_bench import CASH, ONE, Bench, dollars, opened
from tradewind.execution.venue import core, queries
from tradewind.execution.venue.rejections import Rejection
from tradewind.execution.venue.wash import wash_reason


@pytest.fixture
def bench() -> Bench:
    return opened()


MARKET, LIMIT = "opposite side market/stop order exists", "opposite side limit order exists"


@pytest.mark.parametrize(
    ("existing", "new", "reason"),
    [
        (("market", None), ("market", None), MARKET),
        (("market", None), ("limit", 99), MARKET),
        (("market", None), ("stop", None), MARKET),
        (("market", None), ("stop_limit", 99), MARKET),
        (("stop", None), ("market", None), MARKET),
        (("stop", None), ("limit", 101), MARKET),
        (("stop", None), ("stop", None), MARKET),
        (("stop", None), ("stop_limit", 101), MARKET),
        (("limit", 100), ("market", None), LIMIT),
        (("limit", 100), ("stop", None), LIMIT),
        (("limit", 100), ("limit", 101), None),
        (("limit", 100), ("limit", 100), LIMIT),
        (("limit", 100), ("limit", 99), LIMIT),
        (("limit", 100), ("stop_limit", 99), LIMIT),
        (("limit", 100), ("stop_limit", 101), None),
        (("stop_limit", 100), ("limit", 100), LIMIT),
        (("stop_limit", 100), ("limit", 101), None),
        (("stop_limit", 100), ("market", None), LIMIT),
        (("trailing_stop", None), ("market", None), None),
        (("market", None), ("trailing_stop", None), None),
    ],
)
def test_wash_trade_matrix(existing: tuple[str, int | None], new: tuple[str, int | None], reason: str | None) -> None:
    """An existing buy against a new sell; mirrored, limits swap sides."""
    assert wash_reason(existing[0], existing[1], "sell", new[0], new[1]) == reason
    mirrored = [None if price is None else 200 - price for price in (existing[1], new[1])]
    assert wash_reason(existing[0], mirrored[0], "buy", new[0], mirrored[1]) == reason


def test_a_wash_trade_names_the_order_it_would_meet(bench: Bench) -> None:
    bench.send("buy", 10)
    bench.step(bench.bar())
    resting = bench.send("buy", 1, limit_price=95)
    with pytest.raises(Rejection) as refused:
        bench.send("sell", 5)
    assert (refused.value.status, refused.value.body) == (
        403,
        {
            "code": 40310000,
            "message": "potential wash trade detected. use complex orders",
            "existing_order_id": resting["id"],
            "reject_reason": LIMIT,
        },
    )
    assert bench.send("sell", 5, limit_price=96)["status"] == "pending_new"


# --- buying power and quantities ---


def test_open_orders_reserve_buying_power_until_they_end(bench: Bench) -> None:
    assert bench.buying_power() == "200000"
    limited = bench.send("buy", 100, limit_price=90, time_in_force="gtc")
    assert bench.buying_power() == "191000"
    bench.send("buy", 100)
    # A market buy counts 2.5 % over the market of 100.
    assert bench.buying_power() == "180750"
    short = bench.send("sell", 100, "MSFT", limit_price=101)
    # A short counts the larger of its limit and the market plus 3 %.
    assert bench.buying_power() == "170450"
    core.cancel(bench.state, limited["id"], bench.now)
    core.cancel(bench.state, short["id"], bench.now)
    assert bench.buying_power() == "189750"
    bench.step(bench.bar(o="100"))
    # 100 shares for 10,001 now worth 10,000: twice the equity of 99,999 less the exposure.
    assert bench.buying_power() == "189998"


def test_insufficient_buying_power_names_both_figures(bench: Bench) -> None:
    with pytest.raises(Rejection) as refused:
        bench.send("buy", 2001, limit_price=100)
    assert refused.value.body == {
        "code": 40310000,
        "message": "insufficient buying power",
        "buying_power": "200000",
        "cost_basis": "200100",
    }
    assert bench.send("buy", 2000, limit_price=100)["qty"] == "2000"


def test_no_order_crosses_through_zero(bench: Bench) -> None:
    bench.send("buy", 10)
    bench.step(bench.bar())
    resting = bench.send("sell", 4, limit_price=120, time_in_force="gtc")
    with pytest.raises(Rejection) as refused:
        bench.send("sell", 7, limit_price=120)
    assert refused.value.body == {
        "code": 40310000,
        "message": "insufficient qty available for order (requested: 7, available: 6)",
        "available": "6",
        "existing_qty": "10",
        "held_for_orders": "4",
        "symbol": "AAPL",
        "related_orders": [resting["id"]],
    }
    bench.send("sell", 6, limit_price=120)
    bench.send("sell", 3, "MSFT")
    bench.step(bench.bar("MSFT"))
    with pytest.raises(Rejection, match=r"requested: 4, available: 3"):
        bench.send("buy", 4, "MSFT")


def test_shorts_are_a_matter_of_configuration() -> None:
    bench = Bench(allow_shorts=False)
    bench.step(bench.bar())
    with pytest.raises(Rejection, match="account is not allowed to short"):
        bench.send("sell", 1)


def test_a_short_and_a_long_cannot_be_opened_at_once(bench: Bench) -> None:
    bench.send("buy", 1, limit_price=90)
    with pytest.raises(Rejection, match="cannot open a short sell while a long buy order is open"):
        bench.send("sell", 1, limit_price=110)
    bench.send("sell", 1, "MSFT", limit_price=110)
    with pytest.raises(Rejection, match="cannot open a long buy while a short sell order is open"):
        bench.send("buy", 1, "MSFT", limit_price=90)


def test_a_short_round_trip_books_its_gain(bench: Bench) -> None:
    bench.send("sell", 10)
    bench.step(bench.bar(o="100"))
    row = queries.position_view(bench.state, "AAPL")
    assert (row["qty"], row["side"], row["avg_entry_price"]) == ("-10", "short", "99.99")
    bench.send("buy", 10)
    bench.step(bench.bar(o="90"))
    # Sold at 99.99, bought back at 90.01 (0.9 cents of slippage round up to one).
    assert bench.state.positions["AAPL"].realized == dollars("99.8")
    assert bench.state.account.cash == CASH + dollars("99.8")


def test_commissions_are_taken_in_cash() -> None:
    bench = Bench(commission_ppm=1_000, commission_per_share=ONE // 200, slippage_ppm=0)
    bench.step(bench.bar())
    bench.send("buy", 10)
    bench.step(bench.bar(o="100"))
    # 10 bps of 1,000 and half a cent for each of 10 shares.
    assert bench.state.account.cash == CASH - dollars("1001.05")
    assert queries.list_activities(bench.state, {}, None)[0]["commission"] == "1.05"


def test_an_order_by_notional_buys_what_the_money_buys(bench: Bench) -> None:
    order = bench.send("buy", None, notional="250.50")
    assert (order["qty"], order["notional"]) == (None, "250.5")
    bench.step(bench.bar(o="80"))
    # 250.50 / 80.01 = 3.1308586..., cut to nine places.
    assert bench.shown(order)[:2] == ("filled", "3.130858642")


def test_a_sale_by_notional_never_sells_more_than_is_held(bench: Bench) -> None:
    bench.send("buy", 2)
    bench.step(bench.bar(o="100"))
    order = bench.send("sell", None, notional="190")
    bench.step(bench.bar(o="50"))
    # 190 dollars would be 3.8 shares at 50 (less half a cent, rounded down to 49.99).
    assert bench.shown(order) == ("filled", "2", "49.99")
    assert bench.state.position_qty("AAPL") == 0


def test_a_fractional_position_closes_to_nothing(bench: Bench) -> None:
    bench.send("buy", "1.5")
    bench.step(bench.bar())
    closing = core.close_position(bench.state, "AAPL", {}, bench.now)
    assert (closing["qty"], closing["side"], closing["position_intent"]) == ("1.5", "sell", "sell_to_close")
    bench.step(bench.bar())
    assert queries.list_positions(bench.state) == []
