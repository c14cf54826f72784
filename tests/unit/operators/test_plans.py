"""The planners, as tables: what was seen → what is done and said."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tests.unit.operators.worlds import (
    CONFIG,
    LATER,
    NOW,
    carried_out,
    conditions,
    message,
    planned,
    policy,
    strategy,
    world,
)
from tradewind.execution.executor.config import ExecutorConfig
from tradewind.execution.signals.config import SignalConfig
from tradewind.operators.config import OperatorConfig
from tradewind.operators.plan import policies, strategies
from tradewind.operators.plan.affected import affected, everything
from tradewind.operators.plan.difference import differing, stamped
from tradewind.operators.plan.model import Object, Plan, Ref, World, ref_of
from tradewind.operators.plan.refusal import wait_after
from tradewind.operators.plan.serving import SERVING
from tradewind.operators.plan.shared import SHARED
from tradewind.planning.pods import executor_pod, fixed_part
from tradewind.specs.loading import parse_document

BOTH = world(policy(), strategy())
SET, POD, DEPLOYMENT = (
    Ref("StatefulSet", "executor-paper"),
    Ref("Pod", "executor-paper-0"),
    Ref("Deployment", "signals-momentum"),
)


def settled() -> World:
    """Both documents with everything applied, before any pod runs."""
    made = carried_out(carried_out(BOTH, "RiskPolicy", "paper"), "Strategy", "momentum")
    return carried_out(carried_out(made, "RiskPolicy", "paper"), "Strategy", "momentum")


def seen(of: World, ref: Ref, **changes: Any) -> World:
    """The namespace with an object changed; `status={...}` and the like."""
    return World(
        {**of.objects, ref: {**of.objects.get(ref, {"kind": ref.kind, "metadata": {"name": ref.name}}), **changes}}
    )


def pod(ready: bool = False, revision: str = "new", **status: Any) -> Object:
    """The executor's pod."""
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {
        "kind": "Pod",
        "metadata": {"name": "executor-paper-0", "labels": {"controller-revision-hash": revision}},
        "status": {"conditions": conditions, **status},
    }


def made_by(maker: Ref, ready: bool = True, template: str = "first") -> Object:
    """A pod of a Deployment or a Job."""
    kind, name = ("ReplicaSet", f"{maker.name}-{template}") if maker.kind == "Deployment" else maker
    metadata = {
        "name": f"{name}-x7k2p",
        "labels": {"pod-template-hash": template},
        "ownerReferences": [{"kind": kind, "name": name}],
    }
    conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
    return {"kind": "Pod", "metadata": metadata, "status": {"conditions": conditions}}


STARTED = {"observedGeneration": 1, "updateRevision": "new", "updatedReplicas": 1, "readyReplicas": 1}


def running(status: dict[str, Any], *pods: Object) -> World:
    """Settled, with what the StatefulSet says of itself."""
    metadata = {**settled().objects[SET]["metadata"], "generation": 1}
    made = seen(settled(), SET, metadata=metadata, status=status)
    return World({**made.objects, **{Ref("Pod", p["metadata"]["name"]): p for p in pods}})


def test_a_settled_namespace_needs_nothing() -> None:
    of = settled()
    for kind, name in (("RiskPolicy", "paper"), ("Strategy", "momentum")):
        plan = planned(of, kind, name, LATER)
        assert plan.apply == []
        assert plan.delete == []
        assert plan.events == []
        assert plan.status == of.objects[Ref(kind, name)]["status"]


@pytest.mark.parametrize("kind", ["RiskPolicy", "Strategy"])
def test_a_document_that_is_gone_or_going_needs_nothing(kind: str) -> None:
    name = {"RiskPolicy": "paper", "Strategy": "momentum"}[kind]
    assert planned(world(), kind, name).status is None
    going = seen(
        BOTH, Ref(kind, name), metadata={**BOTH.objects[Ref(kind, name)]["metadata"], "deletionTimestamp": NOW}
    )
    plan = planned(going, kind, name)
    assert (plan.apply, plan.delete, plan.status) == ([], [], None)


