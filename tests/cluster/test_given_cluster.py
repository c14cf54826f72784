"""The tests on a cluster that $KUBECONFIG gives: somebody else's, and left as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cluster.conftest import BROUGHT
from tests.cluster.plane import ROOT, Cluster

pytestmark = pytest.mark.ours


@pytest.fixture
def somebodys(plane: Cluster) -> Cluster:
    """A control plane that knows nothing of Tradewind, as $KUBECONFIG gives it."""
    return replace(plane, namespace="default", state=None)


def run_tests(cluster: Cluster, *which: str) -> subprocess.CompletedProcess[str]:
    """The cluster tests as a person runs them."""
    path = os.pathsep.join([str(Path(cluster.kubectl).parent), os.environ["PATH"]])
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    environment |= {"KUBECONFIG": str(cluster.kubeconfig), "PATH": path}
    command = [sys.executable, "-m", "pytest", "-n", "2", "-p", "no:cacheprovider", *which]
    return subprocess.run(command, capture_output=True, text=True, timeout=250, cwd=ROOT, env=environment)


def ours(cluster: Cluster) -> set[str]:
    """What of us a cluster has for all namespaces."""
    kinds = "crds,validatingadmissionpolicies,validatingadmissionpolicybindings,clusterroles"
    return {name for name in cluster.ok("get", kinds, "-o", "name").split() if "tradewind" in name}


def test_a_cluster_is_left_as_it_was(somebodys: Cluster) -> None:
    assert ours(somebodys) == set()
    done = run_tests(somebodys, "tests/cluster/test_definitions.py", "-k", "bad_manifest or policy_in_use")
    assert done.returncode == 0, done.stdout[-3000:]
    assert ours(somebodys) == set()


def test_what_somebody_has_of_ours_is_not_touched(somebodys: Cluster) -> None:
    somebodys.ok("apply", "--server-side", "-f", str(BROUGHT[0]))
    before = ours(somebodys)
    done = run_tests(somebodys, "tests/cluster/test_definitions.py", "-k", "policy_in_use")
    assert done.returncode != 0
    assert "the cluster has Tradewind's definitions: give one without" in done.stdout
    assert ours(somebodys) == before
