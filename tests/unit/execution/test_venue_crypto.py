"""Pairs of crypto currencies next to shares: at any hour, in any fraction, with cash only and never short."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.execution.venue_bench import Bench, dollars
from tradewind.execution.venue import core, queries
from tradewind.execution.venue.market import parse_asset
from tradewind.execution.venue.rejections import Rejection

PAIR = "BTC/USD"


@pytest.fixture
def bench() -> Bench:
    bench = Bench()
    bench.step(bench.bar(PAIR, o="60000"), bench.bar())
    return bench


def send(bench: Bench, side: str = "buy", qty: object = "0.5", **more: Any) -> dict[str, Any]:
    return bench.send(side, qty, more.pop("symbol", PAIR), **{"time_in_force": "gtc", **more})


def test_a_pair_trades_in_fractions_and_is_named_without_its_slash_when_held(bench: Bench) -> None:
    order = send(bench, qty="0.123456789", symbol="BTCUSD")
    assert (order["symbol"], order["asset_class"]) == (PAIR, "crypto")
    bench.step(bench.bar(PAIR, o="60000.12345678"), end=True)
    # One basis point more, to eight places: pairs have no cent grid.
    assert bench.shown(order) == ("filled", "0.123456789", "60006.12346913")
    (row,) = queries.list_positions(bench.state)
    assert (row["symbol"], row["asset_class"], row["exchange"]) == ("BTCUSD", "crypto", "CRYPTO")
    closing = core.close_position(bench.state, "BTCUSD", {}, bench.now)
    assert (closing["time_in_force"], closing["qty"]) == ("gtc", "0.123456789")
    bench.step(bench.bar(PAIR, o="60000"), end=False, extended=True)
    assert queries.list_positions(bench.state) == []


def test_an_order_for_a_pair_outlives_the_session(bench: Bench) -> None:
    order = send(bench, limit_price="50000.00000001")
    bench.step(bench.bar(PAIR, o="60000"), end=True)
    bench.step(bench.bar(PAIR, o="55000", low="50000"), end=True)
    assert bench.shown(order) == ("filled", "0.5", "50000.00000001")


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        ({"time_in_force": "day"}, 422, 42210000, "invalid crypto time_in_force"),
        ({"time_in_force": "fok"}, 422, 42210000, "invalid crypto time_in_force"),
        ({"type": "stop", "stop_price": 1}, 422, 42210000, "invalid order type for crypto order"),
        ({"type": "trailing_stop", "trail_percent": 1}, 422, 42210000, "invalid order type for crypto order"),
        ({"qty": "0.0001"}, 403, 40310000, "cost basis must be >= minimal amount of order 10"),
        ({"side": "sell"}, 403, 40310000, "insufficient balance for BTC (requested: 0.5, available: 0)"),
        ({"qty": "1.7"}, 403, 40310000, "insufficient balance for USD (requested: 104550, available: 100000)"),
    ],
)
def test_what_a_pair_does_not_take(bench: Bench, body: dict[str, Any], status: int, code: int, message: str) -> None:
    with pytest.raises(Rejection) as refused:
        send(bench, **body)
    assert (refused.value.status, refused.value.code, refused.value.message) == (status, code, message)


def test_pairs_are_bought_with_cash_that_nothing_else_has_taken(bench: Bench) -> None:
    bench.send("buy", 500, limit_price=100, time_in_force="gtc")
    with pytest.raises(Rejection, match=r"insufficient balance for USD \(requested: 61500, available: 50000\)"):
        send(bench, qty=1)
    assert send(bench, qty="0.8")["status"] == "pending_new"


def test_no_more_of_a_pair_is_sold_than_is_held(bench: Bench) -> None:
    send(bench)
    bench.step(bench.bar(PAIR, o="60000"))
    send(bench, "sell", "0.2", limit_price=70000)
    with pytest.raises(Rejection, match=r"insufficient balance for BTC \(requested: 0.4, available: 0.3\)"):
        send(bench, "sell", "0.4", limit_price=70000)


def test_an_order_by_notional_buys_a_pair(bench: Bench) -> None:
    order = send(bench, qty=None, notional="600.06")
    bench.step(bench.bar(PAIR, o="60000"))
    assert bench.shown(order)[:2] == ("filled", "0.01")
    assert Decimal(bench.state.account.cash) / dollars("1") == Decimal("99399.94")


def test_assets_of_both_classes_are_listed_apart(bench: Bench) -> None:
    shares = queries.list_assets(bench.state, {})
    (pair,) = queries.list_assets(bench.state, {"asset_class": "crypto"})
    assert [row["symbol"] for row in shares] == ["AAPL", "MSFT"]
    assert (pair["class"], pair["shortable"], pair["marginable"], pair["price_increment"]) == (
        "crypto",
        False,
        False,
        "0.00000001",
    )
    assert "price_increment" not in shares[0]
    with pytest.raises(Rejection, match=r"assets\[0\]\.shortable must be false for a pair"):
        parse_asset({"symbol": "ETH/USD", "shortable": True}, "assets[0]")
