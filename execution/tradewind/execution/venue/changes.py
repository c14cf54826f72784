"""Core. What one accepted operation changed: the shell writes it in one transaction before anybody is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tradewind.execution.venue.market import Bar, News, Quote
from tradewind.execution.venue.orders import Order


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution: price and fee 1e-8, quantities 1e-9, `position_qty` signed and after it, time ns."""

    seq: int
    execution_id: str
    order_id: str
    client_order_id: str
    symbol: str
    side: str
    qty: int
    price: int
    fee: int
    time: int
    cum_qty: int
    leaves_qty: int
    position_qty: int
    order_status: str


@dataclass(slots=True)
class Changes:
    """Rows to write. Orders, positions and assets by key; the rest in the order they happened."""

    orders: dict[str, Order] = field(default_factory=dict)
    positions: set[str] = field(default_factory=set)
    assets: set[str] = field(default_factory=set)
    fills: list[Fill] = field(default_factory=list)
    events: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    quotes: list[Quote] = field(default_factory=list)
    news: list[News] = field(default_factory=list)
    equity: list[tuple[int, int]] = field(default_factory=list)
    steps: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
