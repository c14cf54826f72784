"""A RiskPolicy and its strategies as the native engine's configuration. Core.

The keys are the engine's own (tradewind.native.engine); shares stay shares, money and index points
are decimal text.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

from tradewind.specs import RiskPolicy, Strategy
from tradewind.specs.base import duration_ns, interval_ns
from tradewind.specs.risk import Limits, Override, overridden

# A market order reserves its notional plus this much, because its price is not known yet (Alpaca reserves 2.5 to 4 %).
MARKET_ORDER_BUFFER = 0.04
# With bars of minutes an order that has not filled in a minute is priced by what is no longer true.
ORDER_TIMEOUT = "60s"
FRACTION = "0.000000001"  # smallest quantity of a pair, and of a share where fractions are traded
# Alpaca's extended hours: from 04:00 in New York to four hours after the close, half days included.
EXTENDED_BEFORE, EXTENDED_AFTER = "330m", "4h"
HALVED = 0.5  # what the volatility index's first threshold does to exposure


def engine_config(policy: RiskPolicy, strategies: Sequence[Strategy], deleted: Collection[str] = ()) -> dict[str, Any]:
    """Configuration of the engine of `policy` with the strategies that trade on it.

    Of those whose UIDs are in `deleted` it deals with what is left, as their onDelete says. Raises ValueError when a
    strategy is not bound to the policy.
    """
    name = policy.metadata.name
    for strategy in strategies:
        if strategy.spec.risk_policy != name or strategy.metadata.name not in policy.spec.strategies:
            raise ValueError(f"Strategy/{strategy.metadata.name} is not bound to RiskPolicy/{name}")
    limits = policy.spec.limits
    symbols = sorted({symbol for strategy in strategies for symbol in strategy.spec.universe.symbols})
    fractional = {symbol for s in strategies if s.spec.sizing.fractional for symbol in s.spec.universe.symbols}
    return {
        "account": name,
        "mode": policy.spec.account,
        "symbols": [
            {
                "symbol": symbol,
                "quantity_increment": FRACTION if "/" in symbol or symbol in fractional else "1",
                "sector": limits.exposure.sector_of.get(symbol, ""),
                "restricted": symbol in limits.restricted,
                "shortable": limits.shorting,
                "max_sector_exposure_pct": limits.exposure.sectors.get(limits.exposure.sector_of.get(symbol, "")),
            }
            for symbol in symbols
        ],
        "strategies": [
            {
                "uid": s.uid,
                "capital_share": s.spec.capital_share,
                "rests_overnight": s.spec.bars == "1d",
                "order_ttl_ns": _timeout(s),
                "accept_fill": s.spec.execution.accept_fill,
                "leaving": s.spec.on_delete.lower() if s.uid in deleted else None,
            }
            for s in sorted(strategies, key=lambda s: s.uid)
        ],
        "limits": _limits(policy, limits, strategies),
        "overrides": [entry for override in policy.spec.overrides for entry in _override(policy, override, strategies)],
        "reconcile_every_ns": duration_ns(policy.spec.execution.reconcile),
        "policy_generation": policy.metadata.generation,
    }


def _timeout(strategy: Strategy) -> int:
    timeout = strategy.spec.execution.timeout or (None if strategy.spec.bars == "1d" else ORDER_TIMEOUT)
    return 0 if timeout is None else duration_ns(timeout)


def _override(policy: RiskPolicy, override: Override, strategies: Sequence[Strategy]) -> list[dict[str, Any]]:
    """What of the engine's limits it changes. Raises ValueError when that is nothing."""
    usual = _limits(policy, policy.spec.limits, strategies)
    changed = _limits(policy, overridden(policy.spec.limits, override), strategies)
    names = [name for name, value in changed.items() if value != usual[name]]
    if not names:
        raise ValueError(
            f"RiskPolicy/{policy.metadata.name}: overrides: {override.limit} as {override.value:g} changes nothing "
            "that the risk gate holds; remove it"
        )
    until = round(override.until.timestamp()) * 10**9
    who = {"until": until, "by": override.by, "reason": override.reason}
    return [{"limit": name, "value": changed[name], **who} for name in names]


