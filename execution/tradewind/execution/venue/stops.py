"""Core. Stop prices: how a trailing one follows the market, and what elects a waiting order.

Of a bar only its open, its extremes and its close are known, and that the open comes first and the close last. An
order is elected by what must have happened, at the price that is worst for it; what only may have happened waits.
"""

from __future__ import annotations

from tradewind.execution.venue.market import Bar
from tradewind.execution.venue.money import PRICE_ONE, to_tick
from tradewind.execution.venue.orders import Order


def reaches(price: int, stop: int, sign: int) -> bool:
    """Whether the market at `price` is at or past `stop` for a buyer (+1: from below) or a seller (-1: from above)."""
    return price >= stop if sign > 0 else price <= stop


def trailed(order: Order, mark: int) -> int:
    """The stop price of a trailing order whose best price so far is `mark`; rounded to a tick away from the market."""
    if order.trail_price is not None:
        distance = order.trail_price
    else:
        assert order.trail_percent is not None
        distance = mark * order.trail_percent // (100 * PRICE_ONE)
    return to_tick(mark + order.sign * distance, up=order.sign > 0)


def follow(order: Order, price: int) -> bool:
    """Move a trailing order's mark and stop with the market; False when `price` is no better than the mark."""
    if not order.trails or (order.hwm is not None and (price - order.hwm) * order.sign >= 0):
        return False
    order.hwm = price
    order.stop_price = trailed(order, price)
    return True


def elected_at(order: Order, bar: Bar) -> int | None:
    """The price at which `bar` elects a waiting order: its open, or where the stop stood; None when it does not."""
    assert order.stop_price is not None
    if reaches(bar.open, order.stop_price, order.sign):
        return bar.open
    worst, best = (bar.high, bar.low) if order.sign > 0 else (bar.low, bar.high)
    if reaches(worst, order.stop_price, order.sign):
        return order.stop_price
    if order.trails:
        # The close comes after the best price: when it is past the stop that price leads to, the stop was met.
        assert order.hwm is not None
        best = min(best, order.hwm) if order.sign > 0 else max(best, order.hwm)
        moved = trailed(order, best)
        if reaches(bar.close, moved, order.sign):
            return moved
    return None
