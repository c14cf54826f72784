"""A Kubernetes API server to test against: the one of $KUBECONFIG, or a control plane started for the session."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.installation import Installation, installed
from tests.cluster.node import given_node, own_node
from tests.cluster.plane import CHART, ROOT, TOOLS, Cluster, binaries

__all__ = ["CHART", "ROOT", "TOOLS", "Cluster"]


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, Path | None]]:
    """kubectl, kubeconfig and state directory, with Tradewind's definitions and admission policies in place."""
    given = os.environ.get("KUBECONFIG")
    state = None if given else tmp_path_factory.mktemp("control-plane")
    try:
        if state is None:
            kubectl, kubeconfig = shutil.which("kubectl") or "", Path(str(given))
            assert kubectl, "KUBECONFIG is given but kubectl is not on the PATH; install it"
        else:
            kubectl = str(binaries() / "kubectl")
            up = subprocess.run([TOOLS / "up", state], check=True, stdout=subprocess.PIPE, text=True)
            kubeconfig = Path(up.stdout.strip())
        plain = Cluster(kubectl, kubeconfig, "default", state)
        # The definitions are longer than what client-side apply can note in an annotation of its own.
        plain.ok("apply", "--server-side", "-f", str(CHART / "crds"))
        plain.ok("wait", "--for=condition=Established", "--timeout=30s", "-f", str(CHART / "crds"))
        for name in ("admission", "people"):
            plain.ok("apply", "--server-side", "-f", str(CHART / "templates" / f"{name}.yaml"))
        plain.ok(
            "wait", "--for=jsonpath={.status.typeChecking}", "--timeout=30s", "validatingadmissionpolicies", "--all"
        )
        yield kubectl, kubeconfig, state
    finally:
        if state is not None:
            subprocess.run([TOOLS / "down", state], check=True)


@pytest.fixture
def cluster(control_plane: tuple[str, Path, Path | None]) -> Iterator[Cluster]:
    """The API server with a namespace of the test's own."""
    kubectl, kubeconfig, state = control_plane
    cluster = Cluster(kubectl, kubeconfig, f"test-{uuid.uuid4().hex[:8]}", state)
    cluster.ok("create", "namespace", cluster.namespace)
    yield cluster
    cluster.ok("delete", "namespace", cluster.namespace, "--wait=false")


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with a node: $KUBECONFIG's, or one booted here."""
    given = os.environ.get("KUBECONFIG")
    with given_node() if given else own_node(tmp_path_factory.mktemp("node") / "state") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def installation(node: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Tradewind as helm installs it."""
    with installed(node, tmp_path_factory.mktemp("installation")) as made:
        yield made
