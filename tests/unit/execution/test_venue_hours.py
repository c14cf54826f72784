"""Real time at a venue that keeps the exchange's hours: orders wait for them, auctions are held at open and close."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.unit.execution.venue_bench import Bench, dollars
from tradewind.execution.venue import core
from tradewind.execution.venue.market import Quote
from tradewind.execution.venue.rejections import Rejection
from tradewind.execution.venue.session import take_quote, tick
from tradewind.execution.venue.sessions import Sessions


def new_york(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York")).timestamp()) * 10**9


class Exchange:
    """A bench in real time whose clock is set by hand; quotes are a cent around `price`."""

    def __init__(self, at: str, price: str = "100") -> None:
        self.bench = Bench(virtual=False)
        self.sessions = Sessions()
        self.quote(at, price)
        self.bench.state.take_changes()

    def turn(self, at: str) -> int:
        now = new_york(at)
        self.bench.state.account.now = now
        self.bench.state.hours = self.sessions.hours(now, strict=True)
        return now

    def quote(self, at: str, price: str, symbol: str = "AAPL") -> None:
        now, middle = self.turn(at), dollars(price)
        take_quote(self.bench.state, Quote(symbol, now, middle - 10**6, middle + 10**6, 100, 100), now)

    def tick(self, at: str) -> None:
        tick(self.bench.state, self.turn(at), new_day=False)


@pytest.mark.parametrize(
    ("at", "phase"),
    [
        ("2024-06-03T03:59", "closed"),
        ("2024-06-03T04:00", "extended"),
        ("2024-06-03T09:29", "extended"),
        ("2024-06-03T09:30", "regular"),
        ("2024-06-03T15:59", "regular"),
        ("2024-06-03T16:00", "extended"),
        ("2024-06-03T20:00", "closed"),
        ("2024-06-08T12:00", "closed"),
        # The short session before Independence Day, and the day itself.
        ("2024-07-03T13:00", "extended"),
        ("2024-07-03T17:00", "closed"),
        ("2024-07-04T12:00", "closed"),
    ],
)
def test_phases_of_the_day(at: str, phase: str) -> None:
    assert Sessions().hours(new_york(at), strict=True).phase == phase


def test_an_order_sent_at_night_is_accepted_and_works_from_the_open() -> None:
    exchange = Exchange("2024-06-03T21:00")
    bench = exchange.bench
    order = bench.send("buy", 5)
    assert order["status"] == "accepted"
    assert order["expires_at"] == "2024-06-04T20:00:00Z"
    exchange.quote("2024-06-04T08:00", "99")
    exchange.tick("2024-06-04T09:29")
    assert bench.shown(order)[0] == "accepted"
    exchange.tick("2024-06-04T09:30")
    assert bench.shown(order) == ("filled", "5", "99.01")
    assert [event for event, _ in bench.events()] == ["pending_new", "accepted", "new", "fill"]


def test_extended_hours_are_for_orders_that_ask_for_them() -> None:
    exchange = Exchange("2024-06-03T08:00")
    bench = exchange.bench
    early = bench.send("buy", 5, limit_price=101, extended_hours=True)
    patient = bench.send("buy", 5, limit_price=101)
    assert (bench.shown(early)[0], bench.shown(patient)[0]) == ("filled", "accepted")
    late, later = (bench.send("buy", 5, limit_price=90, extended_hours=late) for late in (False, True))
    exchange.tick("2024-06-03T09:30")
    assert bench.shown(patient)[0] == "filled"
    exchange.tick("2024-06-03T16:00")
    assert (bench.shown(late)[0], bench.shown(later)[0]) == ("expired", "new")
    evening = bench.send("buy", 5, limit_price=90, extended_hours=True)
    exchange.tick("2024-06-03T20:00")
    assert bench.shown(later)[0] == bench.shown(evening)[0] == "expired"


def test_pairs_trade_at_any_hour() -> None:
    exchange = Exchange("2024-06-08T12:00")
    exchange.quote("2024-06-08T12:00", "60000", "BTC/USD")
    order = exchange.bench.send("buy", "0.1", "BTC/USD", time_in_force="gtc")
    assert exchange.bench.shown(order)[0] == "filled"


def test_auctions_are_held_at_the_open_and_at_the_close() -> None:
    exchange = Exchange("2024-06-03T09:00")
    bench = exchange.bench
    opg, dear = bench.send("buy", 5, time_in_force="opg"), bench.send("buy", 5, limit_price=90, time_in_force="opg")
    cls = bench.send("buy", 5, time_in_force="cls")
    exchange.quote("2024-06-03T09:29", "101")
    exchange.tick("2024-06-03T09:29")
    assert bench.shown(opg)[0] == "accepted"
    exchange.tick("2024-06-03T09:30")
    # The auction is at the last price and, as ever, one basis point of slippage.
    assert (bench.shown(opg), bench.shown(dear)[0]) == (("filled", "5", "101.02"), "canceled")
    exchange.quote("2024-06-03T15:59", "104")
    assert bench.shown(cls)[0] == "new"
    exchange.tick("2024-06-03T16:00")
    assert bench.shown(cls) == ("filled", "5", "104.02")


@pytest.mark.parametrize(
    ("at", "tif", "taken"),
    [
        ("2024-06-03T09:27", "opg", True),
        ("2024-06-03T09:28", "opg", False),
        ("2024-06-03T12:00", "opg", False),
        ("2024-06-03T18:59", "opg", False),
        ("2024-06-03T19:00", "opg", True),
        ("2024-06-03T15:49", "cls", True),
        ("2024-06-03T15:50", "cls", False),
        ("2024-06-03T18:59", "cls", False),
        ("2024-06-03T19:00", "cls", True),
    ],
)
def test_auction_orders_must_come_in_time(at: str, tif: str, taken: bool) -> None:
    exchange = Exchange(at)
    if taken:
        assert exchange.bench.send("buy", 5, time_in_force=tif)["time_in_force"] == tif
        return
    with pytest.raises(Rejection, match="too late for this auction"):
        exchange.bench.send("buy", 5, time_in_force=tif)


def test_an_order_that_waits_for_the_open_cannot_be_replaced_but_cancelled() -> None:
    exchange = Exchange("2024-06-03T21:00")
    order = exchange.bench.send("buy", 5, limit_price=90)
    with pytest.raises(Rejection, match="cannot replace order in accepted status"):
        core.replace(exchange.bench.state, order["id"], {"qty": 6}, exchange.bench.now)
    core.cancel(exchange.bench.state, order["id"], exchange.bench.now)
    assert exchange.bench.shown(order)[0] == "canceled"
