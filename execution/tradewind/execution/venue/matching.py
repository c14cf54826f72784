"""Core. What one resting order does against one bar or one quote: the price, how much, and what becomes of the rest.

The bar is all the venue knows of the market, so the model is the cautious one: market orders pay the open plus
slippage, limits fill at the better of open and limit, stops where they were met plus slippage, everything rounds to a
tick against the order, and all orders of a bar share a fraction of its volume.
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
    slow_changes: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """`qty` traded at `price` (0: nothing), and whether the remainder is cancelled."""

    qty: int
    price: int
    cancel_rest: bool


@dataclass(frozen=True, slots=True)
class Phase:
    """Where in its session a bar lies; an extended one lies outside the regular hours."""

    opening: bool
    closing: bool
    extended: bool = False

    def admits(self, order: Order) -> bool:
        """Whether `order` may trade at this time of day."""
        return not self.extended or order.extended_hours or order.is_crypto


def room_of(bar: Bar, terms: Terms) -> int | None:
    """How much all orders together may trade of this bar, in whole shares at 1e-9; None is no bound."""
    if terms.participation_ppm is None:
        return None
    return bar.volume * terms.participation_ppm // PPM * QTY_ONE


def slipped(price: int, sign: int, terms: Terms) -> int:
    """`price` made worse by the slippage for a buyer (+1) or seller (-1), and rounded to a tick against it."""
    return to_tick(_worsened(price, sign, terms), up=sign > 0)


def _worsened(price: int, sign: int, terms: Terms) -> int:
    raw = price * (PPM + sign * terms.slippage_ppm)
    return -(-raw // PPM) if sign > 0 else raw // PPM


def _rounded(price: int, order: Order) -> int:
    """`price` on the order's grid, against it; pairs trade in steps of 1e-8."""
    return max(price, 1) if order.is_crypto else to_tick(price, up=order.sign > 0)


def is_within(price: int, order: Order) -> bool:
    """Whether the market at `price` is at or better than what bounds the order."""
    bound = order.bound
    return bound is None or (price <= bound if order.sign > 0 else price >= bound)


def _bounded(price: int, order: Order) -> int:
    """`price` rounded against the order, yet never past its bound."""
    rounded, bound = _rounded(price, order), order.bound
    if bound is None:
        return rounded
    return min(rounded, bound) if order.sign > 0 else max(rounded, bound)


def _at_market(price: int, order: Order, terms: Terms) -> int | None:
    """What an order without a limit pays when it meets `price`; None when that is past its bound."""
    if order.limit_price is not None:
        return None
    paid = _rounded(_worsened(price, order.sign, terms), order)
    return paid if is_within(paid, order) else None


def bar_price(order: Order, bar: Bar, phase: Phase, terms: Terms, elected: int | None = None) -> int | None:
    """The price (1e-8) at which `order` trades in `bar`, or None. `elected` is where in the bar its stop was met, when
    that was not at the open: only that price and the close are then known to follow."""
    if order.time_in_force in ("opg", "cls"):
        return _auction_price(order, bar, phase, terms)
    origin = bar.open if elected is None else elected
    paid = _at_market(origin, order, terms)
    if paid is not None:
        return paid
    if elected is None:
        extreme = bar.low if order.sign > 0 else bar.high
        return _bounded(bar.open, order) if is_within(extreme, order) else None
    if is_within(elected, order):
        return _bounded(elected, order)
    return order.bound if is_within(bar.close, order) else None


def _auction_price(order: Order, bar: Bar, phase: Phase, terms: Terms) -> int | None:
    opens = order.time_in_force == "opg"
    if not (phase.opening if opens else phase.closing):
        return None
    return auction_price(order, bar.open if opens else bar.close, terms)


def auction_price(order: Order, price: int, terms: Terms) -> int | None:
    """What an order for the auction pays when it comes out at `price`."""
    paid = _at_market(price, order, terms)
    if paid is not None:
        return paid
    return _bounded(price, order) if is_within(price, order) else None


def ends(order: Order, phase: Phase) -> bool:
    """Whether what an order has not traded by the end of this step is cancelled."""
    tif = order.time_in_force
    return tif in ("ioc", "fok") or (tif == "opg" and phase.opening) or (tif == "cls" and phase.closing)


def _sized(order: Order, price: int, room: int | None, cancel_rest: bool) -> Match:
    leaves = order.leaves(price)
    qty = leaves if room is None else min(leaves, room)
    if order.qty is not None and order.qty % QTY_ONE == 0 and not order.is_crypto:
        qty -= qty % QTY_ONE
    if order.time_in_force == "fok" and qty < leaves:
        qty = 0
    return Match(qty, price, cancel_rest)


def match_bar(
    order: Order, bar: Bar, room: int | None, phase: Phase, terms: Terms, elected: int | None = None
) -> Match:
    """What `order`, accepted before `bar` opened, does in it. One that waits for its stop price trades nothing."""
    price = None if order.is_waiting else bar_price(order, bar, phase, terms, elected)
    if price is None:
        return Match(0, 0, ends(order, phase))
    return _sized(order, price, room, ends(order, phase))


def match_quote(order: Order, asset: Asset, terms: Terms) -> Match:
    """What `order` does now against the last quote, or the last price with slippage when there is no quote."""
    far = asset.ask if order.sign > 0 else asset.bid
    ending = order.time_in_force in ("ioc", "fok")
    if far is None and asset.last is not None:
        far = _rounded(_worsened(asset.last, order.sign, terms), order)
    if far is None or order.is_waiting or not is_within(far, order):
        return Match(0, 0, ending)
    return _sized(order, _bounded(far, order), None, ending)


def match_auction(order: Order, asset: Asset, terms: Terms) -> Match:
    """What an order for the auction does when it is held at the last price; the rest is cancelled."""
    price = None if asset.last is None else auction_price(order, asset.last, terms)
    return Match(0, 0, cancel_rest=True) if price is None else _sized(order, price, None, cancel_rest=True)


def commission(value: int, qty: int, terms: Terms) -> int:
    """The fee (1e-8) of a fill worth `value` (1e-8) over `qty` (1e-9), each part rounded half-even."""
    return divide_half_even(value * terms.commission_ppm, PPM) + notional(terms.commission_per_share, qty)
