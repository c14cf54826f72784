"""Core. An order as the venue keeps it, and which of its statuses are open."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from tradewind.execution.venue.money import divide_half_even, notional

# Ids follow from the kind and the sequence number alone, so that a run repeated from scratch has the same ids.
_NAMESPACE = uuid.UUID("6f1c1b52-6d0a-5d0c-9a53-0b3c1a6d4e70")

OPEN_STATUSES = frozenset({"new", "accepted", "pending_new", "partially_filled"})


def stable_id(kind: str, key: int | str) -> str:
    """A UUIDv5 of `kind` and `key`."""
    return str(uuid.uuid5(_NAMESPACE, f"{kind}:{key}"))


@dataclass(slots=True)
class Order:
    """One order. Prices and notionals 1e-8, quantities 1e-9, times ns; `value` is the sum of price x qty in 1e-17."""

    seq: int
    id: str
    client_order_id: str
    symbol: str
    side: str
    type: str
    time_in_force: str
    qty: int | None
    notional: int | None
    limit_price: int | None
    status: str
    position_intent: str
    extended_hours: bool
    created_at: int
    updated_at: int
    submitted_at: int
    reserve_price: int
    filled_qty: int = 0
    value: int = 0
    spent: int = 0
    fees: int = 0
    filled_at: int | None = None
    expires_at: int | None = None
    expired_at: int | None = None
    canceled_at: int | None = None
    replaced_at: int | None = None
    replaced_by: str | None = None
    replaces: str | None = None

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES

    @property
    def sign(self) -> int:
        return 1 if self.side == "buy" else -1

    @property
    def average_price(self) -> int | None:
        """Mean fill price in 1e-8, or None before the first fill."""
        return divide_half_even(self.value, self.filled_qty) if self.filled_qty else None

    def leaves(self, price: int) -> int:
        """What is still to be traded, in 1e-9; of an order by notional, what its money buys at `price`."""
        if self.qty is not None:
            return self.qty - self.filled_qty
        assert self.notional is not None
        return (self.notional - self.spent) * 10**9 // price

    def open_value(self, price: int) -> int:
        """The money (1e-8) its remainder moves at `price`."""
        if self.qty is None:
            assert self.notional is not None
            return self.notional - self.spent
        return notional(price, self.qty - self.filled_qty)
