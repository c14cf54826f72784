"""Whether everyone who keeps books of a run has the same. Core.

Four keep them apart from one another: the venue (asked through its public API), the executor's journal, the fills
topic, and the SQL record. Quantities must be equal to the share; amounts to the cent.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

CENT = Decimal("0.01")


@dataclass
class Ledger:
    """One keeper's books. An amount that a keeper doesn't know is None and is not compared."""

    keeper: str
    filled: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))  # client order id → shares
    notional: dict[str, Decimal] = field(default_factory=lambda: defaultdict(Decimal))  # client order id → USD
    positions: dict[str, Decimal] = field(default_factory=dict)  # symbol → signed shares
    cash: Decimal | None = None

    def add_fill(self, client_order_id: str, quantity: Decimal, price: Decimal) -> None:
        """One execution, or a strategy's part of it."""
        self.filled[client_order_id] += quantity
        self.notional[client_order_id] += quantity * price


def disagreements(reference: Ledger, others: Iterable[Ledger]) -> list[str]:
    """One line for each thing that another keeper has differently from the reference; empty when all agree."""
    found: list[str] = []
    for other in others:
        pair = f"{reference.keeper} and {other.keeper}"
        found += _compare(pair, "filled shares of", _nonzero(reference.filled), _nonzero(other.filled), Decimal(0))
        found += _compare(pair, "filled amount of", _nonzero(reference.notional), _nonzero(other.notional), CENT / 2)
        found += _compare(pair, "position in", _nonzero(reference.positions), _nonzero(other.positions), Decimal(0))
        if other.cash is not None and reference.cash is not None and abs(other.cash - reference.cash) > CENT / 2:
            found.append(f"{pair} differ in cash: {reference.cash} and {other.cash}")
    return found


def _nonzero(amounts: dict[str, Decimal]) -> dict[str, Decimal]:
    return {key: value for key, value in amounts.items() if value}


def _compare(pair: str, what: str, a: dict[str, Decimal], b: dict[str, Decimal], tolerance: Decimal) -> list[str]:
    zero = Decimal(0)
    return [
        f"{pair} differ in {what} {key}: {a.get(key, zero)} and {b.get(key, zero)}"
        for key in sorted({*a, *b})
        if abs(a.get(key, zero) - b.get(key, zero)) > tolerance
    ]
