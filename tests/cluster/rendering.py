"""The chart as helm renders it, without a cluster."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.plane import CHART, binaries
from tests.unit.operators.worlds import NOW, policy, strategy, world
from tradewind.operators.config import OperatorConfig
from tradewind.operators.plan import policies, shared, strategies


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([binaries("--node") / "helm", *arguments], capture_output=True, text=True, timeout=120)


def render(values: list[str], *more: str, chart: Path = CHART) -> list[dict[str, Any]]:
    told = [part for value in values for part in ("--set", value)]
    done = helm("template", "tradewind", str(chart), "--namespace=here", *told, *more)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def found(documents: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    return next(d for d in documents if d["kind"] == kind and d["metadata"]["name"] == name)


def pods(documents: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Specs of the pods that documents make, by name."""
    made = {d["metadata"]["name"]: d["spec"]["template"]["spec"] for d in documents if "template" in d.get("spec", {})}
    return made | {d["metadata"]["name"]: d["spec"] for d in documents if d["kind"] == "Pod"}


def labelled(documents: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Specs of the pods of an installation by what they are called: the chart's, and those that its operator makes."""
    made = {
        (d["spec"].get("template") or d)["metadata"]["labels"]["app.kubernetes.io/name"]: pods([d])
        for d in documents
        if pods([d])
    }
    for document in filter(lambda o: pods([o]), planned(documents)):
        made[document["metadata"]["labels"]["app.kubernetes.io/name"]] = pods([document])
    return {name: next(iter(specs.values())) for name, specs in made.items()}


def planned(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the operator of an installation makes of a RiskPolicy and a Strategy."""
    told = found(documents, "ConfigMap", "tradewind-operator")["data"]["operator.json"]
    config = OperatorConfig.model_validate_json(told)
    of = world(policy(), strategy())
    plans = [policies.plan(of, "paper", config, NOW), strategies.plan(of, "momentum", config, NOW)]
    plans.append(shared.plan(of, shared.SHARED.name, config, NOW))
    return [o for plan in plans for o in plan.apply]
