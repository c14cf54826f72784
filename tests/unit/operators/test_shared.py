"""What the strategies of a namespace share: features processes, the feed, and when they come and go."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.operators.test_plans import made_by
from tests.unit.operators.worlds import CONFIG, NOW, conditions, message, policy, strategy, world
from tradewind.execution.executor.config import ExecutorConfig
from tradewind.execution.signals.config import SignalConfig
from tradewind.operators.config import KafkaAccess, OperatorConfig
from tradewind.operators.plan import policies, shared, strategies
from tradewind.operators.plan.affected import affected
from tradewind.operators.plan.following import configuration, site
from tradewind.operators.plan.model import LABEL_POLICY, Object, Plan, Ref, World, ref_of
from tradewind.operators.plan.noted import ANNOTATION
from tradewind.operators.plan.shared import SHARED
from tradewind.planning.pods import LONGEST_NAME, feature_pod_name
from tradewind.specs.loading import parse_document
from tradewind.streaming.features.config import FeaturesConfig
from tradewind.streaming.feed.config import FeedConfig

REPLAY = {"trained_until": 1_000, "end": 9_000, "speed": 60.0, "events": "events.parquet"}

PARTS = ("executor", "signals", "features", "feed")
KAFKA: dict[str, Any] = {
    "ca": {"config_map": "kafka-ca"},
    "users": {part: {"name": f"desk-{part}", "secret": f"kafka-{part}"} for part in PARTS},
}


def config(**data: Any) -> OperatorConfig:
    told = CONFIG.model_dump(mode="json")
    told["images"]["streaming"] = "streaming:1"
    told["services"] |= {"data": {"dataset": "megacap", **data}, "broker_ca": "venue-ca", "kafka": KAFKA}
    told["services"]["broker_url"] = "https://venue:8443"
    told["environment"] = {"features": {"variables": {"PGUSER": "feast"}, "secrets": ["feast"]}}
    return OperatorConfig.model_validate(told)


LIVE, TRY_OUT = config(), config(replay=REPLAY)
FEATURES = Ref("Deployment", "features-bars-1d-default-20")
JOB = Ref("Job", "feed")
READY = {"type": "Ready", "status": "True", "reason": "Was", "observedGeneration": 1, "lastTransitionTime": NOW}
RUNS = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
MIXED = {**RUNS, "replicas": 2}  # a pod of the template before is there, too


def planned(of: World, under: OperatorConfig) -> Plan:
    return shared.plan(of, SHARED.name, under, NOW)


def carried_out(of: World, under: OperatorConfig) -> World:
    plan = planned(of, under)
    objects = {**of.objects, **{ref_of(o): o for o in plan.apply}}
    return World({ref: o for ref, o in objects.items() if ref not in plan.delete})


def applied(plan: Plan) -> dict[Ref, Object]:
    return {ref_of(o): o for o in plan.apply}


def names(plan: Plan, kind: str) -> set[str]:
    return {ref.name for ref in applied(plan) if ref.kind == kind}


def settings(plan: Plan, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(applied(plan)[Ref("ConfigMap", name)]["data"]["config.json"])
    return found


def ready(document: Object) -> Object:
    return {**copy.deepcopy(document), "status": {"conditions": [READY]}}


BOTH = world(policy(), strategy())
EVERYBODY_READY = world(ready(policy()), ready(strategy()))


def test_strategies_on_the_same_features_share_one_process() -> None:
    of = world(
        policy(allows=("a", "b", "c")),
        strategy("a", 1, capitalShare=0.3),
        strategy("b", 2, capitalShare=0.3, universe={"symbols": ["MSFT"]}),
        strategy("c", 3, capitalShare=0.3, bars="15m"),
    )
    plan = planned(of, LIVE)
    assert names(plan, "Deployment") == {FEATURES.name, "features-bars-15m-default-20", "feed-1d", "feed-15m"}
    assert settings(plan, "feed-1d")["source"]["symbols"] == ["AAPL", "MSFT"]
    assert settings(plan, "feed-15m")["source"]["symbols"] == ["AAPL"]


def test_who_is_not_bound_has_no_share() -> None:
    of = world(
        policy(), strategy(), strategy("other", 2, bars="15m"), strategy("poor", 3, bars="1h", riskPolicy="none")
    )
    assert names(planned(of, LIVE), "Deployment") == {FEATURES.name, "feed-1d"}
    assert planned(world(policy()), LIVE) == Plan()


def knows(*uids: str) -> Object:
    """The executor's pod, and which strategies it knows."""
    note = {"cpus": [1], "of": 2, "connected": True, "kill_switch": False, "strategies": list(uids)}
    metadata = {"name": "executor-paper-0", "labels": {LABEL_POLICY: "paper"}}
    return {"kind": "Pod", "metadata": {**metadata, "annotations": {ANNOTATION: json.dumps(note)}}}


