"""A Kubernetes API server to test against: the one of $KUBECONFIG, or a control plane started for the session."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "tools" / "cluster"
CHART = ROOT / "charts" / "tradewind"


@dataclass(frozen=True)
class Cluster:
    """An API server, spoken to as a person does: by kubectl.

    Attributes:
        state: directory of a control plane of our own (logs, audit log, pids); None where $KUBECONFIG gave one.
    """

    kubectl: str
    kubeconfig: Path
    namespace: str
    state: Path | None

    def run(
        self, *arguments: str, given: str | None = None, timeout_s: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """kubectl with these arguments in the test's namespace, whatever comes of it."""
        command = [self.kubectl, f"--kubeconfig={self.kubeconfig}", f"--namespace={self.namespace}", *arguments]
        return subprocess.run(command, input=given, capture_output=True, text=True, timeout=timeout_s)

    def ok(self, *arguments: str, given: str | None = None) -> str:
        """What kubectl printed; fails when it refuses."""
        done = self.run(*arguments, given=given)
        assert done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    def apply(self, *documents: dict[str, Any], as_user: str = "") -> None:
        """Applies documents as `kubectl apply -f` does."""
        user = [f"--as={as_user}"] if as_user else []
        self.ok("apply", "-f", "-", *user, given=yaml.safe_dump_all(documents))

    def refused(self, document: dict[str, Any], *arguments: str) -> str:
        """What kubectl says when it can't apply the document; fails when it can."""
        done = self.run("apply", "-f", "-", *arguments, given=yaml.safe_dump(document))
        assert done.returncode != 0, f"accepted: {yaml.safe_dump(document)}"
        return done.stderr

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """An object as the API server has it."""
        found: dict[str, Any] = json.loads(self.ok("get", kind, name, "-o", "json"))
        return found


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
            binaries = subprocess.run([TOOLS / "build"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
            kubectl = f"{binaries}/kubectl"
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
