"""From execution settings to the plan of an intent."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tradewind.native.algorithms import Algorithm
from tradewind.specs import Strategy
from tradewind.trading.execution_plans import execution_plan
from tradewind.v1 import trading_pb2

MINUTE = 60 * 10**9


def strategy(bars: str = "1m", **execution: Any) -> Strategy:
    spec = {"riskPolicy": "paper", "bars": bars, "universe": {"symbols": ["AAPL"]}, "execution": execution}
    document = {"apiVersion": "tradewind.dev/v1alpha1", "kind": "Strategy", "metadata": {"name": "one"}, "spec": spec}
    return Strategy.model_validate(document)


def test_the_settings_are_the_plan() -> None:
    own = strategy(algorithm="Vwap", duration="30m", interval="2m", participation=0.05, jitter=0.25)
    plan = execution_plan(own, 0.3)
    assert plan is not None
    assert (plan.algorithm, plan.duration, plan.interval) == (trading_pb2.ALGORITHM_VWAP, 30 * MINUTE, 2 * MINUTE)
    assert (plan.participation, plan.jitter) == (50_000, 250_000)


@pytest.mark.parametrize(("bars", "duration", "spread"), [("1m", "2m", True), ("1h", "1h", False), ("1d", "1d", False)])
def test_a_window_no_longer_than_a_bar_is_no_plan(bars: str, duration: str, spread: bool) -> None:
    plan = execution_plan(strategy(bars, algorithm="Twap", duration=duration, interval="2m", validFor="5d"), 0.3)
    assert (plan is not None) == spread


def test_none_sends_at_once() -> None:
    assert execution_plan(strategy(), 0.3) is None


def test_risk_is_that_of_almgren_and_chriss_in_dollars() -> None:
    """kappa squared = lambda sigma^2 / (eta - gamma tau / 2), per day squared."""
    impact = {"riskAversion": 1e-6, "temporaryBps": 10, "permanentBps": 2}
    own = strategy(algorithm="ImplementationShortfall", duration="2h", interval="1h", impact=impact)
    plan = execution_plan(own, 0.32)
    assert plan is not None
    sigma, eta = 0.32 / math.sqrt(252), 1e-9 - 2e-10 / 24 / 2
    assert plan.risk_rate == round(1e-6 * sigma**2 / eta * 1e6)
    fixed = strategy(algorithm="Adaptive", duration="2h", interval="1h", impact=impact | {"dailyVolatility": 0.02})
    plan = execution_plan(fixed, math.nan)
    assert plan is not None
    assert plan.risk_rate == round(1e-6 * 0.02**2 / eta * 1e6)


def test_without_a_volatility_slices_are_equal() -> None:
    own = strategy(algorithm="ImplementationShortfall")
    for unknown in (math.nan, math.inf, 0.0, -1.0):
        plan = execution_plan(own, unknown)
        assert plan is not None
        assert plan.risk_rate == 0


def test_the_numbers_of_the_wire_are_those_of_the_engine() -> None:
    wire = {name.removeprefix("ALGORITHM_"): number for name, number in trading_pb2.Algorithm.items()}
    assert wire == {a.name: int(a) for a in Algorithm if a} | {"UNSPECIFIED": 0}
    named = [strategy(algorithm=name) for name in ("Twap", "Vwap", "Participation", "Adaptive", "Smart")]
    assert {p.algorithm for p in (execution_plan(s, 0.2) for s in named) if p} == {1, 2, 4, 5, 6}
