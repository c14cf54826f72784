"""Which order an intent asks for: type, prices, bracket, from the price the decision was made at. Core.

Prices are integers (1e-8). Shares and offsets become whole ppm once, so that every machine arrives at the same price.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tradewind.specs.strategy import Bracket, Execution

CENT = 10**6  # 1e-8
_PPM = 10**6
_SESSION_MINUTES = 390
BARS_PER_YEAR = {
    "1d": 252.0,
    **{name: 252.0 * _SESSION_MINUTES / minutes for name, minutes in (("1m", 1), ("5m", 5), ("15m", 15), ("1h", 60))},
}


@dataclass(frozen=True)
class Placement:
    """Prices of an order; 0 where its type has none. `trail_ratio` is ppm of the best price since it was sent."""

    order_type: str
    limit_price: int = 0
    stop_price: int = 0
    trail_ratio: int = 0


def limit_offset_ppm(execution: Execution, bar_volatility: float, spread: float) -> int:
    """How far beyond the reference price a limit is set, in ppm of it.

    The largest of the fixed offset, a share of the volatility of one bar and a share of the spread (both as fractions
    of the price): a wide or fast market needs more room to fill. What is not known (NaN) asks for none.
    """
    offset = execution.limit_offset_bps / 1e4
    for share, amount in (
        (execution.limit_volatility_share, bar_volatility),
        (execution.limit_spread_share, spread),
    ):
        if math.isfinite(amount) and amount > 0:
            offset = max(offset, share * amount)
    return round(min(offset, 0.1) * _PPM)


def place(execution: Execution, reference: int, offset_ppm: int, *, buy: bool, opens: bool) -> Placement:
    """The order towards a target. Stops and trailing stops wait for the market, so they open and never close.

    Limits are marketable: beyond the reference price by the offset, rounded to whole cents towards filling. A stop lies
    `stop_offset_bps` beyond it in the order's direction, and a stop-limit's limit by the offset beyond the stop.
    """
    order_type = execution.order_type
    if not opens and order_type in ("Stop", "StopLimit", "TrailingStop"):
        order_type = "Limit"
    if order_type == "Market":
        return Placement(order_type)
    if order_type == "Limit":
        return Placement(order_type, limit_price=beyond(reference, offset_ppm, up=buy))
    if order_type == "TrailingStop":
        return Placement(order_type, trail_ratio=round(execution.trail * _PPM))
    stop = beyond(reference, round(execution.stop_offset_bps * 100), up=buy)
    limit = beyond(stop, offset_ppm, up=buy) if order_type == "StopLimit" else 0
    return Placement(order_type, limit_price=limit, stop_price=stop)


def bracket_prices(bracket: Bracket, reference: int, atr_share: float, *, is_long: bool) -> tuple[int, int]:
    """Stop-loss and take-profit of a position entered at `reference`; 0 where the bracket asks for none.

    `atr_share` is the average true range as a fraction of the price. Raises ValueError when a multiple of it is asked
    for and it is not known: a position without the protection that was asked for is not opened.
    """

    def level(share: float | None, multiple: float | None, *, up: bool) -> int:
        if share is None and multiple is None:
            return 0
        if share is None and not (math.isfinite(atr_share) and atr_share > 0):
            raise ValueError("the average true range is not known")
        distance = share if share is not None else min((multiple or 0.0) * atr_share, 0.99)
        return beyond(reference, round(distance * _PPM), up=up)

    stop = level(bracket.stop_loss, bracket.stop_loss_atr, up=not is_long)
    take = level(bracket.take_profit, bracket.take_profit_atr, up=is_long)
    return stop, take


def beyond(reference: int, ppm: int, *, up: bool) -> int:
    """`reference` moved by `ppm`, rounded away from it to whole cents; never less than one."""
    offset = reference * ppm // _PPM
    if up:
        return -(-(reference + offset) // CENT) * CENT
    return max(CENT, (reference - offset) // CENT * CENT)
