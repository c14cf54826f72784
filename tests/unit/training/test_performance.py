"""Figures of a return series."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from scipy.stats import spearmanr

from tradewind.training.performance import annual_sharpe, max_drawdown, periods_per_year, rank_correlation, sharpe

DAY = 86_400 * 10**9


def test_sharpe_is_mean_over_sample_deviation_and_grows_with_the_root_of_time():
    returns = [0.01, -0.02, 0.03, 0.005]
    expected = statistics.mean(returns) / statistics.stdev(returns)
    assert sharpe(np.array(returns)) == pytest.approx(expected)
    assert annual_sharpe(np.array(returns), 252) == pytest.approx(expected * math.sqrt(252))


@pytest.mark.parametrize("returns", [[], [0.01], [0.01, 0.01, 0.01]])
def test_a_series_that_does_not_vary_has_no_sharpe(returns):
    assert math.isnan(sharpe(np.array(returns)))


def test_drawdown_is_measured_from_the_peak_and_from_the_start():
    assert max_drawdown(np.array([0.5, -0.2, 0.1, -0.5])) == pytest.approx(1 - 0.8 * 1.1 * 0.5)
    assert max_drawdown(np.array([-0.3, 0.5])) == pytest.approx(0.3)
    assert max_drawdown(np.array([0.1, 0.1])) == 0.0


def test_rank_correlation_agrees_with_scipy_ties_included():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 5, 50).astype(float), rng.standard_normal(50)
    assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert math.isnan(rank_correlation(np.ones(10), b[:10]))


def test_bars_per_year_follow_from_their_times():
    weekdays = np.array([d for d in range(700) if (d + 3) % 7 < 5]) * DAY
    assert periods_per_year(weekdays) == 252
    assert periods_per_year(np.arange(700) * DAY) == 365
    half_hours = (weekdays[:, None] + np.arange(13) * 1800 * 10**9).ravel()
    assert periods_per_year(half_hours) == 252 * 13
