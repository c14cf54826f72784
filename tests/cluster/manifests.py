"""Manifests for the tests: the least that is accepted, and ways to be wrong."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

STRATEGY: dict[str, Any] = {
    "apiVersion": "tradewind.dev/v1alpha1",
    "kind": "Strategy",
    "metadata": {"name": "momentum"},
    "spec": {"riskPolicy": "paper", "universe": {"symbols": ["AAPL", "MSFT"]}},
}
RISK_POLICY: dict[str, Any] = {
    "apiVersion": "tradewind.dev/v1alpha1",
    "kind": "RiskPolicy",
    "metadata": {"name": "paper"},
    "spec": {"strategies": ["momentum"]},
}
REMOVED = object()


def changed(document: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A copy with fields set: `spec__signal__direction="Both"`; REMOVED takes one away."""
    made = copy.deepcopy(document)
    for path, value in fields.items():
        *parents, last = path.split("__")
        at = made
        for parent in parents:
            at = at.setdefault(parent, {})
        if value is REMOVED:
            del at[last]
        else:
            at[last] = value
    return made


@dataclass(frozen=True)
class Bad:
    """A manifest that must be refused.

    Attributes:
        field: what the message must name.
        fix: a part of the message that says what would be right.
        local: whether `tradewind validate` refuses it, too; False only where an API server is stricter.
    """

    name: str
    document: dict[str, Any]
    field: str
    fix: str
    local: bool = True


def strategy(name: str, field: str, fix: str, *, local: bool = True, **fields: Any) -> Bad:
    """A bad Strategy."""
    return Bad(name, changed(STRATEGY, **fields), field, fix, local)


def policy(name: str, field: str, fix: str, *, local: bool = True, **fields: Any) -> Bad:
    """A bad RiskPolicy."""
    return Bad(name, changed(RISK_POLICY, **fields), field, fix, local)


def override(limit: str, value: Any, **fields: Any) -> list[dict[str, Any]]:
    """One override of a limit."""
    usual = {"limit": limit, "value": value, "until": "2027-01-01T00:00:00Z", "by": "Ann", "reason": "index change"}
    return [{**usual, **fields}]


PAIRS: dict[str, Any] = {"spec__universe__symbols": ["BTC/USD"]}
ROUND_THE_CLOCK: dict[str, Any] = {**PAIRS, "spec__execution": {"timeInForce": "Gtc"}}
LADDER = [{"at": 0.05, "size": 0.75}, {"at": 0.10, "size": 0.50}, {"at": 0.15, "size": 0.0}]