@pytest.mark.parametrize(
    ("of", "kind", "name", "condition", "reason", "says"),
    [
        (world(policy()), "RiskPolicy", "paper", "Ready", "NoStrategies", "it allows momentum"),
        (
            world(policy(limits={"loss": {"daily": 2}})),
            "RiskPolicy",
            "paper",
            "Ready",
            "InvalidSpec",
            "spec.limits.loss.daily",
        ),
        (world(policy(limts={})), "RiskPolicy", "paper", "Reconciled", "InvalidSpec", "did you mean limits?"),
        (
            world(
                policy(overrides=[{"limit": "loss.weekly", "value": 0.05, "until": LATER, "by": "Ann", "reason": "x"}]),
                strategy(),
            ),
            "RiskPolicy",
            "paper",
            "Reconciled",
            "InvalidSpec",
            "changes nothing",
        ),
        (world(strategy()), "Strategy", "momentum", "RiskBound", "PolicyMissing", "no RiskPolicy paper"),
        (
            world(policy(allows=("other",)), strategy()),
            "Strategy",
            "momentum",
            "RiskBound",
            "NotAllowed",
            "add momentum to its spec.strategies",
        ),
        (world(policy(), strategy(mode="Live")), "Strategy", "momentum", "RiskBound", "PaperAccount", "use Paper"),
        (
            world(policy(), strategy(sinal={})),
            "Strategy",
            "momentum",
            "RiskBound",
            "InvalidSpec",
            "did you mean signal?",
        ),
        (
            world(policy(limits={"loss": {"daily": 2}}), strategy()),
            "Strategy",
            "momentum",
            "RiskBound",
            "PolicyMissing",
            "RiskPolicy paper",
        ),
        (
            world(
                policy(allows=("momentum", "trend")), strategy(capitalShare=0.7), strategy("trend", 2, capitalShare=0.5)
            ),
            "Strategy",
            "trend",
            "RiskBound",
            "NoCapital",
            "0.3 left",
        ),
    ],
    ids=[
        "idle",
        "range",
        "typo",
        "override",
        "missing",
        "not allowed",
        "paper",
        "typo in strategy",
        "bad policy",
        "capital",
    ],
)
def test_what_is_wrong_is_said_with_field_and_fix(
    of: World, kind: str, name: str, condition: str, reason: str, says: str
) -> None:
    plan = planned(of, kind, name)
    assert conditions(plan)[condition] == ("False", reason)
    assert says in message(plan, condition)
    assert plan.apply == []
    # Told once, though several conditions may have that cause.
    assert [c.message for c in plan.events].count(message(plan, condition)) == 1


def test_capital_goes_to_the_oldest_whatever_its_name() -> None:
    of = world(policy(allows=("a", "z")), strategy("z", 1, capitalShare=0.6), strategy("a", 2, capitalShare=0.6))
    assert conditions(planned(of, "Strategy", "z"))["RiskBound"] == ("True", "Bound")
    assert conditions(planned(of, "Strategy", "a"))["RiskBound"] == ("False", "NoCapital")
    status = planned(of, "RiskPolicy", "paper").status
    assert status is not None
    assert status["boundStrategies"] == ["z"]


def test_a_policy_that_turned_bad_leaves_its_executor_alone() -> None:
    of = settled()
    bad = seen(of, Ref("RiskPolicy", "paper"), spec={"strategies": ["momentum"], "limits": {"loss": {"daily": 2}}})
    plan = planned(bad, "RiskPolicy", "paper")
    assert (plan.apply, plan.delete) == ([], [])
    assert conditions(plan) == {"Reconciled": ("False", "InvalidSpec"), "Ready": ("False", "InvalidSpec")}
    assert plan.status is not None
    assert plan.status["boundStrategies"] == ["momentum"]


def test_a_strategy_that_may_no_longer_trade_loses_its_signal_process() -> None:
    of = seen(settled(), Ref("RiskPolicy", "paper"), spec={"strategies": ["another"]})
    plan = planned(of, "Strategy", "momentum")
    assert plan.delete == [DEPLOYMENT]
    assert conditions(plan)["Reconciled"] == ("False", "Stopping")
    after = carried_out(of, "Strategy", "momentum")
    assert planned(after, "Strategy", "momentum").delete == []
    assert conditions(planned(after, "Strategy", "momentum"))["Reconciled"] == ("True", "Stopped")


