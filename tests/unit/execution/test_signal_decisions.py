"""What a strategy does with a prediction: signal, size, intent."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.execution.signals.decisions import Book, Decider, Prediction
from tradewind.specs import Strategy
from tradewind.trading.placement import beyond
from tradewind.v1 import features_pb2, trading_pb2

DAY = 86_400 * 10**9
NOW = 15_000 * DAY
PRICE, SHARE = 10**8, 10**9
FEATURES = ["tech_rsi_14_raw", "vol_historical_20_annual"]


def strategy(**spec: Any) -> Strategy:
    """Ten percent of the capital at full strength, one percent of prediction is enough, market orders."""
    own = {
        "riskPolicy": "paper",
        "universe": {"symbols": ["AAPL", "MSFT"]},
        "signal": {"threshold": 0.1, "fullStrengthAt": 0.5},
        "sizing": {"method": "PercentEquity", "maxPositionPct": 0.1, "rebalanceThreshold": 0.2},
        "execution": {"orderType": "Market", "validFor": "2d"},
        **spec,
    }
    document = {"apiVersion": "tradewind.dev/v1alpha1", "kind": "Strategy", "metadata": {"name": "one"}, "spec": own}
    return Strategy.model_validate(document)


def vector(**changes: Any) -> features_pb2.FeatureVector:
    fields: dict[str, Any] = {
        "symbol": "AAPL",
        "event_time": NOW,
        "available_time": NOW + 5,
        "feature_set": "daily",
        "feature_set_version": "v1",
        "values": [50.0, 0.2],
        "warm": True,
        "close": 100 * PRICE,
    }
    return features_pb2.FeatureVector(**{**fields, **changes})


def prediction(value: float, confidence: float = 0.9) -> Prediction:
    return Prediction(value, confidence, "model-a", "7", "candidate", False)


def book(shares: int = 0, equity: int = 100_000) -> Book:
    return Book(NOW, equity * PRICE, {"AAPL": shares * SHARE})


def decider(own: Strategy | None = None) -> Decider:
    return Decider(own or strategy(), "paper", 3, FEATURES, FEATURES[1])


def test_an_intent_carries_its_algorithm() -> None:
    execution = {"orderType": "Market", "algorithm": "Twap", "duration": "30m", "urgency": 0.75}
    intent = decider(strategy(bars="1m", execution=execution)).decide(vector(), 4, prediction(0.5), book(), NOW).intent
    assert intent is not None
    assert (intent.plan.algorithm, intent.plan.duration, intent.urgency) == (1, 1800 * 10**9, 0.75)
    daily = decider(strategy(execution=execution)).decide(vector(), 4, prediction(0.5), book(), NOW).intent
    assert daily is not None
    assert not daily.HasField("plan")


# strength 1 buys 10% of 100,000 USD at 100 USD
@pytest.mark.parametrize(
    ("value", "held", "target"),
    [
        (0.5, 0, 100),
        (-0.5, 0, -100),
        (0.25, 0, 50),
        (0.05, 30, 0),  # too weak to be in the market
        (0.9, 0, 100),  # never above the largest position
        (-0.5, 40, -100),
        (0.5, 81, None),  # within a fifth of the target: left alone
        (0.5, 79, 100),
        (0.05, 0, None),
    ],
)
def test_position_aimed_at(value: float, held: int, target: int | None) -> None:
    intent = decider().decide(vector(), 4, prediction(value), book(held), NOW).intent
    assert (None if intent is None else intent.target_quantity) == (None if target is None else target * SHARE)


def test_capital_is_the_strategys_share_of_the_equity() -> None:
    intent = decider(strategy(capitalShare=0.3)).decide(vector(), 0, prediction(0.5), book(), NOW).intent
    assert intent is not None
    assert intent.target_quantity == 30 * SHARE


def test_the_named_feature_is_the_volatility() -> None:
    sizing = {"method": "VolatilityTarget", "targetVolatility": 0.1, "maxPositionPct": 0.1}
    own = decider(strategy(sizing=sizing))
    half = own.decide(vector(values=[99.0, 0.2]), 0, prediction(0.5), book(), NOW).intent
    assert half is not None
    assert half.target_quantity == 50 * SHARE
    unknown = own.decide(vector(values=[0.2, float("nan")]), 0, prediction(0.5), book(10), NOW).intent
    assert unknown is not None
    assert unknown.target_quantity == 0


def test_intent_carries_what_the_order_path_and_the_audit_ask_for() -> None:
    decision = decider().decide(vector(), 41, prediction(0.5), book(), NOW)
    intent, signal = decision.intent, decision.signal
    assert intent is not None
    uid = "strategy/default/one"
    ids = [hashlib.sha256(f"{uid}\x1fAAPL\x1f{NOW}\x1f{n}".encode()).hexdigest()[:32] for n in (0, -1)]
    assert [intent.id, signal.id] == ids
    assert (intent.strategy, intent.account, intent.symbol) == (uid, "paper", "AAPL")
    assert (intent.decision_time, intent.valid_until) == (NOW + 5, NOW + 5 + 2 * DAY)
    assert (intent.reference_price, intent.limit_price) == (100 * PRICE, 0)
    assert intent.order_type == trading_pb2.ORDER_TYPE_MARKET
    assert (intent.model, intent.model_version, intent.model_alias) == ("model-a", "7", "candidate")
    assert not intent.gates_passed
    assert (intent.signal_id, intent.policy_generation) == (signal.id, 3)
    assert (signal.feature_offset, signal.feature_set_version, signal.reason) == (41, "v1", "long")
    assert (signal.prediction, signal.confidence, signal.strength) == (0.5, 0.9, 1.0)


@pytest.mark.parametrize(
    ("changes", "now", "value", "reason"),
    [
        ({"warm": False}, NOW, 0.5, "not_warm"),
        ({}, NOW + 5 * DAY, 0.5, "long"),
        ({}, NOW + 5 * DAY + 1, 0.5, "stale_features"),
        ({}, NOW, float("nan"), "not_a_number"),
        ({}, NOW, 0.09, "below_threshold"),
    ],
)
def test_a_doubt_is_flat_and_says_so(changes: dict[str, Any], now: int, value: float, reason: str) -> None:
    decision = decider().decide(vector(**changes), 0, prediction(value), book(), now)
    assert decision.signal.reason == reason
    assert (decision.intent is None) == (reason != "long")


def test_dry_run_signals_and_sends_nothing() -> None:
    decision = decider(strategy(mode="DryRun")).decide(vector(), 0, prediction(0.5), book(), NOW)
    assert decision.signal.strength == 1.0
    assert decision.intent is None


def test_refusal_has_the_signals_id_and_no_intent() -> None:
    given_up = decider().refuse(vector(), 9, "predictor_unavailable")
    decided = decider().decide(vector(), 9, prediction(0.5), book(), NOW)
    assert given_up.intent is None
    assert given_up.signal.id == decided.signal.id
    assert (given_up.signal.reason, given_up.signal.strength) == ("predictor_unavailable", 0.0)
    assert given_up.signal.feature_offset == 9


def test_a_volatility_feature_outside_the_set_is_named() -> None:
    with pytest.raises(ValueError, match=r"vol_historical_60_annual is not in the feature set"):
        Decider(strategy(), "paper", 1, FEATURES, "vol_historical_60_annual")


@given(st.integers(10**6, 10**13), st.floats(0, 1000), st.booleans())
def test_limit_is_the_offset_price_rounded_to_cents_towards_filling(close: int, bps: float, buy: bool) -> None:
    cent, unit = Fraction(1, 100), Fraction(1, 10**8)
    offset = Fraction(round(bps * 100), 1_000_000)
    exact = Fraction(close, 10**8) * (1 + offset if buy else 1 - offset)
    got = Fraction(beyond(close, round(bps * 100), up=buy), 10**8)
    further = got - exact if buy else exact - got
    assert got % cent == 0
    # The offset itself is cut to a unit of 1e-8, which can matter at an exact cent. The lowest price is a cent.
    assert -unit < further < cent or (not buy and got == cent)


def test_limits_of_a_buy_and_of_a_sale() -> None:
    own = decider(strategy(execution={"orderType": "Limit", "limitOffsetBps": 10, "timeInForce": "Gtc"}))
    buy = own.decide(vector(close=10_001 * 10**6), 0, prediction(0.5), book(), NOW).intent
    sale = own.decide(vector(close=10_001 * 10**6), 0, prediction(0.0), book(10), NOW).intent
    assert buy is not None
    assert sale is not None
    # 100.01 ± 0.10001, to the cent towards filling
    assert (buy.limit_price, sale.limit_price) == (10_012 * 10**6, 9_990 * 10**6)
    assert buy.order_type == trading_pb2.ORDER_TYPE_LIMIT
    assert buy.time_in_force == trading_pb2.TIME_IN_FORCE_GTC


def test_an_entry_by_a_stop_carries_its_price_and_bracket() -> None:
    own = strategy(execution={"orderType": "Stop", "stopOffsetBps": 100, "bracket": {"stopLoss": 0.02}})
    intent = decider(own).decide(vector(), 1, prediction(0.5), book(), NOW + 9).intent
    assert intent is not None
    assert intent.order_type == trading_pb2.ORDER_TYPE_STOP
    assert (intent.stop_price, intent.limit_price) == (101 * PRICE, 0)
    assert (intent.stop_loss, intent.take_profit) == (98 * PRICE, 0)
    exit_ = decider(own).decide(vector(), 1, prediction(0.0), book(shares=50), NOW + 9).intent
    assert exit_ is not None
    assert (exit_.order_type, exit_.stop_loss) == (trading_pb2.ORDER_TYPE_LIMIT, 0)


def test_a_bracket_in_true_ranges_needs_their_feature() -> None:
    own = strategy(execution={"bracket": {"stopLossAtr": 2}})
    with pytest.raises(ValueError, match=r"add it to spec\.features"):
        decider(own)
    names = [*FEATURES, "vol_natr_14_raw"]
    ranged = Decider(own, "paper", 3, names, FEATURES[1])
    intent = ranged.decide(vector(values=[50.0, 0.2, 1.5]), 1, prediction(0.5), book(), NOW + 9).intent
    assert intent is not None
    assert intent.stop_loss == 97 * PRICE
    refused = ranged.decide(vector(values=[50.0, 0.2, float("nan")]), 1, prediction(0.5), book(), NOW + 9)
    assert (refused.intent, refused.signal.reason) == (None, "no_bracket")


def test_fractions_of_a_share_fill_the_whole_share_of_capital() -> None:
    own = strategy(sizing={"method": "PercentEquity", "maxPositionPct": 0.1, "fractional": True})
    intent = decider(own).decide(vector(close=300 * PRICE), 1, prediction(0.5), book(), NOW + 9).intent
    assert intent is not None
    assert intent.target_quantity == 33_333_333_333
