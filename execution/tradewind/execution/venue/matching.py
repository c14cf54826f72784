"""Core. What one resting order does against one bar or one quote: the price, how much, and what becomes of the rest.

The bar is all the venue knows of the market, so the model is the cautious one: market orders pay the open plus
slippage, limits fill at the better of open and limit, everything rounds to a tick against the order, and all orders
of a bar share a fraction of its volume.
"""

from __future__ import annotations

from dataclasses import dataclass

from tradewind.execution.venue.market import Asset, Bar
from tradewind.execution.venue.money import QTY_ONE, divide_half_even, notional, to_tick
from tradewind.execution.venue.orders import Order

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Terms:
    """Trading conditions. Cash and per-share commission 1e-8; `_ppm` in millionths; no participation is no bound."""

    starting_cash: int
    allow_shorts: bool = True
    multiplier: int = 2
    slippage_ppm: int = 100
    commission_ppm: int = 0
    commission_per_share: int = 0
    participation_ppm: int | None = None
    virtual: bool = True


@dataclass(frozen=True, slots=True)
class Match:
    """`qty` traded at `price` (0: nothing), and whether the remainder is cancelled."""

    qty: int
    price: int
    cancel_rest: bool


@dataclass(frozen=True, slots=True)
class Phase:
    """Where in its session a bar lies."""

    opening: bool
    closing: bool


def room_of(bar: Bar, terms: Terms) -> int | None:
    """How much all orders together may trade of this bar, in whole shares at 1e-9; None is no bound."""
    if terms.participation_ppm is None:
        return None
    return bar.volume * terms.participation_ppm // PPM * QTY_ONE


def slipped(price: int, sign: int, terms: Terms) -> int:
    """`price` made worse by the slippage for a buyer (+1) or seller (-1), and rounded to a tick against it."""
    raw = price * (PPM + sign * terms.slippage_ppm)
    return to_tick(-(-raw // PPM) if sign > 0 else raw // PPM, up=sign > 0)


def _bounded(price: int, order: Order) -> int:
    """A limit order's price: `price` rounded against it, yet never past its limit."""
    assert order.limit_price is not None
    if order.sign > 0:
        return min(to_tick(price, up=True), order.limit_price)
    return max(to_tick(price, up=False), order.limit_price)


def _reached(price: int, order: Order) -> bool:
    """Whether the market at `price` is at or through the order's limit."""
    assert order.limit_price is not None
    return price <= order.limit_price if order.sign > 0 else price >= order.limit_price


def bar_price(order: Order, bar: Bar, phase: Phase, terms: Terms) -> int | None:
    """The price (1e-8) at which `order` trades in `bar`, or None."""
    auction: int | None = None
    if order.time_in_force == "opg":
        if not phase.opening:
            return None
        auction = bar.open
    elif order.time_in_force == "cls":
        if not phase.closing:
            return None
        auction = bar.close
    if order.type == "market":
        return slipped(bar.open if auction is None else auction, order.sign, terms)
    if auction is not None:
        return _bounded(auction, order) if _reached(auction, order) else None
    extreme = bar.low if order.sign > 0 else bar.high
    return _bounded(bar.open, order) if _reached(extreme, order) else None


def ends(order: Order, phase: Phase) -> bool:
    """Whether what an order has not traded by the end of this step is cancelled."""
    tif = order.time_in_force
    return tif in ("ioc", "fok") or (tif == "opg" and phase.opening) or (tif == "cls" and phase.closing)


def _sized(order: Order, price: int, room: int | None, cancel_rest: bool) -> Match:
    leaves = order.leaves(price)
    qty = leaves if room is None else min(leaves, room)
    if order.qty is not None and order.qty % QTY_ONE == 0:
        qty -= qty % QTY_ONE
    if order.time_in_force == "fok" and qty < leaves:
        qty = 0
    return Match(qty, price, cancel_rest)


def match_bar(order: Order, bar: Bar, room: int | None, phase: Phase, terms: Terms) -> Match:
    """What `order`, accepted before `bar` opened, does in it."""
    price = bar_price(order, bar, phase, terms)
    if price is None:
        return Match(0, 0, ends(order, phase))
    return _sized(order, price, room, ends(order, phase))


def match_quote(order: Order, asset: Asset, terms: Terms) -> Match:
    """What `order` does now against the last quote, or the last price with slippage when there is no quote."""
    far = asset.ask if order.sign > 0 else asset.bid
    ending = order.time_in_force in ("ioc", "fok")
    if far is None:
        if asset.last is None:
            return Match(0, 0, ending)
        far = slipped(asset.last, order.sign, terms)
    if order.type == "market":
        return _sized(order, to_tick(far, up=order.sign > 0), None, ending)
    if not _reached(far, order):
        return Match(0, 0, ending)
    return _sized(order, _bounded(far, order), None, ending)


def commission(value: int, qty: int, terms: Terms) -> int:
    """The fee (1e-8) of a fill worth `value` (1e-8) over `qty` (1e-9), each part rounded half-even."""
    return divide_half_even(value * terms.commission_ppm, PPM) + notional(terms.commission_per_share, qty)