BAD = [
    strategy("mode", "spec.mode", '"DryRun", "Paper", "Live"', spec__mode="Demo"),
    strategy("no-policy", "spec.riskPolicy", "Required value", spec__riskPolicy=REMOVED),
    strategy("no-universe", "spec.universe", "Required value", spec__universe=REMOVED),
    strategy("no-spec", "spec", "Required value", spec=REMOVED),
    strategy("policy-name", "spec.riskPolicy", "lower-case letters, digits and dashes", spec__riskPolicy="Paper_1"),
    strategy("no-symbols", "spec.universe.symbols", "at least 1 items", spec__universe__symbols=[]),
    strategy("symbol", "spec.universe.symbols[1]", "AAPL, BRK.B, BTC/USD", spec__universe__symbols=["AAPL", "aapl"]),
    strategy("symbol-twice", "spec.universe.symbols[1]", "Duplicate", spec__universe__symbols=["AAPL", "AAPL"]),
    strategy("context", "spec.universe.context", "remove it from one", spec__universe={"symbols": ["SPY"], "context": "SPY"}),
    strategy("capital", "spec.capitalShare", "less than or equal to 1", spec__capitalShare=1.5),
    strategy("no-capital", "spec.capitalShare", "greater than 0", spec__capitalShare=0),
    strategy("capital-text", "spec.capitalShare", "type number", spec__capitalShare="half"),
    strategy("canary", "spec.rollout.canaryCapital", "greater than 0", spec__rollout__canaryCapital=0),
    strategy("canary-all", "spec.rollout.canaryCapital", "less than 1", spec__rollout__canaryCapital=1),
    strategy("bars", "spec.bars", '"1m", "5m", "15m", "1h", "1d"', spec__bars="2h"),
    strategy("typo", "spec.signal", "unknown field treshold; known are", spec__signal__treshold=0.1),
    strategy("typo-at-top", "the document", "unknown field specs", specs={"mode": "Live"}),
    strategy("typo-in-list", "spec.news[]", "unknown field file", spec__news=[{"kind": "Rss", "name": "a", "file": "x"}]),
    strategy("news-kind", "spec.news[0].kind", '"Calendar", "Edgar", "Rss", "Alpaca"', spec__news=[{"kind": "X", "name": "a"}]),
    strategy("duration", "spec.features.maxAge", "500ms, 60s, 5m, 1d", spec__features__maxAge="5 days"),
    strategy("label-kind", "spec.training.label.kind", '"TripleBarrier", "ForwardReturn"', spec__training__label={"kind": "Return"}),
    strategy(
        "label-field",
        "spec.training.label.upper",
        "belongs to kind TripleBarrier",
        spec__training__label={"kind": "ForwardReturn", "upper": 2},
    ),
    strategy("dates", "spec.training.start", "before until", spec__training={"start": "2020-01-02", "until": "2020-01-01"}),
    strategy("date", "spec.training.start", "date", spec__training__start="2020-13-01"),
    strategy("trials", "spec.training.search.trials", "greater than or equal to 1", spec__training__search__trials=0),
    strategy("retrain", "spec.training.retrain", "five fields", spec__training__retrain="daily"),
    strategy("trials-half", "spec.training.search.trials", "integer", spec__training__search__trials=1.5),
    strategy(
        "stops", "spec.execution.bracket.stopLoss", "give one of the two", spec__execution__bracket={"stopLoss": 0.1, "stopLossAtr": 2}
    ),
    strategy(
        "targets",
        "spec.execution.bracket.takeProfit",
        "give one of the two",
        spec__execution__bracket={"takeProfit": 0.1, "takeProfitAtr": 2},
    ),
    strategy(
        "auction-stop", "spec.execution.timeInForce", "Day or Gtc", spec__execution={"orderType": "Stop", "timeInForce": "Opg"}
    ),
    strategy(
        "trailing", "spec.execution.timeInForce", "Day or Gtc", spec__execution={"orderType": "TrailingStop", "timeInForce": "Ioc"}
    ),
    strategy(
        "extended",
        "spec.execution.extendedHours",
        "needs orderType Limit",
        spec__execution={"extendedHours": True, "orderType": "Market"},
    ),
    strategy("pair-day", "spec.execution.timeInForce", "Gtc or Ioc", spec__signal__direction="LongOnly", **PAIRS),
    strategy("pair-short", "spec.signal.direction", "LongOnly", **ROUND_THE_CLOCK),
    strategy(
        "pair-stop",
        "spec.execution.orderType",
        "Market, Limit or StopLimit",
        spec__signal__direction="LongOnly",
        spec__execution={"timeInForce": "Gtc", "orderType": "Stop"},
        **PAIRS,
    ),
    strategy(
        "fractions", "spec.sizing.fractional", "Day orders", spec__sizing__fractional=True, spec__execution__timeInForce="Gtc"
    ),
    strategy("long-name", "metadata.name", "at most 40", metadata__name="m" * 41, local=False),
    strategy("dotted-name", "metadata.name", "letters, digits and dashes", metadata__name="a.b"),
    policy("account", "spec.account", '"paper", "live"', spec__account="demo"),
    policy("no-strategies", "spec.strategies", "at least 1 items", spec__strategies=[]),
    policy("losses", "spec.limits.loss.perTrade", "raise perTradeHard", spec__limits__loss__perTrade=0.5),
    policy("daily", "spec.limits.loss.daily", "greater than 0", spec__limits__loss__daily=0),
    policy("indexes", "spec.limits.volatility.indexHalveAt", "below indexHaltAt", spec__limits__volatility__indexHalveAt=40),
    policy("days", "spec.limits.volatility.minDays", "raise lookBackDays", spec__limits__volatility={"minDays": 50, "lookBackDays": 40}),
    policy("ladder", "spec.limits.drawdown", "deepen and shrink", spec__limits__drawdown=[LADDER[1], LADDER[0], LADDER[2]]),
    policy("ladder-end", "spec.limits.drawdown", "size 0", spec__limits__drawdown=[*LADDER[:2], {"at": 0.2, "size": 0.1}]),
    policy("ladder-short", "spec.limits.drawdown", "at least 3 items", spec__limits__drawdown=LADDER[:2]),
    policy("money", "spec.limits.order.maxNotional", '"25000" or "0.5"', spec__limits__order__maxNotional="25k"),
    policy("money-number", "spec.limits.order.maxNotional", "type string", spec__limits__order__maxNotional=25000),
    policy("sector", "spec.limits.exposure.sectors", "no symbol of sectorOf is in sector tech", spec__limits__exposure={"sectors": {"tech": 0.3}}),
    policy(
        "sector-symbol",
        "spec.limits.exposure.sectorOf",
        "write a symbol",
        spec__limits__exposure__sectorOf={"apple inc": "tech"},
    ),
    policy("kill-both", "spec.killSwitch.releasedBy", "remove one", spec__killSwitch={"engaged": True, "releasedBy": "Ann"}),
    policy("kill-typo", "spec.killSwitch", "unknown field engage;", spec__killSwitch={"engage": True}),
    policy("override-limit", "spec.overrides[0].limit", '"position.maxShare"', spec__overrides=override("position.share", 0.1)),
    policy("override-value", "spec.overrides[0].value", "position.maxShare must be at most 1", spec__overrides=override("position.maxShare", 3)),
    policy("override-part", "spec.overrides[0].value", "whole number", spec__overrides=override("position.maxCount", 2.5)),
    policy("override-until", "spec.overrides[0].until", "and its zone", spec__overrides=override("position.maxShare", 0.1, until="tomorrow")),
    policy("override-zone", "spec.overrides[0].until", "and its zone", spec__overrides=override("position.maxShare", 0.1, until="2027-01-01T00:00:00")),
    policy("override-by", "spec.overrides[0].by", "at least 1 char", spec__overrides=override("position.maxShare", 0.1, by="")),
    policy("override-typo", "spec.overrides[]", "unknown field why", spec__overrides=override("position.maxShare", 0.1, why="x")),
    policy("connections", "spec.broker.connections", "less than or equal to 32", spec__broker__connections=64),
    policy("cpu", "spec.execution.cpu", "greater than or equal to 0", spec__execution__cpu=-1),
]  # fmt: skip