def without(of: World, *names: str) -> World:
    return World({ref: o for ref, o in of.objects.items() if ref.kind != "Strategy" or ref.name not in names})


def test_what_a_deleted_strategy_holds_keeps_its_prices() -> None:
    account = policy(allows=("a", "b"))
    a = strategy("a", 1, capitalShare=0.5)
    b = strategy("b", 2, capitalShare=0.5, bars="15m", universe={"symbols": ["MSFT"]})
    c = strategy("c", 3, riskPolicy="other", universe={"symbols": ["IBM"]})
    other = policy("other", allows=("c",))
    both = carried_out(world(account, a, b, other, c, knows("uid-a", "uid-b")), LIVE)
    feeds = {Ref(kind, name) for kind in ("Deployment", "ConfigMap") for name in ("feed-1d", "feed-15m")}
    assert feeds <= set(both.objects)
    # One feed would lose a symbol, the other would go; what computes features for nobody goes.
    plan = planned(without(both, "a", "b"), LIVE)
    assert settings(plan, "feed-1d")["source"]["symbols"] == ["AAPL", "IBM"]
    assert {ref.name for ref in plan.delete} == {"features-bars-15m-default-20"}
    # Nobody is left, and the feeds are.
    plan = planned(without(both, "a", "b", "c"), LIVE)
    assert not feeds & set(plan.delete)
    assert FEATURES in plan.delete
    # Once the executor can go without them.
    done = without(both, "a", "b")
    done.put(Ref("Pod", "executor-paper-0"), knows())
    plan = planned(done, LIVE)
    assert settings(plan, "feed-1d")["source"]["symbols"] == ["IBM"]
    assert Ref("Deployment", "feed-15m") in plan.delete


def test_a_replay_goes_on_for_what_a_deleted_strategy_holds() -> None:
    of = carried_out(World({**EVERYBODY_READY.objects, Ref("Pod", "executor-paper-0"): knows("uid-momentum")}), TRY_OUT)
    assert JOB in of.objects
    assert JOB not in planned(without(of, "momentum"), TRY_OUT).delete


def test_an_installation_without_data_shares_nothing() -> None:
    assert planned(BOTH, CONFIG) == Plan()


def test_it_goes_with_the_last_strategy() -> None:
    of = carried_out(EVERYBODY_READY, TRY_OUT)
    assert {FEATURES, JOB} <= set(of.objects)
    assert planned(of, TRY_OUT) == Plan()
    left = World({ref: o for ref, o in of.objects.items() if ref.kind != "Strategy"})
    assert set(planned(left, TRY_OUT).delete) == {
        FEATURES,
        JOB,
        Ref("ConfigMap", "feed"),
        Ref("ConfigMap", FEATURES.name),
    }
    assert set(carried_out(left, TRY_OUT).objects) == {Ref("RiskPolicy", "paper")}
    # The executor's and the signal process's objects are others' to delete.
    foreign = {"kind": "ConfigMap", "metadata": {"name": "signals-momentum", "labels": {}}}
    assert planned(World({**left.objects, ref_of(foreign): foreign}), TRY_OUT).delete == planned(left, TRY_OUT).delete


