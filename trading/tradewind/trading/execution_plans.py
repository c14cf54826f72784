"""From a strategy's execution settings to the plan that its intents carry. Core."""

from __future__ import annotations

import math

from tradewind.native.algorithms import PPM, almgren_chriss_rate
from tradewind.specs import Strategy
from tradewind.specs.base import duration_ns
from tradewind.specs.notices import spreads
from tradewind.specs.strategy import Impact
from tradewind.v1 import trading_pb2

_ALGORITHMS = {
    "Twap": trading_pb2.ALGORITHM_TWAP,
    "Vwap": trading_pb2.ALGORITHM_VWAP,
    "ImplementationShortfall": trading_pb2.ALGORITHM_IMPLEMENTATION_SHORTFALL,
    "Participation": trading_pb2.ALGORITHM_PARTICIPATION,
    "Adaptive": trading_pb2.ALGORITHM_ADAPTIVE,
    "Smart": trading_pb2.ALGORITHM_SMART,
}
_BPS_PER_MILLION = 1e-4 / 1e6
_TRADING_DAYS = 252


def execution_plan(strategy: Strategy, annual_volatility: float) -> trading_pb2.ExecutionPlan | None:
    """How an order of `strategy` is spread over time; None: at once (also where a window is no longer than a bar).

    `annual_volatility` of returns, for the risk that waiting costs; not finite: waiting is taken to cost nothing, which
    makes the slices equal.
    """
    if not spreads(strategy):
        return None
    execution = strategy.spec.execution
    interval = duration_ns(execution.interval)
    return trading_pb2.ExecutionPlan(
        algorithm=_ALGORITHMS[execution.algorithm],
        duration=duration_ns(execution.duration),
        interval=interval,
        participation=round(execution.participation * PPM),
        jitter=round(execution.jitter * PPM),
        risk_rate=_risk_rate(execution.impact, annual_volatility, interval),
    )


def _risk_rate(impact: Impact, annual_volatility: float, interval: int) -> int:
    daily = impact.daily_volatility
    if daily is None:
        if not (math.isfinite(annual_volatility) and annual_volatility > 0):
            return 0
        daily = min(annual_volatility / math.sqrt(_TRADING_DAYS), 1.0)
    return almgren_chriss_rate(
        impact.risk_aversion,
        daily,
        impact.temporary_bps * _BPS_PER_MILLION,
        impact.permanent_bps * _BPS_PER_MILLION,
        interval,
    )
