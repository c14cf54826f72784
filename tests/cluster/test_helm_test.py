"""What `helm test` asks of a release, without a node: that its pod is let in where it asks, and that it can fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.cluster.installation import ANSWERING
from tests.cluster.plane import CHART
from tests.cluster.rendering import found, render
from tradewind.operators.run import health


def asked(documents: list[dict[str, Any]]) -> dict[str, str]:
    """The address of each service that the test's pod asks."""
    (container,) = found(documents, "Pod", "tradewind-install-test")["spec"]["containers"]
    (told,) = [variable["value"] for variable in container["env"] if variable["name"] == "SERVICES"]
    services: dict[str, str] = json.loads(told)
    return services


@pytest.mark.parametrize(
    ("values", "left_out"),
    [(["venue.enabled=true"], set()), ([], {"venue"}), (["recorder.enabled=false"], {"venue", "recorder"})],
)
def test_what_runs_is_asked(values: list[str], left_out: set[str]) -> None:
    assert set(asked(render(values))) == set(ANSWERING) - left_out


def test_each_address_is_a_pod_s_that_lets_the_test_in() -> None:
    documents = render(["venue.enabled=true"])
    policies = [d["spec"] for d in documents if d["kind"] == "NetworkPolicy"]
    tester = found(documents, "Pod", "tradewind-install-test")["metadata"]["labels"]
    for name, address in asked(documents).items():
        at = urlsplit(address)
        host, port = at.hostname or "", at.port or 5432
        service = found(documents, "Service", host)["spec"]
        (target,) = [p["targetPort"] for p in service["ports"] if p["port"] == port]
        (template,) = [
            d["spec"]["template"]
            for d in documents
            if d["kind"] in ("Deployment", "StatefulSet")
            and matches({"matchLabels": service["selector"]}, d["spec"]["template"]["metadata"]["labels"])
        ]
        ports = [p for container in template["spec"]["containers"] for p in container["ports"]]
        (opened,) = [p["containerPort"] for p in ports if p["name"] == target]
        let_in = [
            rule
            for policy in policies
            if matches(policy["podSelector"], template["metadata"]["labels"])
            for rule in policy.get("ingress", [])
            if {"port": opened} in rule.get("ports", [{"port": opened}])
            and any(matches(peer["podSelector"], tester) for peer in rule["from"] if "podSelector" in peer)
        ]
        assert let_in, f"{name}: no policy lets the test in at {opened}"


def test_it_fails_where_one_process_is_not_ready() -> None:
    ready = health.serve(0, {"/readyz": lambda: ""})
    broken = health.serve(0, {"/readyz": lambda: "no brokers"})
    services = {"operator": f"http://127.0.0.1:{ready}/readyz", "recorder": f"http://127.0.0.1:{broken}/readyz"}
    both, one = (
        subprocess.run(
            [sys.executable, CHART / "files" / "install-test.py"],
            env={**os.environ, "SERVICES": json.dumps(told)}, capture_output=True, text=True, timeout=60,
        )
        for told in (services, {"operator": services["operator"]})
    )  # fmt: skip
    assert (one.returncode, one.stdout) == (0, f"operator  {services['operator']}: ok\n")
    assert both.returncode == 1
    assert both.stdout.startswith(one.stdout)
    assert f"recorder  {services['recorder']}: FAILED: HTTPError: HTTP Error 503" in both.stdout


def matches(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a selector chooses what has these labels."""
    plain = selector.get("matchLabels", {}).items() <= labels.items()
    return plain and all(labels.get(e["key"]) in e["values"] for e in selector.get("matchExpressions", []))