@pytest.mark.parametrize(
    ("status", "pods", "reason"),
    [
        ({}, [], "ExecutorStarting"),
        (STARTED, [pod(ready=True)], "ExecutorReady"),
        ({**STARTED, "observedGeneration": 0}, [pod(ready=True)], "ExecutorStarting"),
        ({**STARTED, "readyReplicas": 0}, [pod(ready=True)], "ExecutorReady"),
        (STARTED, [pod()], "ExecutorStarting"),
        (STARTED, [], "ExecutorStarting"),
        (
            STARTED,
            [{**(old := pod(ready=True)), "metadata": {**old["metadata"], "deletionTimestamp": NOW}}],
            "ExecutorStarting",
        ),
        (STARTED, [pod(ready=True, revision="old")], "ExecutorStarting"),
        (
            {"observedGeneration": 1},
            [pod(phase="Failed", reason="Evicted", message="no room")],
            "Evicted",
        ),
        (
            {"observedGeneration": 1},
            [pod(containerStatuses=[{"name": "executor", "state": {"waiting": {"reason": "ImagePullBackOff"}}}])],
            "ImagePullBackOff",
        ),
        (
            {"observedGeneration": 1},
            [pod(initContainerStatuses=[{"name": "policy", "state": {"waiting": {"reason": "PodInitializing"}}}])],
            "ExecutorStarting",
        ),
    ],
    ids=[
        "new",
        "ready",
        "old status",
        "late controller",
        "not ready",
        "gone",
        "going",
        "old pod",
        "evicted",
        "no image",
        "on its way",
    ],
)
def test_ready_says_what_the_pod_says(status: dict[str, Any], pods: list[Object], reason: str) -> None:
    plan = planned(running(status, *pods), "RiskPolicy", "paper")
    assert conditions(plan)["Ready"] == ("True" if reason == "ExecutorReady" else "False", reason)
    assert plan.apply == []


@pytest.mark.parametrize(
    ("status", "found", "stuck"),
    [
        (STARTED, pod(revision="old"), True),
        (STARTED, pod(revision="new"), False),
        (STARTED, pod(ready=True, revision="old"), False),  # the StatefulSet replaces it itself
        ({**STARTED, "observedGeneration": 0}, pod(revision="old"), False),
        ({"observedGeneration": 1}, pod(revision="old"), False),
    ],
    ids=["stuck", "newest", "ready", "not seen yet", "no revision"],
)
def test_a_stuck_pod_of_an_old_template_is_replaced(status: dict[str, Any], found: Object, stuck: bool) -> None:
    assert planned(running(status, found), "RiskPolicy", "paper").delete == ([POD] if stuck else [])


def refused_pod(uid: str) -> Object:
    found = pod(phase="Failed", reason="SMTAlignmentError", message="2 CPUs are no whole cores")
    return {**found, "metadata": {**found["metadata"], "uid": uid}}


def test_a_pod_that_the_kubelet_refuses_is_tried_again_later_and_later() -> None:
    def scaled(plan: Plan) -> list[int]:
        return [o["spec"]["replicas"] for o in plan.apply if o["kind"] == "StatefulSet"]

    of, started = running({"observedGeneration": 1}, refused_pod("one")), "2026-11-21T10:00:00Z"
    first = planned(of, "RiskPolicy", "paper", started)
    assert scaled(first) == [0]
    assert conditions(first)["Ready"] == ("False", "SMTAlignmentError")
    assert "2 CPUs are no whole cores; waiting 10 s" in message(first, "Ready")
    assert first.again_s == 10
    assert first.status_first
    of = carried_out(of, "RiskPolicy", "paper", started)
    # The same pod, seen again, is no second refusal; gone, it is remembered.
    waiting = planned(of, "RiskPolicy", "paper", "2026-11-21T10:00:04Z")
    assert (scaled(waiting), waiting.again_s, waiting.status_first) == ([], 6, False)
    of = World({ref: o for ref, o in of.objects.items() if ref != POD})
    assert scaled(planned(of, "RiskPolicy", "paper", "2026-11-21T10:00:09Z")) == []
    assert scaled(planned(of, "RiskPolicy", "paper", "2026-11-21T10:00:10Z")) == [1]
    of = carried_out(of, "RiskPolicy", "paper", "2026-11-21T10:00:10Z")
    again = planned(seen(of, POD, **refused_pod("two")), "RiskPolicy", "paper", "2026-11-21T10:00:12Z")
    assert scaled(again) == [0]
    assert again.again_s == 20
    assert "twice" not in message(again, "Ready")
    assert "2 times in a row" in message(again, "Ready")
    # One that runs in the end is forgiven.
    metadata = {**of.objects[SET]["metadata"], "generation": 1}
    well = planned(
        seen(seen(of, SET, metadata=metadata, status=STARTED), POD, **pod(ready=True)), "RiskPolicy", "paper", LATER
    )
    assert conditions(well)["Ready"] == ("True", "ExecutorReady")
    assert well.status is not None
    assert "refused" not in well.status


