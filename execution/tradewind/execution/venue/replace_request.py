"""Core. The body of PATCH /v2/orders/{id}: what it changes of an order, and refused with Alpaca's words."""

from __future__ import annotations

from tradewind.execution.venue import fields
from tradewind.execution.venue.fields import Body
from tradewind.execution.venue.money import PRICE_PLACES, QTY_ONE
from tradewind.execution.venue.order_request import TIMES_IN_FORCE, OrderRequest, check_combination
from tradewind.execution.venue.orders import Order
from tradewind.execution.venue.rejections import bad_field, unprocessable

# What each type of order has that a replacement may change.
_PRICES = {
    "market": (),
    "limit": ("limit_price",),
    "stop": ("stop_price",),
    "stop_limit": ("limit_price", "stop_price"),
    "trailing_stop": ("trail",),
}


def parse_replace(body: Body, order: Order) -> OrderRequest:
    """The order that is to take the place of `order`; an empty time in force, as the Go client sends it, is none.

    Raises Rejection (422).
    """
    own = _PRICES[order.type]
    for name in ("limit_price", "stop_price", "trail"):
        if body.get(name) is not None and name not in own:
            raise bad_field(f"{order.type.replace('_', ' ')} orders require no {name}")
    tif = body.get("time_in_force") or None
    if order.order_class and (body.get("qty") is not None or tif is not None):
        raise unprocessable(f"only prices of {order.order_class} orders can be replaced")
    qty = fields.quantity(body)
    if qty is not None and not order.is_crypto and (qty % QTY_ONE or (order.qty or 0) % QTY_ONE):
        raise unprocessable("qty of a replacement must be a whole number of shares")
    if qty is not None and qty <= order.filled_qty:
        raise unprocessable("qty must be > filled_qty")
    limit = fields.price(body, "limit_price", pair=order.is_crypto)
    stop = fields.price(body, "stop_price", pair=order.is_crypto)
    by_price = order.trail_price is not None
    trail = (
        fields.price(body, "trail", pair=order.is_crypto)
        if by_price
        else fields.amount(body, "trail", PRICE_PLACES, "trail")
    )
    request = OrderRequest(
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        time_in_force=order.time_in_force
        if tif is None
        else fields.word(body, "time_in_force", TIMES_IN_FORCE, "time_in_force"),
        qty=order.qty if qty is None else qty,
        limit_price=order.limit_price if limit is None else limit,
        stop_price=order.stop_price if stop is None else stop,
        trail_price=trail if by_price and trail is not None else order.trail_price,
        trail_percent=trail if not by_price and trail is not None else order.trail_percent,
        client_order_id=fields.client_order_id(body),
        extended_hours=order.extended_hours,
        order_class=order.order_class if order.parent is None else "",
    )
    if all(
        getattr(request, name) == getattr(order, name)
        for name in ("qty", "time_in_force", "limit_price", "stop_price", "trail_price", "trail_percent")
    ):
        raise unprocessable("order parameters are not changed")
    if request.trail_percent is not None and request.trail_percent >= 100 * 10**PRICE_PLACES:
        raise bad_field("trail percent must be < 100")
    check_combination(request)
    return request