def test_every_policy_owns_what_is_shared_so_that_it_goes_without_an_operator() -> None:
    traded = [ready(policy()), ready(policy("second", allows=("trend",)))]
    own = [ready(strategy()), ready(strategy("trend", 2, riskPolicy="second"))]

    def owners(of: World) -> dict[Ref, tuple[str, ...]]:
        made = applied(planned(of, TRY_OUT)).items()
        return {ref: tuple(r["uid"] for r in o["metadata"]["ownerReferences"]) for ref, o in made}

    of = world(*traded, *own)
    assert {JOB, FEATURES} <= set(owners(of))
    assert set(owners(of).values()) == {("uid-paper", "uid-second")}
    begun = carried_out(of, TRY_OUT)
    left = World({ref: o for ref, o in begun.objects.items() if ref.name != "trend"})
    changed = owners(left)
    assert set(changed.values()) == {("uid-paper",)}
    assert {JOB, FEATURES} <= set(changed)
    # The Job has another owner, and is otherwise what it was.
    assert applied(planned(left, TRY_OUT))[JOB]["spec"] == begun.objects[JOB]["spec"]
    assert planned(carried_out(left, TRY_OUT), TRY_OUT) == Plan()


def test_a_replay_begins_when_everybody_is_ready_and_then_goes_on() -> None:
    waiting = [BOTH, world(ready(policy()), strategy()), world(policy(), ready(strategy()))]
    stale = ready(strategy())
    stale["metadata"]["generation"] = 2
    waiting.append(world(ready(policy()), stale))
    for of in waiting:
        assert names(planned(of, TRY_OUT), "Job") == set()
        assert names(planned(of, TRY_OUT), "Deployment") == {FEATURES.name}
    begun = carried_out(EVERYBODY_READY, TRY_OUT)
    unready = World({**begun.objects, **BOTH.objects})
    assert planned(unready, TRY_OUT) == Plan()


NEWER = TRY_OUT.model_copy(update={"images": TRY_OUT.images.model_copy(update={"streaming": "streaming:2"})})


def ended(kind: str) -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": "True"}]}


@pytest.mark.parametrize(
    ("under", "status", "metadata", "deleted"),
    [
        (TRY_OUT, {}, {}, False),
        (TRY_OUT, {"active": 1, "ready": 0}, {}, False),
        (TRY_OUT, ended("Failed"), {}, False),  # and would again
        # The pod of a Job can't be changed: while it runs, another image waits for another replay.
        (NEWER, {"active": 1, "ready": 1}, {}, False),
        (NEWER, ended("Complete"), {}, False),
        (NEWER, {"succeeded": 1}, {}, False),
        (NEWER, {}, {}, True),
        (NEWER, {"active": 1, "ready": 0}, {}, True),
        (NEWER, ended("Failed"), {}, True),
        (NEWER, {"active": 1, "ready": 0}, {"deletionTimestamp": NOW}, False),
    ],
)
def test_a_replay_that_could_not_begin_is_replaced_when_it_is_to_be_another(
    under: OperatorConfig, status: dict[str, Any], metadata: dict[str, Any], deleted: bool
) -> None:
    begun = carried_out(EVERYBODY_READY, TRY_OUT)
    there = begun.objects[JOB]
    there = {**there, "status": status, "metadata": {**there["metadata"], **metadata}}
    of = World({**begun.objects, JOB: there})
    plan = planned(of, under)
    assert plan.delete == ([JOB] if deleted else [])
    assert set(applied(plan)) == ({FEATURES} if under is NEWER else set())
    gone = World({ref: o for ref, o in of.objects.items() if ref != JOB})
    assert JOB in applied(planned(gone, under))


