"""The operator, as real processes, on a real API server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.conftest import Cluster
from tests.cluster.manifests import RISK_POLICY, STRATEGY, changed
from tests.cluster.operator_process import OperatorProcess, as_account, config, eventually
from tradewind.operators.config import OperatorConfig
from tradewind.operators.plan import shared
from tradewind.operators.plan.model import World, ref_of
from tradewind.operators.run.reconcile import timestamp

OWNED = "serviceaccounts,roles,rolebindings,configmaps,services,statefulsets,deployments"
MINE = "app.kubernetes.io/managed-by=tradewind-operator"


@pytest.fixture
def start(cluster: Cluster, tmp_path: Path) -> Iterator[Any]:
    running: list[OperatorProcess] = []

    def one(identity: str = "first", **more: Any) -> OperatorProcess:
        running.append(OperatorProcess(cluster, tmp_path, identity, **more))
        return running[-1]

    yield one
    for process in running:
        process.kill()
        print(process.log.read_text())  # pytest shows it when the test fails


def condition(cluster: Cluster, kind: str, name: str, of: str) -> dict[str, Any]:
    status = cluster.get(kind, name).get("status", {})
    return next((c for c in status.get("conditions", []) if c["type"] == of), {})


def reason(cluster: Cluster, kind: str, name: str, of: str) -> str:
    return str(condition(cluster, kind, name, of).get("reason"))


def owned(cluster: Cluster) -> set[str]:
    return set(cluster.ok("get", OWNED, "-l", MINE, "-o", "name").split())


def settled(cluster: Cluster) -> bool:
    """Whether every object of both is there. A policy that no strategy names yet has nothing to apply."""
    return (
        cluster.get("riskpolicy", "paper").get("status", {}).get("boundStrategies") == ["momentum"]
        and reason(cluster, "riskpolicy", "paper", "Reconciled") == "Applied"
        and reason(cluster, "strategy", "momentum", "Reconciled") == "Applied"
    )


def quiet(operator: OperatorProcess, many: int = 10) -> bool:
    """Whether so many looks wrote nothing."""
    looks, writes = (operator.metric(f"tradewind_operator_{m}") for m in ("look_seconds_count", "writes_total"))
    eventually(lambda: operator.metric("tradewind_operator_look_seconds_count") >= looks + many)
    return operator.metric("tradewind_operator_writes_total") == writes


def test_two_documents_become_an_executor_and_a_signal_process(cluster: Cluster, start: Any) -> None:
    start()
    cluster.apply(RISK_POLICY)
    eventually(lambda: reason(cluster, "riskpolicy", "paper", "Ready") == "NoStrategies")
    assert owned(cluster) == set()
    cluster.apply(STRATEGY)
    eventually(lambda: settled(cluster))
    assert owned(cluster) == {
        "serviceaccount/executor-paper",
        "role.rbac.authorization.k8s.io/executor-paper",
        "rolebinding.rbac.authorization.k8s.io/executor-paper",
        "configmap/executor-paper",
        "service/executor-paper",
        "statefulset.apps/executor-paper",
        "configmap/signals-momentum",
        "deployment.apps/signals-momentum",
    }
    eventually(lambda: executor_uid(cluster))
    pod = cluster.get("pod", "executor-paper-0")
    assert pod["status"]["qosClass"] == "Guaranteed"
    (executor,) = pod["spec"]["containers"]
    assert executor["resources"]["requests"]["cpu"] == executor["resources"]["limits"]["cpu"] == "1"
    assert not any("token" in mount["name"] for mount in executor["volumeMounts"])
    assert cluster.get("strategy", "momentum")["status"]["observedGeneration"] == 1
    assert cluster.get("riskpolicy", "paper")["status"]["boundStrategies"] == ["momentum"]
    assert condition(cluster, "strategy", "momentum", "RiskBound")["status"] == "True"
    said = cluster.ok("describe", "strategy", "momentum")
    assert "RiskBound: trades under RiskPolicy/paper" in said
    # No pod runs here: Ready says so instead of pretending.
    waited = cluster.run("wait", "--for=condition=Ready", "--timeout=1s", "riskpolicy/paper")
    assert waited.returncode != 0
    cluster.ok("wait", "--for=condition=RiskBound", "--timeout=60s", "strategy/momentum")


def executor_uid(cluster: Cluster) -> str:
    """Its pod's, or nothing while there is none."""
    return cluster.run("get", "pod", "executor-paper-0", "-o", "jsonpath={.metadata.uid}").stdout


