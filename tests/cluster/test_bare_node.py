"""The node that tools/cluster boots where no cluster is given, with nothing of ours on it yet."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.node import own_node, processes
from tests.cluster.operator_process import eventually
from tests.cluster.plane import TOOLS, Cluster
from tradewind.operators.plan.refusal import FIRST_WAIT_S, refused

pytestmark = [pytest.mark.node, pytest.mark.timeout(900)]

PAUSE = "docker.io/tradewind/pause:1"


@pytest.fixture(scope="module")
def own(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Our node, also where the other tests have somebody else's."""
    if os.environ.get("KUBECONFIG"):
        with own_node(tmp_path_factory.mktemp("own") / "state") as cluster:
            yield replace(cluster, namespace="default")
    else:
        yield replace(request.getfixturevalue("node"), namespace="default")


def pod(name: str, cpu: str) -> dict[str, Any]:
    asked = {"cpu": cpu, "memory": "32Mi"}
    container = {"name": "main", "image": PAUSE, "resources": {"requests": asked, "limits": asked}}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}


def cpus(uid: str) -> list[set[int]]:
    """What each process of a pod may run on."""
    return [os.sched_getaffinity(pid) for pid in processes(uid)]


def test_who_asks_for_a_whole_cpu_has_it_alone(own: Cluster) -> None:
    own.apply(pod("whole", "1"), pod("part", "100m"))
    own.ok("wait", "--for=condition=Ready", "pod/whole", "pod/part", "--timeout=100s")
    uids = {name: own.get("pod", name)["metadata"]["uid"] for name in ("whole", "part")}
    # The sandbox itself is on every CPU; the container is on those that it was given.
    assert {1} in cpus(uids["whole"])
    assert {0} in cpus(uids["part"])
    assert {1} not in cpus(uids["part"])
    own.ok("delete", "pod/whole", "pod/part", "--timeout=60s")


def test_what_does_not_fit_waits_and_says_why(own: Cluster) -> None:
    own.apply(pod("two", "2"))

    def why() -> str:
        conditions = own.get("pod", "two").get("status", {}).get("conditions", [])
        return "".join(c["message"] for c in conditions if c.get("reason") == "Unschedulable")

    assert "Insufficient cpu" in eventually(why)
    own.ok("delete", "pod/two", "--timeout=60s")


def test_a_pod_that_the_kubelet_refuses_is_taken_for_that(own: Cluster) -> None:
    """What tests/cluster/test_operator.py writes in a kubelet's place is what a kubelet writes."""
    manifest = pod("refused", "2")
    # Past the scheduler, which would let it wait.
    manifest["spec"]["nodeName"] = own.ok("get", "nodes", "-o", "jsonpath={.items[0].metadata.name}")
    own.apply(manifest)
    found = eventually(lambda: refused(None, own.get("pod", "refused"), "2026-01-02T00:00:00Z"))
    assert (found.count, found.wait_s) == (1, FIRST_WAIT_S)
    condition = found.as_condition()
    assert condition.reason == "UnexpectedAdmissionError"
    assert "not enough cpus available" in condition.message
    own.ok("delete", "pod/refused", "--timeout=60s")


def test_a_second_node_on_this_machine_is_refused(own: Cluster, tmp_path: Path) -> None:
    second = subprocess.run([TOOLS / "up", "--node", tmp_path / "second"], capture_output=True, text=True, timeout=120)
    assert second.returncode == 1
    assert "another Kubernetes node runs on this machine" in second.stderr
    assert not (tmp_path / "second").exists()
    own.ok("get", "nodes")
