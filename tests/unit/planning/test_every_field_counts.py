"""No field of a RiskPolicy is ignored in silence: each that is said to be in effect changes what runs."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from tests.unit.planning.test_local_plan import LIVE, SITE, policy, strategy
from tradewind.planning.local import plan
from tradewind.specs import RiskPolicy, RiskPolicySpec
from tradewind.specs.base import is_in_effect

# Another value where the type alone does not say one.
OTHERS: dict[str, Any] = {
    "limits.exposure.sectorOf": {"AAPL": "Technology"},
    "limits.restricted": ["AAPL"],
    "limits.drawdown": [{"at": 0.04, "size": 0.7}, {"at": 0.09, "size": 0.4}, {"at": 0.14, "size": 0}],
    "limits.volatility.indexFeature": "tech_rsi_14_raw",
    "limits.position.maxNotional": "9000",
    "limits.order.turnoverPerDay": 2.5,
    "limits.session.calendar": "XLON",
    "limits.breach.action": "Alert",
    "overrides": [
        {"limit": "position.maxShare", "value": 0.1, "until": "2030-01-01T00:00:00Z", "by": "ada", "reason": "test"}
    ],
    "broker.url": "https://broker.example",
    "execution.cpu": 1,
}
# What is not for a process to know.
ELSEWHERE = {
    "strategies": "who may bind: checked when the documents are read",
    "broker.kind": "has one value",
    "onDelete": "the API server's: tests/cluster/test_definitions.py",
    "execution.pinning": "what the pod asks its kubelet for: tests/unit/operators/test_pinning.py",
    "limits.exposure.sectors": "counts only with sectorOf: test_local_plan has both",
}


def leaves(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, Any, Any]]:
    for key, info in model.model_fields.items():
        where = f"{path}.{info.alias or key}".lstrip(".")
        if not is_in_effect(info.json_schema_extra):
            continue
        inner = info.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from leaves(inner, where)
        else:
            yield where, inner, info.get_default(call_default_factory=True, validated_data={})


LEAVES = [(path, kind, default) for path, kind, default in leaves(RiskPolicySpec) if path not in ELSEWHERE]


def candidates(path: str, kind: Any, default: Any) -> Iterator[Any]:
    """Values other than the default, likely ones first."""
    if path in OTHERS:
        yield OTHERS[path]
    elif typing.get_origin(kind) is typing.Literal:
        yield from (choice for choice in typing.get_args(kind) if choice != default)
    elif isinstance(default, bool):
        yield not default
    elif isinstance(default, int):
        yield from (default + 1, default - 1)
    elif isinstance(default, float):
        yield from (default * 0.9, default * 1.1)
    elif isinstance(default, str):
        yield from ("7s", "4000", "somebody")


def with_value(path: str, value: Any) -> RiskPolicy:
    spec: dict[str, Any] = {}
    *parents, last = path.split(".")
    inner = spec
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner[last] = value
    return policy("paper", "trend", **spec)


@pytest.mark.parametrize(("path", "kind", "default"), LEAVES, ids=[path for path, _, _ in LEAVES])
def test_another_value_makes_another_plan(path: str, kind: Any, default: Any) -> None:
    trend = strategy("trend")
    for value in candidates(path, kind, default):
        try:
            changed = with_value(path, value)
        except ValidationError:
            continue
        for site in (LIVE, replace(SITE, venue_port=None)):
            if plan([trend], [changed], site) != plan([trend], [policy("paper", "trend")], site):
                return
        pytest.fail(f"{path}: {value!r} instead of {default!r} changes nothing that runs")
    pytest.fail(f"{path}: no other value was found to try")