def test_pods_pass_pod_security_restricted(cluster: Cluster, start: Any) -> None:
    cluster.ok("label", "namespace", cluster.namespace, "pod-security.kubernetes.io/enforce=restricted")
    start()
    cluster.apply(RISK_POLICY, STRATEGY)
    names = eventually(lambda: len(found := cluster.ok("get", "pods", "-l", MINE, "-o", "name").split()) == 2 and found)
    assert any(name.startswith("pod/signals-momentum-") for name in names)


def test_nothing_is_written_when_nothing_changed(cluster: Cluster, start: Any) -> None:
    first = start(resync_s=1)
    cluster.apply(RISK_POLICY, STRATEGY)
    eventually(lambda: settled(cluster) and quiet(first))  # its events come after the status that settles
    looks = first.metric("tradewind_operator_look_seconds_count")
    writes = first.metric("tradewind_operator_writes_total")
    eventually(lambda: first.metric("tradewind_operator_look_seconds_count") >= looks + 10)
    assert first.metric("tradewind_operator_writes_total") == writes > 0
    assert first.stop() == 0
    # Nor by a replica that starts anew.
    second = start("second")
    eventually(lambda: second.metric("tradewind_operator_look_seconds_count") >= 2)
    assert second.metric("tradewind_operator_writes_total") == 0
    assert writes_seen(cluster, "second") == []
    assert len(writes_seen(cluster, "first")) in (writes, 0)  # 0: a cluster without an audit log of ours


def writes_seen(cluster: Cluster, identity: str) -> list[tuple[str, str]]:
    """Verb and URI of a replica's writes to the test's namespace, as the API server's audit log has them."""
    return [
        (entry["verb"], entry["requestURI"])
        for entry in cluster.audited()
        if entry.get("userAgent") == f"tradewind-operator/{identity}" and entry["verb"] not in ("get", "list", "watch")
    ]


def test_what_somebody_changed_or_deleted_comes_back(cluster: Cluster, start: Any) -> None:
    start()
    cluster.apply(RISK_POLICY, STRATEGY)
    eventually(lambda: settled(cluster))
    cluster.ok("scale", "statefulset", "executor-paper", "--replicas=3")
    eventually(lambda: cluster.get("statefulset", "executor-paper")["spec"]["replicas"] == 1)
    cluster.ok("delete", "configmap", "signals-momentum")
    eventually(lambda: "configmap/signals-momentum" in owned(cluster))
    cluster.ok("annotate", "deployment", "signals-momentum", "team=a")
    eventually(lambda: settled(cluster))
    assert cluster.get("deployment", "signals-momentum")["metadata"]["annotations"]["team"] == "a"


def test_a_limit_changes_no_pod_and_a_broker_does(cluster: Cluster, start: Any) -> None:
    start()
    cluster.apply(RISK_POLICY, STRATEGY)
    eventually(lambda: settled(cluster))
    before = cluster.get("statefulset", "executor-paper")["spec"]["template"]
    signals = cluster.get("deployment", "signals-momentum")["spec"]["template"]
    cluster.apply(changed(RISK_POLICY, spec__limits__loss__daily=0.01))
    eventually(lambda: cluster.get("riskpolicy", "paper")["status"]["observedGeneration"] == 2 and settled(cluster))
    assert cluster.get("statefulset", "executor-paper")["spec"]["template"] == before
    assert cluster.get("deployment", "signals-momentum")["spec"]["template"] == signals
    uid = eventually(lambda: executor_uid(cluster))
    cluster.apply(changed(RISK_POLICY, spec__broker__url="https://broker.example"))
    eventually(lambda: cluster.get("statefulset", "executor-paper")["spec"]["template"] != before)
    # The old pod never became ready: a StatefulSet alone would wait for it for ever.
    eventually(lambda: executor_uid(cluster) not in ("", uid))


@pytest.mark.parametrize(
    ("policy", "strategy", "why", "says"),
    [
        ({}, {"spec__riskPolicy": "other"}, "PolicyMissing", "no RiskPolicy other in this namespace"),
        ({"spec__strategies": ["another"]}, {}, "NotAllowed", "add momentum to its spec.strategies"),
        ({}, {"spec__mode": "Live"}, "PaperAccount", "use Paper"),
    ],
    ids=["missing", "not allowed", "live on paper"],
)
def test_what_spans_documents_is_shown_in_a_condition(
    cluster: Cluster, start: Any, policy: dict[str, Any], strategy: dict[str, Any], why: str, says: str
) -> None:
    start()
    cluster.apply(changed(RISK_POLICY, **policy), changed(STRATEGY, **strategy))
    eventually(lambda: reason(cluster, "strategy", "momentum", "RiskBound") == why)
    assert says in condition(cluster, "strategy", "momentum", "RiskBound")["message"]
    assert condition(cluster, "strategy", "momentum", "Ready")["status"] == "False"
    assert "deployment.apps/signals-momentum" not in owned(cluster)


