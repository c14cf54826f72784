"""Core. Alpaca's wash-trade rule between an open order and a new one on the opposite side of the same symbol."""

from __future__ import annotations

_PRICED = frozenset({"limit", "stop_limit"})


def wash_reason(
    existing_type: str, existing_limit: int | None, new_side: str, new_type: str, new_limit: int | None
) -> str | None:
    """Why the two might trade with each other, or None when they cannot.

    A pair that holds a market or a plain stop order may always cross; two limited ones cross when the buyer's limit is
    at or above the seller's. Trailing stops are exempt.
    """
    if "trailing_stop" in (existing_type, new_type):
        return None
    if existing_type not in _PRICED or existing_limit is None:
        return "opposite side market/stop order exists"
    if new_type in _PRICED and new_limit is not None:
        buy, sell = (new_limit, existing_limit) if new_side == "buy" else (existing_limit, new_limit)
        if buy < sell:
            return None
    return "opposite side limit order exists"