def test_a_replay_that_could_not_begin_is_replaced_when_its_configuration_changes() -> None:
    begun = carried_out(EVERYBODY_READY, TRY_OUT)
    told_of = TRY_OUT.model_dump(mode="json")
    told_of["services"]["data"]["dataset"] = "another"
    assert planned(begun, OperatorConfig.model_validate(told_of)).delete == [JOB]


def test_the_processes_read_what_is_written() -> None:
    plan = planned(EVERYBODY_READY, TRY_OUT)
    feed = FeedConfig.model_validate(settings(plan, "feed"))
    assert feed.source.model_dump(mode="json", include={"kind", "dataset", "symbols", "start", "end", "speed"}) == {
        "kind": "replay",
        "dataset": "/var/lib/tradewind/data/megacap",
        "symbols": None,
        "start": 1_001,
        "end": 9_000,
        "speed": 60.0,
    }
    assert feed.venue is not None
    assert (feed.venue.url, str(feed.venue.ca_file)) == ("https://venue:8443", "/etc/tradewind/broker/ca.pem")
    assert feed.consumers == []
    features = FeaturesConfig.model_validate(settings(plan, FEATURES.name))
    assert features.history is not None
    assert (features.history.until, features.history.events) == (1_000, "/var/lib/tradewind/data/events.parquet")
    assert features.state_dir == "/var/lib/tradewind/data/features"
    live = FeaturesConfig.model_validate(settings(planned(BOTH, LIVE), FEATURES.name))
    assert live.history is not None
    assert live.history.until > 4 * 10**18  # all there is
    assert FeedConfig.model_validate(settings(planned(BOTH, LIVE), "feed-1d")).source.kind == "alpaca"


def test_executor_and_signals_are_told_of_the_replay() -> None:
    account, trading = policy(), strategy()
    for under, clock, budget in ((TRY_OUT, "recorded", None), (LIVE, "wall", 200)):
        text = configuration(account, [trading], site(under.for_followers()))
        executor = ExecutorConfig.model_validate_json(text)
        assert executor.clock == clock
        assert executor.broker.requests_per_minute == budget
        assert executor.broker.ca_file == "/etc/tradewind/broker/ca.pem"
        wanted = strategies.plan(BOTH, "momentum", under, NOW).apply
        (told,) = [o for o in wanted if o["kind"] == "ConfigMap"]
        assert SignalConfig.model_validate_json(told["data"]["config.json"]).virtual_time == (under is TRY_OUT)
    own = policy(broker={"url": "https://broker.example"})
    assert (
        ExecutorConfig.model_validate_json(configuration(own, [trading], site(LIVE.for_followers()))).broker.ca_file
        is None
    )


