"""Core. Orders that belong together: an entry and its exits, and two exits of which one cancels the other.

The first order of a group is its parent; bracket and oto have the entry there, oco the order that takes the profit. An
exit is `held` until it is in the market. A stop loss whose partner takes profits stays held, watched by the venue: when
its price is reached, the partner is cancelled and it goes to the market in its place.
"""

from __future__ import annotations

from tradewind.execution.venue import pending
from tradewind.execution.venue.exits import Exits, check_prices
from tradewind.execution.venue.matching import Match
from tradewind.execution.venue.orders import Order, stable_id
from tradewind.execution.venue.state import State
from tradewind.execution.venue.wire import Json, order_json


def nested_json(state: State, order: Order) -> Json:
    """The Order with the orders that hang on it under `legs`."""
    legs = [order_json(state.orders[leg]) for leg in order.legs]
    return {**order_json(order), "legs": legs or None}


def _members(state: State, order: Order) -> list[Order]:
    parent = order if order.parent is None else state.orders[order.parent]
    return [parent, *(state.orders[leg] for leg in parent.legs)]


def is_exit(order: Order) -> bool:
    return order.parent is not None or order.order_class == "oco"


def partner(state: State, order: Order) -> Order | None:
    """The other exit of a pair, while it is open."""
    if not is_exit(order):
        return None
    others = (other for other in _members(state, order) if other.id != order.id and is_exit(other))
    return next((other for other in others if other.is_open), None)


def exits_of(state: State, parent: Order) -> Exits:
    """The exits that wait for an entry, as a request would ask for them."""
    legs = [state.orders[leg] for leg in parent.legs]
    profit = next((leg.limit_price for leg in legs if leg.stop_price is None), None)
    stop = next((leg for leg in legs if leg.stop_price is not None), None)
    return Exits(profit) if stop is None else Exits(profit, stop.stop_price, stop.limit_price)


def check_pair(state: State, order: Order, limit: int | None, stop: int | None) -> None:
    """Whether an exit with these prices is still on its side of its partner. Raises Rejection."""
    other = partner(state, order)
    if other is not None:
        profit, stop = (other.limit_price, stop) if other.stop_price is None else (limit, other.stop_price)
        assert profit is not None
        check_prices(Exits(profit, stop), selling=order.side == "sell", base=profit, entering=False)


def add_exits(state: State, parent: Order, exits: Exits, time: int) -> None:
    """Create the held legs of a new parent."""
    profit = exits.take_profit if parent.order_class != "oco" else None
    if profit is not None:
        _add_leg(state, parent, "limit", profit, None, time)
    if exits.stop is not None:
        kind = "stop" if exits.stop_limit is None else "stop_limit"
        _add_leg(state, parent, kind, exits.stop_limit, exits.stop, time)


def _add_leg(state: State, parent: Order, kind: str, limit: int | None, stop: int | None, time: int) -> None:
    account = state.account
    account.order_seq += 1
    side = parent.side if parent.order_class == "oco" else "sell" if parent.side == "buy" else "buy"
    leg = Order(
        seq=account.order_seq,
        id=stable_id("order", account.order_seq),
        client_order_id=stable_id("client", account.order_seq),
        symbol=parent.symbol,
        side=side,
        type=kind,
        time_in_force=parent.time_in_force,
        qty=parent.qty,
        notional=None,
        limit_price=limit,
        stop_price=stop,
        status="held",
        position_intent=f"{side}_to_close",
        extended_hours=False,
        created_at=time,
        updated_at=time,
        submitted_at=state.stamp(time),
        reserve_price=limit or stop or 0,
        expires_at=parent.expires_at,
        order_class=parent.order_class,
        parent=parent.id,
    )
    parent.legs.append(leg.id)
    state.touch(leg)


def fill(state: State, order: Order, match: Match, time: int) -> None:
    """Book what was matched, and let the rest of the group follow."""
    if not state.execute(order, match, time):
        return
    if order.status == "filled" and order.pending:
        pending.refuse(state, order, time)
    elif order.pending == "replace" and order.successor is not None:
        # What it needs beyond this order has grown.
        state.touch(state.orders[order.successor])
    if not order.order_class:
        return
    if not is_exit(order):
        if order.status == "filled":
            _activate(state, order, time)
        return
    other = partner(state, order)
    if other is None:
        return
    if order.status == "filled":
        state.finish(other, "canceled", time)
    else:
        assert order.qty is not None
        other.qty = order.qty - order.filled_qty
        state.touch(other)


def _activate(state: State, parent: Order, time: int) -> None:
    """The entry is filled completely: its exits go to the market, unless others have sold its shares meanwhile."""
    legs = [state.orders[leg] for leg in parent.legs if state.orders[leg].is_open]
    held, _ = state.held(parent.symbol)
    first = legs[0]
    assert first.qty is not None
    if abs(state.position_qty(parent.symbol)) - held < first.qty:
        for leg in legs:
            state.finish(leg, "rejected", time)
        return
    first.status = "new"
    state.touch(first)
    state.emit(first, "new", time)


def guards(state: State, order: Order) -> Order | None:
    """The working order that a held stop loss would take the place of."""
    if order.status != "held" or order.stop_price is None:
        return None
    other = partner(state, order)
    return other if other is not None and other.is_working else None


def take_over(state: State, stop: Order, guarded: Order, time: int) -> None:
    """The price of a held stop loss is reached: it goes to the market and its partner is cancelled."""
    state.finish(guarded, "canceled", time)
    stop.status = "new"
    state.touch(stop)
    state.emit(stop, "new", time)


def end(state: State, order: Order, status: str, time: int) -> None:
    """End an open order, and with it what is left of its group."""
    pending.drop_successor(state, order, time)
    state.finish(order, status, time)
    for other in _members(state, order) if order.order_class else ():
        if other.is_open:
            state.finish(other, "expired" if status == "expired" else "canceled", time)


def succeed(state: State, old: Order, new: Order) -> None:
    """A replacement takes its predecessor's place in the group."""
    new.order_class, new.parent, new.legs = old.order_class, old.parent, list(old.legs)
    for leg in new.legs:
        state.orders[leg].parent = new.id
        state.touch(state.orders[leg])
    if new.parent is not None:
        parent = state.orders[new.parent]
        parent.legs = [new.id if leg == old.id else leg for leg in parent.legs]
        state.touch(parent)
