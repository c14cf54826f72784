"""Four keepers of one run's books: each way to differ is found, and rounding is not one."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from tradewind.console.agreement import Ledger, disagreements

D = Decimal


def ledger(keeper: str = "the venue") -> Ledger:
    own = Ledger(keeper)
    own.add_fill("order-1", D(60), D("10.01"))
    own.add_fill("order-1", D(40), D("10.02"))
    own.add_fill("order-2", D(5), D("99.5"))
    own.positions = {"AAPL": D(100), "MSFT": D(-5)}
    own.cash = D("98000.00")
    return own


def _missing_fill(own: Ledger) -> None:
    del own.filled["order-2"], own.notional["order-2"]


def _unknown_fill(own: Ledger) -> None:
    own.add_fill("order-3", D(1), D(1))


DIFFERENCES: list[tuple[str, Callable[[Ledger], object], list[str]]] = [
    ("a fill is missing", _missing_fill, ["filled shares of order-2: 5 and 0", "filled amount of order-2"]),
    ("a fill nobody else knows", _unknown_fill, ["filled shares of order-3: 0 and 1", "filled amount of order-3"]),
    ("a fill twice", lambda o: o.add_fill("order-2", D(5), D("99.5")), ["filled shares of order-2", "filled amount"]),
    ("a fraction of a share", lambda o: o.filled.update({"order-1": D("99.999999999")}), ["shares of order-1"]),
    ("a price", lambda o: o.notional.update({"order-1": D("1001.40") + D("0.0051")}), ["filled amount of order-1"]),
    ("a position", lambda o: o.positions.update({"AAPL": D(99)}), ["position in AAPL: 100 and 99"]),
    ("its sign", lambda o: o.positions.update({"MSFT": D(5)}), ["position in MSFT: -5 and 5"]),
    ("a position is missing", lambda o: o.positions.pop("MSFT"), ["position in MSFT: -5 and 0"]),
    ("a position too many", lambda o: o.positions.update({"IBM": D(1)}), ["position in IBM: 0 and 1"]),
    ("cash", lambda o: setattr(o, "cash", D("98000.0051")), ["cash: 98000.00 and 98000.0051"]),
]


@pytest.mark.parametrize(("change", "expected"), [d[1:] for d in DIFFERENCES], ids=[d[0] for d in DIFFERENCES])
def test_difference_is_found_and_named(change: Callable[[Ledger], object], expected: list[str]) -> None:
    other = ledger("the SQL record")
    change(other)
    found = disagreements(ledger(), [ledger("the fills topic"), other])
    assert len(found) == len(expected)
    for line, words in zip(found, expected, strict=True):
        assert line.startswith("the venue and the SQL record differ in ")
        assert words in line


def test_equal_books_agree_whatever_the_order_and_the_split_of_their_fills() -> None:
    other = Ledger("the fills topic")
    other.add_fill("order-2", D(2), D("99.5"))
    other.add_fill("order-1", D(40), D("10.02"))
    other.add_fill("order-2", D(3), D("99.5"))
    other.add_fill("order-1", D(60), D("10.01"))
    other.positions = {"MSFT": D(-5), "AAPL": D("100.0"), "FB": D(0)}
    other.cash = D("98000")
    assert disagreements(ledger(), [other]) == []


def test_rounding_below_half_a_cent_is_no_difference() -> None:
    other = ledger("the executor")
    other.notional["order-1"] += D("0.005")
    other.cash = D("97999.995")
    assert disagreements(ledger(), [other]) == []


def test_cash_that_a_keeper_does_not_know_is_not_compared() -> None:
    other = ledger("the executor")
    other.cash = None
    assert disagreements(ledger(), [other]) == []


def test_every_other_keeper_is_compared() -> None:
    others = [ledger("a"), ledger("b")]
    for other in others:
        other.cash = D(0)
    assert [line.split(" differ")[0] for line in disagreements(ledger(), others)] == [
        "the venue and a",
        "the venue and b",
    ]