def test_capital_goes_to_the_first_and_is_freed_by_its_end(cluster: Cluster, start: Any) -> None:
    start()
    cluster.apply(
        changed(RISK_POLICY, spec__strategies=["momentum", "trend"]), changed(STRATEGY, spec__capitalShare=0.7)
    )
    eventually(lambda: settled(cluster))
    cluster.apply(changed(STRATEGY, metadata__name="trend", spec__capitalShare=0.5))
    eventually(lambda: reason(cluster, "strategy", "trend", "RiskBound") == "NoCapital")
    assert "0.3 left" in condition(cluster, "strategy", "trend", "RiskBound")["message"]
    cluster.ok("delete", "strategy", "momentum", "--wait=false")
    eventually(lambda: reason(cluster, "strategy", "trend", "RiskBound") == "Bound")
    eventually(lambda: cluster.get("riskpolicy", "paper")["status"]["boundStrategies"] == ["trend"])


def test_a_pod_that_the_kubelet_refuses_is_not_made_again_in_a_loop(cluster: Cluster, start: Any) -> None:
    start()
    cluster.apply(RISK_POLICY, STRATEGY)
    uid = eventually(lambda: cluster.run("get", "pod", "executor-paper-0", "-o", "jsonpath={.metadata.uid}").stdout)
    # There is no kubelet here; this is what one writes.
    refusal = {"status": {"phase": "Failed", "reason": "SMTAlignmentError", "message": "no whole cores"}}
    cluster.ok(
        "patch", "pod", "executor-paper-0", "--subresource=status", "--type=merge", f"--patch={json.dumps(refusal)}"
    )
    eventually(lambda: cluster.get("statefulset", "executor-paper")["spec"]["replicas"] == 0)
    eventually(lambda: reason(cluster, "riskpolicy", "paper", "Ready") == "SMTAlignmentError")
    assert cluster.get("riskpolicy", "paper")["status"]["refused"]["count"] >= 1
    eventually(lambda: cluster.run("get", "pod", "executor-paper-0").returncode != 0)
    eventually(lambda: cluster.get("statefulset", "executor-paper")["spec"]["replicas"] == 1)
    again = eventually(lambda: cluster.run("get", "pod", "executor-paper-0", "-o", "jsonpath={.metadata.uid}").stdout)
    assert again != uid


def test_what_strategies_share_comes_with_the_first_and_goes_with_the_last(cluster: Cluster, start: Any) -> None:
    images = {"executor": "executor:dev", "streaming": "streaming:dev", "operator": "operator:dev"}
    replay = {"trained_until": 10**18, "speed": 60}
    services = {"bus": "kafka://kafka:9092", "predictor": "predictor:9000", "data": {"dataset": "d", "replay": replay}}
    operator = start(images=images, services=services, resync_s=1)
    features = {"configmap/features-bars-1d-default-20", "deployment.apps/features-bars-1d-default-20"}
    cluster.apply(
        changed(RISK_POLICY, spec__strategies=["momentum", "trend"]),
        changed(STRATEGY, spec__capitalShare=0.5),
        changed(STRATEGY, metadata__name="trend", spec__capitalShare=0.5),
    )
    eventually(lambda: features <= owned(cluster))
    eventually(lambda: reason(cluster, "strategy", "momentum", "FeaturesFresh") == "FeaturesStarting")
    # No pod runs here, so nobody is ready, and the replay waits.
    assert "job.batch/feed" not in cluster.ok("get", "jobs", "-o", "name")
    eventually(lambda: quiet(operator))
    cluster.ok("delete", "strategy", "momentum")
    eventually(lambda: not {o for o in owned(cluster) if "momentum" in o})
    assert features <= owned(cluster)
    cluster.ok("delete", "strategy", "trend")
    eventually(lambda: not {o for o in owned(cluster) if o.startswith(("configmap/features", "deployment"))})


def test_a_replay_that_could_not_begin_makes_way_for_what_is_wanted_now(cluster: Cluster, start: Any) -> None:
    """No person has to delete it. No pod runs here, so none is ready, and the Job that was begun is made by hand."""
    replay = {"trained_until": 10**18, "speed": 60}
    services = {"bus": "kafka://kafka:9092", "predictor": "predictor:9000", "data": {"dataset": "d", "replay": replay}}
    images = {"executor": "executor:dev", "streaming": "no-such-image:dev", "operator": "operator:dev"}
    cluster.apply(RISK_POLICY, STRATEGY)
    documents = [cluster.get("riskpolicy", "paper"), cluster.get("strategy", "momentum")]
    for document in documents:
        ready = {"type": "Ready", "status": "True", "observedGeneration": 1}
        document["status"] = {"conditions": [ready]}
    told = OperatorConfig.model_validate(config(cluster.namespace, "yesterday", images=images, services=services))
    world = World({ref_of(document): document for document in documents})
    made = shared.plan(world, shared.SHARED.name, told, timestamp()).apply
    cluster.apply(*(o for o in made if o["kind"] == "Job"))

    first = start(images=images, services=services, resync_s=1)
    eventually(lambda: settled(cluster) and quiet(first))
    assert feed_objects(cluster) >= {"job.batch/feed"}
    assert first.stop() == 0
    second = start("second", images=images | {"streaming": "streaming:dev"}, services=services, resync_s=1)
    eventually(lambda: not feed_objects(cluster))
    assert second.metric('tradewind_operator_writes_total{kind="Job",verb="delete"}') == 1


