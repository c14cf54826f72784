"""Namespaces for the planners' tests, as an API server would have them."""

from __future__ import annotations

import copy
from typing import Any

from tradewind.operators.config import OperatorConfig
from tradewind.operators.plan import policies, strategies
from tradewind.operators.plan.model import Object, Plan, Ref, World, ref_of

NOW, LATER = "2026-11-21T10:00:00Z", "2026-11-21T10:05:00Z"
CONFIG = OperatorConfig.model_validate(
    {
        "namespace": "desk",
        "identity": "test",
        "images": {"executor": "executor:1", "operator": "operator:1"},
        "services": {"bus": "kafka://kafka:9092", "predictor": "predictor:9000"},
        "default_features": {"tech_rsi_14_raw": 15, "vol_historical_20_annual": 21},
    }
)
PLANNERS = {"RiskPolicy": policies.plan, "Strategy": strategies.plan}


def document(kind: str, name: str, spec: dict[str, Any], created: int = 0, **metadata: Any) -> Object:
    """A document of the namespace; `created` orders it."""
    own = {"name": name, "namespace": "desk", "uid": f"uid-{name}", "generation": 1}
    own["creationTimestamp"] = f"2026-11-20T10:00:{created:02d}Z"
    return {"apiVersion": "tradewind.dev/v1alpha1", "kind": kind, "metadata": {**own, **metadata}, "spec": spec}


def policy(name: str = "paper", allows: tuple[str, ...] = ("momentum",), **spec: Any) -> Object:
    """A RiskPolicy."""
    return document("RiskPolicy", name, {"strategies": list(allows), **spec})


def strategy(name: str = "momentum", created: int = 1, **spec: Any) -> Object:
    """A Strategy."""
    return document("Strategy", name, {"riskPolicy": "paper", "universe": {"symbols": ["AAPL"]}, **spec}, created)


def world(*found: Object) -> World:
    """What the watches told."""
    return World({ref_of(item): copy.deepcopy(item) for item in found})


def planned(of: World, kind: str, name: str, now: str = NOW, problem: str = "") -> Plan:
    """The plan for one document."""
    return PLANNERS[kind](of, name, CONFIG, now, problem)


def carried_out(of: World, kind: str, name: str, now: str = NOW) -> World:
    """The namespace after the plan, as a server would keep it."""
    plan = planned(of, kind, name, now)
    objects = {**of.objects, **{ref_of(item): item for item in plan.apply}}
    for gone in plan.delete:
        objects.pop(gone, None)
    if plan.status is not None:
        objects[Ref(kind, name)] = {**objects[Ref(kind, name)], "status": plan.status}
    return World(objects)


def conditions(plan: Plan) -> dict[str, tuple[str, str]]:
    """Status and reason of each condition."""
    assert plan.status is not None
    return {c["type"]: (c["status"], c["reason"]) for c in plan.status["conditions"]}


def message(plan: Plan, of: str) -> str:
    """The message of a condition."""
    assert plan.status is not None
    return str(next(c["message"] for c in plan.status["conditions"] if c["type"] == of))
