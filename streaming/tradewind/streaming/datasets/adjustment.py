"""Core: forward adjustment of prices, from what a vendor's adjusted close reveals on ex-dates.

A vendor's adjusted close is scaled backward: every later split and dividend changes every earlier value, so it knows
the future. The *ratio* adjusted/raw, however, is a step function that jumps exactly on ex-dates, and its jump on one
day is one corporate action's factor, whatever came later. We accumulate the jumps forward:

    price_fwd(t) = price(t) × Π factor(e), ex-dates e ≤ t

so nothing before an action moves, and a 2:1 split doubles what comes after it (CRSP's cumulative factors, run forward).

Rounding. An adjusted close printed to d decimals is off by up to h = 10⁻ᵈ/2, so on day t the true ratio lies in
[(a−h)/c, (a+h)/c]. As long as all intervals since the last action have a point in common, nothing has happened; the
first day whose interval misses the common part is an ex-date. That needs no tolerance to be tuned, and looks only back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import polars as pl

from tradewind.streaming.datasets.errors import DataError

FACTOR_SCALE = 10**12
# Vendors' own arithmetic is in binary: two neighbouring days differ by a few units in the 16th digit.
_BINARY_NOISE = Fraction(1, 10**13)
_LEAST_DECIMALS = 2
_SPLIT_TERMS = 20
# A smaller step that happens to be a ratio of small numbers (21:20) is as likely to be a dividend.
_LEAST_SPLIT = Fraction(6, 5)
_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Adjustment:
    """One corporate action.

    Attributes:
        row: index of the first row that trades without the entitlement (the ex-date).
        factor: exact for a split (new shares per old share); for a dividend c/(c − D) with c the close before it.
        error: bound of the factor's relative error that the rounding of the adjusted close leaves.
    """

    row: int
    kind: Literal["split", "dividend"]
    factor: Fraction
    error: Fraction


@dataclass(frozen=True)
class Adjusted:
    """Bars in forward-adjusted prices, and the actions found."""

    bars: pl.DataFrame
    actions: list[Adjustment]


def forward_adjust(bars: pl.DataFrame, adj_close: Sequence[str]) -> Adjusted:
    """Forward-adjust the bars of one symbol.

    Args:
        bars: in order of time; open, high, low, close in 1e-8, volume in shares.
        adj_close: decimal text as the vendor printed it, one for each row; its digits give the rounding.

    Returns:
        Prices × cumulative factor, rounded half-even to 1e-8; volume ÷ the splits' part, rounded half-even, so that
        price × volume stays what was traded. A value depends on rows up to its own and on no other.

    Raises:
        DataError: a value is missing, not positive, or moves in a way no split or dividend explains.
    """
    actions = find_actions(bars["close"].to_list(), adj_close)
    price_factor, share_factor = _cumulative(actions, bars.height)
    columns = [
        pl.Series(
            name,
            [_times(value, factor) for value, factor in zip(bars[name], price_factor, strict=True)],
            dtype=pl.Int64,
        )
        for name in _PRICES
    ]
    volume = [_round(Fraction(v) / f) for v, f in zip(bars["volume"], share_factor, strict=True)]
    return Adjusted(bars.with_columns(*columns, pl.Series("volume", volume, dtype=pl.Int64)), actions)


def find_actions(closes: Sequence[int], adj_close: Sequence[str]) -> list[Adjustment]:
    """Splits and dividends, from raw closes (1e-8) and adjusted closes (decimal text)."""
    actions: list[Adjustment] = []
    low = high = Fraction(0)
    decimals = _LEAST_DECIMALS
    for row, (close, text) in enumerate(zip(closes, adj_close, strict=True)):
        # `repr` and spreadsheets drop trailing zeros: the longest text so far tells how many digits are printed.
        decimals = max(decimals, _decimals(row, text))
        day_low, day_high = _ratio_bounds(row, close, text, decimals)
        if row == 0:
            low, high = day_low, day_high
            continue
        if max(low, day_low) <= min(high, day_high):
            low, high = max(low, day_low), min(high, day_high)
            continue
        actions.append(_action(row, low, high, day_low, day_high))
        low, high = day_low, day_high
    return actions


def _ratio_bounds(row: int, close: int, text: str, decimals: int) -> tuple[Fraction, Fraction]:
    value = Fraction(text)
    if value <= 0 or close <= 0:
        raise DataError(f"adj_close: row {row + 1}: close and adjusted close must be above 0; correct the row")
    half = Fraction(1, 2 * 10**decimals) + value * _BINARY_NOISE
    return (value - half) / close, (value + half) / close


def _decimals(row: int, text: str) -> int:
    try:
        Fraction(text)
    except ValueError:
        raise DataError(
            f"adj_close: row {row + 1}: {text!r} is not a number; correct it or leave the symbol out"
        ) from None
    mantissa, _, exponent = text.lower().partition("e")
    return len(mantissa.partition(".")[2]) - int(exponent or 0)


def _action(row: int, low: Fraction, high: Fraction, day_low: Fraction, day_high: Fraction) -> Adjustment:
    least, most = day_low / high, day_high / low
    middle = (least + most) / 2
    error = (most - least) / (least + most)
    split = _small_ratio(least, most)
    if split is not None:
        return Adjustment(row, "split", split, Fraction(0))
    if middle < 1:
        raise DataError(
            f"adj_close: row {row + 1}: falls against the close by a factor of {float(middle):.6f}, which no split or "
            "dividend explains; correct the row or leave the symbol out"
        )
    # Far finer than any dividend, far coarser than noise: the same factor comes out whatever the later scale was.
    return Adjustment(row, "dividend", Fraction(round(middle * 10**8), 10**8), error)


def _small_ratio(least: Fraction, most: Fraction) -> Fraction | None:
    """The split n:m with both terms up to 20 that lies within the bounds, simplest first."""
    terms = sorted((n + m, n, m) for n in range(1, _SPLIT_TERMS + 1) for m in range(1, _SPLIT_TERMS + 1))
    for _, n, m in terms:
        ratio = Fraction(n, m)
        if least <= ratio <= most and (ratio >= _LEAST_SPLIT or ratio <= 1 / _LEAST_SPLIT):
            return ratio
    return None


def _cumulative(actions: Sequence[Adjustment], rows: int) -> tuple[list[int], list[Fraction]]:
    """Per row: the price factor in units of 1e-12, and the exact product of splits alone."""
    by_row = {action.row: action for action in actions}
    price, shares = FACTOR_SCALE, Fraction(1)
    prices: list[int] = []
    splits: list[Fraction] = []
    for row in range(rows):
        action = by_row.get(row)
        if action is not None:
            price = _round(price * action.factor)
            shares = shares * action.factor if action.kind == "split" else shares
        prices.append(price)
        splits.append(shares)
    return prices, splits


def _times(value: int, factor: int) -> int:
    whole, rest = divmod(value * factor, FACTOR_SCALE)
    twice = 2 * rest
    return whole + (twice > FACTOR_SCALE or (twice == FACTOR_SCALE and whole % 2 == 1))


def _round(value: Fraction) -> int:
    return round(value)
