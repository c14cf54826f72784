"""Core. What a client may do to its account: submit, replace, cancel, close. Time is an argument.

Each operation either raises Rejection and leaves the books untouched, or changes them and leaves what it changed in
`state.changes`; the shell makes that durable before it answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace as altered

from tradewind.execution.venue.admission import Admission, admit, check_client_id
from tradewind.execution.venue.matching import match_quote
from tradewind.execution.venue.money import QTY_ONE, QTY_PLACES, to_fixed
from tradewind.execution.venue.order_request import OrderRequest, parse_order, parse_replace
from tradewind.execution.venue.orders import Order, stable_id
from tradewind.execution.venue.rejections import Rejection, bad_field, not_found, order_not_found, unprocessable
from tradewind.execution.venue.state import State
from tradewind.execution.venue.wire import Json, order_json


def submit(state: State, body: Mapping[str, object], now: int, day_end: int | None = None) -> Json:
    """Accept a new order. Returns the Order as it was on arrival (`pending_new`); `day_end` is when DAY orders end."""
    request = parse_order(body)
    check_client_id(state, request.client_order_id)
    for asset in state.assets.values() if request.symbol not in state.assets else ():
        if asset.id == request.symbol:
            request = altered(request, symbol=asset.symbol)
    return _accept(state, request, admit(state, request), now, day_end)


def _accept(
    state: State,
    request: OrderRequest,
    admission: Admission,
    now: int,
    day_end: int | None,
    replaces: Order | None = None,
) -> Json:
    account = state.account
    account.order_seq += 1
    time = state.stamp(now)
    order = Order(
        seq=account.order_seq,
        id=stable_id("order", account.order_seq),
        client_order_id=request.client_order_id or stable_id("client", account.order_seq),
        symbol=request.symbol,
        side=request.side,
        type=request.type,
        time_in_force=request.time_in_force,
        qty=request.qty,
        notional=request.notional,
        limit_price=request.limit_price,
        status="pending_new",
        position_intent=admission.position_intent,
        extended_hours=request.extended_hours,
        created_at=time,
        updated_at=time,
        submitted_at=time,
        reserve_price=admission.reserve_price,
        expires_at=day_end if request.time_in_force == "day" else None,
        replaces=None if replaces is None else replaces.id,
    )
    if replaces is None:
        state.emit(order, "pending_new", time)
    else:
        _retire(state, replaces, order, time)
    answer = order_json(order)
    order.status = "new"
    state.touch(order)
    state.emit(order, "new", time)
    if not state.terms.virtual:
        trade_now(state, order, time)
    return answer


def _retire(state: State, old: Order, new: Order, time: int) -> None:
    old.status = "replaced"
    old.replaced_by = new.id
    old.replaced_at = old.updated_at = time
    state.touch(old)
    state.emit(old, "replaced", time)


def trade_now(state: State, order: Order, time: int) -> None:
    """Real-time mode: match `order` against the last quote or price."""
    match = match_quote(order, state.assets[order.symbol], state.terms)
    state.execute(order, match, time)
    if order.is_open and match.cancel_rest:
        state.finish(order, "canceled", time)


def find_order(state: State, order_id: str) -> Order:
    order = state.orders.get(order_id)
    if order is None:
        raise order_not_found(order_id)
    return order


def replace(state: State, order_id: str, body: Mapping[str, object], now: int, day_end: int | None = None) -> Json:
    """Put a new order in the place of an open one. Returns the new Order.

    As observed at Alpaca, the replacement starts with nothing filled and works its whole `qty` (the old order's when
    none is given), also when the old one was partially filled.
    """
    order = find_order(state, order_id)
    if not order.is_open:
        raise unprocessable(f'order is already in "{order.status}" state')
    if order.notional is not None:
        raise unprocessable("notional orders cannot be replaced")
    change = parse_replace(body, order)
    if change.qty is not None and change.qty <= order.filled_qty:
        raise unprocessable("qty must be > filled_qty")
    check_client_id(state, change.client_order_id)
    request = OrderRequest(
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        time_in_force=change.time_in_force or order.time_in_force,
        qty=order.qty if change.qty is None else change.qty,
        notional=None,
        limit_price=order.limit_price if change.limit_price is None else change.limit_price,
        client_order_id=change.client_order_id,
        extended_hours=order.extended_hours,
    )
    if request.is_fractional and request.time_in_force != "day":
        raise unprocessable("fractional orders must be DAY orders")
    return _accept(state, request, admit(state, request, replaces=order), now, day_end, replaces=order)


def cancel(state: State, order_id: str, now: int) -> None:
    """Cancel an open order; one already cancelled is left as it is."""
    order = find_order(state, order_id)
    if order.status == "canceled":
        return
    if not order.is_open:
        raise unprocessable(f'order is already in "{order.status}" state')
    state.finish(order, "canceled", state.stamp(now))


def cancel_all(state: State, now: int) -> list[Json]:
    """Cancel every open order, in the order they came: the rows of the 207 answer."""
    resting = sorted(
        (order for orders in state.open_orders.values() for order in orders.values()), key=lambda order: order.seq
    )
    for order in resting:
        state.finish(order, "canceled", state.stamp(now))
    return [{"id": order.id, "status": 200} for order in resting]


def find_position(state: State, symbol_or_id: str) -> str:
    """The symbol of an open position named by symbol or asset id."""
    for symbol, position in state.positions.items():
        if position.qty and symbol_or_id in (symbol, state.assets[symbol].id):
            return symbol
    raise not_found("position does not exist")


def close_position(
    state: State, symbol_or_id: str, query: Mapping[str, str], now: int, day_end: int | None = None
) -> Json:
    """Send the market order that closes a position, or `qty` shares or `percentage` of it. Returns that Order."""
    symbol = find_position(state, symbol_or_id)
    held = state.positions[symbol].qty
    qty = abs(held)
    if "qty" in query and "percentage" in query:
        raise bad_field("only one of qty or percentage is accepted")
    try:
        if "qty" in query:
            qty = to_fixed(query["qty"], QTY_PLACES)
        elif "percentage" in query:
            share = to_fixed(query["percentage"], 9)
            if not 0 < share <= 100 * 10**9:
                raise bad_field("percentage must be between 0 and 100")
            qty = qty * share // (100 * 10**9)
            if held < 0 or (abs(held) % QTY_ONE == 0 and not state.assets[symbol].fractionable):
                qty -= qty % QTY_ONE
    except ValueError as error:
        raise bad_field(f"invalid qty or percentage: {error}") from error
    if qty <= 0:
        raise bad_field("qty must be > 0")
    request = OrderRequest(symbol, "sell" if held > 0 else "buy", "market", "day", qty, None, None, None)
    return _accept(state, request, admit(state, request), now, day_end)


def close_all(state: State, cancel_orders: bool, now: int, day_end: int | None = None) -> list[Json]:
    """Close every position, cancelling all orders first when asked: the rows of the 207 answer."""
    if cancel_orders:
        cancel_all(state, now)
    rows: list[Json] = []
    for symbol in sorted(symbol for symbol, position in state.positions.items() if position.qty):
        try:
            rows.append({"symbol": symbol, "status": 200, "body": close_position(state, symbol, {}, now, day_end)})
        except Rejection as rejection:
            rows.append({"symbol": symbol, "status": rejection.status, "body": rejection.body})
    return rows