def test_the_wait_for_a_refused_pod_has_an_end() -> None:
    assert [wait_after(n) for n in (1, 2, 3, 20)] == [10, 20, 40, 600]


def test_what_went_wrong_is_said_until_it_went_well() -> None:
    plan = planned(settled(), "RiskPolicy", "paper", problem="quota exceeded")
    assert conditions(plan)["Reconciled"] == ("False", "ApplyFailed")
    assert message(plan, "Reconciled") == "quota exceeded"
    assert conditions(planned(settled(), "RiskPolicy", "paper"))["Reconciled"] == ("True", "Applied")


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    of = running(STARTED, pod(ready=True))
    first = carried_out(of, "RiskPolicy", "paper", NOW)
    changed = running(STARTED, pod())
    changed = seen(changed, Ref("RiskPolicy", "paper"), status=first.objects[Ref("RiskPolicy", "paper")]["status"])
    plan = planned(changed, "RiskPolicy", "paper", LATER)
    assert plan.status is not None
    times = {c["type"]: c["lastTransitionTime"] for c in plan.status["conditions"]}
    assert times == {"Reconciled": NOW, "CPUPinned": NOW, "Ready": LATER}
    assert [c.type for c in plan.events] == ["Ready"]
    assert {c["observedGeneration"] for c in plan.status["conditions"]} == {1}


def test_the_configurations_are_what_the_processes_read() -> None:
    of = settled()
    signals = json.loads(of.objects[Ref("ConfigMap", "signals-momentum")]["data"]["config.json"])
    assert SignalConfig.model_validate(signals).predictor == "predictor:9000"
    assert SignalConfig.model_validate(signals).predictor_ca_file is None
    site = json.loads(of.objects[Ref("ConfigMap", "executor-paper")]["data"]["site.json"])
    assert site == CONFIG.for_followers()


@pytest.mark.parametrize(
    ("authority", "source"),
    [
        ({"secret": "tls"}, {"secret": {"secretName": "tls", "items": [{"key": "ca.crt", "path": "ca.pem"}]}}),
        (
            {"config_map": "bundle", "key": "root.pem"},
            {"configMap": {"name": "bundle", "items": [{"key": "root.pem", "path": "ca.pem"}]}},
        ),
    ],
)
def test_the_predictor_s_ca_is_where_the_signal_process_looks_for_it(authority: Object, source: Object) -> None:
    told = CONFIG.model_dump(mode="json")
    config = OperatorConfig.model_validate({**told, "services": {**told["services"], "predictor_ca": authority}})
    made = {ref_of(o): o for o in strategies.plan(settled(), "momentum", config, NOW).apply}
    signals = SignalConfig.model_validate_json(made[Ref("ConfigMap", "signals-momentum")]["data"]["config.json"])
    pod = made[DEPLOYMENT]["spec"]["template"]["spec"]
    (volume,) = (v for v in pod["volumes"] if v["name"] == "predictor-ca")
    (mount,) = (m for m in pod["containers"][0]["volumeMounts"] if m["name"] == "predictor-ca")
    assert volume == {"name": "predictor-ca", **source}
    assert mount["readOnly"]
    assert signals.predictor_ca_file == f"{mount['mountPath']}/ca.pem"
    # Nobody else asks it: an executor is the one it was.
    assert not policies.plan(settled(), "paper", config, NOW).apply


def test_a_limit_is_no_part_of_what_needs_a_new_pod() -> None:
    def fixed(**spec: Any) -> dict[str, object]:
        documents = [plain(policy(**spec)), plain(strategy())]
        account, trading = (parse_document(d, "test") for d in documents)
        workload = executor_pod(account, [trading], CONFIG.site())  # type: ignore[arg-type, list-item]
        assert ExecutorConfig.model_validate(workload.config).control_port == CONFIG.control_port
        return fixed_part(workload.config, account, [trading])  # type: ignore[arg-type, list-item]

    usual = fixed()
    assert fixed(limits={"loss": {"daily": 0.01}}, killSwitch={"engaged": True}) == usual
    assert fixed(broker={"url": "https://broker.example"}) != usual
    assert fixed(execution={"sync": "Always"}) != usual


