"""A rollout in its namespace: what each stage asks of registry, predictor, pods and executor, and what goes with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.operators.test_models import HEARD, MARKET, NOTHING_SERVED, told
from tests.unit.operators.worlds import CONFIG, conditions, message, policy, strategy
from tradewind.execution.executor.config import ExecutorConfig
from tradewind.execution.signals.config import SignalConfig
from tradewind.operators.plan import documents, leaving, models, serving, shared, strategies
from tradewind.operators.plan.following import bound, configuration, site
from tradewind.operators.plan.following import leaving as left_of
from tradewind.operators.plan.model import LABEL_POLICY, Object, Plan, Ref, World, ref_of
from tradewind.operators.plan.noted import ANNOTATION
from tradewind.operators.plan.serving import SERVING
from tradewind.operators.plan.stages import ALIASES
from tradewind.planning.legs import LEFT_SHARE
from tradewind.serving.config import ServedModels
from tradewind.specs import Strategy

DAY_0, DAY_14, DAY_15 = "2026-12-01T00:00:00Z", "2026-12-15T00:00:00Z", "2026-12-16T00:00:00Z"
ACCOUNT = policy("paper", account="live")
TRIAL, OWN = Ref("Deployment", "trial-momentum"), Ref("Deployment", "signals-momentum")
UID = "uid-momentum"


def live(**spec: Any) -> Object:
    return strategy(mode="Live", capitalShare=0.5, **{"rollout": {"confirmLive": True}, **spec})


class Namespace:
    """A namespace in which plans are carried out, with a registry and a predictor that do what they are asked."""

    def __init__(self, *documents: Object) -> None:
        self.world = World({ref_of(o): o for o in (ACCOUNT, *documents, *HEARD, NOTHING_SERVED)})
        self.asked: list[tuple[str, str]] = []
        self._versions: dict[int, bool] = {}
        self._aliases: dict[str, str] = {}

    def put(self, found: Object) -> None:
        self.world.put(ref_of(found), found)

    def trained(self, version: int, *, passed: bool = True) -> None:
        self._versions[version] = passed
        self._register()

    def alias(self, name: str, version: int | None) -> None:
        self._aliases.pop(name, None)
        self._aliases |= {name: str(version)} if version is not None else {}
        self._register()

    def _register(self) -> None:
        found = self.world.get("Strategy", "momentum")
        assert found is not None
        document = documents.read(found)
        assert isinstance(document, Strategy)
        key = models.wanted_by(document, self.world, MARKET, DAY_0).key
        versions = [
            {"version": str(v), "tags": {f"request.{key}": "1", "gates_passed": str(passed).lower(), "gates": "[]"}}
            for v, passed in self._versions.items()
        ]
        self.put(told("RegisteredModel", "momentum", versions=versions, aliases=dict(self._aliases)))

    def executor_says(self, canary: str = "", **figures: int) -> None:
        note: Object = {"cpus": [1], "of": 2, "connected": True, "kill_switch": False, "strategies": [UID]}
        note |= {"canaries": {canary: figures}} if canary else {}
        metadata = {"name": "executor-paper-0", "labels": {LABEL_POLICY: "paper"}}
        metadata["annotations"] = {ANNOTATION: json.dumps(note)}
        self.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})

    def look(self, now: str, name: str = "momentum") -> Plan:
        """One look of the operator, carried out."""
        plan = strategies.plan(self.world, name, MARKET, now)
        for made in plan.apply:
            status = {"observedGeneration": 1, "updatedReplicas": 1, "availableReplicas": 1}
            self.put({**made, "metadata": {**made["metadata"], "generation": 1}, "status": status})
        for gone in plan.delete:
            self.world.remove(gone)
        document = self.world.get("Strategy", name)
        assert document is not None
        self.put({**document, "status": plan.status})
        for request in plan.requests:
            assert request.body is not None
            assert (request.service, request.method, request.path) == ("mlflow", "POST", ALIASES)
            assert request.body["name"] == "momentum"
            self.asked.append((request.body["alias"], request.body["version"]))
            self.alias(request.body["alias"], int(request.body["version"]))
        for request in serving.plan(self.world, SERVING.name, MARKET, now).requests:
            assert request.body is not None
            served = {
                a["name"]: {"config": a, "status": "RUNNING", "message": ""} for a in request.body["applications"]
            }
            self.put(told("ServeApplications", "all", applications=served))
        return plan

    def settle(self, now: str) -> Plan:
        """Looks until nothing changes; zero writes then."""
        for _ in range(8):
            before = self.world.objects
            plan = self.look(now)
            if self.world.objects == before:
                assert (plan.apply, plan.delete, plan.requests, plan.status_first) == ([], [], [], False)
                return plan
        raise AssertionError(self.rollout())

    def rollout(self) -> Object:
        document = self.world.get("Strategy", "momentum")
        assert document is not None
        found: Object = document["status"]["rollout"]
        return found

    def served(self) -> list[tuple[str, str]]:
        found = self.world.get("ServeApplications", "all")
        assert found is not None
        if not found["applications"]:
            return []
        config = found["applications"]["predictor"]["config"]["deployments"][0]["user_config"]
        return [(m.served_as, m.alias) for m in ServedModels.model_validate(config).models]

    def signals(self, ref: Ref) -> SignalConfig | None:
        made = self.world.get("ConfigMap", ref.name)
        if self.world.get(*ref) is None or made is None:
            return None
        return SignalConfig.model_validate_json(made["data"]["config.json"])

    def trading(self) -> list[Object]:
        document = self.world.get("Strategy", "momentum")
        assert document is not None
        return bound(ACCOUNT, [document])

    def executor(self, left: list[Object] | None = None) -> ExecutorConfig:
        text = configuration(ACCOUNT, self.trading(), site(MARKET.for_followers()), left or [])
        return ExecutorConfig.model_validate_json(text)

    def shares(self) -> dict[str, float]:
        return {s["uid"]: s["capital_share"] for s in self.executor().engine["strategies"]}


def test_a_first_model_goes_from_shadow_to_champion() -> None:
    of = Namespace(live())
    plan = of.settle(DAY_0)
    assert conditions(plan)["Rollout"] == ("False", "Waiting")
    assert (of.shares(), of.signals(OWN), of.signals(TRIAL)) == ({UID: LEFT_SHARE}, None, None)

    of.trained(7)
    plan = of.settle(DAY_0)
    assert conditions(plan)["Rollout"] == ("False", "Shadow")
    assert conditions(plan)["Trading"] == ("False", "Shadow")
    assert conditions(plan)["GatesPassed"] == ("True", "Passed")
    assert "0 of 14 d" in message(plan, "Rollout")
    assert plan.again_s == 86_400
    assert of.rollout() == {"stage": "Shadow", "challenger": {"version": 7, "stage": "Shadow", "since": DAY_0}}
    assert of.asked == [("challenger", "7")]
    assert of.served() == [("momentum@challenger", "challenger")]
    shadow = of.signals(TRIAL)
    assert shadow is not None
    assert (shadow.strategy.spec.mode, shadow.strategy.spec.capital_share) == ("DryRun", 0.05)
    assert (shadow.model_alias, shadow.served_model) == ("challenger", "momentum@challenger")
    assert (shadow.group, shadow.strategy.uid) == ("signals-momentum.trial", f"{UID}.v7")
    assert (of.signals(OWN), of.shares(), of.executor().canaries) == (None, {UID: LEFT_SHARE}, {})

    of.executor_says()
    plan = of.settle(DAY_14)
    assert conditions(plan)["Rollout"] == ("False", "Canary")
    canary = of.signals(TRIAL)
    assert canary is not None
    assert (canary.strategy.spec.mode, canary.strategy.spec.capital_share) == ("Live", 0.05)
    assert of.shares() == {UID: LEFT_SHARE, f"{UID}.v7": 0.05}
    assert of.executor().canaries == {f"{UID}.v7": "7"}

    of.executor_says(f"{UID}.v7", trades=12, intents=13, errors=0, loss=1)
    assert "12 of 100 trades, 0 errors in 13 intents" in message(of.settle(DAY_14), "Rollout")
    assert of.rollout()["challenger"]["trades"] == 12
    of.executor_says(f"{UID}.v7", trades=100, intents=103)
    plan = of.settle(DAY_15)
    assert of.asked == [("challenger", "7"), ("champion", "7")]
    assert conditions(plan)["Rollout"] == ("True", "Champion")
    assert conditions(plan)["Trading"][1] != "Shadow"
    assert of.rollout() == {"stage": "Champion", "champion": 7}
    assert (of.signals(TRIAL), of.shares(), of.executor().canaries) == (None, {UID: 0.5}, {})
    own = of.signals(OWN)
    assert own is not None
    assert (own.model_alias, own.served_model, own.strategy.spec.capital_share) == ("champion", None, 0.5)
    assert of.served() == [("momentum", "champion")]


def canary_beside(**spec: Any) -> Namespace:
    """Version 5 is the champion, version 7 a canary."""
    of = Namespace(live(**spec))
    of.trained(5)
    of.alias("champion", 5)
    of.settle(DAY_0)
    assert of.rollout() == {"stage": "Champion", "champion": 5}
    of.trained(7)
    of.settle(DAY_0)
    assert of.rollout()["stage"] == "Shadow"
    assert of.shares() == {UID: 0.5}  # a shadow takes nothing from the champion
    of.settle(DAY_14)
    assert of.rollout()["stage"] == "Canary"
    return of


def test_a_retrained_model_is_tried_while_the_champion_trades_on() -> None:
    of = canary_beside()
    assert of.shares() == {UID: 0.45, f"{UID}.v7": 0.05}
    assert of.served() == [("momentum", "champion"), ("momentum@challenger", "challenger")]
    own, trial = of.signals(OWN), of.signals(TRIAL)
    assert own is not None
    assert trial is not None
    assert (own.strategy.uid, own.strategy.spec.capital_share) == (UID, 0.45)
    assert (trial.strategy.uid, trial.strategy.spec.capital_share) == (f"{UID}.v7", 0.05)
    selectors = [of.world.get(*ref)["spec"]["selector"]["matchLabels"] for ref in (OWN, TRIAL)]  # type: ignore[index]
    assert selectors[0] != selectors[1]

    known = of.trading()
    of.executor_says(f"{UID}.v7", trades=101, intents=101)
    of.settle(DAY_15)
    assert of.rollout() == {"stage": "Champion", "champion": 7}
    # What the canary holds is closed; the champion's positions are the new model's to decide about.
    (left,) = left_of(known, of.trading(), {"momentum": of.world.get("Strategy", "momentum")})
    executor = of.executor([left])
    assert {s["uid"]: s["leaving"] for s in executor.engine["strategies"]} == {UID: None, f"{UID}.v7": "flatten"}
    assert {s["uid"]: s["capital_share"] for s in executor.engine["strategies"]}[UID] == 0.5
    assert executor.canaries == {}


def test_a_breach_gives_the_champion_its_capital_back() -> None:
    of = canary_beside()
    of.executor_says(f"{UID}.v7", trades=3, intents=9, errors=4)
    plan = of.settle(DAY_15)
    assert conditions(plan)["Rollout"] == ("True", "RolledBack")
    assert "4 errors in 9 intents" in message(plan, "Rollout")
    assert (of.shares(), of.signals(TRIAL)) == ({UID: 0.5}, None)
    assert of.served() == [("momentum", "champion")]
    assert [r["version"] for r in of.rollout()["refused"]] == [7]
    of.trained(8)
    of.settle(DAY_15)
    assert of.rollout()["challenger"]["version"] == 8
    assert of.asked == [("challenger", "7"), ("challenger", "8")]


def test_a_person_goes_back_by_the_alias() -> None:
    of = canary_beside()
    of.executor_says(f"{UID}.v7", trades=101, intents=101)
    of.settle(DAY_15)
    of.alias("champion", 5)
    plan = of.settle(DAY_15)
    assert conditions(plan)["Rollout"] == ("True", "RolledBack")
    assert of.rollout()["champion"] == 5
    assert of.asked[-1] == ("champion", "7")  # nobody moves it forward again
    of.alias("champion", None)
    plan = of.settle(DAY_15)
    assert conditions(plan)["Rollout"] == ("False", "Refused")
    assert (of.shares(), of.signals(OWN)) == ({UID: LEFT_SHARE}, None)
    assert conditions(plan)["GatesPassed"] == ("False", "NoModel")


def test_somebody_elses_challenger_is_put_right() -> None:
    of = canary_beside()
    of.trained(9)
    of.alias("challenger", 9)
    of.settle(DAY_14)
    assert of.asked == [("challenger", "7"), ("challenger", "7")]


@pytest.mark.parametrize("stage", ["champion", "canary"])
def test_without_confirmation_no_order_leaves(stage: str) -> None:
    of = canary_beside()
    if stage == "champion":
        of.executor_says(f"{UID}.v7", trades=101, intents=101)
        of.settle(DAY_15)
    document = of.world.get("Strategy", "momentum")
    assert document is not None
    of.put({**document, "spec": {**document["spec"], "rollout": {"confirmLive": False}}})
    plan = of.settle(DAY_15)
    assert conditions(plan)["Trading"] == ("False", "ConfirmLive")
    assert "spec.rollout.confirmLive" in message(plan, "Trading")
    assert set(of.shares().values()) == {LEFT_SHARE}
    assert of.executor().canaries == {}
    modes = {made.strategy.spec.mode for ref in (OWN, TRIAL) if (made := of.signals(ref)) is not None}
    assert modes == {"DryRun"}


def test_money_is_told_of_before_pods_are() -> None:
    of = Namespace(live())
    of.trained(7)
    firsts = [of.look(now).status_first for now in (DAY_0, DAY_0, DAY_0, DAY_0, DAY_14, DAY_14)]
    assert firsts == [True, False, False, False, True, False]


def test_while_the_registry_is_away_everything_stays() -> None:
    of = canary_beside()
    before, shares = of.rollout(), of.shares()
    of.put(told("Heard", "mlflow", problem="no route"))
    of.world.remove(Ref("RegisteredModel", "momentum"))  # as after a start
    plan = of.look(DAY_15)
    assert conditions(plan)["Rollout"] == ("Unknown", "RegistryUnknown")
    assert (plan.apply, plan.delete, plan.requests) == ([], [], [])
    assert (of.rollout(), of.shares()) == (before, shares)


def test_of_those_that_share_a_model_one_leads() -> None:
    allowed = policy("paper", ("momentum", "twin"), account="live")
    twin = strategy("twin", 2, mode="Live", capitalShare=0.3, model="momentum", rollout={"confirmLive": True})
    of = Namespace(live(), twin)
    of.put(allowed)
    of.trained(7)
    of.settle(DAY_0)
    plan = of.look(DAY_0, "twin")
    assert conditions(plan)["Rollout"] == ("False", "Follows")
    assert "Strategy/momentum leads the rollout of model momentum" in message(plan, "Rollout")
    assert conditions(plan)["GatesPassed"][1] == "NoModel"
    of.alias("champion", 7)
    plan = of.look(DAY_0, "twin")
    assert conditions(plan)["Rollout"] == ("True", "Follows")
    assert plan.requests == []


def test_where_somebody_else_keeps_the_models_only_the_confirmation_counts() -> None:
    of = World({ref_of(o): o for o in (ACCOUNT, live())})
    plan = strategies.plan(of, "momentum", CONFIG, DAY_0)
    assert conditions(plan)["Rollout"] == ("True", "Champion")
    document = {**live(), "status": plan.status}
    assert [s["spec"]["capitalShare"] for s in bound(ACCOUNT, [document])] == [0.5]
    of = World({ref_of(o): o for o in (ACCOUNT, live(rollout={}))})
    plan = strategies.plan(of, "momentum", CONFIG, DAY_0)
    assert conditions(plan)["Rollout"] == ("False", "ConfirmLive")
    assert [s["spec"]["mode"] for s in bound(ACCOUNT, [{**live(rollout={}), "status": plan.status}])] == ["DryRun"]


def test_a_strategy_that_has_no_status_yet_trades_nothing() -> None:
    (leg,) = bound(ACCOUNT, [live()])
    assert (leg["spec"]["capitalShare"], leg["spec"]["mode"]) == (LEFT_SHARE, "DryRun")
    paper = strategy(capitalShare=0.5)
    assert bound(ACCOUNT, [{**paper, "status": {"rollout": {"stage": "Canary"}}}]) == [
        {**paper, "status": {"rollout": {"stage": "Canary"}}}
    ]


def deleted(found: Object, **spec: Any) -> Object:
    metadata = {**found["metadata"], "deletionTimestamp": DAY_15, "finalizers": ["tradewind.dev/on-delete"]}
    return {**found, "metadata": metadata, "spec": {**found["spec"], **spec}}


@pytest.mark.parametrize(
    ("now", "does"),
    [
        (lambda s: {"momentum": deleted(s, onDelete="Keep")}, {UID: "keep", f"{UID}.v7": "keep"}),
        (lambda s: {"momentum": deleted(s)}, {UID: "cancel", f"{UID}.v7": "cancel"}),
        (lambda _: {"momentum": None}, {UID: "flatten", f"{UID}.v7": "flatten"}),
        (lambda s: {"momentum": s}, {UID: None, f"{UID}.v7": None}),  # not allowed any more: both stay as they are
        (lambda _: {}, {UID: None, f"{UID}.v7": None}),
    ],
    ids=["keep", "default", "gone", "not allowed", "unreadable"],
)
def test_a_challenger_goes_with_its_strategy(now: Any, does: dict[str, str | None]) -> None:
    of = canary_beside(onDelete="Flatten")
    known, document = of.trading(), of.world.get("Strategy", "momentum")
    assert document is not None
    found = now({**document, "spec": {**document["spec"], "onDelete": "Cancel"}})
    left = left_of(known, [], found)
    text = configuration(ACCOUNT, [], site(MARKET.for_followers()), left)
    engine = ExecutorConfig.model_validate_json(text)
    assert {s["uid"]: s["leaving"] for s in engine.engine["strategies"]} == does
    assert {s["capital_share"] for s in engine.engine["strategies"]} == {LEFT_SHARE}
    assert engine.canaries == {}


def test_a_deletion_waits_for_both_legs() -> None:
    of = canary_beside()
    document = of.world.get("Strategy", "momentum")
    assert document is not None
    of.put(deleted(document))
    plan = leaving.plan(deleted(document), of.world, DAY_15)
    assert set(plan.delete) == {OWN, TRIAL}
    for ref in (OWN, TRIAL):
        of.world.remove(ref)
    of.put({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "executor-paper"}})

    def said(remains: Object) -> tuple[str, str]:
        note = {"cpus": [1], "of": 2, "connected": True, "kill_switch": False, "remains": remains}
        note["strategies"] = [UID, f"{UID}.v7"]
        metadata = {"name": "executor-paper-0", "annotations": {ANNOTATION: json.dumps(note)}}
        of.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})
        return conditions(leaving.plan(deleted(document), of.world, DAY_15))["Deleted"]

    assert said({UID: {}}) == ("False", "ExecutorSilent")
    assert said({UID: {}, f"{UID}.v7": {"orders": 1}}) == ("False", "Cancelling")
    assert said({UID: {}, f"{UID}.v7": {}}) == ("True", "Cancelled")


def test_a_challengers_leg_is_nobody_who_left() -> None:
    of = canary_beside()
    note = {"cpus": [1], "of": 2, "connected": True, "kill_switch": False, "strategies": [UID, f"{UID}.v7"]}
    metadata = {"name": "executor-paper-0", "labels": {LABEL_POLICY: "paper"}}
    metadata["annotations"] = {ANNOTATION: json.dumps(note)}
    of.put({"apiVersion": "v1", "kind": "Pod", "metadata": metadata})
    every, _ = shared.trading(of.world)
    assert not shared._left_somewhere(of.world, every)


def test_an_account_has_room_for_sixteen() -> None:
    of = Namespace(live())
    others = [strategy(f"other-{n}", n + 2, capitalShare=0.03) for n in range(15)]
    of.put(policy("paper", ("momentum", *(o["metadata"]["name"] for o in others)), account="live"))
    for other in others:
        of.put(other)
    of.trained(7)
    of.settle(DAY_0)
    assert conditions(of.settle(DAY_14))["Rollout"] == ("False", "NoRoom")
    of.world.remove(Ref("Strategy", "other-3"))
    assert conditions(of.settle(DAY_14))["Rollout"] == ("False", "Canary")
