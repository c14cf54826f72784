"""Each gate passes, fails, or says that it cannot tell."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.specs.training import Gates
from tradewind.training.gates import evaluate_gates, gates_pass
from tradewind.training.walk_forward import OutOfSample

GATES = Gates()
NAMES = ["sharpe", "max_drawdown", "trades", "win_rate", "pbo", "deflated_sharpe", "ic", "is_oos_ratio"]


def _record(**changes) -> OutOfSample:
    """A record that is good by every gate, then `changes`."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(640)
    returns = 0.01 * (noise - noise.mean()) / noise.std(ddof=1) + 0.002  # an annual Sharpe ratio of 3.17
    good = {
        "times": np.arange(640),
        "returns": returns,
        "turnover": np.full(640, 0.1),
        "trades": np.concatenate([np.full(80, 0.01), np.full(60, -0.01)]),
        "ic": np.array([0.05, 0.02, 0.04, np.nan]),
        "log_loss": 1.0,
        "rounds": np.array([10]),
        "leaves_per_row": 0.1,
        "in_sample_sharpe": 4.0,
    }
    return OutOfSample(**(good | changes))


def _results(record: OutOfSample, trials: np.ndarray | None = None) -> dict:
    if trials is None:
        noise = np.random.default_rng(1).standard_normal((len(record.returns), 5)) * 0.01
        trials = np.column_stack([noise, record.returns])
    return {result.name: result for result in evaluate_gates(record, trials, GATES, 252.0)}


def test_a_good_record_passes_all_eight_gates_each_beside_its_threshold():
    results = _results(_record())
    assert list(results) == NAMES
    assert {result.verdict for result in results.values()} == {"pass"}
    assert gates_pass(list(results.values()))
    assert results["sharpe"].value == pytest.approx(0.2 * np.sqrt(252))
    assert (results["sharpe"].threshold, results["sharpe"].comparison) == (1.0, ">=")
    assert (results["max_drawdown"].threshold, results["max_drawdown"].comparison) == (0.10, "<=")
    assert results["trades"].value == 140
    assert results["win_rate"].value == pytest.approx(80 / 140)
    assert results["ic"].value == pytest.approx((0.05 + 0.02 + 0.04) / 3)
    assert results["is_oos_ratio"].value == pytest.approx(4.0 / (0.2 * np.sqrt(252)))


@pytest.mark.parametrize(
    ("gate", "changes"),
    [
        ("sharpe", {"returns": _record().returns - 0.0018}),
        ("max_drawdown", {"returns": np.concatenate([_record().returns, [-0.2]])}),
        ("trades", {"trades": np.full(99, 0.01)}),
        ("win_rate", {"trades": np.concatenate([np.full(50, 0.01), np.full(90, -0.01)])}),
        ("deflated_sharpe", {"returns": _record().returns - 0.0018}),
        ("ic", {"ic": np.array([0.05, -0.05, 0.0])}),
        ("is_oos_ratio", {"in_sample_sharpe": 9.0}),
        ("is_oos_ratio", {"returns": _record().returns - 0.004}),
    ],
)
def test_a_bad_figure_fails_its_gate_and_with_it_the_model(gate, changes):
    results = _results(_record(**changes))
    assert results[gate].verdict == "fail"
    assert not gates_pass(list(results.values()))


def test_a_search_of_noise_fails_the_gate_of_overfitting():
    rng = np.random.default_rng(1)
    trials = rng.standard_normal((320, 8)) * 0.01
    for trial in range(8):
        trials[:, trial] += np.where(np.arange(320) // 40 == trial, 0.02, -0.003)
    assert _results(_record(returns=trials[:, 0]), trials)["pbo"].verdict == "fail"


@pytest.mark.parametrize(
    ("gate", "changes"),
    [
        ("sharpe", {"returns": _record().returns[:62]}),
        ("max_drawdown", {"returns": _record().returns[:62]}),
        ("deflated_sharpe", {"returns": _record().returns[:62]}),
        ("pbo", {"returns": _record().returns[:62]}),
        ("sharpe", {"returns": np.zeros(640)}),
        ("win_rate", {"trades": np.full(29, 0.01)}),
        ("ic", {"ic": np.array([0.05, np.nan, 0.05])}),
        ("is_oos_ratio", {"in_sample_sharpe": None}),
        ("is_oos_ratio", {"in_sample_sharpe": -1.0}),
    ],
)
def test_too_little_to_tell_is_inconclusive_and_not_a_pass(gate, changes):
    results = _results(_record(**changes))
    assert (results[gate].verdict, results[gate].value) == ("inconclusive", None)
    assert not gates_pass(list(results.values()))


def test_a_trial_that_never_traded_counts_as_zero_not_as_missing():
    record = _record()
    trials = np.column_stack([record.returns, np.zeros(640)])
    assert _results(record, trials)["deflated_sharpe"].verdict == "pass"