def test_each_pod_has_what_it_is_told_and_no_more() -> None:
    plan = planned(EVERYBODY_READY, TRY_OUT)
    features = applied(plan)[FEATURES]["spec"]["template"]["spec"]
    feed = applied(plan)[JOB]["spec"]["template"]["spec"]
    (container,) = features["containers"]
    assert {e["name"]: e.get("value") for e in container["env"]} == {
        "KAFKA_CA_FILE": "/etc/tradewind/bus/ca.pem",
        "KAFKA_REACH_S": "60",
        "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
        "KAFKA_SASL_PASSWORD": None,
        "KAFKA_SASL_USERNAME": "desk-features",
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "PGUSER": "feast",
    }
    assert container["envFrom"] == [{"secretRef": {"name": "feast"}}]
    assert {m["mountPath"] for m in container["volumeMounts"]} == {
        "/run/tradewind",
        "/etc/tradewind/bus",
        "/var/lib/tradewind/data",
        "/tmp",
    }
    (container,) = feed["containers"]
    keys = {e["name"]: e["valueFrom"]["secretKeyRef"]["name"] for e in container["env"] if "valueFrom" in e}
    market = {"APCA_API_KEY_ID": "market-data", "APCA_API_SECRET_KEY": "market-data"}
    assert keys == {**market, "KAFKA_SASL_PASSWORD": "kafka-feed"}
    assert "/etc/tradewind/broker" in {m["mountPath"] for m in container["volumeMounts"]}
    for pod in (features, feed):
        assert pod["automountServiceAccountToken"] is False
        assert {m["name"] for m in pod["containers"][0]["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
        assert "cpu" not in pod["containers"][0]["resources"]["limits"]
        assert pod["containers"][0]["image"] == "streaming:1"
        assert pod["containers"][0]["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}
    assert settings(plan, "feed")["probes_port"] == 9101


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"users": {}}, "executor, features, feed, signals missing"),
        ({"users": KAFKA["users"] | {"feed": {"name": "other", "secret": "kafka-signals"}}}, "share a secret"),
        ({"users": KAFKA["users"] | {"feed": {"name": "desk-signals", "secret": "other"}}}, "share a name"),
        ({"ca": {}}, "name a config_map or a secret"),
        ({"ca": {"config_map": "a", "secret": "b"}}, "name a config_map or a secret"),
    ],
)
def test_every_part_is_a_user_of_its_own(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        KafkaAccess.model_validate(KAFKA | change)


TRADING = {"node_selector": {"pool": "trading"}, "tolerations": [{"key": "trading", "operator": "Exists"}]}
GENERAL = {"node_selector": {"pool": "general"}}


@pytest.mark.parametrize(
    ("placement", "placed"),
    [
        ({}, {}),
        ({"executor": TRADING}, {"executor": ({"pool": "trading"}, [{"key": "trading", "operator": "Exists"}])}),
        ({"executor": {"tolerations": TRADING["tolerations"]}}, {"executor": (None, TRADING["tolerations"])}),
        (
            {"executor": TRADING, "signals": GENERAL, "features": GENERAL, "feed": GENERAL},
            {
                "executor": ({"pool": "trading"}, TRADING["tolerations"]),
                **{part: ({"pool": "general"}, None) for part in ("signals", "features", "feed")},
            },
        ),
    ],
)
def test_each_part_runs_where_it_is_placed(placement: dict[str, Any], placed: dict[str, Any]) -> None:
    under = OperatorConfig.model_validate({**LIVE.model_dump(mode="json"), "placement": placement})
    wanted = [*planned(BOTH, under).apply, *strategies.plan(BOTH, "momentum", under, NOW).apply]
    wanted += policies.plan(BOTH, "paper", under, NOW).apply
    specs = {
        o["metadata"]["labels"]["app.kubernetes.io/name"]: o["spec"]["template"]["spec"]
        for o in wanted
        if o["kind"] in ("Deployment", "StatefulSet")
    }
    assert set(specs) == set(PARTS)
    for part, spec in specs.items():
        assert (spec.get("nodeSelector"), spec.get("tolerations")) == placed.get(part, (None, None)), part


@pytest.mark.parametrize("of", [LIVE, TRY_OUT], ids=["market", "replay"])
@pytest.mark.parametrize("named", [[], ["pull"], ["pull", "mirror"]])
def test_every_pod_names_the_secrets_of_the_registries(of: OperatorConfig, named: list[str]) -> None:
    under = of.model_copy(update={"pull_secrets": named})
    wanted = [*planned(EVERYBODY_READY, under).apply, *strategies.plan(EVERYBODY_READY, "momentum", under, NOW).apply]
    wanted += policies.plan(EVERYBODY_READY, "paper", under, NOW).apply
    specs = {
        o["metadata"]["labels"]["app.kubernetes.io/name"]: o["spec"]["template"]["spec"]
        for o in wanted
        if o["kind"] in ("Deployment", "StatefulSet", "Job")
    }
    assert set(specs) == set(PARTS)
    for part, spec in specs.items():
        # What is empty is left out: the API server would drop it.
        assert spec.get("imagePullSecrets") == ([{"name": name} for name in named] or None), part


def empty(value: Any, path: str = "") -> list[str]:
    """Where a list, a text or a null stands that an API server drops."""
    if isinstance(value, dict):
        return [where for key, inner in value.items() for where in empty(inner, f"{path}.{key}")]
    if isinstance(value, list):
        return (
            [path] if not value else [where for i, inner in enumerate(value) for where in empty(inner, f"{path}[{i}]")]
        )
    return [path] if value in (None, "") else []


@pytest.mark.parametrize("under", [CONFIG, LIVE, TRY_OUT, config(replay=REPLAY).model_copy(update={"environment": {}})])
def test_nothing_is_wanted_that_a_server_drops(under: OperatorConfig) -> None:
    of = carried_out(EVERYBODY_READY, under)
    wanted = [*planned(EVERYBODY_READY, under).apply, *strategies.plan(of, "momentum", under, NOW).apply]
    wanted += policies.plan(of, "paper", under, NOW).apply
    assert len(wanted) >= 8
    # The core group's name is empty.
    assert [where for o in wanted for where in empty(o) if where != ".rules[2].apiGroups[0]"] == []


def running(under: OperatorConfig, *objects: tuple[Ref, dict[str, Any], *tuple[Object, ...]]) -> Plan:
    """The strategy's plan once the shared and its own objects are there, with these states and pods."""
    of = carried_out(EVERYBODY_READY, under)
    own = {ref_of(o): o for o in strategies.plan(of, "momentum", under, NOW).apply}
    made = {**of.objects, **own}
    for ref, status, *pods in objects:
        made[ref] = {**made[ref], "status": status}
        made[ref]["metadata"] = {**made[ref]["metadata"], "generation": 1}
        made |= {ref_of(found): found for found in pods}
    return strategies.plan(World(made), "momentum", under, NOW)


SIGNALS = Ref("Deployment", "signals-momentum")
SIGNALS_RUN = (SIGNALS, RUNS, made_by(SIGNALS))
FEATURES_RUN = (FEATURES, RUNS, made_by(FEATURES))
FEED = Ref("Deployment", "feed-1d")


@pytest.mark.parametrize(
    ("under", "states", "fresh", "is_ready"),
    [
        (TRY_OUT, [SIGNALS_RUN], ("False", "FeaturesStarting"), ("False", "FeaturesStarting")),
        (TRY_OUT, [FEATURES_RUN], ("False", "FeedStarting"), ("False", "SignalsStarting")),
        (TRY_OUT, [SIGNALS_RUN, FEATURES_RUN], ("False", "FeedStarting"), ("True", "SignalsRunning")),
        (
            TRY_OUT,  # its pod is there, but its container can't start
            [SIGNALS_RUN, FEATURES_RUN, (JOB, {"active": 1, "ready": 1}, made_by(JOB, ready=False))],
            ("False", "FeedStarting"),
            ("True", "SignalsRunning"),
        ),
        (
            TRY_OUT,
            [SIGNALS_RUN, FEATURES_RUN, (JOB, {"active": 1, "ready": 0}, made_by(JOB))],
            ("True", "Computing"),
            ("True", "SignalsRunning"),
        ),
        (
            TRY_OUT,
            [SIGNALS_RUN, FEATURES_RUN, (JOB, {"conditions": [{"type": "Complete", "status": "True"}]})],
            ("False", "ReplayEnded"),
            ("True", "SignalsRunning"),
        ),
        (
            TRY_OUT,
            [SIGNALS_RUN, FEATURES_RUN, (JOB, {"conditions": [{"type": "Failed", "status": "True"}]})],
            ("False", "FeedFailed"),
            ("True", "SignalsRunning"),
        ),
        (LIVE, [SIGNALS_RUN, FEATURES_RUN], ("False", "FeedStarting"), ("False", "FeedStarting")),
        (
            LIVE,
            [SIGNALS_RUN, FEATURES_RUN, (FEED, RUNS, made_by(FEED))],
            ("True", "Computing"),
            ("True", "SignalsRunning"),
        ),
    ],
    ids=["no features", "no signals", "no feed", "stuck", "replays", "ended", "failed", "live without feed", "live"],
)  # fmt: skip
def test_fresh_features_are_told_of(
    under: OperatorConfig, states: list[Any], fresh: tuple[str, str], is_ready: tuple[str, str]
) -> None:
    told = conditions(running(under, *states))
    assert told["FeaturesFresh"] == fresh
    assert told["Ready"] == is_ready


@pytest.mark.parametrize(
    ("status", "pods", "reason"),
    [
        ({**RUNS, "availableReplicas": 0}, [made_by(SIGNALS)], "SignalsRunning"),
        (RUNS, [made_by(SIGNALS, ready=False)], "SignalsStarting"),
        (RUNS, [], "SignalsStarting"),
        (RUNS, [made_by(Ref("Deployment", "signals-momentum-2"))], "SignalsStarting"),
        ({**RUNS, "observedGeneration": 0}, [made_by(SIGNALS)], "SignalsStarting"),
        (MIXED, [made_by(SIGNALS)], "SignalsRunning"),
        ({**MIXED, "availableReplicas": 0}, [made_by(SIGNALS)], "SignalsStarting"),
        ({**MIXED, "updatedReplicas": 0}, [made_by(SIGNALS)], "SignalsStarting"),
    ],
    ids=["late controller", "not ready", "gone", "another's", "old status", "both run", "unknown which", "old pods"],
)
def test_a_deployment_runs_when_a_pod_of_its_newest_template_does(
    status: dict[str, Any], pods: list[Object], reason: str
) -> None:
    told = conditions(running(TRY_OUT, FEATURES_RUN, (SIGNALS, status, *pods)))
    assert told["Ready"] == ("True" if reason == "SignalsRunning" else "False", reason)


def test_a_replay_that_waits_says_for_what() -> None:
    plan = running(TRY_OUT, SIGNALS_RUN, FEATURES_RUN)
    assert "waiting for Job feed" in message(plan, "FeaturesFresh")
    of = carried_out(BOTH, TRY_OUT)
    pod = made_by(FEATURES)
    made = {**of.objects, FEATURES: {**of.objects[FEATURES], "status": RUNS}, ref_of(pod): pod}
    made[FEATURES]["metadata"] = {**made[FEATURES]["metadata"], "generation": 1}
    waiting = strategies.plan(World(made), "momentum", TRY_OUT, NOW)
    assert conditions(waiting)["FeaturesFresh"] == ("False", "FeedWaiting")


def test_a_change_of_what_is_shared_concerns_every_strategy() -> None:
    of = carried_out(BOTH, LIVE)
    assert affected(of, of.objects[FEATURES]) == {SHARED, Ref("Strategy", "momentum")}


def test_long_names_are_cut_and_stay_apart() -> None:
    found = set()
    for name in ("a" * 40, "a" * 39 + "b"):
        document = strategy(name, features={"names": ["tech_rsi_14_raw"]}, universe={"symbols": ["A"], "context": ""})
        del document["metadata"]["creationTimestamp"]
        parsed = parse_document(document, "test")
        found.add(feature_pod_name(parsed))  # type: ignore[arg-type]
    assert len(found) == 2
    assert {len(name) for name in found} == {LONGEST_NAME}


@pytest.mark.parametrize(
    ("services", "says"),
    [
        ({"data": {"replay": REPLAY}}, "replay needs dataset"),
        ({"data": {"dataset": "d", "replay": {**REPLAY, "speed": 0}}}, "greater than 0"),
        ({"data": {"dataset": "d", "replay": {**REPLAY, "speed": "max"}}}, "valid number"),
        ({"data": {"dataset": "d"}}, "images.streaming is missing"),
    ],
    ids=["no data set", "no speed", "lockstep", "no image"],
)
def test_a_wrong_configuration_is_refused(services: dict[str, Any], says: str) -> None:
    told = CONFIG.model_dump(mode="json")
    told["services"] |= services
    with pytest.raises(ValidationError, match=says):
        OperatorConfig.model_validate(told)
