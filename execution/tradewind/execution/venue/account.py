"""Core. The account: cash, positions at cost, and what it may still buy. All amounts 1e-8, quantities 1e-9.

The identity that always holds, exactly: cash + sum of position costs = starting cash + realised - fees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tradewind.execution.venue.market import Asset
from tradewind.execution.venue.money import QTY_ONE, divide_half_even, notional
from tradewind.execution.venue.orders import Order


@dataclass(slots=True)
class Position:
    """A holding: `qty` is negative when short; `cost` is what it was bought for (negative: sold for)."""

    symbol: str
    qty: int = 0
    cost: int = 0
    realized: int = 0

    @property
    def average_price(self) -> int:
        """Cost per share; only of a position that is not flat."""
        return divide_half_even(abs(self.cost) * QTY_ONE, abs(self.qty))


@dataclass(slots=True)
class Account:
    """The scalars of the books; every sequence number of the venue lives here, so that one row restores them."""

    starting_cash: int
    cash: int
    now: int
    opened_at: int
    last_equity: int
    fees: int = 0
    order_seq: int = 0
    fill_seq: int = 0
    event_id: int = 0
    last_stamp: int = 0
    session_opening: bool = True
    suspend_trade: bool = False
    no_shorting: bool = False


def apply_fill(account: Account, position: Position, signed_qty: int, price: int, fee: int) -> None:
    """Book one execution. Its value is rounded half-even once; a fill never carries a position through zero."""
    value = notional(price, signed_qty)
    account.cash -= value + fee
    account.fees += fee
    if position.qty * signed_qty >= 0:
        position.cost += value
    else:
        released = divide_half_even(position.cost * abs(signed_qty), abs(position.qty))
        position.realized += -value - released
        position.cost -= released
    position.qty += signed_qty


def market_value(position: Position, asset: Asset) -> int:
    """The position marked to the last price (to its cost before the first)."""
    return position.cost if asset.last is None else notional(asset.last, position.qty)


def exposures(positions: Mapping[str, Position], assets: Mapping[str, Asset]) -> tuple[int, int]:
    """(long, short) market value; short is zero or negative."""
    long = short = 0
    for symbol, position in positions.items():
        value = market_value(position, assets[symbol])
        if value >= 0:
            long += value
        else:
            short += value
    return long, short


def buying_power(equity: int, long: int, short: int, reserved: int, multiplier: int) -> int:
    """multiplier x equity - gross exposure - what open opening orders have reserved, and never below zero."""
    return max(0, multiplier * equity - long + short - reserved)


def reserve_price(side: str, limit_price: int | None, stop_price: int | None, asset: Asset) -> int | None:
    """The price at which an opening order is reserved, or None when there is none to go by.

    A limited buy counts at its limit, a market buy at 4 % over the market below $50 and 2.5 % above, a stop to buy as
    much over its stop price; a short at the larger of its limit and the ask plus 3 %.
    """
    market = asset.ask if asset.ask is not None else asset.last
    if side == "buy":
        market = stop_price or market
        if limit_price is not None or market is None:
            return limit_price
        return market * (1040 if market < 50 * 10**8 else 1025) // 1000
    stressed = None if market is None else market * 103 // 100
    if limit_price is None or stressed is None:
        return limit_price if stressed is None else stressed
    return max(limit_price, stressed)


def reserved_by(order: Order) -> int:
    """The buying power an open order ties up: none when it closes."""
    return order.open_value(order.reserve_price) if order.position_intent.endswith("_to_open") else 0
