"""Value at risk, volatility, groups and alignment, compared with scipy, plain loops and figures on paper."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tradewind.trading.risk_measures import (
    aligned_returns,
    annual_volatility,
    correlated_groups,
    deviation,
    historical_value_at_risk,
    normal_value_at_risk,
)

moves = st.lists(st.floats(-0.2, 0.2), min_size=1, max_size=80)


@settings(max_examples=60)
@given(moves, st.sampled_from([0.9, 0.95, 0.99]))
def test_historical_value_at_risk_is_the_smallest_loss_that_few_enough_days_exceed(
    days: list[float], confidence: float
) -> None:
    value = historical_value_at_risk(np.array(days), confidence)
    allowed = int(len(days) * (1 - confidence) + 1e-9)
    assert sum(-day > value for day in days) <= allowed
    smaller = [loss for day in days if 0 <= (loss := -day) < value]
    assert all(sum(-day > loss for day in days) > allowed for loss in smaller)


def test_a_week_on_paper() -> None:
    days = np.array([0.01, -0.02, 0.0, 0.02, -0.01])
    assert historical_value_at_risk(days) == 0.02
    assert deviation(days) == pytest.approx(math.sqrt(0.0010 / 5))
    assert normal_value_at_risk(days) == pytest.approx(stats.norm.ppf(0.95) * math.sqrt(0.0002))
    assert annual_volatility(days) == pytest.approx(math.sqrt(0.0002 * 252))
    assert historical_value_at_risk(np.array([0.01, 0.02])) == 0.0


def test_one_day_in_twenty_may_be_worse() -> None:
    days = np.array([-0.5, -0.01] + [0.01] * 17)
    assert historical_value_at_risk(days) == 0.5
    assert historical_value_at_risk(np.append(days, 0.01)) == 0.01


@settings(max_examples=40)
@given(st.integers(2, 7), st.integers(0, 10**6), st.floats(0.1, 0.95))
def test_groups_are_those_of_a_plain_search(symbols: int, seed: int, threshold: float) -> None:
    random = np.random.default_rng(seed)
    returns = random.normal(size=(30, symbols)) + random.normal(size=(30, 1)) * random.uniform(0, 2, symbols)
    correlation = np.asarray(np.corrcoef(returns, rowvar=False))
    groups = list(range(symbols))
    for _ in range(symbols):
        for a, b in itertools.combinations(range(symbols), 2):
            if correlation.item(a, b) >= threshold:
                groups[a] = groups[b] = min(groups[a], groups[b])
    assert correlated_groups(returns, threshold) == groups


def test_opposite_moves_are_no_group_and_what_stands_still_is_alone() -> None:
    up = np.array([0.01, -0.02, 0.03])
    assert correlated_groups(np.column_stack([up, -up, 2 * up, 0 * up]), 0.8) == [0, 1, 0, 3]
    assert correlated_groups(np.zeros((3, 1)), 0.8) == [0]


def test_returns_line_up_by_day_and_a_young_listing_repeats_its_own() -> None:
    days = [1, 2, 3, 4]
    old = {1: 100.0, 2: 110.0, 4: 99.0}  # did not trade on day 3
    young = {3: 50.0, 4: 55.0}
    single = {4: 1.0}
    returns = aligned_returns([old, young, single], days)
    assert returns[:, 0] == pytest.approx([0.10, 0.0, -0.10])
    assert returns[:, 1] == pytest.approx([0.10, 0.10, 0.10])
    assert np.isnan(returns[:, 2]).all()


@pytest.mark.parametrize("measure", [historical_value_at_risk, normal_value_at_risk, annual_volatility])
def test_no_days_are_refused(measure: object) -> None:
    with pytest.raises(ValueError, match="give at least one day"):
        measure(np.array([]))  # type: ignore[operator]
