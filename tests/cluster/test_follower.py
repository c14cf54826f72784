"""What runs beside an executor, as a real process with the executor's own account and the operator dead."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import Cluster
from tests.cluster.manifests import RISK_POLICY, STRATEGY, changed
from tests.cluster.operator_process import OperatorProcess, Process, as_account, eventually, write_whole
from tradewind.execution.executor.config import ExecutorConfig
from tradewind.operators.plan.noted import Note
from tradewind.planning.legs import LEFT_SHARE

pytestmark = pytest.mark.usefixtures("followers")


@pytest.fixture
def follower(cluster: Cluster, tmp_path: Path) -> Iterator[tuple[Process, Path]]:
    """A follower of the policy `paper`, after the operator made its account and was killed."""
    operator = OperatorProcess(cluster, tmp_path, "operator")
    try:
        cluster.apply(RISK_POLICY, STRATEGY)
        site = eventually(
            lambda: cluster.run("get", "configmap", "executor-paper", "-o", r"jsonpath={.data.site\.json}").stdout
        )
        eventually(lambda: cluster.run("get", "rolebinding", "executor-paper").returncode == 0)
    finally:
        operator.kill()
        print(operator.log.read_text())
    (tmp_path / "site.json").write_text(site)
    out = tmp_path / "config.json"
    arguments = ["tradewind.operators.follow", "--policy=paper", "--pod=executor-paper-0", "--port=0"]
    arguments += [f"--namespace={cluster.namespace}"]
    arguments += [f"--site={tmp_path / 'site.json'}", f"--out={out}", f"--state={tmp_path}"]
    process = Process(arguments, as_account(cluster, "executor-paper", tmp_path), tmp_path / "follower.log")
    yield process, out
    process.kill()
    print(process.log.read_text())


def told(out: Path) -> ExecutorConfig:
    return ExecutorConfig.model_validate_json(out.read_bytes())


def test_a_limit_and_the_kill_switch_arrive_without_the_operator(
    cluster: Cluster, follower: tuple[Process, Path]
) -> None:
    process, out = follower
    eventually(lambda: process.get("/startz")[0] == 200)
    before = told(out)
    assert before.account == "paper"
    assert before.engine["limits"]["daily_loss_pct"] == 0.02
    assert not before.kill_switch.engaged
    began = time.monotonic()
    cluster.apply(changed(RISK_POLICY, spec__limits__loss__daily=0.01, spec__killSwitch__engaged=True))
    after = eventually(lambda: (found := told(out)).policy_generation == 2 and found)
    print(json.dumps({"figure": "policy applied to file written", "ms": round((time.monotonic() - began) * 1000)}))
    assert after.engine["limits"]["daily_loss_pct"] == 0.01
    assert after.kill_switch.engaged
    assert after.broker == before.broker


def test_a_policy_that_cannot_be_followed_leaves_the_last_one(cluster: Cluster, follower: tuple[Process, Path]) -> None:
    process, out = follower
    eventually(lambda: process.get("/startz")[0] == 200)
    # A limit's override that changes nothing: the API server can't know it, the planner does.
    override = {"limit": "loss.weekly", "value": 0.05, "until": "2099-01-01T00:00:00Z", "by": "Ann", "reason": "test"}
    cluster.apply(changed(RISK_POLICY, spec__overrides=[override]))
    eventually(lambda: "the last policy stays: RiskPolicy/paper: overrides: loss.weekly" in process.log.read_text())
    assert told(out).policy_generation == 1
    cluster.apply(changed(RISK_POLICY, spec__limits__shorting=False))
    after = eventually(lambda: (found := told(out)).policy_generation == 3 and found)
    assert after.engine["limits"]["allow_short"] is False


class Books(threading.Thread):
    """Says what an executor says of its configuration (native/src/engine/reconfigure.cpp): no removal while held."""

    def __init__(self, out: Path, held: set[str]) -> None:
        super().__init__(daemon=True)
        self.out, self.held, self.over = out, held, threading.Event()
        self.record = out.parent / "executors" / "paper.policy.json"
        self.record.parent.mkdir()

    def run(self) -> None:
        seen = None
        while not self.over.wait(0.02):
            if (stamp := self.out.stat().st_mtime_ns) == seen:
                continue
            seen = stamp
            config = told(self.out)
            missing = self.held - {strategy["uid"] for strategy in config.engine["strategies"]}
            problem = f"engine.strategies: {missing} still has a position" if missing else ""
            said = {"generation": config.policy_generation, "problem": problem, "pid": 1}
            write_whole(self.record, json.dumps(said))


def strategies(out: Path) -> set[str]:
    return {strategy["uid"] for strategy in told(out).engine["strategies"]}


def test_a_strategy_that_leaves_with_a_position_blocks_no_kill_switch(
    cluster: Cluster, follower: tuple[Process, Path]
) -> None:
    process, out = follower
    eventually(lambda: process.get("/startz")[0] == 200)
    (uid,) = strategies(out)
    held = {uid}
    executor = Books(out, held)
    executor.start()
    cluster.apply(changed(STRATEGY, metadata__name="trend"))
    cluster.apply(changed(RISK_POLICY, spec__strategies=["trend"]))
    # The Role is the operator's to widen; it is dead, so a manager's hand does it here.
    rule = [{"op": "add", "path": "/rules/1/resourceNames/-", "value": "trend"}]
    cluster.ok("patch", "role", "executor-paper", "--type=json", f"--patch={json.dumps(rule)}")
    cluster.ok("delete", "strategy", "momentum", "--wait=false")
    eventually(lambda: len(strategies(out)) == 2)
    eventually(lambda: "momentum left: engine.strategies" in process.log.read_text())
    cluster.apply(changed(RISK_POLICY, spec__strategies=["trend"], spec__killSwitch__engaged=True))
    after = eventually(lambda: (found := told(out)).kill_switch.engaged and found)
    assert uid in strategies(out)
    shares = {strategy["uid"]: strategy["capital_share"] for strategy in after.engine["strategies"]}
    assert shares[uid] == LEFT_SHARE
    held.clear()  # closed
    eventually(lambda: uid not in strategies(out))
    assert told(out).kill_switch.engaged
    executor.over.set()


def test_a_strategy_that_comes_is_followed_too(cluster: Cluster, follower: tuple[Process, Path]) -> None:
    process, out = follower
    eventually(lambda: process.get("/startz")[0] == 200)
    cluster.apply(changed(STRATEGY, spec__universe__symbols=["AAPL", "MSFT", "NVDA"]))
    eventually(lambda: [s["symbol"] for s in told(out).engine["symbols"]] == ["AAPL", "MSFT", "NVDA"])


def test_the_executors_cpus_are_noted_on_its_pod(cluster: Cluster, follower: tuple[Process, Path]) -> None:
    process, out = follower
    eventually(lambda: process.get("/startz")[0] == 200)
    eventually(lambda: cluster.run("get", "pod", "executor-paper-0").returncode == 0)
    record = out.parent / "executors" / "paper.policy.json"
    record.parent.mkdir()
    write_whole(record, json.dumps({"generation": 1, "problem": "", "pid": 1, "cpus": [3], "of": 8}))
    noted = r"jsonpath={.metadata.annotations.tradewind\.dev/executor}"
    note = eventually(lambda: cluster.ok("get", "pod", "executor-paper-0", "-o", noted))
    known = [cluster.get("strategy", "momentum")["metadata"]["uid"]]
    expected = Note(cpus=[3], of=8, connected=None, kill_switch=None, strategies=known, remains={})
    assert Note.model_validate_json(note) == expected
    # An operator that comes tells everybody.
    operator = OperatorProcess(cluster, out.parent, "later")
    try:
        cluster.ok("wait", "--for=condition=CPUPinned", "--timeout=60s", "riskpolicy/paper")
    finally:
        operator.kill()


def test_readyz_asks_the_executor(cluster: Cluster, follower: tuple[Process, Path]) -> None:
    process, out = follower
    eventually(lambda: process.get("/startz")[0] == 200)
    port = told(out).control_port
    assert process.get("/readyz") == (503, f"the executor doesn't listen on {port}: [Errno 111] Connection refused\n")
    with socket.create_server(("127.0.0.1", port)):
        assert process.get("/readyz")[0] == 200
    assert process.get("/livez")[0] == 200


def test_the_executors_account_may_do_nothing_else(cluster: Cluster, follower: tuple[Process, Path]) -> None:
    user = f"--as=system:serviceaccount:{cluster.namespace}:executor-paper"

    def may(*what: str) -> bool:
        return cluster.run("auth", "can-i", *what, user).stdout.strip() == "yes"

    assert may("get", "riskpolicies.tradewind.dev/paper")
    assert may("watch", "riskpolicies.tradewind.dev/paper")
    assert may("get", "strategies.tradewind.dev/momentum")
    assert may("patch", "pods/executor-paper-0")
    refused = [
        ("get", "riskpolicies.tradewind.dev/other"),
        ("list", "riskpolicies.tradewind.dev"),
        ("patch", "riskpolicies.tradewind.dev/paper"),
        ("patch", "riskpolicies.tradewind.dev/paper", "--subresource=status"),
        ("get", "strategies.tradewind.dev/other"),
        ("list", "strategies.tradewind.dev"),
        ("get", "secrets"),
        ("get", "configmaps"),
        ("list", "pods"),
        ("create", "pods"),
        ("patch", "pods/signals-momentum-0"),
        ("get", "pods/executor-paper-0"),
    ]
    assert [what for what in refused if may(*what)] == []
    listed = cluster.ok("auth", "can-i", "--list", user)
    ours = [line.split()[0] for line in listed.splitlines() if "tradewind.dev" in line]
    assert ours == ["riskpolicies.tradewind.dev", "strategies.tradewind.dev"]
