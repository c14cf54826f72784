"""Figures of a return series: Sharpe ratio, drawdown, rank correlation. Core.

A figure that the data cannot give (too few observations, no variation) is NaN, never zero.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]

_DAY_NS = 86_400 * 10**9


def periods_per_year(times: NDArray[np.int64]) -> float:
    """Bars in a year, from bar times in ns: bars per day × 252 trading days, or 365 where there are weekend bars."""
    days = np.unique(times // _DAY_NS)
    if len(days) == 0:
        return float("nan")
    weekend = (days + 3) % 7 >= 5  # day 0 of the epoch was a Thursday; Monday is 0 here
    return len(np.unique(times)) / len(days) * (365.0 if weekend.any() else 252.0)


def sharpe(returns: Floats) -> float:
    """Mean over sample standard deviation of per-period returns, not annualised; NaN without variation."""
    if len(returns) < 2:
        return float("nan")
    spread = float(returns.std(ddof=1))
    return float(returns.mean()) / spread if spread > 1e-15 else float("nan")


def annual_sharpe(returns: Floats, per_year: float) -> float:
    """Sharpe ratio × √periods per year (Lo 2002, equation 9: right for returns without autocorrelation)."""
    return sharpe(returns) * float(np.sqrt(per_year))


def max_drawdown(returns: Floats) -> float:
    """Largest fall of compounded equity from its peak so far, as a share of the peak, in [0, 1]."""
    if len(returns) == 0:
        return float("nan")
    equity = np.concatenate([[1.0], np.cumprod(1.0 + returns)])
    return float((1.0 - equity / np.maximum.accumulate(equity)).max())


def rank_correlation(left: Floats, right: Floats) -> float:
    """Spearman's rank correlation with average ranks for ties; NaN if either side does not vary."""
    if len(left) < 3:
        return float("nan")
    a, b = rankdata(left), rankdata(right)
    if a.std() == 0 or b.std() == 0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])
