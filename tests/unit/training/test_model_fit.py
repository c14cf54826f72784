"""One LightGBM fit: what it may use, and that it repeats."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.training.model import count_leaves, fit_rows, fit_window, kept_rounds, predict_raw, prediction_scale
from tradewind.training.panel import Panel

PARAMETERS = {"learning_rate": 0.1, "num_leaves": 4, "min_data_in_leaf": 10, "feature_fraction": 0.7}
ROWS = 300
ALL = np.arange(ROWS, dtype=np.intp)
BOUNDARY = 240  # the newest fifth decides when to stop


def _panel(horizon: int = 10) -> Panel:
    rng = np.random.default_rng(2)
    features = rng.standard_normal((ROWS, 3))
    label = np.sign(features[:, 0] + rng.standard_normal(ROWS)).round()
    return Panel(
        symbols=("AAA",),
        feature_names=("tech_a_1_raw", "tech_b_1_raw", "tech_c_1_raw"),
        symbol=np.zeros(ROWS, dtype=np.int64),
        decision_time=np.arange(ROWS),
        t1=np.arange(ROWS) + horizon,
        features=features,
        label=label,
        log_return=label * 0.01,
        weight=np.ones(ROWS),
        annual_volatility=np.full(ROWS, 0.2),
    )


def _text(panel: Panel) -> str:
    return str(fit_window(panel, ALL, "classification", PARAMETERS, 7).model_to_string())


def test_labels_that_were_open_when_the_stopping_part_began_are_not_learned_from():
    honest, poisoned, seen = _panel(), _panel(), _panel()
    poisoned.label[BOUNDARY - 10 : BOUNDARY] *= -1  # known at the boundary or later
    seen.label[BOUNDARY - 11] *= -1  # known just before it
    assert _text(honest) == _text(poisoned)
    assert _text(honest) != _text(seen)


def test_rounds_stop_where_the_newest_part_stops_improving():
    panel = _panel()
    booster = fit_window(panel, ALL, "classification", PARAMETERS, 7)
    newest = slice(BOUNDARY, ROWS)
    truth = (panel.label[newest] + 1).astype(int)

    def loss(rounds: int) -> float:
        probabilities = booster.predict(panel.features[newest], num_iteration=rounds)
        return float(-np.log(probabilities[np.arange(len(truth)), truth]).mean())

    kept = kept_rounds(booster)
    assert 1 < kept < 160
    assert loss(kept) == pytest.approx(min(loss(rounds) for rounds in range(1, booster.current_iteration() + 1)))
    assert np.array_equal(predict_raw(booster, panel.features), booster.predict(panel.features, num_iteration=kept))


def test_the_same_fit_twice_is_the_same_text_and_another_seed_is_not():
    panel = _panel()
    texts = [fit_rows(panel, ALL, "classification", PARAMETERS, seed, 10).model_to_string() for seed in (7, 7, 8)]
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


def test_leaves_of_all_trees_are_counted():
    booster = fit_rows(_panel(), ALL, "classification", PARAMETERS, 7, 5)
    nodes = booster.trees_to_dataframe()
    assert count_leaves(booster) == int(nodes["split_feature"].isna().sum())


def test_a_window_shorter_than_its_labels_still_gives_a_model():
    booster = fit_window(_panel(horizon=1000), ALL, "classification", PARAMETERS, 7)
    assert booster.current_iteration() > 0


def test_the_unit_of_a_regression_is_the_spread_of_its_labels():
    panel = _panel()
    assert prediction_scale(panel, ALL, "regression") == pytest.approx(np.std(panel.label, ddof=1))
    assert prediction_scale(panel, ALL, "classification") == 1.0