def _limits(policy: RiskPolicy, limits: Limits, strategies: Sequence[Strategy]) -> dict[str, Any]:
    kill = policy.spec.kill_switch
    bar = min(interval_ns(strategy.spec.bars) for strategy in strategies)
    reduce, halve, stop = limits.drawdown
    return {
        "max_order_notional": limits.order.max_notional,
        "price_collar_pct": limits.order.price_collar,
        "max_price_age_ns": duration_ns(limits.order.max_price_age),
        "max_orders_per_minute": limits.order.per_minute,
        "max_trades_per_day": limits.order.trades_per_day,
        "max_position_pct": limits.position.max_share,
        "max_positions": limits.position.max_count,
        "max_gross_exposure_pct": limits.exposure.gross,
        "max_net_exposure_pct": limits.exposure.net,
        "max_short_share_pct": limits.exposure.short_share_of_gross,
        "max_sector_exposure_pct": limits.exposure.sector,
        "daily_loss_pct": limits.loss.daily,
        "weekly_loss_pct": limits.loss.weekly,
        "monthly_loss_pct": limits.loss.monthly,
        "drawdown_reduce_pct": reduce.at,
        "drawdown_reduce_factor": reduce.size,
        "drawdown_halve_pct": halve.at,
        "drawdown_halve_factor": halve.size,
        "drawdown_stop_pct": stop.at,
        "max_consecutive_losses": limits.loss.consecutive,
        "volatility_reduce_at": points(limits.volatility.index_halve_at),
        "volatility_reduce_factor": HALVED,
        "volatility_halt_at": points(limits.volatility.index_halt_at),
        "market_order_buffer_pct": MARKET_ORDER_BUFFER,
        "max_position_notional": limits.position.max_notional,
        "max_turnover_pct": limits.order.turnover_per_day,
        "trade_risk_pct": limits.loss.per_trade,
        "trade_risk_hard_pct": limits.loss.per_trade_hard,
        "adverse_move_sigmas": limits.loss.adverse_move,
        "assumed_volatility": limits.volatility.assumed,
        "max_estimate_age_ns": duration_ns(limits.volatility.max_estimate_age),
        "max_group_exposure_pct": limits.exposure.correlated_group,
        "max_value_at_risk_pct": limits.volatility.var95,
        "max_volatility_pct": limits.volatility.portfolio,
        "session_skip_first_ns": duration_ns(limits.session.skip_first),
        "session_skip_last_ns": duration_ns(limits.session.skip_last),
        "reentry_step": limits.reentry_step,
        "rapid_decline_pct": kill.rapid_decline,
        "feed_lost_after_ns": bar + duration_ns(kill.feed_lost_after),
        "broker_lost_after_ns": duration_ns(kill.broker_lost_after),
        "cut_tolerance_pct": limits.breach.tolerance if limits.breach.action == "Cut" else None,
        "gap_move_sigmas": limits.loss.gap_move,
        "extended_before_ns": duration_ns(EXTENDED_BEFORE) if limits.session.extended_hours else 0,
        "extended_after_ns": duration_ns(EXTENDED_AFTER) if limits.session.extended_hours else 0,
        "breaker_failures": limits.breaker.failures,
        "breaker_pause_ns": _breaker_pause(policy, limits),
        "feed_silent_after_ns": bar + duration_ns(limits.breaker.feed_silence),
        "kill_flattens": kill.flatten,
        "allow_short": limits.shorting,
        "volatility_required": False,
        "kill_on_daily_loss": False,
    }


def _breaker_pause(policy: RiskPolicy, limits: Limits) -> int:
    pause = duration_ns(limits.breaker.pause)
    if pause > duration_ns("1h"):
        raise ValueError(
            f"RiskPolicy/{policy.metadata.name}: limits.breaker.pause: give at most 1h, not {limits.breaker.pause}"
        )
    return pause


def points(value: float) -> str:
    """Points of the volatility index as the decimal text that the engine takes."""
    return format(Decimal(str(round(value, 8))), "f")
