"""Parent orders out of the record: which fills belong to which decision, and what it wanted."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tradewind.console.report.costs import cost_rows, parent_orders, tapes
from tradewind.streaming.recorder.repository import Fill, Intent, Order, OrderEvent
from tradewind.trading.transaction_costs import Bar, parent_cost

END = 100


def intent(name: str, target: int, at: int, algorithm: str = "", strategy: str = "s") -> Intent:
    return Intent(name, strategy, "SPY", Decimal(target), at, "LIMIT", Decimal(11), Decimal(10), algorithm)


def accepted(*names: str) -> OrderEvent:
    return OrderEvent("paper", "", names, "SPY", "UNSPECIFIED", Decimal(0), "", "", 0)


def working(order_name: str, *names: str) -> OrderEvent:
    return OrderEvent("paper", order_name, names, "SPY", "SUBMITTED", Decimal(0), "", "", 0)


def refused(name: str) -> OrderEvent:
    return OrderEvent("paper", "", (name,), "SPY", "REJECTED", Decimal(0), "MAX_POSITION", "", 0)


def order(name: str, intents: tuple[str, ...], created: int, limit: int | None = 11) -> Order:
    price = None if limit is None else Decimal(limit)
    return Order(
        name, "paper", "b", intents, "SPY", "BUY", "LIMIT", "DAY", Decimal(1), price, "FILLED", Decimal(1), Decimal(1),
        "", "", created, created,
    )  # fmt: skip


def fill(order_name: str, quantity: int, at: int, price: float = 10.0, *, side: str = "BUY", strategy: str = "s",
         internal: bool = False) -> Fill:  # fmt: skip
    return Fill(
        "paper", f"x{at}", strategy, order_name, "SPY", side, Decimal(quantity), Decimal(str(price)), Decimal(0), at,
        internal,
    )  # fmt: skip


def test_a_parent_has_the_fills_of_all_its_slices() -> None:
    (parent,) = parent_orders(
        [intent("i", 100, 10, "TWAP")],
        [working("a", "i"), working("b", "i", "of another")],
        [order("a", ("i",), 12), order("b", ("i", "of another"), 20)],
        [fill("a", 40, 15), fill("b", 50, 25, 10.5)],
        END,
    )
    assert (parent.algorithm, parent.side, parent.quantity, parent.decision_price) == ("TWAP", 1, 100.0, 10.0)
    assert (parent.arrival, parent.until) == (12, END)
    assert [(e.time, e.quantity, e.price, e.limit_price) for e in parent.executions] == [
        (15, 40.0, 10.0, 11.0),
        (25, 50.0, 10.5, 11.0),
    ]


def test_the_next_decision_ends_a_parent_and_wants_what_is_left() -> None:
    first, second, third = parent_orders(
        [intent("i", 100, 10), intent("j", 100, 20), intent("k", -20, 30)],
        [accepted("i", "j"), accepted("k")],
        [order("a", ("i",), 10), order("b", ("j",), 20), order("c", ("k",), 30, None)],
        [fill("a", 60, 20), fill("b", 40, 25), fill("c", 120, 35, side="SELL")],
        END,
    )
    assert [(p.id, p.side, p.quantity, p.until) for p in (first, second, third)] == [
        ("i", 1, 100.0, 20),
        ("j", 1, 40.0, 30),
        ("k", -1, 120.0, END),
    ]
    assert third.executions[0].limit_price is None


def test_refused_intents_and_those_that_want_nothing_are_no_parents() -> None:
    parents = parent_orders(
        [intent("i", 10, 10), intent("no", 50, 15), intent("j", 10, 20)],
        [accepted("i"), refused("no"), accepted("j"), refused("j")],  # a later slice of j was refused
        [order("a", ("i",), 10)],
        [fill("a", 10, 12)],
        END,
    )
    assert [p.id for p in parents] == ["i"]


def test_a_crossing_inside_belongs_to_the_latest_decision_before_it() -> None:
    buyer, seller = parent_orders(
        [intent("i", 10, 10), intent("j", -10, 10, strategy="t")],
        [accepted("i", "j")],
        [],
        [fill("", 10, 20, internal=True), fill("", 10, 20, side="SELL", strategy="t", internal=True)],
        END,
    )
    assert [(p.id, p.side, len(p.executions), p.arrival) for p in (buyer, seller)] == [
        ("i", 1, 1, 10),
        ("j", -1, 1, 10),
    ]


def test_rows_for_programs_hold_parent_costs_and_each_fill() -> None:
    parents = parent_orders([intent("i", 100, 10, "VWAP")], [accepted("i")], [order("a", ("i",), 10)],
                            [fill("a", 100, 20, 10.1)], END)  # fmt: skip
    markets = tapes({"SPY": [Bar(t, 10.0, 10.0, 10.0, 10.0, 5.0) for t in (10, 20, 30)]})
    (row,) = cost_rows([parent_cost(p, markets["SPY"]) for p in parents], markets)
    assert (row["id"], row["algorithm"], row["fill_rate"]) == ("i", "VWAP", 1.0)
    assert row["shortfall"] == pytest.approx(10.0)
    assert row["fills"][0]["slippage"] == pytest.approx(100.0)
