"""How much an account could lose in a day, and which symbols move together. Core.

Returns are simple daily returns; a matrix has one row per day, oldest first, and one column per symbol. Losses are
positive.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

TRADING_DAYS = 252

Returns = npt.NDArray[np.float64]


def historical_value_at_risk(returns: Returns, confidence: float = 0.95) -> float:
    """The loss that at most `1 - confidence` of the days exceeded; 0 when there was none.

    The order statistic itself, without interpolation (P. Jorion, Value at Risk, 3rd ed., 2007, section 10.2), which is
    what the risk gate takes. `returns`: shape (days,), of the whole account. Raises ValueError when empty.
    """
    if returns.size == 0:
        raise ValueError("returns are empty: give at least one day")
    rank = int(returns.size * (1 - confidence) + 1e-9)
    return max(0.0, -float(np.sort(returns)[rank]))


def normal_value_at_risk(returns: Returns, confidence: float = 0.95) -> float:
    """The loss at `confidence` were returns normal about zero (RiskMetrics Technical Document, 1996, section 5.2)."""
    return NormalDist().inv_cdf(confidence) * deviation(returns)


def deviation(returns: Returns) -> float:
    """Root mean square about zero of one day's returns, shape (days,). Raises ValueError when empty."""
    if returns.size == 0:
        raise ValueError("returns are empty: give at least one day")
    return math.sqrt(float(np.mean(np.square(returns))))


def annual_volatility(returns: Returns) -> float:
    """`deviation` times the square root of 252."""
    return deviation(returns) * math.sqrt(TRADING_DAYS)


def correlated_groups(returns: Returns, threshold: float) -> list[int]:
    """For each column the first column of its group.

    Two symbols are joined when their Pearson correlation is at least `threshold`; a group is all that are joined
    directly or over others (single linkage), so a symbol alone is its own group. A column that doesn't move correlates
    with nothing.
    """
    symbols = returns.shape[1]
    moving = np.std(returns, axis=0) > 0
    correlation = np.zeros((symbols, symbols))
    if np.count_nonzero(moving) > 1:
        correlation[np.ix_(moving, moving)] = np.corrcoef(returns[:, moving], rowvar=False)
    _, labels = connected_components(csr_array(correlation >= threshold), directed=False)
    first: dict[int, int] = {}
    return [first.setdefault(int(label), column) for column, label in enumerate(labels)]


def aligned_returns(closes: Sequence[dict[int, float]], days: Sequence[int]) -> Returns:
    """Returns of each symbol between consecutive `days`, shape (len(days) - 1, symbols).

    `closes`: per symbol the last close of each day it traded. A day without one keeps the last close (no move); before
    a symbol's first close its returns are its later ones over again, so that a young listing is not taken for a calm
    one. A symbol with fewer than two closes within `days` is NaN throughout.
    """
    columns = []
    for known in closes:
        prices = np.full(len(days), np.nan)
        last = math.nan
        for row, day in enumerate(days):
            last = known.get(day, last)
            prices[row] = last
        moves = prices[1:] / prices[:-1] - 1
        own = moves[np.isfinite(moves)]
        if own.size:
            missing = len(moves) - own.size
            moves = np.concatenate([np.resize(own[::-1], missing)[::-1], own])
        columns.append(moves)
    return np.column_stack(columns) if columns else np.empty((max(len(days) - 1, 0), 0))
