"""PBO and deflated Sharpe ratio against simulations and against their definitions computed another way."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy.stats import norm, rankdata

from tradewind.training.overfitting import (
    deflated_sharpe_ratio,
    expected_maximum_sharpe,
    probabilistic_sharpe_ratio,
    probability_of_backtest_overfitting,
)


def _pbo_by_definition(returns: np.ndarray, blocks: int) -> float:
    parts = np.array_split(np.arange(len(returns)), blocks)
    losses = 0
    choices = list(itertools.combinations(range(blocks), blocks // 2))
    for chosen in choices:
        inside = np.concatenate([parts[i] for i in chosen])
        outside = np.concatenate([parts[i] for i in range(blocks) if i not in chosen])
        ratio = [returns[rows].mean(axis=0) / returns[rows].std(axis=0) for rows in (inside, outside)]
        rank = rankdata(ratio[1])[np.argmax(ratio[0])] / (returns.shape[1] + 1)
        losses += math.log(rank / (1 - rank)) <= 1e-12
    return losses / len(choices)


@pytest.mark.parametrize(("periods", "trials", "blocks"), [(100, 4, 6), (83, 7, 8)])
def test_pbo_is_its_definition(periods, trials, blocks):
    returns = np.random.default_rng(periods).standard_normal((periods, trials)) + np.linspace(0, 0.2, trials)
    assert probability_of_backtest_overfitting(returns, blocks) == pytest.approx(_pbo_by_definition(returns, blocks))


def test_pbo_of_pure_noise_is_about_a_half_and_of_a_better_trial_near_zero():
    noise, better = [], []
    for seed in range(30):
        returns = np.random.default_rng(seed).standard_normal((640, 10)) * 0.01
        noise.append(probability_of_backtest_overfitting(returns, 8))
        returns[:, 3] += 0.004  # an annual Sharpe ratio of six
        better.append(probability_of_backtest_overfitting(returns, 8))
    assert 0.4 < np.mean(noise) < 0.65
    assert np.max(better) < 0.05


def test_pbo_is_high_where_what_worked_stops_working():
    rng = np.random.default_rng(1)
    returns = rng.standard_normal((320, 8)) * 0.01
    # each trial gains in one eighth of time what it loses in the others: the best inside is the worst outside
    for trial in range(8):
        returns[:, trial] += np.where(np.arange(320) // 40 == trial, 0.02, -0.003)
    assert probability_of_backtest_overfitting(returns, 8) > 0.8


def test_pbo_without_enough_data_is_not_a_number():
    rng = np.random.default_rng(0)
    assert math.isnan(probability_of_backtest_overfitting(rng.standard_normal((500, 1))))
    assert math.isnan(probability_of_backtest_overfitting(rng.standard_normal((79, 4))))
    assert not math.isnan(probability_of_backtest_overfitting(rng.standard_normal((80, 4))))
    with pytest.raises(ValueError, match="even"):
        probability_of_backtest_overfitting(rng.standard_normal((80, 4)), blocks=5)


@pytest.mark.parametrize("trials", [10, 50])
def test_expected_maximum_of_skill_less_trials_is_what_simulation_gives(trials):
    draws = np.random.default_rng(trials).standard_normal((4000, trials)) * 0.05
    formula = np.mean([expected_maximum_sharpe(row) for row in draws[:300]])
    assert formula == pytest.approx(draws.max(axis=1).mean(), rel=0.06)


@pytest.mark.parametrize(("true", "benchmark"), [(0.1, 0.05), (1.0, 0.9)])
def test_probabilistic_sharpe_ratio_of_normal_returns_is_what_simulation_gives(true, benchmark):
    # at a ratio of 1 the term of the kurtosis matters: Lo 2002, variance (1 + SR²/2)/T
    rng = np.random.default_rng(4)
    samples = rng.standard_normal((4000, 250)) + true
    share_above = np.mean(samples.mean(axis=1) / samples.std(axis=1, ddof=1) > benchmark)
    base = norm.ppf((np.arange(250) + 0.5) / 250)  # as normal as 250 values can be
    base = base / base.std(ddof=1) + true
    assert probabilistic_sharpe_ratio(base, benchmark) == pytest.approx(share_above, abs=0.02)


def test_negative_skew_and_fat_tails_lower_the_confidence():
    rng = np.random.default_rng(5)
    normal = rng.standard_normal(2000)
    crashes = np.where(rng.random(2000) < 0.02, -8.0, 0.3)
    ratios = []
    for sample in (normal, crashes):
        standard = (sample - sample.mean()) / sample.std(ddof=1) + 0.1
        ratios.append(probabilistic_sharpe_ratio(standard, 0.05))
    assert ratios[1] < ratios[0] - 0.001


def test_deflated_ratio_of_the_luckiest_of_many_is_rarely_convincing_and_one_of_one_is_not_deflated():
    rng = np.random.default_rng(6)
    convinced = 0
    for _ in range(200):
        returns = rng.standard_normal((250, 20))
        sharpes = returns.mean(axis=0) / returns.std(axis=0, ddof=1)
        convinced += deflated_sharpe_ratio(returns[:, sharpes.argmax()], sharpes) >= 0.95
    assert convinced <= 10  # without deflation nearly two thirds would be: 1 − 0.95²⁰
    returns = rng.standard_normal(500) + 0.1
    alone = deflated_sharpe_ratio(returns, np.array([0.1]))
    assert alone == pytest.approx(probabilistic_sharpe_ratio(returns, 0.0))
    assert alone == pytest.approx(norm.cdf(returns.mean() / returns.std(ddof=1) * math.sqrt(499)), abs=0.02)


def test_figures_without_data_are_not_numbers():
    assert math.isnan(deflated_sharpe_ratio(np.zeros(100), np.array([0.1, 0.2])))
    assert math.isnan(deflated_sharpe_ratio(np.random.default_rng(0).standard_normal(100), np.array([0.1, np.nan])))