def plain(found: Object) -> Object:
    """A document as a file has it."""
    metadata = {k: v for k, v in found["metadata"].items() if k != "creationTimestamp"}
    return {**found, "metadata": metadata}


def test_every_pod_is_restricted_and_an_executors_is_guaranteed() -> None:
    of = settled()
    templates = [of.objects[ref]["spec"]["template"]["spec"] for ref in (SET, DEPLOYMENT)]
    for template in templates:
        assert template["automountServiceAccountToken"] is False
        assert template["securityContext"]["runAsNonRoot"] is True
        for container in (*template.get("initContainers", []), *template["containers"]):
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
    for container in (*templates[0]["initContainers"], *templates[0]["containers"]):
        assert container["resources"]["requests"] == container["resources"]["limits"] != {}
    # A limit of CPU would stretch a signal process's start and its bursts.
    (signals,) = templates[1]["containers"]
    assert sorted(signals["resources"]["limits"]) == ["memory"]
    assert sorted(signals["resources"]["requests"]) == ["cpu", "memory"]
    executor, follower = templates[0]["containers"][0], templates[0]["initContainers"][0]
    assert executor["resources"]["limits"]["cpu"] == "1"
    assert follower["resources"]["limits"]["cpu"].endswith("m")  # a fraction is not pinned
    assert [v["name"] for v in executor["volumeMounts"]] == ["config", "journal"]


def test_the_executors_account_may_read_its_own_policy_and_no_other() -> None:
    rules = settled().objects[Ref("Role", "executor-paper")]["rules"]
    assert rules == [
        {
            "apiGroups": ["tradewind.dev"],
            "resources": ["riskpolicies"],
            "resourceNames": ["paper"],
            "verbs": ["get", "list", "watch"],
        },
        {"apiGroups": ["tradewind.dev"], "resources": ["strategies"], "resourceNames": ["momentum"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods"], "resourceNames": ["executor-paper-0"], "verbs": ["patch"]},
    ]


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (lambda o: o["metadata"].update(resourceVersion="7", uid="x"), False),
        (lambda o: o["spec"].update(paused=False), False),
        (lambda o: o["spec"].update(replicas=2), True),
        (lambda o: o["spec"]["template"]["spec"]["containers"].append({"name": "miner"}), True),
        (lambda o: o["spec"]["template"]["spec"]["containers"][0].update(image="other"), True),
        (lambda o: o["metadata"]["labels"].pop("tradewind.dev/strategy"), True),
        (lambda o: o["metadata"]["annotations"].update({"tradewind.dev/applied": "0"}), True),
    ],
    ids=["server's own", "default", "scaled", "added container", "image", "label", "wanted before"],
)
def test_an_object_differs_when_what_is_wanted_does(change: Any, differs: bool) -> None:
    of = settled()
    wanted = dict(of.objects[DEPLOYMENT])
    plainly = copy.deepcopy(wanted)
    del plainly["metadata"]["annotations"]
    there = copy.deepcopy(stamped(plainly))
    change(there)
    assert bool(differing([plainly], World({DEPLOYMENT: there}))) is differs
    assert differing([plainly], World({})) == [stamped(plainly)]


def test_who_is_looked_at_again() -> None:
    of = world(
        policy(allows=("momentum", "trend")), strategy(), strategy("trend", 2), strategy("far", 3, riskPolicy="other")
    )
    models = {Ref("Model", "momentum"), Ref("Model", "trend")}
    documents = {Ref("RiskPolicy", "paper"), Ref("Strategy", "momentum"), Ref("Strategy", "trend")}
    everyone = {*documents, *models, SHARED, SERVING}
    assert affected(of, policy()) == everyone
    assert affected(of, strategy()) == everyone
    far = {Ref("RiskPolicy", "other"), Ref("Strategy", "far"), Ref("Model", "far")}
    assert affected(of, strategy("far", riskPolicy="other")) == {*far, SHARED, SERVING}
    assert everything(of) == {*everyone, Ref("Strategy", "far"), Ref("Model", "far")}
    assert affected(of, settled().objects[SET]) == {Ref("RiskPolicy", "paper")}
    assert affected(of, settled().objects[DEPLOYMENT]) == {Ref("Strategy", "momentum")}
