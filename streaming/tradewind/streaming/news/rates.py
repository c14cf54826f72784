"""Core: central banks' target rates, as facts of a news item."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation


def target_range(text: str) -> tuple[Decimal, Decimal] | None:
    """ "5.75" or "0.00-0.25", in percent, as (low, high); None if it is neither."""
    low, dash, high = text.partition("-")
    try:
        bounds = Decimal(low.strip()), Decimal((high if dash else low).strip())
    except InvalidOperation:
        return None
    return bounds if bounds[0] <= bounds[1] else None


def midpoint_change(before: str, after: str) -> Decimal | None:
    """Change of the range's middle, in percentage points."""
    old, new = target_range(before), target_range(after)
    if old is None or new is None:
        return None
    return (new[0] + new[1] - old[0] - old[1]) / 2
