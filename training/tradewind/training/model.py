"""One LightGBM model: its parameters, its fit, its predictions. Core.

Fits are bit-reproducible: one thread, row-wise histograms, one seed, no row order that depends on timing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import lightgbm
import numpy as np
from numpy.typing import NDArray

from tradewind.trading.model_card import ModelCard
from tradewind.trading.predictions import to_predictions
from tradewind.training.panel import Panel
from tradewind.training.splits import Rows

Floats = NDArray[np.float64]
Parameters = Mapping[str, float | int]
Task = Literal["classification", "regression"]

MAX_ROUNDS = 160
EARLY_STOPPING_ROUNDS = 20
# Share of a training window, at its end, that decides when to stop adding trees.
STOPPING_TAIL = 0.2


def lightgbm_parameters(task: Task, parameters: Parameters, seed: int) -> dict[str, Any]:
    """Everything LightGBM is told: the searched parameters and what makes a fit repeat exactly."""
    objective = {"objective": "multiclass", "num_class": 3} if task == "classification" else {"objective": "regression"}
    return {
        **objective,
        **parameters,
        "bagging_freq": 1,
        "max_bin": 63,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": 1,
        "seed": seed,
        "feature_pre_filter": False,
        "verbosity": -1,
    }


def fit_window(panel: Panel, rows: Rows, task: Task, parameters: Parameters, seed: int) -> lightgbm.Booster:
    """Fit on the older part of `rows`, stop where the newer part stops improving.

    Labels of the older part that were still open when the newer part starts are left out (as between training and
    validation). The booster's `best_iteration` is the number of rounds kept, at least 1.
    """
    times = np.unique(panel.decision_time[rows])
    boundary = times[min(len(times) - 1, math.floor(len(times) * (1 - STOPPING_TAIL)))]
    older, newer = rows[panel.t1[rows] < boundary], rows[panel.decision_time[rows] >= boundary]
    if len(older) == 0:  # a label horizon longer than the window's older part: nothing to hold out
        return fit_rows(panel, rows, task, parameters, seed, MAX_ROUNDS // 4)
    train = _dataset(panel, older, task)
    return lightgbm.train(
        lightgbm_parameters(task, parameters, seed),
        train,
        num_boost_round=MAX_ROUNDS,
        valid_sets=[_dataset(panel, newer, task, reference=train)],
        callbacks=[lightgbm.early_stopping(EARLY_STOPPING_ROUNDS, verbose=False)],
    )


def fit_rows(panel: Panel, rows: Rows, task: Task, parameters: Parameters, seed: int, rounds: int) -> lightgbm.Booster:
    """Fit `rounds` rounds on all of `rows`."""
    return lightgbm.train(
        lightgbm_parameters(task, parameters, seed), _dataset(panel, rows, task), num_boost_round=rounds
    )


def predict_raw(booster: lightgbm.Booster, features: Floats) -> Floats:
    """Class probabilities (rows, 3) or log returns (rows,), by the rounds that early stopping kept."""
    raw = booster.predict(features)  # by default LightGBM's best iteration
    return np.asarray(raw, dtype=np.float64)


def predictions_of(raw: Floats, task: Task, prediction_scale: float) -> tuple[Floats, Floats]:
    """Predictions and confidences, by the function that serving uses."""
    card = ModelCard(
        name="walk-forward",
        task=task,
        feature_set="-",
        feature_set_version="-",
        features=["-"],
        horizon_bars=0,
        label="-",
        prediction_scale=prediction_scale,
        gates=[],
        gates_passed=False,
        trained_from=0,
        trained_until=0,
        rows=0,
        seed=0,
        parameters={},
    )
    return to_predictions(raw, card)


def prediction_scale(panel: Panel, rows: Rows, task: Task) -> float:
    """Unit of a prediction: the spread of the labels trained on (regression), or 1."""
    if task == "classification":
        return 1.0
    spread = float(np.std(panel.label[rows], ddof=1)) if len(rows) > 1 else 0.0
    return spread if spread > 0 else 1.0


def kept_rounds(booster: lightgbm.Booster) -> int:
    """Rounds that early stopping kept, or all."""
    return int(booster.best_iteration) if booster.best_iteration > 0 else int(booster.current_iteration())


def count_leaves(booster: lightgbm.Booster) -> int:
    """Leaves of all trees in the rounds kept."""
    trees = booster.dump_model(num_iteration=kept_rounds(booster))["tree_info"]
    return sum(int(tree["num_leaves"]) for tree in trees)


def _dataset(panel: Panel, rows: Rows, task: Task, reference: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
    label = panel.label[rows]
    return lightgbm.Dataset(
        panel.features[rows],
        label=label + 1 if task == "classification" else label,
        weight=panel.weight[rows],
        feature_name=list(panel.feature_names),
        reference=reference,
        params={"max_bin": 63, "feature_pre_filter": False, "verbosity": -1, "num_threads": 1},
    )
