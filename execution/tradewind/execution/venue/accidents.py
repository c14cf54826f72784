"""Core. What an exchange may do to an accepted order and a test wants to see at will: reject it, fill a part of it."""

from __future__ import annotations

from tradewind.execution.venue import groups
from tradewind.execution.venue.core import find_order
from tradewind.execution.venue.matching import Match
from tradewind.execution.venue.money import QTY_ONE
from tradewind.execution.venue.orders import Order
from tradewind.execution.venue.rejections import unprocessable
from tradewind.execution.venue.state import State

PPM = 1_000_000


def reject_order(state: State, order_id: str, now: int) -> None:
    """End an open order as `rejected`; its group is cancelled. Raises Rejection when it is not open."""
    order = find_order(state, order_id)
    if not order.is_open:
        raise unprocessable(f'order is already in "{order.status}" state')
    groups.end(state, order, "rejected", state.stamp(now))


def fill_order(state: State, order_id: str, qty: int | None, fraction_ppm: int, price: int | None, now: int) -> int:
    """Fill `qty` (1e-9), or a fraction of what is left in whole shares and at least one, at `price` or the last one.

    Returns the quantity filled. Raises Rejection when the order is not in the market, is smaller, or has no price.
    """
    order = find_order(state, order_id)
    if not order.is_working:
        raise unprocessable(f'order is in "{order.status}" state: it cannot be filled')
    price = price or order.limit_price or state.assets[order.symbol].last
    if price is None:
        raise unprocessable(f'asset "{order.symbol}" has no market price yet')
    leaves = order.leaves(price)
    wanted = _part(order, leaves, fraction_ppm) if qty is None else qty
    if not 0 < wanted <= leaves:
        raise unprocessable("qty must be > 0 and not above what is left of the order")
    before = order.filled_qty
    groups.fill(state, order, Match(wanted, price, cancel_rest=False), state.stamp(now))
    return order.filled_qty - before


def _part(order: Order, leaves: int, fraction_ppm: int) -> int:
    part = leaves * fraction_ppm // PPM
    if order.qty is not None and order.qty % QTY_ONE == 0 and not order.is_crypto:
        part = max(part - part % QTY_ONE, QTY_ONE)
    return min(max(part, 1), leaves)
