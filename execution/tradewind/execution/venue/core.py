"""Core. What a client may do to its account: submit, replace, cancel, close. Time is an argument.

Each operation either raises Rejection and leaves the books untouched, or changes them and leaves what it changed in
`state.changes`; the shell makes that durable before it answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace as altered

from tradewind.execution.venue import groups, pending
from tradewind.execution.venue.admission import Admission, admit, check_client_id
from tradewind.execution.venue.market import unknown_asset
from tradewind.execution.venue.matching import Match, match_quote
from tradewind.execution.venue.money import QTY_ONE, QTY_PLACES, to_fixed
from tradewind.execution.venue.order_request import OrderRequest, parse_order
from tradewind.execution.venue.orders import Order, stable_id
from tradewind.execution.venue.rejections import Rejection, bad_field, not_found, order_not_found, unprocessable
from tradewind.execution.venue.replace_request import parse_replace
from tradewind.execution.venue.state import State
from tradewind.execution.venue.stops import follow, reaches, trailed
from tradewind.execution.venue.wire import Json


def submit(state: State, body: Mapping[str, object], now: int) -> Json:
    """Accept a new order. Returns the Order as it was on arrival: `pending_new`, or `accepted` when it has to wait."""
    named = body.get("symbol")
    if not isinstance(named, str) or not named:
        raise bad_field("symbol is required")
    asset = state.find_asset(named)
    request = parse_order(body, named if asset is None else asset.symbol)
    check_client_id(state, request.client_order_id)
    if asset is None:
        raise unknown_asset(named)
    return _accept(state, request, admit(state, request, asset, now), now)


def _order(
    state: State, request: OrderRequest, admission: Admission, time: int, replaces: Order | None = None
) -> Order:
    """The new order itself, numbered."""
    account = state.account
    account.order_seq += 1
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
        stop_price=request.stop_price,
        trail_price=request.trail_price,
        trail_percent=request.trail_percent,
        status="pending_new",
        position_intent=admission.position_intent,
        extended_hours=request.extended_hours,
        created_at=time,
        updated_at=time,
        submitted_at=time,
        reserve_price=admission.reserve_price,
        expires_at=state.hours.day_end(time, extended_hours=request.extended_hours)
        if request.time_in_force == "day"
        else None,
        order_class=request.order_class,
    )
    if replaces is not None:
        order.replaces, order.hwm = replaces.id, replaces.hwm
        order.triggered = replaces.triggered and request.stop_price == replaces.stop_price
    if order.trails:
        last = state.assets[order.symbol].last
        assert last is not None
        order.stop_price = trailed(order, order.hwm) if order.hwm is not None else None
        follow(order, last)
    if order.time_in_force in ("opg", "cls"):
        order.auction_at = state.hours.auction(order.time_in_force, time)
    return order


def _accept(state: State, request: OrderRequest, admission: Admission, now: int, replaces: Order | None = None) -> Json:
    time = state.stamp(now)
    order = _order(state, request, admission, time, replaces)
    state.touch(order)
    if replaces is None:
        state.emit(order, "pending_new", time)
        if order.order_class:
            groups.add_exits(state, order, request.exits, time)
    elif _retire(state, replaces, order, time) == "held":
        order.status = "held"
        return groups.nested_json(state, order)
    if not state.hours.admits(extended_hours=order.extended_hours, crypto=order.is_crypto):
        order.status = "accepted"
        state.touch(order)
        state.emit(order, "accepted", time)
        return groups.nested_json(state, order)
    answer = groups.nested_json(state, order)
    start_work(state, order, time)
    return answer


def start_work(state: State, order: Order, time: int) -> None:
    """The order is in the market from now on."""
    order.status = "new"
    state.touch(order)
    state.emit(order, "new", time)
    if not state.terms.virtual:
        trade_now(state, order, time)


def _retire(state: State, old: Order, new: Order, time: int) -> str:
    """`new` takes the place of `old`. Returns the status that had."""
    status, old.status = old.status, "replaced"
    old.replaced_by = new.id
    old.replaced_at = old.updated_at = time
    state.touch(old)
    state.emit(old, "replaced", time)
    if old.order_class:
        groups.succeed(state, old, new)
    return status


def trade_now(state: State, order: Order, time: int) -> None:
    """Real-time mode: match `order` against the last quote or price."""
    if order.auction_at is not None or not order.is_working:
        return
    if not state.hours.admits(extended_hours=order.extended_hours, crypto=order.is_crypto):
        return
    asset = state.assets[order.symbol]
    if order.is_waiting and asset.last is not None:
        _watch(state, order, asset.last)
    book(state, order, match_quote(order, asset, state.terms), time)


def _watch(state: State, order: Order, price: int) -> None:
    """A waiting order sees the last price: it is elected, or its stop follows."""
    assert order.stop_price is not None
    order.triggered = reaches(price, order.stop_price, order.sign)
    if order.triggered or follow(order, price):
        state.touch(order)


def book(state: State, order: Order, match: Match, time: int) -> None:
    """Execute what was matched and cancel the rest when it cannot wait."""
    groups.fill(state, order, match, time)
    if order.is_open and match.cancel_rest:
        groups.end(state, order, "canceled", time)


def find_order(state: State, order_id: str) -> Order:
    order = state.orders.get(order_id)
    if order is None:
        raise order_not_found(order_id)
    return order


def replace(state: State, order_id: str, body: Mapping[str, object], now: int) -> Json:
    """Put a new order in the place of an open one. Returns the new Order.

    As observed at Alpaca, the replacement starts with nothing filled and works its whole `qty` (the old order's when
    none is given), also when the old one was partially filled.
    """
    order = find_order(state, order_id)
    if not order.is_open:
        raise unprocessable(f'order is already in "{order.status}" state')
    if order.notional is not None:
        raise unprocessable("notional orders cannot be replaced")
    if order.status in ("accepted", "pending_new") or order.pending:
        raise unprocessable(f"cannot replace order in {order.shown_status} status")
    request = parse_replace(body, order)
    check_client_id(state, request.client_order_id)
    if groups.is_exit(order):
        # It keeps its size, and what it needs of the position is its own already.
        groups.check_pair(state, order, request.limit_price, request.stop_price)
        admission = Admission(order.position_intent, order.reserve_price)
    else:
        request = altered(request, exits=groups.exits_of(state, order))
        admission = admit(state, request, state.assets[order.symbol], now, replaces=order)
    if not state.terms.slow_changes or not order.is_working:
        return _accept(state, request, admission, now, replaces=order)
    time = state.stamp(now)
    successor = _order(state, request, admission, time, replaces=order)
    state.touch(successor)
    pending.ask(state, order, "replace", time, successor)
    return groups.nested_json(state, successor)


def settle(state: State, now: int) -> None:
    """Do the changes that were asked for and that the market has left to do."""
    waiting = [order for orders in state.open_orders.values() for order in orders.values() if order.pending]
    for order in sorted(waiting, key=lambda order: order.seq):
        if not order.is_open:
            continue
        time = state.stamp(now)
        successor = state.orders[order.successor] if order.successor else None
        if order.pending == "cancel":
            groups.end(state, order, "canceled", time)
        elif successor is None or not successor.is_open:
            order.pending = ""
            state.touch(order)
        elif successor.qty is not None and successor.qty <= order.filled_qty:
            pending.refuse(state, order, time)
            state.touch(order)
        else:
            order.pending = ""
            _retire(state, order, successor, time)
            start_work(state, successor, time)


def cancel(state: State, order_id: str, now: int) -> None:
    """Cancel an open order; one already cancelled is left as it is."""
    order = find_order(state, order_id)
    if order.status == "canceled":
        return
    if not order.is_open:
        raise unprocessable(f'order is already in "{order.status}" state')
    _cancel(state, order, now)


def _cancel(state: State, order: Order, now: int) -> None:
    if not state.terms.slow_changes or not order.is_working:
        groups.end(state, order, "canceled", state.stamp(now))
    elif order.pending != "cancel":
        pending.ask(state, order, "cancel", state.stamp(now))


def cancel_all(state: State, now: int) -> list[Json]:
    """Cancel every open order, in the order they came: the rows of the 207 answer."""
    resting = sorted(
        (order for orders in state.open_orders.values() for order in orders.values()), key=lambda order: order.seq
    )
    for order in resting:
        if order.is_open:
            _cancel(state, order, now)
    return [{"id": order.id, "status": 200} for order in resting]


def find_position(state: State, symbol_or_id: str) -> str:
    """The symbol of an open position named by symbol or asset id."""
    asset = state.find_asset(symbol_or_id)
    if asset is None or not state.position_qty(asset.symbol):
        raise not_found("position does not exist")
    return asset.symbol


def close_position(state: State, symbol_or_id: str, query: Mapping[str, str], now: int) -> Json:
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
    asset = state.assets[symbol]
    request = OrderRequest(symbol, "sell" if held > 0 else "buy", "market", "gtc" if asset.is_crypto else "day", qty)
    return _accept(state, request, admit(state, request, asset, now), now)


def close_all(state: State, cancel_orders: bool, now: int) -> list[Json]:
    """Close every position, cancelling all orders first when asked: the rows of the 207 answer."""
    if cancel_orders:
        cancel_all(state, now)
    rows: list[Json] = []
    for symbol in sorted(symbol for symbol, position in state.positions.items() if position.qty):
        try:
            rows.append({"symbol": symbol, "status": 200, "body": close_position(state, symbol, {}, now)})
        except Rejection as rejection:
            rows.append({"symbol": symbol, "status": rejection.status, "body": rejection.body})
    return rows
