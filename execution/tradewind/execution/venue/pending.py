"""Core. Cancels and replaces that take their time: asked for now, done at the market's next move.

Until then the order stays in the market and is shown as `pending_cancel` or `pending_replace`. When it fills first, the
change is refused, as at a real exchange.
"""

from __future__ import annotations

from tradewind.execution.venue.orders import Order
from tradewind.execution.venue.state import State


def ask(state: State, order: Order, kind: str, time: int, successor: Order | None = None) -> None:
    """Note that `order` is to be changed ("cancel" or "replace", by `successor`)."""
    drop_successor(state, order, time)
    order.pending = kind
    order.successor = None if successor is None else successor.id
    order.updated_at = time
    state.touch(order)
    state.emit(order, f"pending_{kind}", time)


def refuse(state: State, order: Order, time: int) -> None:
    """The order was filled before its change came: nothing is left to cancel or to replace."""
    kind, order.pending = order.pending, ""
    state.emit(order, f"order_{kind}_rejected", time)
    if order.successor is not None and state.orders[order.successor].is_open:
        state.finish(state.orders[order.successor], "rejected", time)


def drop_successor(state: State, order: Order, time: int) -> None:
    """Its replacement, if one was waiting, will not come."""
    if order.pending == "replace" and order.successor is not None and state.orders[order.successor].is_open:
        state.finish(state.orders[order.successor], "canceled", time)
    order.pending = ""
