"""Predictions, signals, sizing and the identity of intents."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.specs.strategy import SignalRules, Sizing
from tradewind.trading.intents import intent_id
from tradewind.trading.model_card import ModelCard
from tradewind.trading.predictions import to_predictions
from tradewind.trading.signals import decide_signal
from tradewind.trading.sizing import keeps_position, target_quantity, target_share

CARD = ModelCard(
    name="m", task="classification", feature_set="s", feature_set_version="v", features=["a"], horizon_bars=5,
    label="TripleBarrier", prediction_scale=1.0, gates=[], gates_passed=False, trained_from=0, trained_until=1, rows=1,
    seed=1, parameters={},
)  # fmt: skip


def test_class_probabilities_become_up_minus_down() -> None:
    values, confidence = to_predictions(np.array([[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]]), CARD)
    np.testing.assert_allclose(values, [0.3, -0.6])
    np.testing.assert_allclose(confidence, [0.5, 0.7])


def test_a_return_is_measured_in_spreads_of_the_labels() -> None:
    card = CARD.model_copy(update={"task": "regression", "prediction_scale": 0.02})
    values, confidence = to_predictions(np.array([0.02, -0.04]), card)
    np.testing.assert_allclose(values, [math.tanh(1), math.tanh(-2)])
    np.testing.assert_allclose(confidence, np.abs(values))


@pytest.mark.parametrize(
    ("task", "shape"), [("classification", (4,)), ("classification", (4, 2)), ("regression", (4, 3))]
)
def test_outputs_of_another_shape_are_refused(task: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="model m: expected"):
        to_predictions(np.zeros(shape), CARD.model_copy(update={"task": task}))


RULES = SignalRules(threshold=0.1, min_confidence=0.4, full_strength_at=0.3)


@pytest.mark.parametrize(
    ("prediction", "confidence", "warm", "fresh", "reason"),
    [
        (0.9, 0.9, False, True, "not_warm"),
        (0.9, 0.9, True, False, "stale_features"),
        (math.nan, 0.9, True, True, "not_a_number"),
        (0.9, math.inf, True, True, "not_a_number"),
        (0.9, 0.39, True, True, "low_confidence"),
        (0.0999, 0.9, True, True, "below_threshold"),
    ],
)
def test_every_doubt_is_flat(prediction: float, confidence: float, warm: bool, fresh: bool, reason: str) -> None:
    decision = decide_signal(prediction, confidence, RULES, warm=warm, fresh=fresh)
    assert (decision.strength, decision.reason) == (0.0, reason)


@pytest.mark.parametrize(("prediction", "strength"), [(0.1, 1 / 3), (0.3, 1.0), (0.9, 1.0), (-0.15, -0.5)])
def test_strength_grows_to_one_and_keeps_its_sign(prediction: float, strength: float) -> None:
    assert decide_signal(prediction, 0.9, RULES, warm=True, fresh=True).strength == pytest.approx(strength)


def test_directions_not_taken_are_flat_after_inversion() -> None:
    long_only = RULES.model_copy(update={"direction": "LongOnly"})
    assert decide_signal(-0.5, 0.9, long_only, warm=True, fresh=True).reason == "long_only"
    contrarian = long_only.model_copy(update={"invert": True})
    assert decide_signal(-0.5, 0.9, contrarian, warm=True, fresh=True).strength == 1.0
    assert decide_signal(0.5, 0.9, contrarian, warm=True, fresh=True).strength == 0.0


SIZING = Sizing(target_volatility=0.15, max_position_pct=0.2, min_position_pct=0.01)


@given(st.floats(-1, 1), st.floats(0.01, 3))
def test_a_share_never_passes_its_maximum_and_has_the_signals_sign(strength: float, volatility: float) -> None:
    share = target_share(strength, volatility, SIZING)
    assert abs(share) <= SIZING.max_position_pct + 1e-12
    assert share * strength >= 0
    assert share == 0 or abs(share) >= SIZING.min_position_pct


def test_twice_the_volatility_is_half_the_position() -> None:
    assert target_share(1.0, 0.30, SIZING) == pytest.approx(target_share(1.0, 0.15, SIZING) / 2)


@pytest.mark.parametrize("volatility", [math.nan, 0.0, -0.1, math.inf])
def test_an_unknown_volatility_is_no_position(volatility: float) -> None:
    assert target_share(1.0, volatility, SIZING) == 0.0


@given(st.floats(-1, 1), st.integers(0, 10**16), st.integers(1, 10**13))
def test_whole_shares_never_cost_more_than_the_share_of_capital(share: float, capital: int, price: int) -> None:
    quantity = target_quantity(share, capital, price)
    assert quantity % 10**9 == 0
    assert abs(quantity) // 10**9 * price <= abs(share) * capital * (1 + 1e-9) + 1
    assert quantity == 0 or (quantity > 0) == (share > 0)


def test_a_quantity_uses_the_budget_up_to_one_share() -> None:
    assert target_quantity(0.1, 100_000 * 10**8, 333 * 10**8) == 30 * 10**9  # 10,000 / 333 = 30.03
    assert target_quantity(-0.1, 100_000 * 10**8, 333 * 10**8) == -30 * 10**9


@pytest.mark.parametrize("price", [0, -1])
def test_a_price_that_is_not_positive_is_refused(price: int) -> None:
    with pytest.raises(ValueError, match="price must be positive"):
        target_quantity(0.1, 10**10, price)


@pytest.mark.parametrize(
    ("current", "target", "kept"),
    [
        (100, 110, True),
        (100, 125, False),
        (100, 90, True),
        (0, 0, True),
        (0, 5, False),
        (5, 0, False),
        (-100, 100, False),
    ],
)
def test_a_position_close_to_its_target_is_left_alone(current: int, target: int, kept: bool) -> None:
    assert keeps_position(current, target, 0.2) is kept


def test_an_intents_id_depends_on_each_part_and_on_nothing_else() -> None:
    base = ("strategy/default/a", "AAPL", 1_700_000_000_000_000_000, 0)
    others = [
        ("strategy/default/b", *base[1:]),
        (base[0], "MSFT", *base[2:]),
        (*base[:2], base[2] + 1, 0),
        (*base[:3], 1),
    ]
    ids = [intent_id(*base), *(intent_id(*o) for o in others)]
    assert len(set(ids)) == len(ids)
    assert intent_id(*base) == ids[0]
    # Parts can't run into one another.
    assert intent_id("a", "b1", 2, 3) != intent_id("a", "b", 12, 3)
