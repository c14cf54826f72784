"""Deleting strategies and policies: operator and follower as real processes, beside a stand-in for the executor."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.conftest import Cluster
from tests.cluster.manifests import RISK_POLICY, STRATEGY, changed
from tests.cluster.operator_process import OperatorProcess, Process, as_account, eventually, write_whole
from tradewind.execution.executor.config import ExecutorConfig
from tradewind.operators.plan.model import FINALIZER
from tradewind.planning.pods import EXECUTOR_METRICS_PORT

pytestmark = pytest.mark.usefixtures("followers")
FLATTENS = changed(STRATEGY, spec__onDelete="Flatten")
UID = r"jsonpath={.metadata.uid}"


class Executor(threading.Thread):
    """Says what an executor says: of its configuration beside its journal, of who leaves in its metrics.

    Attributes:
        left: orders, positions and code of every strategy that is told to leave.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(daemon=True)
        self.out, self.left, self.over = directory / "config.json", (0, 1, ""), threading.Event()
        self._told = directory / "executors" / "paper.policy.json"
        self._told.parent.mkdir()
        executor = self

        class Metrics(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(executor.metrics().encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", EXECUTOR_METRICS_PORT), Metrics)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def strategies(self) -> dict[str, str | None]:
        """What it is told to do with each, by uid."""
        config = ExecutorConfig.model_validate_json(self.out.read_bytes())
        return {s["uid"]: s["leaving"] for s in config.engine["strategies"]}

    def metrics(self) -> str:
        lines = [
            'tradewind_executor_connected{account="paper"} 1.0',
            'tradewind_executor_kill_switch{account="paper"} 0.0',
        ]
        orders, positions, code = self.left
        for uid in (uid for uid, how in self.strategies().items() if how):
            of = f'account="paper",strategy="{uid}"'
            lines.append(f"tradewind_executor_leaving_orders{{{of}}} {orders}")
            lines.append(f"tradewind_executor_leaving_positions{{{of}}} {positions}")
            if code:
                lines.append(f'tradewind_executor_leaving_refused{{{of},code="{code}"}} 1')
        return "\n".join(lines) + "\n"

    def run(self) -> None:
        seen, known = None, set[str]()
        while not self.over.wait(0.02):
            if not self.out.exists() or (stamp := self.out.stat().st_mtime_ns) == seen:
                continue
            seen = stamp
            now = set(self.strategies())
            holds = self.left[:2] != (0, 0) and known - now
            known = known if holds else now
            problem = "engine.strategies: one still has a position" if holds else ""
            told = {"generation": 1, "problem": problem, "pid": 1, "cpus": [0], "of": 2}
            write_whole(self._told, json.dumps(told))


@pytest.fixture
def executor(cluster: Cluster, tmp_path: Path) -> Iterator[Executor]:
    """Both documents, looked after, and an executor that holds something for the strategy."""
    operator = OperatorProcess(cluster, tmp_path, "operator")
    cluster.apply(RISK_POLICY, FLATTENS)
    where = ("get", "configmap", "executor-paper", "-o", r"jsonpath={.data.site\.json}")
    (tmp_path / "site.json").write_text(eventually(lambda: cluster.run(*where).stdout))
    eventually(lambda: cluster.run("get", "rolebinding", "executor-paper").returncode == 0)
    eventually(lambda: cluster.run("get", "pod", "executor-paper-0").returncode == 0)
    executor = Executor(tmp_path)
    arguments = ["tradewind.operators.follow", "--policy=paper", "--pod=executor-paper-0", "--port=0"]
    arguments += [f"--namespace={cluster.namespace}", f"--site={tmp_path / 'site.json'}"]
    arguments += [f"--out={executor.out}", f"--state={tmp_path}"]
    follower = Process(arguments, as_account(cluster, "executor-paper", tmp_path), tmp_path / "follower.log")
    executor.start()
    eventually(lambda: held(cluster, "strategy", "momentum"))
    eventually(lambda: held(cluster, "riskpolicy", "paper"))
    yield executor
    executor.over.set()
    executor.server.shutdown()
    executor.server.server_close()
    for process in (follower, operator):
        process.kill()
        print(process.log.read_text()[-4000:])
    # Nobody is there to take it away.
    for document in ("strategy/momentum", "riskpolicy/paper"):
        cluster.run("patch", document, "--type=merge", '--patch={"metadata":{"finalizers":null}}')


def held(cluster: Cluster, kind: str, name: str) -> bool:
    return FINALIZER in cluster.get(kind, name)["metadata"].get("finalizers", [])


def waits(cluster: Cluster) -> str:
    """Why the strategy is still there."""
    conditions = cluster.get("strategy", "momentum").get("status", {}).get("conditions", [])
    return next((c["reason"] for c in conditions if c["type"] == "Deleted"), "")


def gone(cluster: Cluster, what: str) -> bool:
    return "NotFound" in cluster.run("get", what).stderr


def test_a_strategy_goes_when_its_executor_has_done_what_it_says(cluster: Cluster, executor: Executor) -> None:
    (uid,) = executor.strategies()
    assert executor.strategies() == {uid: None}
    cluster.ok("delete", "strategy", "momentum", "--wait=false")
    eventually(lambda: executor.strategies() == {uid: "flatten"})
    eventually(lambda: waits(cluster) == "Flattening")
    assert gone(cluster, "deployment/signals-momentum")
    row = cluster.ok("get", "strat", "momentum", "-o", "wide")
    assert "positions in 1 symbols are left" in row
    assert f"remove the finalizer {FINALIZER}" in row
    executor.left = (0, 1, "OUT_OF_SESSION")
    eventually(lambda: waits(cluster) == "MarketClosed")
    executor.left = (0, 0, "")
    eventually(lambda: gone(cluster, "strategy/momentum"))
    eventually(lambda: not held(cluster, "riskpolicy", "paper"))
    events = cluster.ok("get", "events", "-o", "jsonpath={.items[*].reason}").split()
    assert {"MarketClosed", "Flattened"} <= set(events)


def test_a_policy_and_its_executor_wait_for_the_strategy(cluster: Cluster, executor: Executor) -> None:
    documents = yaml.safe_dump_all([FLATTENS, RISK_POLICY])
    # The API server sees the first deletion by a watch; the second try is after that.
    eventually(lambda: cluster.run("delete", "-f", "-", "--wait=false", given=documents).returncode == 0)
    eventually(lambda: waits(cluster) == "Flattening")
    assert "deletionTimestamp" in cluster.get("riskpolicy", "paper")["metadata"]
    assert not gone(cluster, "statefulset/executor-paper")
    assert list(executor.strategies().values()) == ["flatten"]
    executor.left = (0, 0, "")
    eventually(lambda: gone(cluster, "strategy/momentum"))
    eventually(lambda: gone(cluster, "riskpolicy/paper"))
    eventually(lambda: gone(cluster, "statefulset/executor-paper"))


def test_a_policy_that_waits_is_in_force_until_the_last_strategy_is_gone(cluster: Cluster, executor: Executor) -> None:
    cluster.apply(changed(RISK_POLICY, spec__onDelete="Wait"))
    cluster.ok("delete", "riskpolicy", "paper", "--wait=false")
    cluster.ok("wait", "--for=condition=Deleted=False", "--timeout=100s", "riskpolicy/paper")
    assert "until the last of its strategies is gone: momentum" in cluster.ok("describe", "riskpolicy", "paper")
    cluster.ok("wait", "--for=condition=RiskBound", "--timeout=60s", "strategy/momentum")
    assert list(executor.strategies().values()) == [None]
    executor.left = (0, 0, "")
    cluster.ok("delete", "strategy", "momentum")
    eventually(lambda: gone(cluster, "riskpolicy/paper"))


def test_who_gives_up_waiting_leaves_the_rest_to_the_executor(cluster: Cluster, executor: Executor) -> None:
    cluster.ok("delete", "strategy", "momentum", "--wait=false")
    eventually(lambda: waits(cluster) == "Flattening")
    cluster.ok("patch", "strategy", "momentum", "--type=merge", '--patch={"metadata":{"finalizers":null}}')
    assert gone(cluster, "strategy/momentum")
    # Without the finalizer from the start, too: what is gone was deleted.
    cluster.apply(FLATTENS)
    eventually(lambda: len(executor.strategies()) == 2)
    assert sorted(map(str, executor.strategies().values())) == ["None", "flatten"]


def test_a_strategy_that_is_not_allowed_any_more_is_seen_going(cluster: Cluster, executor: Executor) -> None:
    cluster.apply(changed(RISK_POLICY, spec__strategies=["trend"]))
    eventually(lambda: list(executor.strategies().values()) == [None])
    cluster.ok("delete", "strategy", "momentum", "--wait=false")
    eventually(lambda: list(executor.strategies().values()) == ["flatten"])
    executor.left = (0, 0, "")
    eventually(lambda: gone(cluster, "strategy/momentum"))


def test_the_operators_account_changes_no_spec(cluster: Cluster, executor: Executor) -> None:
    assert executor.is_alive()
    user = f"--as=system:serviceaccount:{cluster.namespace}:tradewind-operator"
    for document, patch in (
        ("riskpolicy/paper", '{"spec":{"limits":{"loss":{"daily":0.5}}}}'),
        ("strategy/momentum", '{"spec":{"capitalShare":0.5}}'),
    ):
        done = cluster.run("patch", document, "--type=merge", f"--patch={patch}", user)
        assert done.returncode != 0
        assert "the operator's account changes no spec" in done.stderr
        cluster.ok("patch", document, "--type=merge", '--patch={"metadata":{"labels":{"team":"a"}}}', user)
