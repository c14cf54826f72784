"""The out-of-sample record of a set of parameters, on data where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tradewind.specs import Strategy
from tradewind.training.market import Market
from tradewind.training.panel import Panel
from tradewind.training.search import score
from tradewind.training.walk_forward import assemble, run_folds, walk_forward

DAY = 86_400 * 10**9
PARAMETERS = {"learning_rate": 0.2, "num_leaves": 4, "min_data_in_leaf": 20}


def _spec(objective: str = "Sharpe", label: dict | None = None, cost_bps: float = 0.0):
    return Strategy.model_validate(
        {
            "apiVersion": "tradewind.dev/v1alpha1",
            "kind": "Strategy",
            "metadata": {"name": "s"},
            "spec": {
                "riskPolicy": "p",
                "universe": {"symbols": ["AAA", "BBB"]},
                "sizing": {"maxPositionPct": 0.5, "method": "PercentEquity"},
                "training": {
                    "label": label or {"kind": "TripleBarrier", "horizonBars": 1},
                    "splits": {"trainBars": 150, "validationBars": 40, "stepBars": 40},
                    "search": {"objective": objective},
                    "costBps": cost_bps,
                },
            },
        }
    ).spec


def _world(informative: bool, seed: int = 0, bars: int = 320) -> tuple[Panel, Market]:
    """Two symbols; the first feature is the sign of the next bar's move, or noise."""
    rng = np.random.default_rng(seed)
    sign = rng.choice([-1.0, 1.0], (bars, 2))
    move = 0.01 * sign * rng.uniform(0.5, 1.5, (bars, 2))
    close = 100 * np.exp(np.cumsum(np.vstack([np.zeros(2), move[:-1]]), axis=0))
    opens = np.vstack([close[:1], close[:-1]])  # each bar opens where the last one closed
    fixed = [np.round(table * 1e8).astype(np.int64) for table in (opens, close)]
    times = np.arange(bars) * DAY
    rows = bars - 1
    signal = sign[:rows] if informative else rng.standard_normal((rows, 2))
    features = np.column_stack([signal.ravel(), rng.standard_normal(2 * rows)])
    panel = Panel(
        symbols=("AAA", "BBB"),
        feature_names=("tech_a_1_raw", "tech_b_1_raw"),
        symbol=np.tile([0, 1], rows),
        decision_time=np.repeat(times[:rows], 2),
        t1=np.repeat(times[1:], 2),
        features=features,
        label=sign[:rows].ravel(),
        log_return=move[:rows].ravel(),
        weight=np.ones(2 * rows),
        annual_volatility=np.full(2 * rows, 0.2),
    )
    return panel, Market(times, ("AAA", "BBB"), *fixed)


def test_a_feature_that_knows_the_answer_wins_every_day_and_noise_does_not():
    knowing = walk_forward(*_world(informative=True), _spec(), PARAMETERS)
    assert np.all(knowing.returns[1:] > 0)
    assert np.nanmean(knowing.ic) > 0.8
    assert knowing.log_loss < 0.2
    noise = walk_forward(*_world(informative=False), _spec(), PARAMETERS)
    assert 0.3 < np.mean(noise.returns > 0) < 0.7
    assert abs(np.nanmean(noise.ic)) < 0.25


def test_the_record_covers_each_validation_bar_once_and_nothing_else():
    panel, market = _world(informative=True)
    record = walk_forward(panel, market, _spec(), PARAMETERS)
    # 319 times; train 150 + purge 1 + embargo 4; three windows of 40 fit behind
    assert np.array_equal(record.times, market.times[319 - 160 : 319])
    assert len(record.returns) == len(record.times)
    assert len(record.rounds) == 4


def test_splits_may_be_run_anywhere_and_give_the_same_record():
    panel, market = _world(informative=False)
    whole = walk_forward(panel, market, _spec(), PARAMETERS)
    odd = run_folds(panel, market, _spec(), PARAMETERS, [3, 1])
    even = run_folds(panel, market, _spec(), PARAMETERS, [0, 2])
    dealt = assemble(panel, market, _spec(), [even[0], odd[1], even[1], odd[0]])
    assert np.array_equal(whole.returns, dealt.returns)
    assert np.array_equal(whole.ic, dealt.ic)
    assert np.any(whole.returns != 0)


def test_validation_labels_do_not_reach_the_predictions():
    panel, market = _world(informative=False)
    honest = walk_forward(panel, market, _spec(), PARAMETERS)
    last = panel.decision_time >= market.times[319 - 40]
    panel.label[last] *= -1
    flipped = walk_forward(panel, market, _spec(), PARAMETERS)
    assert np.array_equal(honest.returns, flipped.returns)
    assert honest.log_loss != flipped.log_loss


def test_in_sample_is_better_than_out_of_sample_on_noise():
    panel, market = _world(informative=False)
    record = walk_forward(panel, market, _spec(), {**PARAMETERS, "num_leaves": 16}, in_sample=True)
    assert record.in_sample_sharpe is not None
    assert record.in_sample_sharpe > 2
    assert walk_forward(panel, market, _spec(), PARAMETERS).in_sample_sharpe is None


def test_regression_on_forward_returns_finds_the_same_signal():
    panel, market = _world(informative=True)
    panel.label[:] = panel.log_return
    record = walk_forward(panel, market, _spec(label={"kind": "ForwardReturn", "horizonBars": 1}), PARAMETERS)
    assert np.mean(record.returns > 0) > 0.95
    assert math.isnan(record.log_loss)


def test_score_rewards_the_objective_and_charges_for_leaves():
    record = walk_forward(*_world(informative=True), _spec(), PARAMETERS)
    returns = record.returns
    annual = returns.mean() / returns.std(ddof=1) * math.sqrt(252)
    assert score(record, "Sharpe", 252) == pytest.approx(annual - 0.05 * record.leaves_per_row)
    assert score(record, "IC", 252) == pytest.approx(np.nanmean(record.ic) - 0.002 * record.leaves_per_row)
    assert score(record, "LogLoss", 252) == pytest.approx(-record.log_loss - 0.002 * record.leaves_per_row)
    assert 0 < record.leaves_per_row < 3


def test_a_record_without_trades_scores_below_any_that_lost():
    panel, market = _world(informative=True)
    idle = _spec().model_copy(
        update={"signal": _spec().signal.model_copy(update={"min_confidence": 1.0, "threshold": 1.0})}
    )
    record = walk_forward(panel, market, idle, PARAMETERS)
    assert np.all(record.returns == 0)
    assert score(record, "Sharpe", 252) < -50
