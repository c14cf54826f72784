"""Core. An order as the venue keeps it, and which of its statuses are open."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from tradewind.execution.venue.money import PRICE_ONE, divide_half_even, notional, to_tick

# Ids follow from the kind and the sequence number alone, so that a run repeated from scratch has the same ids.
_NAMESPACE = uuid.UUID("6f1c1b52-6d0a-5d0c-9a53-0b3c1a6d4e70")

WORKING_STATUSES = frozenset({"new", "partially_filled"})
OPEN_STATUSES = WORKING_STATUSES | {"accepted", "pending_new", "held"}


def is_pair(symbol: str) -> bool:
    """Whether a symbol names a pair of crypto currencies ("BTC/USD") and not a share."""
    return "/" in symbol


def stable_id(kind: str, key: int | str) -> str:
    """A UUIDv5 of `kind` and `key`."""
    return str(uuid.uuid5(_NAMESPACE, f"{kind}:{key}"))


@dataclass(slots=True)
class Order:
    """One order. Prices, notionals and percentages 1e-8, quantities 1e-9, times ns; `value` is the sum of price x qty
    in 1e-17. `stop_price` of a trailing stop follows from `hwm`, the best price seen since it came; `auction_at` is
    when the auction of an `opg` or `cls` order is held in real time; `parent` and `legs` are ids of its group;
    `pending` is a change ("cancel", or "replace" by `successor`) that was asked for and is not done."""

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
    stop_price: int | None = None
    trail_price: int | None = None
    trail_percent: int | None = None
    hwm: int | None = None
    triggered: bool = False
    auction_at: int | None = None
    failed_at: int | None = None
    order_class: str = ""
    parent: str | None = None
    legs: list[str] = field(default_factory=list)
    pending: str = ""
    successor: str | None = None

    @property
    def shown_status(self) -> str:
        """What clients see: an order about to be cancelled or replaced is still in the market."""
        return f"pending_{self.pending}" if self.pending and self.is_working else self.status

    @property
    def is_successor(self) -> bool:
        """Whether it waits to take the place of another order."""
        return self.status == "pending_new" and self.replaces is not None

    @property
    def is_crypto(self) -> bool:
        return is_pair(self.symbol)

    @property
    def is_waiting(self) -> bool:
        """Whether a stop order's price has not been reached yet."""
        return self.stop_price is not None and not self.triggered

    @property
    def bound(self) -> int | None:
        """The price (1e-8) it never trades past: its limit; a triggered stop to buy becomes a limit order as well,
        4 % over its stop price below $50 and 2.5 % above."""
        if self.limit_price is not None or self.stop_price is None or self.sign < 0 or self.trails:
            return self.limit_price
        return to_tick(self.stop_price * (1040 if self.stop_price < 50 * PRICE_ONE else 1025) // 1000, up=False)

    @property
    def trails(self) -> bool:
        return self.trail_price is not None or self.trail_percent is not None

    @property
    def is_open(self) -> bool:
        return self.status in OPEN_STATUSES

    @property
    def is_working(self) -> bool:
        """Whether it is in the market."""
        return self.status in WORKING_STATUSES

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
