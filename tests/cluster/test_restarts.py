"""The operator may be killed at any moment, and the API server may go and come back."""

from __future__ import annotations

import os
import random
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import Cluster
from tests.cluster.manifests import RISK_POLICY, STRATEGY, changed
from tests.cluster.operator_process import OperatorProcess, eventually

ROUNDS = int(os.environ.get("TRADEWIND_ROUNDS", "5"))
RESTARTED: list[subprocess.Popen[bytes]] = []  # ended by the control plane's own end
NAMES = [f"s{n}" for n in range(6)]
ACCOUNT = changed(RISK_POLICY, spec__strategies=NAMES)


def document(name: str, share: float) -> dict[str, Any]:
    return changed(STRATEGY, metadata__name=name, spec__capitalShare=share)


def reconciled(cluster: Cluster, kind: str, name: str) -> bool:
    """Whether the status is of the newest generation and everything is applied."""
    found = cluster.get(kind, name)
    current = found.get("status", {}).get("observedGeneration") == found["metadata"]["generation"]
    reasons = {c["type"]: c["reason"] for c in found.get("status", {}).get("conditions", [])}
    return current and reasons.get("Reconciled") == "Applied"


def everything(cluster: Cluster) -> set[str]:
    kinds = "statefulsets,deployments,configmaps,services,roles,rolebindings,serviceaccounts"
    return set(cluster.ok("get", kinds, "-l", "app.kubernetes.io/part-of=tradewind", "-o", "name").split())


def test_kills_at_any_moment_leave_what_was_asked_for(cluster: Cluster, tmp_path: Path) -> None:
    seed = int(os.environ.get("TRADEWIND_SEED", "1"))
    chance = random.Random(seed)
    cluster.apply(ACCOUNT)
    there: set[str] = set()
    for turn in range(ROUNDS):
        operator = OperatorProcess(cluster, tmp_path, f"turn-{turn}")
        eventually(operator.leads)
        for name in chance.sample(NAMES, 3):
            if name in there and chance.random() < 0.5:
                cluster.ok("delete", "strategy", name, "--wait=false")
                there.discard(name)
            else:
                cluster.apply(document(name, chance.choice([0.05, 0.1, 0.15])))
                there.add(name)
        time.sleep(chance.random())  # the moment of death, not a wait for something
        operator.kill()
    last = OperatorProcess(cluster, tmp_path, "last")
    try:
        assert there, f"seed {seed} deletes everything; take another"
        for name in sorted(there):
            eventually(partial(reconciled, cluster, "strategy", name))
        eventually(lambda: reconciled(cluster, "riskpolicy", "paper"))
        wanted = {f"{kind}/signals-{name}" for name in there for kind in ("deployment.apps", "configmap")}
        wanted |= {
            f"{kind}/executor-paper"
            for kind in (
                "statefulset.apps",
                "service",
                "configmap",
                "serviceaccount",
                "role.rbac.authorization.k8s.io",
                "rolebinding.rbac.authorization.k8s.io",
            )
        }
        eventually(lambda: everything(cluster) == wanted)
        assert set(cluster.get("riskpolicy", "paper")["status"]["boundStrategies"]) == there
    finally:
        last.kill()
        print(last.log.read_text())


@pytest.mark.ours
def test_an_api_server_that_comes_back_finds_the_same_operator(cluster: Cluster, tmp_path: Path) -> None:
    assert cluster.state is not None
    operator = OperatorProcess(cluster, tmp_path, "stays", election={"lease_s": 30, "renew_s": 20, "retry_s": 1})
    try:
        cluster.apply(ACCOUNT, document("s0", 0.1))
        eventually(lambda: reconciled(cluster, "strategy", "s0"))
        restart(cluster.state, "kube-apiserver", down_s=3)
        eventually(lambda: cluster.run("get", "--raw", "/readyz").returncode == 0, 60)
        cluster.apply(document("s1", 0.1))
        eventually(lambda: reconciled(cluster, "strategy", "s1"), 60)
        assert operator.process.poll() is None
        assert operator.get("/livez") == (200, "ok\n")
    finally:
        operator.kill()
        print(operator.log.read_text()[-3000:])


def restart(state: Path, name: str, down_s: float) -> None:
    """kill -9 of one of the control plane's processes, and the same command again."""
    pid = int((state / f"{name}.pid").read_text())
    command = [part for part in Path(f"/proc/{pid}/cmdline").read_text().split("\0") if part]
    os.kill(pid, 9)
    time.sleep(down_s)  # it is down for this long
    with (state / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True)
    (state / f"{name}.pid").write_text(str(process.pid))
    RESTARTED.append(process)
