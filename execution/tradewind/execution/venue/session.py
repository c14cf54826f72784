"""Core. The market moves: a step of bars in virtual time, a quote or a tick of the clock in real time."""

from __future__ import annotations

from collections.abc import Mapping

from tradewind.execution.venue import groups
from tradewind.execution.venue.core import book, settle, start_work, trade_now
from tradewind.execution.venue.fields import flag
from tradewind.execution.venue.market import Bar, Quote, new_asset, parse_bar, rows_of
from tradewind.execution.venue.matching import Phase, ends, is_within, match_auction, match_bar, room_of
from tradewind.execution.venue.money import price_text
from tradewind.execution.venue.orders import Order
from tradewind.execution.venue.rejections import bad_field, unprocessable
from tradewind.execution.venue.state import State
from tradewind.execution.venue.stops import elected_at, follow, reaches
from tradewind.execution.venue.times import to_rfc3339
from tradewind.execution.venue.wire import Json


def advance(state: State, body: Mapping[str, object]) -> Json:
    """One step of virtual time: trade the resting orders against the bars that close by `time`.

    A `time` given before is answered as it was then, and changes nothing.
    """
    if not state.terms.virtual:
        raise unprocessable("this venue runs on the wall clock; /sim/advance needs clock: virtual")
    time = body.get("time")
    if isinstance(time, bool) or not isinstance(time, int):
        raise bad_field("time must be an integer of nanoseconds")
    if time in state.steps:
        return state.steps[time]
    if time <= state.account.now:
        raise unprocessable(f"time must be after {state.account.now} ({to_rfc3339(state.account.now)})")
    closing, extended = flag(body, "session_end"), flag(body, "extended")
    if closing and extended:
        raise bad_field("session_end must be false in an extended step: the session ends with its regular hours")
    bars, untraded = _bars(body, time)
    state.account.now = time
    phase = Phase(opening=state.account.session_opening and not extended, closing=closing, extended=extended)
    if phase.opening:
        _open_session(state)
    before = len(state.fills)
    for symbol in sorted(bars):
        _meet(state, symbol, tradable=symbol not in untraded)
        _trade_bar(state, bars[symbol], phase, time)
    settle(state, time)
    _end_orders(state, phase, time)
    return _close_step(state, time, closing, len(state.fills) - before)


def _bars(body: Mapping[str, object], time: int) -> tuple[dict[str, Bar], set[str]]:
    bars: dict[str, Bar] = {}
    untraded: set[str] = set()
    for index, raw in enumerate(rows_of(body, "bars")):
        bar = parse_bar(raw, f"bars[{index}]")
        if bar.symbol in bars:
            raise bad_field(f"bars[{index}]: a second bar of {bar.symbol} in one step")
        if bar.event_time > time:
            raise bad_field(f"bars[{index}] ({bar.symbol}) closes after time: it is not known yet")
        if isinstance(raw, dict) and raw.get("context") is True:
            untraded.add(bar.symbol)
        bars[bar.symbol] = bar
    return bars, untraded


def _open_session(state: State) -> None:
    state.account.session_opening = False
    for asset in state.assets.values():
        asset.lastday_close = asset.session_close
        state.changes.assets.add(asset.symbol)


def _meet(state: State, symbol: str, *, tradable: bool) -> None:
    if symbol not in state.assets:
        state.add_asset(new_asset(symbol, tradable=tradable))


def _trade_bar(state: State, bar: Bar, phase: Phase, time: int) -> None:
    room = room_of(bar, state.terms)
    _relieve(state, bar, phase, time)
    for order in [order for order in state.resting(bar.symbol) if order.is_working]:
        # One that was working may have ended with its partner meanwhile.
        if not phase.admits(order) or not order.is_working:
            continue
        filled = order.filled_qty
        elected = _elect(state, order, bar)
        match = match_bar(order, bar, room, phase, state.terms, elected)
        groups.fill(state, order, match, time)
        if room is not None:
            room -= order.filled_qty - filled
    _mark(state, bar, time)


def _relieve(state: State, bar: Bar, phase: Phase, time: int) -> None:
    """A stop loss that the bar elects goes before its partner, unless that was to be had at the open already."""
    for stop in state.resting(bar.symbol):
        guarded = groups.guards(state, stop)
        if guarded is None or not phase.admits(stop) or elected_at(stop, bar) is None:
            continue
        if not is_within(bar.open, guarded):
            groups.take_over(state, stop, guarded, time)


