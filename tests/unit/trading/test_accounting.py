"""Books by hand, fees by the schedule, settlement by the calendar; and the engine's books against all of it."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from benchmarks.order_path import engine_config
from tradewind.native.engine import Engine
from tradewind.trading.accounting import Accounts, Book, Execution, FeeSchedule

DAY = date(2026, 3, 6)  # a Friday
SHARE, DOLLAR = 10**9, 10**8
T0 = 1_700_000_000 * 10**9


def next_weekday(day: date) -> date:
    return day + timedelta(days={4: 3, 5: 2}.get(day.weekday(), 1))


def accounts(cash: int = 10_000, fees: FeeSchedule | None = None) -> Accounts:
    return Accounts(Decimal(cash), next_weekday, fees or FeeSchedule())


def traded(*trades: tuple[int, str]) -> Book:
    book = Book()
    for quantity, price in trades:
        book.trade(Decimal(quantity), Decimal(price))
    return book


@pytest.mark.parametrize(
    ("trades", "quantity", "average", "realised"),
    [
        ([(10, "100")], 10, "100", "0"),
        ([(10, "100"), (30, "120")], 40, "115", "0"),
        ([(10, "100"), (30, "120"), (-10, "125")], 30, "115", "100"),
        ([(10, "100"), (-10, "90")], 0, "0", "-100"),
        ([(10, "100"), (-25, "110")], -15, "110", "100"),  # through zero
        ([(-10, "50"), (4, "40")], -6, "50", "40"),  # a short gains as the price falls
    ],
)
def test_average_cost_and_realised_pnl(
    trades: list[tuple[int, str]], quantity: int, average: str, realised: str
) -> None:
    book = traded(*trades)
    assert [book.quantity, book.average_price, book.realised] == [quantity, Decimal(average), Decimal(realised)]


def test_unrealised_pnl_of_a_long_and_of_a_short() -> None:
    assert traded((10, "100")).unrealised(Decimal("103.5")) == Decimal("35")
    assert traded((-10, "100")).unrealised(Decimal("103.5")) == Decimal("-35")


def test_proceeds_settle_on_the_next_business_day_and_purchases_at_once() -> None:
    own = accounts()
    own.take(Execution(DAY, "AAPL", "a", Decimal(10), Decimal(100)))
    own.take(Execution(DAY, "AAPL", "a", Decimal(-4), Decimal(110)))
    assert own.cash == Decimal("9440")
    assert own.settled_cash(DAY) == own.settled_cash(DAY + timedelta(days=2)) == Decimal("9000")
    assert own.settled_cash(date(2026, 3, 9)) == Decimal("9440")


def test_fees_fall_on_sales_are_rounded_up_per_order_and_capped() -> None:
    rates = FeeSchedule(Decimal("27.80"), Decimal("0.000166"), Decimal("8.30"))
    own = accounts(fees=rates)
    own.take(Execution(DAY, "AAPL", "a", Decimal(1000), Decimal(100), order="buy"))
    assert own.fees_due == 0
    for _ in range(2):  # two fills of one order are one sale: 2 x 27,800 x 27.80 / 10^6 = 1.54568
        own.take(Execution(DAY, "AAPL", "a", Decimal(-278), Decimal(100), order="sell"))
    assert own.fees_due == Decimal("1.55") + Decimal("0.10")
    assert rates.of_sale(Decimal(100_000), Decimal(0)) == Decimal("8.30")


def test_what_strategies_cross_between_them_moves_no_cash_of_the_account() -> None:
    own = accounts()
    own.take(Execution(DAY, "AAPL", "a", Decimal(10), Decimal(100), internal=True))
    own.take(Execution(DAY, "AAPL", "b", Decimal(-10), Decimal(100), internal=True))
    assert own.cash == own.settled_cash(DAY) == Decimal("10000")
    assert own.account["AAPL"].quantity == 0
    assert own.strategies["a", "AAPL"].quantity == -own.strategies["b", "AAPL"].quantity == 10


class Desk:
    """The native engine and a broker that fills each order in a few pieces at prices of its own."""

    def __init__(self, journal: Path, chance: random.Random, strategies: str) -> None:
        self.strategies = strategies
        config = engine_config(["AAPL", "MSFT"]) | {"strategies": [{"uid": uid} for uid in strategies]}
        self.engine = Engine(config, journal=journal)
        self.chance = chance
        self.now = T0
        self.number = 0
        self.fills: list[dict[str, Any]] = []
        self.step("broker", kind=12)
        self.step("broker", kind=15, cash=10**6 * DOLLAR, equity=10**6 * DOLLAR, buying_power=2 * 10**6 * DOLLAR)
        self.step("broker", kind=17)

    def step(self, kind: str, /, **body: Any) -> list[dict[str, Any]]:
        self.now += 10**6
        out = self.engine.step({"input": kind, "now": self.now, "body": body})  # type: ignore[typeddict-item]
        self.fills += [r for r in out["records"] if r["record"] == "fill"]
        return out["requests"]

    def bar(self, symbol: str, price: int) -> None:
        self.now += 10**9
        self.step("bar", symbol=symbol, event_time=self.now, open=price, high=price, low=price, close=price, volume=10)

    def trade(self) -> None:
        for strategy in self.strategies:
            for symbol in ("AAPL", "MSFT"):
                self.number += 1
                names = {"id": f"i{self.number}", "strategy": strategy, "symbol": symbol}
                times = {"decision_time": self.now, "valid_until": self.now + 10**12}
                self.step("intent", **names, **times, target=self.chance.randint(-300, 300) * SHARE)
        waiting = self.step("control", kind=4)
        while waiting:
            waiting = [request for order in waiting for request in self.fill(order)] or self.step("time")

    def fill(self, order: dict[str, Any]) -> list[dict[str, Any]]:
        """All of it in up to three pieces, of which the stream tells the average so far."""
        assert order["kind"] == 1, "nothing is cancelled or looked up here"
        view = {k: order[k] for k in ("client_order_id", "symbol", "side", "quantity")}
        view |= {"broker_order_id": f"b-{order['client_order_id']}"}
        asked = self.step("broker", kind=1, request_id=order["request_id"], order=view | {"state": 4})
        total = order["quantity"] // SHARE
        cuts = sorted({self.chance.randint(1, total) for _ in range(2)} | {total})
        done, paid = 0, 0
        for cut in cuts:
            price = self.chance.randint(90 * 100, 110 * 100) * 10**6
            paid += (cut - done) * price
            more = {"filled": cut * SHARE, "filled_avg_price": round(Decimal(paid) / cut)}
            asked += self.step(
                "broker", kind=11, order=view | more | {"state": 6 if cut == total else 5},
                execution_id=f"x{self.number}-{cut}", execution_quantity=(cut - done) * SHARE, execution_price=price,
            )  # fmt: skip
            done = cut
        return asked


@pytest.mark.parametrize("strategies", ["a", "ab"])
@pytest.mark.parametrize("seed", range(4))
def test_the_engines_books_are_those_of_the_definitions(seed: int, strategies: str, tmp_path: Path) -> None:
    chance = random.Random(seed)
    desk = Desk(tmp_path / "journal", chance, strategies)
    for _ in range(25):
        for symbol in ("AAPL", "MSFT"):
            desk.bar(symbol, chance.randint(90, 110) * DOLLAR)
        desk.trade()
    own = accounts(1_000_000)
    for fill in desk.fills:
        sign = 1 if fill["side"] == 1 else -1
        own.take(
            Execution(DAY, fill["symbol"], fill["strategy"], Decimal(sign * fill["quantity"]) / SHARE,
                      Decimal(fill["price"]) / DOLLAR, fill["internal"], fill["client_order_id"])
        )  # fmt: skip
    assert len(desk.fills) > 80
    told = {(p["strategy"], p["symbol"]): p for p in desk.engine.positions()}
    books = {("", symbol): book for symbol, book in own.account.items()} | dict(own.strategies)
    assert set(told) == {key for key, book in books.items() if book.quantity or book.realised}
    cent = Decimal("0.01")
    for key, position in told.items():
        assert Decimal(position["quantity"]) / SHARE == books[key].quantity, key
        # Of an order that is shared, a strategy has whole shares at the order's average price; a fill names its own.
        if key[0] and len(strategies) > 1:
            continue
        assert abs(Decimal(position["realized_pnl"]) / DOLLAR - books[key].realised) < cent, key
        assert abs(Decimal(position["average_price"]) / DOLLAR - books[key].average_price) < cent, key
    assert abs(Decimal(desk.engine.account()["cash"]) / DOLLAR - own.cash) < cent
    # Cash is what the trades moved, and P&L is what cash and positions at the last price are worth.
    prices = {p["symbol"]: Decimal(p["market_price"]) / DOLLAR for p in told.values()}
    worth = sum((book.quantity * prices[symbol] for symbol, book in own.account.items()), Decimal(0))
    assert abs(own.cash + worth - Decimal(1_000_000) - own.realised - own.unrealised(prices)) < Decimal("1e-12")
    assert abs(Decimal(desk.engine.account()["equity"]) / DOLLAR - own.cash - worth) < cent
