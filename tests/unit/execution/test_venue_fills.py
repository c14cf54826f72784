"""Which orders trade, at what price and how much, and how long they live. Figures follow by hand from the rules."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.execution.venue_bench import SHARE, Bench, opened
from tradewind.execution.venue.rejections import Rejection
from tradewind.execution.venue.session import advance


@pytest.fixture
def bench() -> Bench:
    return opened()


def test_a_market_order_fills_at_the_next_open_plus_slippage_rounded_against_it(bench: Bench) -> None:
    buy = bench.send("buy", 10)
    sell = bench.send("sell", 10, "MSFT")
    assert buy["status"] == "pending_new"
    bench.step(bench.bar(o="123.45", c="130"), bench.bar("MSFT", o="123.45", c="130"))
    # 1 bp of 123.45 is 1.2345 cents: the buyer pays 123.47, the seller gets 123.43.
    assert bench.shown(buy) == ("filled", "10", "123.47")
    assert bench.shown(sell) == ("filled", "10", "123.43")
    assert bench.events() == [
        ("pending_new", buy["id"]),
        ("new", buy["id"]),
        ("pending_new", sell["id"]),
        ("new", sell["id"]),
        ("fill", buy["id"]),
        ("fill", sell["id"]),
    ]


def test_a_price_below_a_dollar_moves_in_hundredths_of_a_cent(bench: Bench) -> None:
    bench.step(bench.bar(o="0.5"))
    buy = bench.send("buy", 10)
    bench.step(bench.bar(o="0.5"))
    assert bench.shown(buy) == ("filled", "10", "0.5001")


@pytest.mark.parametrize(
    ("side", "limit", "bar", "price"),
    [
        ("buy", 95, {"o": "100", "low": "95"}, "95"),
        ("buy", 95, {"o": "100", "low": "95.01"}, None),
        ("buy", 95, {"o": "90", "h": "99"}, "90"),
        ("buy", 95, {"o": "90.001", "h": "99"}, "90.01"),
        ("buy", 95, {"o": "94.999", "h": "99"}, "95"),
        ("sell", 105, {"o": "100", "h": "105"}, "105"),
        ("sell", 105, {"o": "100", "h": "104.99"}, None),
        ("sell", 105, {"o": "110", "low": "101"}, "110"),
        ("sell", 105, {"o": "110.009", "low": "101"}, "110"),
    ],
)
def test_a_limit_order_fills_at_the_better_of_open_and_limit(
    bench: Bench, side: str, limit: int, bar: dict[str, Any], price: str | None
) -> None:
    order = bench.send(side, 10, limit_price=limit, time_in_force="gtc")
    bench.step(bench.bar(**bar))
    assert bench.shown(order) == (("filled", "10", price) if price else ("new", "0", None))


def test_orders_of_a_bar_share_its_volume_in_the_order_they_came() -> None:
    bench = Bench(participation_ppm=100_000)
    bench.step(bench.bar())
    first, second = bench.send(qty=60, time_in_force="gtc"), bench.send(qty=60, time_in_force="gtc")
    bench.step(bench.bar(volume=999))
    # A tenth of 999 shares is 99 whole ones.
    assert bench.shown(first)[:2] == ("filled", "60")
    assert bench.shown(second)[:2] == ("partially_filled", "39")
    assert [fill.leaves_qty for fill in bench.state.fills] == [0, 21 * SHARE]
    bench.step(bench.bar(o="110", volume=1000))
    # 39 at 100.01 and 21 at 110.02 (1 bp of 110 is 1.1 cents).
    assert bench.shown(second) == ("filled", "60", "103.5135")


def test_fills_come_by_symbol_and_then_by_submission(bench: Bench) -> None:
    sent = [bench.send(symbol=symbol)["id"] for symbol in ("MSFT", "AAPL", "MSFT", "AAPL")]
    bench.events()
    bench.step(bench.bar("MSFT"), bench.bar("AAPL"))
    assert [order_id for _, order_id in bench.events()] == [sent[1], sent[3], sent[0], sent[2]]


def test_an_order_never_trades_in_the_bar_it_was_decided_on(bench: Bench) -> None:
    order = bench.send()
    assert bench.shown(order)[0] == "new"
    with pytest.raises(Rejection, match="closes after time"):
        advance(bench.state, {"time": bench.time + 1, "bars": [bench.bar()], "session_end": True})


# --- how long an order lives ---


def test_a_day_order_has_its_session_and_then_expires(bench: Bench) -> None:
    order = bench.send(limit_price=90)
    bench.step(bench.bar(), end=False)
    assert bench.shown(order)[0] == "new"
    bench.events()
    bench.step(bench.bar(o="100", low="95"))
    assert bench.shown(order)[0] == "expired"
    assert bench.events() == [("expired", order["id"])]
    assert bench.order(order)["expired_at"] is not None
    late = bench.send(limit_price=90)
    bench.step(bench.bar(o="90"))
    assert bench.shown(late)[0] == "filled"


def test_orders_expire_by_symbol_and_then_by_submission(bench: Bench) -> None:
    sent = [bench.send(symbol=symbol, limit_price=50)["id"] for symbol in ("MSFT", "AAPL", "MSFT", "AAPL")]
    bench.events()
    bench.step()
    assert bench.events() == [("expired", sent[index]) for index in (1, 3, 0, 2)]


def test_gtc_orders_outlive_the_session(bench: Bench) -> None:
    order = bench.send(limit_price=90, time_in_force="gtc")
    bench.step(bench.bar())
    bench.step(bench.bar(o="89"))
    assert bench.shown(order) == ("filled", "10", "89")


@pytest.mark.parametrize(("tif", "filled"), [("ioc", "4"), ("fok", "0")])
def test_ioc_takes_what_there_is_and_fok_all_or_nothing(tif: str, filled: str) -> None:
    bench = Bench(participation_ppm=100_000)
    bench.step(bench.bar())
    order = bench.send(qty=5, time_in_force=tif)
    bench.step(bench.bar(volume=40), end=False)
    assert bench.shown(order)[:2] == ("canceled", filled)


def test_ioc_without_a_bar_of_its_symbol_is_cancelled(bench: Bench) -> None:
    order = bench.send(time_in_force="ioc")
    bench.step(bench.bar("MSFT"), end=False)
    assert bench.shown(order)[0] == "canceled"


def test_opg_waits_for_an_opening_and_cls_for_a_close(bench: Bench) -> None:
    bench.step(bench.bar(), end=False)
    opg, cls = bench.send(time_in_force="opg"), bench.send(time_in_force="cls")
    dear = bench.send(time_in_force="opg", limit_price=90)
    bench.step(bench.bar(o="101", c="102"), end=False)
    assert bench.shown(opg)[0] == bench.shown(cls)[0] == "new"
    bench.step(bench.bar(o="103", c="104"), end=True)
    assert bench.shown(cls) == ("filled", "10", "104.02")
    bench.step(bench.bar(o="200", low="80", c="106"), end=False)
    assert bench.shown(opg) == ("filled", "10", "200.02")
    # The bar fell through its limit later, but its auction was at 200.
    assert bench.shown(dear)[0] == "canceled"
