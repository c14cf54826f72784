"""Promotion gates: each figure of a model's out-of-sample record beside its threshold (R-05-69, R-05-70). Core.

A gate answers pass, fail or inconclusive; inconclusive (too little data, a figure that is not a number) is not a pass.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tradewind.specs.training import Gates
from tradewind.trading.model_card import GateResult
from tradewind.training.overfitting import deflated_sharpe_ratio, probability_of_backtest_overfitting
from tradewind.training.performance import annual_sharpe, max_drawdown, sharpe
from tradewind.training.walk_forward import OutOfSample

Verdict = Literal["pass", "fail", "inconclusive"]

# A quarter of daily bars; a shorter record says nothing about a Sharpe ratio or a drawdown.
MIN_RETURNS = 63
# Below this, the standard error of a win rate is above nine points.
MIN_TRADES_FOR_RATE = 30
MIN_SPLITS_FOR_IC = 3


def evaluate_gates(
    chosen: OutOfSample, trial_returns: NDArray[np.float64], gates: Gates, periods_per_year: float
) -> list[GateResult]:
    """All eight gates for the chosen trial.

    `chosen` needs its in-sample Sharpe ratio. `trial_returns`: out-of-sample returns of every trial, one column each,
    the chosen one among them; figures of overfitting are taken from the whole search, not from the winner alone.
    """
    enough = len(chosen.returns) >= MIN_RETURNS
    out_of_sample = annual_sharpe(chosen.returns, periods_per_year) if enough else math.nan
    trades = len(chosen.trades)
    win_rate = float(np.mean(chosen.trades > 0)) if trades >= MIN_TRADES_FOR_RATE else math.nan
    ic = chosen.ic[np.isfinite(chosen.ic)]
    # A trial that never traded earned nothing: it counts as a Sharpe ratio of zero, not as missing.
    sharpes = np.nan_to_num(np.array([sharpe(column) for column in trial_returns.T]), nan=0.0)
    return [
        gate("sharpe", out_of_sample, ">=", gates.min_sharpe),
        gate("max_drawdown", max_drawdown(chosen.returns) if enough else math.nan, "<=", gates.max_drawdown),
        gate("trades", float(trades), ">=", float(gates.min_trades)),
        gate("win_rate", win_rate, ">=", gates.min_win_rate),
        gate("pbo", probability_of_backtest_overfitting(trial_returns), "<=", gates.max_pbo),
        gate(
            "deflated_sharpe",
            deflated_sharpe_ratio(chosen.returns, sharpes) if enough else math.nan,
            ">=",
            gates.min_deflated_sharpe,
        ),
        gate("ic", float(ic.mean()) if len(ic) >= MIN_SPLITS_FOR_IC else math.nan, ">=", gates.min_ic),
        _is_oos_ratio(chosen.in_sample_sharpe, out_of_sample, gates.max_is_oos_ratio),
    ]


def gates_pass(results: list[GateResult]) -> bool:
    """Whether every gate passed."""
    return all(result.verdict == "pass" for result in results)


def gate(name: str, value: float, comparison: Literal[">=", "<="], threshold: float) -> GateResult:
    """One figure against one threshold; a figure that is not a finite number is inconclusive."""
    if not math.isfinite(value):
        return GateResult(name=name, verdict="inconclusive", value=None, threshold=threshold, comparison=comparison)
    met = value >= threshold if comparison == ">=" else value <= threshold
    verdict: Verdict = "pass" if met else "fail"
    return GateResult(name=name, verdict=verdict, value=value, threshold=threshold, comparison=comparison)


def _is_oos_ratio(in_sample: float | None, out_of_sample: float, threshold: float) -> GateResult:
    """In-sample over out-of-sample Sharpe ratio.

    A gain in sample that is a loss out of sample has no ratio and is the plainest failure there is. Without a gain in
    sample there is nothing to compare.
    """
    name = "is_oos_ratio"
    if in_sample is None or not math.isfinite(in_sample) or not math.isfinite(out_of_sample) or in_sample <= 0:
        return gate(name, math.nan, "<=", threshold)
    if out_of_sample <= 0:
        return GateResult(name=name, verdict="fail", value=None, threshold=threshold, comparison="<=")
    return gate(name, in_sample / out_of_sample, "<=", threshold)
