"""How likely a search found luck: probability of backtest overfitting and deflated Sharpe ratio. Core."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kurtosis, norm, rankdata, skew

from tradewind.training.performance import sharpe

Floats = NDArray[np.float64]

_MIN_PERIODS_PER_BLOCK = 5


def probability_of_backtest_overfitting(returns: Floats, blocks: int = 16) -> float:
    """PBO by combinatorially symmetric cross-validation (Bailey, Borwein, López de Prado, Zhu 2015, section 3).

    `returns` has one row per period and one column per trial, all out of sample. Time is cut into `blocks` equal parts;
    for each choice of half of them, the trial best by Sharpe there is ranked on the other half. Answers the share of
    choices where it ends at or below the median (logit ≤ 0), in [0, 1]: about ½ for trials of pure noise, near 0 where
    one trial is truly better. NaN for fewer than two trials, fewer than five periods per block, or returns that are not
    numbers. Raises ValueError for an odd number of blocks.
    """
    if blocks < 2 or blocks % 2:
        raise ValueError(f"blocks must be even, got {blocks}")
    periods, trials = returns.shape
    if trials < 2 or periods < blocks * _MIN_PERIODS_PER_BLOCK or not np.isfinite(returns).all():
        return float("nan")
    parts = np.array_split(returns, blocks)
    count = np.array([len(part) for part in parts], dtype=float)
    total = np.array([part.sum(axis=0) for part in parts])
    square = np.array([(part**2).sum(axis=0) for part in parts])

    chosen = np.zeros((math.comb(blocks, blocks // 2), blocks))
    for row, members in enumerate(combinations(range(blocks), blocks // 2)):
        chosen[row, list(members)] = 1.0
    inside = _sharpe_of_sums(chosen @ count, chosen @ total, chosen @ square)
    outside = _sharpe_of_sums((1 - chosen) @ count, (1 - chosen) @ total, (1 - chosen) @ square)

    best = inside.argmax(axis=1)
    rank = rankdata(outside, axis=1)[np.arange(len(best)), best] / (trials + 1)
    return float(np.mean(np.log(rank / (1 - rank)) <= 1e-12))


def _sharpe_of_sums(count: Floats, total: Floats, square: Floats) -> Floats:
    """Sharpe ratios from counts, sums and sums of squares; a trial that never trades scores zero."""
    mean = total / count[:, None]
    spread = np.sqrt(np.maximum(square / count[:, None] - mean**2, 0.0))
    return np.divide(mean, spread, out=np.zeros_like(mean), where=spread > 1e-12)


def expected_maximum_sharpe(trial_sharpes: Floats) -> float:
    """The Sharpe ratio that the best of so many skill-less trials is expected to show, per period.

    Bailey and López de Prado 2014, equation 1: √V · ((1−γ) Φ⁻¹[1−1/N] + γ Φ⁻¹[1−1/(N·e)]), V the variance of the
    trials' Sharpe ratios and γ Euler's constant. Zero for a single trial.
    """
    trials = len(trial_sharpes)
    if trials < 2:
        return 0.0
    gamma = float(np.euler_gamma)
    quantile = (1 - gamma) * norm.ppf(1 - 1 / trials) + gamma * norm.ppf(1 - 1 / (trials * math.e))
    return float(np.std(trial_sharpes, ddof=1) * quantile)


def probabilistic_sharpe_ratio(returns: Floats, benchmark: float) -> float:
    """Probability that the true Sharpe ratio exceeds `benchmark` (per period), given skew and fat tails.

    Bailey and López de Prado 2014, equation 2: Φ((SR − SR*) √(T−1) / √(1 − γ₃ SR + (γ₄ − 1)/4 · SR²)), γ₄ being the
    plain (not excess) kurtosis. NaN where the series is too short or does not vary.
    """
    observed = sharpe(returns)
    if len(returns) < 3 or not math.isfinite(observed):
        return float("nan")
    third, fourth = float(skew(returns)), float(kurtosis(returns, fisher=False))
    variance = 1 - third * observed + (fourth - 1) / 4 * observed**2
    if variance <= 0:
        return float("nan")
    return float(norm.cdf((observed - benchmark) * math.sqrt(len(returns) - 1) / math.sqrt(variance)))


def deflated_sharpe_ratio(returns: Floats, trial_sharpes: Floats) -> float:
    """Probabilistic Sharpe ratio of the chosen trial against the best that luck alone would have shown.

    `trial_sharpes`: per-period Sharpe ratios of all trials, the chosen one among them. Every trial counts as
    independent, which errs on the strict side. NaN if one of them is not a number.
    """
    if not np.isfinite(trial_sharpes).all():
        return float("nan")
    return probabilistic_sharpe_ratio(returns, expected_maximum_sharpe(trial_sharpes))
