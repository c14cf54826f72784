"""Installed and upgraded by helm on an API server of its own, without a node: what stays, and what is made again."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.plane import CHART, TOOLS, Cluster, binaries
from tests.cluster.rendering import helm

VALUES = ("--set", "venue.enabled=true", "--set", "data.dataset=daily")


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Cluster]:
    """Nothing of Tradewind is on it, so that helm owns all."""
    try:
        up = subprocess.run([TOOLS / "up", tmp_path], check=True, stdout=subprocess.PIPE, text=True)
        yield Cluster(str(binaries() / "kubectl"), Path(up.stdout.strip()), "here", tmp_path)
    finally:
        subprocess.run([TOOLS / "down", tmp_path], check=True)


def done(plane: Cluster, *arguments: str) -> None:
    told = helm(*arguments, f"--kubeconfig={plane.kubeconfig}", "--namespace=here")
    assert told.returncode == 0, told.stderr


def listed(plane: Cluster, kind: str) -> dict[str, dict[str, Any]]:
    items = json.loads(plane.ok("get", kind, "-l", "app.kubernetes.io/part-of=tradewind", "-o", "json"))["items"]
    return {item["metadata"]["name"]: item for item in items}


def templates(plane: Cluster) -> dict[str, dict[str, Any]]:
    """Pods as their owners make them: a change of one is a restart."""
    kinds = ("deployments", "statefulsets")
    return {f"{kind}/{name}": one["spec"]["template"] for kind in kinds for name, one in listed(plane, kind).items()}


def test_an_upgrade_restarts_nothing_that_is_the_same_and_keeps_every_secret(plane: Cluster) -> None:
    done(plane, "install", "tradewind", str(CHART), "--create-namespace", *VALUES)
    secrets, pods, jobs = listed(plane, "secrets"), templates(plane), listed(plane, "jobs")
    assert len(secrets) >= 14
    assert len(pods) >= 8
    assert len(jobs) == 1
    done(plane, "upgrade", "tradewind", str(CHART), *VALUES)
    assert {n: s["data"] for n, s in listed(plane, "secrets").items()} == {n: s["data"] for n, s in secrets.items()}
    assert templates(plane) == pods
    again = listed(plane, "jobs")
    assert len(again.keys() - jobs.keys()) == 1, "topics and rights are made again"
    # Another setting of Kafka's is another start of Kafka and of nothing else.
    done(plane, "upgrade", "tradewind", str(CHART), *VALUES, "--set", "kafka.retentionHours=24")
    changed = {name for name, template in templates(plane).items() if template != pods[name]}
    assert changed == {"statefulsets/tradewind-kafka"}
    done(plane, "uninstall", "tradewind")
    assert listed(plane, "priorityclasses") == {}
    assert templates(plane) == {}