def _elect(state: State, order: Order, bar: Bar) -> int | None:
    """Show a waiting order the bar. Returns where it was elected when that was not at the open."""
    if not order.is_waiting:
        return None
    elected = elected_at(order, bar)
    order.triggered = elected is not None
    if order.triggered or follow(order, bar.low if order.sign > 0 else bar.high):
        state.touch(order)
    return None if elected == bar.open else elected


def _mark(state: State, bar: Bar, time: int) -> None:
    asset = state.assets[bar.symbol]
    asset.last, asset.bid, asset.ask = bar.close, None, None
    asset.price_time = time
    asset.session_close = bar.close
    state.changes.assets.add(asset.symbol)
    state.changes.bars.append(bar)


def _end_orders(state: State, phase: Phase, time: int) -> None:
    """Cancel what had only this step to trade in; at the session's end expire the DAY orders, which had their bar."""
    for symbol in sorted(state.open_orders):
        for order in state.resting(symbol):
            if not order.is_open:
                continue
            if phase.admits(order) and ends(order, phase):
                groups.end(state, order, "canceled", time)
            elif phase.closing and order.time_in_force == "day":
                groups.end(state, order, "expired", time)


def _close_step(state: State, time: int, closing: bool, fills: int) -> Json:
    equity = state.equity()
    if closing:
        state.account.session_opening = True
        state.account.last_equity = equity
    point = (time, equity)
    state.equity_curve.append(point)
    state.changes.equity.append(point)
    answer: Json = {"event_id": state.account.event_id, "fills": fills, "equity": price_text(equity)}
    state.steps[time] = answer
    state.changes.steps.append((time, answer))
    return answer


def take_quote(state: State, quote: Quote, now: int) -> None:
    """A new best bid and ask; in real-time mode resting orders that it reaches trade at once."""
    _meet(state, quote.symbol, tradable=True)
    asset = state.assets[quote.symbol]
    asset.bid, asset.ask = quote.bid, quote.ask
    asset.last = (quote.bid + quote.ask) // 2
    asset.price_time = quote.time
    state.changes.assets.add(quote.symbol)
    state.changes.quotes.append(quote)
    if not state.terms.virtual:
        _trade_resting(state, quote.symbol, now)


def take_bar(state: State, bar: Bar, now: int) -> None:
    """A bar of history: kept, and taken as the last price when it is the newest seen."""
    _meet(state, bar.symbol, tradable=True)
    asset = state.assets[bar.symbol]
    state.changes.bars.append(bar)
    if bar.event_time >= asset.price_time:
        asset.last, asset.bid, asset.ask = bar.close, None, None
        asset.price_time = bar.event_time
        asset.session_close = bar.close
        state.changes.assets.add(bar.symbol)
        if not state.terms.virtual:
            _trade_resting(state, bar.symbol, now)


def _trade_resting(state: State, symbol: str, now: int) -> None:
    last = state.assets[symbol].last
    for stop in state.resting(symbol):
        guarded = groups.guards(state, stop)
        if guarded is not None and last is not None and reaches(last, stop.stop_price or 0, stop.sign):
            groups.take_over(state, stop, guarded, state.stamp(now))
    for order in state.resting(symbol):
        trade_now(state, order, state.stamp(now))
    settle(state, now)


def is_due(order: Order, now: int) -> bool:
    """Whether a tick of the clock may change an open order."""
    ended = order.expires_at is not None and order.expires_at <= now
    auctioned = order.auction_at is not None and order.auction_at <= now
    return ended or auctioned or order.status == "accepted" or bool(order.pending)


def tick(state: State, now: int, new_day: bool) -> None:
    """Real-time mode: settle what is pending, expire what is due, note the equity; daily the last close."""
    settle(state, now)
    for symbol in sorted(state.open_orders):
        for order in state.resting(symbol):
            if not order.is_open:
                continue
            if order.expires_at is not None and order.expires_at <= now:
                groups.end(state, order, "expired", state.stamp(now))
            elif order.auction_at is not None and order.auction_at <= now:
                book(state, order, match_auction(order, state.assets[symbol], state.terms), state.stamp(now))
            elif order.status == "accepted" and state.hours.admits(
                extended_hours=order.extended_hours, crypto=order.is_crypto
            ):
                start_work(state, order, state.stamp(now))
    equity = state.equity()
    if new_day:
        state.account.last_equity = equity
        for asset in state.assets.values():
            asset.lastday_close = asset.last
            state.changes.assets.add(asset.symbol)
    state.equity_curve.append((now, equity))
    state.changes.equity.append((now, equity))
