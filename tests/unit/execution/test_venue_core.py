"""The venue core: admission, matching, lifetimes, replacement. Expected figures follow by hand from the rules."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from tradewind.execution.venue import core, queries
from tradewind.execution.venue.account import Account
from tradewind.execution.venue.market import Asset, Quote
from tradewind.execution.venue.matching import Terms
from tradewind.execution.venue.rejections import Rejection
from tradewind.execution.venue.session import advance, take_quote
from tradewind.execution.venue.state import State
from tradewind.execution.venue.wash import wash_reason
from tradewind.execution.venue.wire import order_json

ONE = 10**8
SHARE = 10**9
CASH = 100_000 * ONE


def dollars(text: str) -> int:
    return int(Decimal(text) * ONE)


class Bench:
    """A state with short ways to drive it."""

    def __init__(self, **terms: Any) -> None:
        conditions = {"starting_cash": CASH, "slippage_ppm": 100, **terms}
        self.state = State(Terms(**conditions), Account(CASH, CASH, now=0, opened_at=0, last_equity=CASH))
        for symbol in ("AAPL", "MSFT"):
            self.state.add_asset(Asset(symbol))
        self.time = 0

    def bar(
        self,
        symbol: str = "AAPL",
        *,
        o: str = "100",
        h: str | None = None,
        low: str | None = None,
        c: str | None = None,
        volume: int = 10**6,
    ) -> dict[str, Any]:
        close = c or o
        prices = [dollars(price) for price in (o, close, h or o, low or o)]
        return {
            "symbol": symbol,
            "open_time": self.time,
            "event_time": self.time + 60 * 10**9,
            "open": prices[0],
            "high": max(prices),
            "low": min(prices),
            "close": prices[1],
            "volume": volume,
        }

    def step(self, *bars: dict[str, Any], end: bool = True) -> dict[str, Any]:
        self.time += 60 * 10**9
        return advance(self.state, {"time": self.time, "bars": list(bars), "session_end": end})

    def send(self, side: str = "buy", qty: object = 10, symbol: str = "AAPL", **more: Any) -> dict[str, Any]:
        kind = "limit" if "limit_price" in more else "market"
        body = {"symbol": symbol, "qty": qty, "side": side, "type": kind, "time_in_force": "day", **more}
        return core.submit(self.state, {key: value for key, value in body.items() if value is not None}, self.now)

    @property
    def now(self) -> int:
        return self.state.account.now

    def order(self, order: dict[str, Any]) -> dict[str, Any]:
        return order_json(core.find_order(self.state, order["id"]))

    def shown(self, order: dict[str, Any]) -> tuple[str, str, str | None]:
        row = self.order(order)
        return row["status"], row["filled_qty"], row["filled_avg_price"]

    def events(self) -> list[tuple[str, str]]:
        return [(data["event"], data["order"]["id"]) for _, data in self.state.take_changes().events]


@pytest.fixture
def bench() -> Bench:
    """Prices known, no volume bound."""
    bench = Bench()
    bench.step(bench.bar(), bench.bar("MSFT"))
    bench.state.take_changes()
    return bench


# --- fills ---


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


# --- time ---


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


# --- the wash-trade matrix ---

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


def buying_power(bench: Bench) -> str:
    return str(queries.account_view(bench.state)["buying_power"])


def test_open_orders_reserve_buying_power_until_they_end(bench: Bench) -> None:
    assert buying_power(bench) == "200000"
    limited = bench.send("buy", 100, limit_price=90, time_in_force="gtc")
    assert buying_power(bench) == "191000"
    bench.send("buy", 100)
    # A market buy counts 2.5 % over the market of 100.
    assert buying_power(bench) == "180750"
    short = bench.send("sell", 100, "MSFT", limit_price=101)
    # A short counts the larger of its limit and the market plus 3 %.
    assert buying_power(bench) == "170450"
    core.cancel(bench.state, limited["id"], bench.now)
    core.cancel(bench.state, short["id"], bench.now)
    assert buying_power(bench) == "189750"
    bench.step(bench.bar(o="100"))
    # 100 shares for 10,001 now worth 10,000: twice the equity of 99,999 less the exposure.
    assert buying_power(bench) == "189998"


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


# --- replace and cancel ---


def test_a_replacement_is_a_new_linked_order(bench: Bench) -> None:
    old = bench.send("buy", 10, limit_price=90, time_in_force="gtc", client_order_id="one")
    bench.events()
    new = core.replace(bench.state, old["id"], {"limit_price": "91"}, bench.now)
    assert (new["replaces"], new["qty"], new["limit_price"]) == (old["id"], "10", "91")
    assert bench.events() == [("replaced", old["id"]), ("new", new["id"])]
    assert (bench.order(old)["status"], bench.order(old)["replaced_by"]) == ("replaced", new["id"])
    # Only the new order still reserves.
    assert buying_power(bench) == "199090"
    bench.step(bench.bar(o="80"))
    assert (bench.shown(old)[0], bench.shown(new)[0]) == ("replaced", "filled")


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


# --- refusals ---


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        ({"symbol": None}, 422, 40010001, "symbol is required"),
        ({"symbol": "NOPE"}, 422, 42210000, 'asset "NOPE" not found'),
        ({"qty": None}, 422, 40010001, "qty or notional is required"),
        ({"notional": 5}, 422, 40010001, "only one of qty or notional is accepted"),
        ({"qty": 0}, 422, 40010001, "qty must be > 0"),
        ({"qty": -1}, 422, 40010001, "qty must be > 0"),
        ({"qty": "ten"}, 422, 40010001, "invalid qty: not a number"),
        ({"qty": "NaN"}, 422, 40010001, "invalid qty: not a number of usable size"),
        ({"qty": "0.0000000001"}, 422, 40010001, "invalid qty: more than 9 decimals"),
        ({"side": "hold"}, 422, 40010001, "invalid side"),
        ({"type": "iceberg"}, 422, 40010001, "invalid order type"),
        ({"time_in_force": "week"}, 422, 40010001, "invalid time_in_force"),
        ({"type": "limit"}, 422, 40010001, "limit orders require a limit price"),
        ({"limit_price": 90, "type": "market"}, 422, 40010001, "market orders require no stop or limit price"),
        ({"stop_price": 90}, 422, 40010001, "market orders require no stop or limit price"),
        ({"type": "limit", "limit_price": 0}, 422, 40010001, "limit price must be > 0"),
        (
            {"type": "limit", "limit_price": Decimal("90.123")},
            422,
            42210000,
            "invalid limit_price 90.123. sub-penny increment does not fulfill minimum pricing criteria",
        ),
        ({"client_order_id": "x" * 129}, 422, 40010001, "client_order_id must be no more than 128 characters"),
        ({"client_order_id": "used"}, 422, 40010001, "client_order_id must be unique"),
        ({"extended_hours": True}, 422, 42210000, "extended hours order must be DAY or GTC limit orders"),
        ({"qty": "1.5", "time_in_force": "gtc"}, 422, 42210000, "fractional orders must be DAY orders"),
        ({"qty": "0.001"}, 403, 40310000, "cost basis must be >= minimal amount of order 1"),
        ({"qty": "1.5", "side": "sell"}, 422, 42210000, "fractional orders cannot be sold short"),
        (
            {"qty": None, "notional": "1.001"},
            422,
            42210000,
            "notional value must be limited to 2 decimal places",
        ),
        ({"position_intent": "sell_to_close"}, 422, 42210000,
         "position intent mismatch, inferred: buy_to_open, specified: sell_to_close"),
        ({"type": "stop", "stop_price": 90}, 422, 42210000,
         "order type stop is not simulated by this venue; send market or limit"),
        ({"order_class": "bracket"}, 422, 42210000,
         "order class bracket is not simulated by this venue; send simple orders"),
        ({"symbol": "IDX"}, 422, 42210000, 'asset "IDX" is not tradable'),
        ({"symbol": "NEW"}, 422, 42210000, 'asset "NEW" has no market price yet'),
    ],
)  # fmt: skip
def test_refusals_speak_alpacas_language(
    bench: Bench, body: dict[str, Any], status: int, code: int, message: str
) -> None:
    core.cancel(bench.state, bench.send(client_order_id="used")["id"], bench.now)
    bench.step({**bench.bar("IDX"), "context": True})
    bench.state.add_asset(Asset("NEW"))
    before = queries.sim_state(bench.state)
    with pytest.raises(Rejection) as refused:
        bench.send(**{"type": None, **body} if "type" not in body and "limit_price" in body else body)
    assert (refused.value.status, refused.value.code, refused.value.message) == (status, code, message)
    assert queries.sim_state(bench.state) == before


# --- real time ---


@pytest.mark.parametrize(
    ("send", "shown"),
    [
        (lambda bench: bench.send("buy", 5), ("filled", "5", "100.05")),
        (lambda bench: bench.send("sell", 5), ("filled", "5", "99.95")),
        (lambda bench: bench.send("buy", 5, limit_price=101), ("filled", "5", "100.05")),
        (lambda bench: bench.send("buy", 5, limit_price=100), ("new", "0", None)),
        (lambda bench: bench.send("buy", 5, limit_price=100, time_in_force="ioc"), ("canceled", "0", None)),
    ],
)
def test_in_real_time_marketable_orders_trade_at_once(
    send: Callable[[Bench], dict[str, Any]], shown: tuple[str, str, str | None]
) -> None:
    bench = Bench(virtual=False)
    take_quote(bench.state, Quote("AAPL", 1, dollars("99.95"), dollars("100.05"), 100, 100), 1)
    assert bench.shown(send(bench)) == shown


def test_in_real_time_a_quote_reaches_resting_orders() -> None:
    bench = Bench(virtual=False)
    take_quote(bench.state, Quote("AAPL", 1, dollars("99.95"), dollars("100.05"), 100, 100), 1)
    order = bench.send("buy", 5, limit_price=98)
    take_quote(bench.state, Quote("AAPL", 2, dollars("97"), dollars("97.50"), 100, 100), 2)
    assert bench.shown(order) == ("filled", "5", "97.5")
    with pytest.raises(Rejection, match="clock: virtual"):
        bench.step(bench.bar())


@pytest.mark.parametrize(
    ("interval", "kept"), [(None, "1Min"), ("1m", "1Min"), ("15Min", "15Min"), ("1d", "1Day"), ("2h", "2Hour")]
)
def test_intervals_are_kept_by_alpacas_names(bench: Bench, interval: str | None, kept: str) -> None:
    bench.step({**bench.bar(), "interval": interval})
    assert [bar.interval for bar in bench.state.take_changes().bars] == [kept]


def test_an_unknown_interval_is_refused(bench: Bench) -> None:
    with pytest.raises(Rejection, match=r"bars\[0\] \(AAPL\)\.interval must be like 1Min, 1Hour or 1Day: fortnight"):
        bench.step({**bench.bar(), "interval": "fortnight"})
