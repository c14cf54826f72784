"""A Kubernetes API server, spoken to as a person does."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "tools" / "cluster"
CHART = ROOT / "charts" / "tradewind"
VALUES = Path(__file__).parent / "node-values.yaml"


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

    def get(self, kind: str, name: str, *arguments: str) -> dict[str, Any]:
        """An object as the API server has it."""
        found: dict[str, Any] = json.loads(self.ok("get", kind, name, "-o", "json", *arguments))
        return found

    def audited(self) -> list[dict[str, Any]]:
        """What the API server was asked for in this namespace, as `tools/cluster/up` has it audited."""
        if self.state is None:
            return []
        entries = [json.loads(line) for line in (self.state / "audit.log").read_text().splitlines()]
        return [e for e in entries if e.get("objectRef", {}).get("namespace") == self.namespace]


@cache
def binaries(*options: str) -> Path:
    """Where the binaries of our own build are; builds them where they are missing."""
    built = subprocess.run([TOOLS / "build", *options], check=True, stdout=subprocess.PIPE, text=True)
    return Path(built.stdout.strip())
