"""The chart as helm renders it, without a cluster."""

from __future__ import annotations

import subprocess
from typing import Any

import yaml

from tests.cluster.plane import CHART, binaries


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([binaries("--node") / "helm", *arguments], capture_output=True, text=True, timeout=120)


def render(values: list[str], *more: str) -> list[dict[str, Any]]:
    told = [part for value in values for part in ("--set", value)]
    done = helm("template", "tradewind", str(CHART), "--namespace=here", *told, *more)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def found(documents: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    return next(d for d in documents if d["kind"] == kind and d["metadata"]["name"] == name)


def pods(documents: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Specs of the pods that documents make, by name."""
    made = {d["metadata"]["name"]: d["spec"]["template"]["spec"] for d in documents if "template" in d.get("spec", {})}
    return made | {d["metadata"]["name"]: d["spec"] for d in documents if d["kind"] == "Pod"}