def feed_objects(cluster: Cluster) -> set[str]:
    """The replay's Job and pods."""
    return set(cluster.ok("get", "jobs,pods", "-l", "app.kubernetes.io/name=feed", "-o", "name").split())


def test_an_end_leaves_nothing_behind(cluster: Cluster, start: Any) -> None:
    start()
    cluster.apply(RISK_POLICY, STRATEGY)
    eventually(lambda: settled(cluster))
    cluster.ok("delete", "strategy", "momentum")
    eventually(lambda: not {o for o in owned(cluster) if "momentum" in o})
    eventually(lambda: cluster.get("riskpolicy", "paper")["status"]["boundStrategies"] == [])
    cluster.ok("delete", "riskpolicy", "paper")
    eventually(lambda: not owned(cluster))
    eventually(lambda: not cluster.ok("get", "pods,persistentvolumeclaims", "-o", "name").split())


def test_a_killed_leader_is_followed_by_the_other_without_a_second_write(cluster: Cluster, start: Any) -> None:
    first = start("first", resync_s=1)
    eventually(first.leads)
    second = start("second")
    cluster.apply(RISK_POLICY, STRATEGY)
    eventually(lambda: settled(cluster) and quiet(first))
    assert not second.leads()
    assert second.metric("tradewind_operator_writes_total") == 0
    first.kill()
    killed = time.monotonic()
    cluster.apply(changed(RISK_POLICY, spec__broker__url="https://broker.example"))
    eventually(second.leads)
    took = time.monotonic() - killed
    eventually(lambda: cluster.get("riskpolicy", "paper")["status"]["observedGeneration"] == 2 and settled(cluster))
    assert second.get("/livez")[0] == 200
    # The change is written once, and nothing that was as it should be is written again.
    applied = second.metric('tradewind_operator_writes_total{kind="StatefulSet",verb="apply"}')
    assert applied == 1
    for kind in ("Service", "Role", "RoleBinding", "ServiceAccount", "Deployment"):
        assert second.metric(f'tradewind_operator_writes_total{{kind="{kind}",verb="apply"}}') == 0
    print(json.dumps({"figure": "operator takeover", "lease_s": 4, "seconds": round(took, 1)}))


def test_a_leader_that_is_asked_to_end_gives_the_lease_back(cluster: Cluster, start: Any) -> None:
    first = start("first")
    eventually(first.leads)
    assert first.stop() == 0
    lease = cluster.get("lease", "tradewind-operator")
    assert not lease["spec"].get("holderIdentity")


def test_livez_sees_a_watch_that_is_dead(cluster: Cluster, start: Any, tmp_path: Path) -> None:
    """An account that may list Deployments but not watch them: the API server tells of no change."""
    everything = ["get", "list", "watch", "create", "update", "patch", "delete"]
    rules = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "create", "update", "patch", "delete"]},
        {"apiGroups": ["tradewind.dev", "", "rbac.authorization.k8s.io"], "resources": ["*"], "verbs": everything},
        {"apiGroups": ["apps"], "resources": ["statefulsets"], "verbs": ["watch"]},
    ]
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "deaf"}}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "deaf"}, "rules": rules}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "deaf"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "deaf"},
        "subjects": [{"kind": "ServiceAccount", "name": "deaf", "namespace": cluster.namespace}],
    }
    cluster.apply(account, role, binding)
    deaf = start("deaf", kubeconfig=as_account(cluster, "deaf", tmp_path), audit_s=1)
    eventually(deaf.leads)
    cluster.apply(RISK_POLICY, STRATEGY)
    eventually(lambda: "deployment.apps/signals-momentum" in owned(cluster))
    cluster.ok("annotate", "deployment", "signals-momentum", "somebody=was-here")
    _, text = eventually(lambda: (got := deaf.get("/livez"))[0] == 503 and got)
    assert "Deployment/signals-momentum" in text
    assert "its watch is dead" in text
    well = start("well", audit_s=1)
    assert well.get("/livez") == (200, "ok\n")
