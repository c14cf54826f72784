"""Out-of-sample record of one set of parameters: fit, predict and trade each split in turn. Core."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tradewind.specs.strategy import StrategySpec
from tradewind.specs.training import TripleBarrierLabel
from tradewind.training.market import Market
from tradewind.training.model import (
    Parameters,
    Task,
    count_leaves,
    fit_window,
    kept_rounds,
    predict_raw,
    prediction_scale,
    predictions_of,
)
from tradewind.training.panel import Panel
from tradewind.training.performance import annual_sharpe, rank_correlation
from tradewind.training.simulation import Simulation, simulate
from tradewind.training.splits import PurgedWalkForward, Rows, assert_no_leakage

Floats = NDArray[np.float64]

_SMALLEST_PROBABILITY = 1e-12


@dataclass(frozen=True)
class OutOfSample:
    """What the splits' models did on bars they had not seen.

    times: decision times, ns; returns[i] is the return of the bar after times[i], after costs. ic: rank correlation of
    prediction and outcome per split (NaN where undefined). log_loss: mean over validation rows (NaN for regression).
    rounds: boosting rounds kept per split. leaves_per_row: leaves of a split's trees over its training rows, mean.
    in_sample_sharpe: annualised, mean over splits, of the same rules on the bars trained on; None unless asked for.
    """

    times: NDArray[np.int64]
    returns: Floats
    turnover: Floats
    trades: Floats
    ic: Floats
    log_loss: float
    rounds: NDArray[np.int64]
    leaves_per_row: float
    in_sample_sharpe: float | None


@dataclass(frozen=True)
class Fold:
    """One split's answer: predictions on its validation rows, and figures as in `OutOfSample`."""

    validation: Rows
    prediction: Floats
    confidence: Floats
    ic: float
    log_loss: Floats
    rounds: int
    leaves_per_row: float
    in_sample_sharpe: float | None


def task_of(spec: StrategySpec) -> Task:
    """Classification for barrier labels, regression for returns."""
    return "classification" if isinstance(spec.training.label, TripleBarrierLabel) else "regression"


def make_splitter(panel: Panel, spec: StrategySpec) -> PurgedWalkForward:
    """The strategy's splitter for this panel."""
    training = spec.training
    return PurgedWalkForward(training.splits, panel.decision_time, panel.t1, training.label.horizon_bars)


def walk_forward(
    panel: Panel, market: Market, spec: StrategySpec, parameters: Parameters, *, in_sample: bool = False
) -> OutOfSample:
    """Fit each split's training window, predict its validation window, trade the predictions as one run."""
    splits = range(make_splitter(panel, spec).get_n_splits())
    return assemble(panel, market, spec, run_folds(panel, market, spec, parameters, splits, in_sample=in_sample))


def run_folds(
    panel: Panel,
    market: Market,
    spec: StrategySpec,
    parameters: Parameters,
    which: Iterable[int],
    *,
    in_sample: bool = False,
) -> list[Fold]:
    """Fit and predict the splits numbered in `which`. Splits don't depend on one another: any process may run any."""
    splits = list(make_splitter(panel, spec).split(panel.features))
    for train, validation in splits:
        assert_no_leakage(train, validation, panel.decision_time, panel.t1)
    return [_run_fold(panel, market, spec, parameters, splits[index], in_sample) for index in which]


def assemble(panel: Panel, market: Market, spec: StrategySpec, folds: Sequence[Fold]) -> OutOfSample:
    """The record of all splits, oldest first, traded as one run.

    Where validation windows overlap, the newest model decides, as it would after a retraining.
    """
    decisions = _Decisions(market)
    for fold in folds:
        decisions.put(panel, fold.validation, fold.prediction, fold.confidence)
    rows = np.unique(np.concatenate([market.at(panel.decision_time[fold.validation]) for fold in folds]))
    record = decisions.simulate(spec, int(rows[0]), int(rows[-1]))
    # A step longer than the validation window leaves bars without a model: they are no part of the record.
    covered = rows - rows[0]
    in_sample_sharpes = [fold.in_sample_sharpe for fold in folds if fold.in_sample_sharpe is not None]
    return OutOfSample(
        times=market.times[rows],
        returns=record.returns[covered],
        turnover=record.turnover[covered],
        trades=record.trades,
        ic=np.array([fold.ic for fold in folds]),
        log_loss=float(np.mean(np.concatenate([fold.log_loss for fold in folds]))),
        rounds=np.array([fold.rounds for fold in folds], dtype=np.int64),
        leaves_per_row=float(np.mean([fold.leaves_per_row for fold in folds])),
        in_sample_sharpe=float(np.mean(in_sample_sharpes)) if in_sample_sharpes else None,
    )


def _run_fold(
    panel: Panel, market: Market, spec: StrategySpec, parameters: Parameters, split: tuple[Rows, Rows], in_sample: bool
) -> Fold:
    train, validation = split
    task = task_of(spec)
    scale = prediction_scale(panel, train, task)
    booster = fit_window(panel, train, task, parameters, spec.training.search.seed)
    raw = predict_raw(booster, panel.features[validation])
    prediction, confidence = predictions_of(raw, task, scale)
    seen = None
    if in_sample:
        fitted = predictions_of(predict_raw(booster, panel.features[train]), task, scale)
        seen = _in_sample_sharpe(panel, market, spec, train, *fitted)
    return Fold(
        validation=validation,
        prediction=prediction,
        confidence=confidence,
        ic=rank_correlation(prediction, panel.log_return[validation]),
        log_loss=_log_loss(raw, panel.label[validation]) if task == "classification" else np.array([np.nan]),
        rounds=kept_rounds(booster),
        leaves_per_row=count_leaves(booster) / len(train),
        in_sample_sharpe=seen,
    )


def _in_sample_sharpe(
    panel: Panel, market: Market, spec: StrategySpec, rows: Rows, prediction: Floats, confidence: Floats
) -> float:
    decisions = _Decisions(market)
    decisions.put(panel, rows, prediction, confidence)
    where = market.at(panel.decision_time[rows])
    record = decisions.simulate(spec, int(where[0]), int(where[-1]))
    value = annual_sharpe(record.returns, market.periods_per_year)
    return value if np.isfinite(value) else 0.0  # a model that never traded earned nothing


class _Decisions:
    """What is known at each decision, on the market's grid; NaN where no model has spoken."""

    def __init__(self, market: Market) -> None:
        self._market = market
        shape = (len(market.times), len(market.symbols))
        self._prediction, self._confidence, self._volatility = (np.full(shape, np.nan) for _ in range(3))

    def put(self, panel: Panel, rows: Rows, prediction: Floats, confidence: Floats) -> None:
        """Set the cells of the panel's `rows`; what was there is replaced."""
        cells = self._market.at(panel.decision_time[rows]), panel.symbol[rows]
        self._prediction[cells], self._confidence[cells] = prediction, confidence
        self._volatility[cells] = panel.annual_volatility[rows]

    def simulate(self, spec: StrategySpec, first: int, last: int) -> Simulation:
        """Trade grid rows [first, last]."""
        return simulate(
            self._prediction,
            self._confidence,
            self._volatility,
            self._market,
            first,
            last,
            spec.signal,
            spec.sizing,
            spec.training.cost_bps,
        )


def _log_loss(probabilities: Floats, label: Floats) -> Floats:
    chosen = probabilities[np.arange(len(label)), (label + 1).astype(np.intp)]
    losses: Floats = -np.log(np.maximum(chosen, _SMALLEST_PROBABILITY))
    return losses
