"""Who may speak to whom on a node that enforces network policies: each pod tries everybody, and reaches those listed.

That what is needed is allowed is shown by everything else that runs on this node.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cluster.installation import Installation

pytestmark = [pytest.mark.node, pytest.mark.ours, pytest.mark.timeout(3600)]

# What is listened on: host name and port. An executor's metrics and Serve's port without TLS have no name.
SERVICES = {
    "kafka": ("tradewind-kafka", 9092),
    "postgres": ("tradewind-postgres", 5432),
    "redis": ("tradewind-redis", 6379),
    "mlflow": ("tradewind-mlflow", 5000),
    "ray jobs": ("tradewind-ray", 8265),
    "ray itself": ("tradewind-ray", 6379),
    "predictions": ("tradewind-ray", 9000),
    "venue": ("tradewind-venue", 8443),
    "operator": ("tradewind-operator", 9101),
    "recorder": ("tradewind-recorder", 9101),
    "Kubernetes": ("kubernetes.default.svc", 443),
}
# The ports of the API server are open to whoever needs it, wherever they lead: policies know no name for it.
MAY: dict[str, set[str]] = {
    "executor": {"kafka", "venue", "Kubernetes", "outside"},
    "signals": {"kafka", "predictions"},
    "features": {"kafka", "postgres", "redis"},
    "feed": {"kafka", "postgres", "redis", "venue", "outside"},
    "recorder": {"kafka", "postgres"},
    "operator": {"mlflow", "ray jobs", "Kubernetes", "outside"},
    "ray": {"postgres", "redis", "mlflow"},
    "mlflow": {"postgres"},
    "venue": set(),
    "stranger": {"Kubernetes", "outside"},
}
# The replay is over by now, and with it the feed.
MADE = {"feed": "pod/like-a-feed", "stranger": "pod/stranger"}
TRY = """
import json, socket, sys
from concurrent.futures import ThreadPoolExecutor
def reached(address):
    try:
        with socket.create_connection(address, timeout=5):
            return True
    except OSError:
        return False
targets = json.loads(sys.argv[1])
with ThreadPoolExecutor(len(targets)) as pool:
    print(json.dumps([name for name, yes in zip(targets, pool.map(reached, map(tuple, targets.values()))) if yes]))
"""


def address(installation: Installation, part: str) -> str:
    found = installation.cluster.ok("get", "pods", "-l", f"app.kubernetes.io/name={part}", "-o", "json")
    (pod,) = json.loads(found)["items"]
    return str(pod["status"]["podIP"])


@contextmanager
def pod(installation: Installation, name: str, labels: dict[str, str]) -> Iterator[None]:
    """A pod that does nothing."""
    image = installation.cluster.get("deployment", "tradewind-recorder")["spec"]["template"]["spec"]["containers"][0]
    container = {"name": "waits", "image": image["image"], "command": ["sleep", "600"]}
    container["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    safe = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    spec: dict[str, Any] = {"containers": [container], "securityContext": safe, "terminationGracePeriodSeconds": 0}
    metadata = {"name": name, "labels": labels}
    installation.cluster.apply({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    try:
        installation.cluster.ok("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
        yield
    finally:
        installation.cluster.ok("delete", f"pod/{name}")


def test_everybody_reaches_whom_they_need_and_nobody_else(release: Installation) -> None:
    (node,) = json.loads(release.cluster.ok("get", "nodes", "-o", "json"))["items"]
    (host,) = {a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP"}
    feed = {"app.kubernetes.io/part-of": "tradewind", "app.kubernetes.io/name": "feed"}
    with (
        socket.create_server((host, 443)),
        pod(release, "stranger", {"app": "stranger"}),
        pod(release, "like-a-feed", feed),
    ):
        targets = {**SERVICES, "outside": (host, 443), "executor": (address(release, "executor"), 9103)}
        targets["predictions in plain text"] = (address(release, "ray"), 9000)
        found = {}
        for part in MAY:
            source = MADE.get(part) or release.pods(part)[0]
            # Who asks themselves passes no firewall.
            own_ports = ("ray", "predictions") if part == "ray" else (part,)
            others = {name: where for name, where in targets.items() if not name.startswith(own_ports)}
            container = "executor" if part == "executor" else ""
            found[part] = set(json.loads(release.python(source, TRY, json.dumps(others), container=container)))
        assert found == MAY
