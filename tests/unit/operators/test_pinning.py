"""CPUPinned: what the executor sees from inside its container, and what it blocks."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.operators.test_plans import STARTED, made_by, pod
from tests.unit.operators.worlds import carried_out, conditions, message, planned, policy, strategy, world
from tradewind.operators.plan.affected import affected
from tradewind.operators.plan.model import Object, Ref, World, ref_of
from tradewind.operators.plan.noted import ANNOTATION, Note
from tradewind.operators.plan.shared import SHARED

SET = Ref("StatefulSet", "executor-paper")


def running(pinning: str, seen: str | None, **spec: Any) -> World:
    """An account whose executor runs, and what is noted on its pod."""
    of = world(policy(execution={"pinning": pinning}), strategy(**spec))
    for kind, name in (("RiskPolicy", "paper"), ("Strategy", "momentum"), ("RiskPolicy", "paper")):
        of = carried_out(of, kind, name)
    found = pod(ready=True)
    found["metadata"]["annotations"] = {} if seen is None else {ANNOTATION: seen}
    objects = of.objects
    metadata = {**objects[SET]["metadata"], "generation": 1}
    objects[SET] = {**objects[SET], "status": STARTED, "metadata": metadata}
    return World({**objects, Ref("Pod", "executor-paper-0"): found})


def note(cpus: list[int], of: int, connected: bool | None = True, kill_switch: bool | None = False) -> str:
    return Note(cpus=cpus, of=of, connected=connected, kill_switch=kill_switch).model_dump_json()


ALONE, ALL, ONLY_ONE = note([3], 8), note([0, 1, 2], 8), note([0], 1)


@pytest.mark.parametrize(
    ("pinning", "seen", "pinned", "ready"),
    [
        ("Required", ALONE, ("True", "Pinned"), ("True", "ExecutorReady")),
        ("Required", ALL, ("False", "SharedCPUs"), ("False", "SharedCPUs")),
        ("Required", ONLY_ONE, ("False", "SharedCPUs"), ("False", "SharedCPUs")),
        ("Required", None, ("Unknown", "NotSeen"), ("False", "NotSeen")),
        ("Required", "three", ("Unknown", "NotSeen"), ("False", "NotSeen")),
        ("Preferred", ALONE, ("True", "Pinned"), ("True", "ExecutorReady")),
        ("Preferred", ALL, ("False", "SharedCPUs"), ("True", "ExecutorReady")),
        ("None", ALL, ("Unknown", "NotAsked"), ("True", "ExecutorReady")),
    ],
)
def test_only_required_pinning_blocks_ready(
    pinning: str, seen: str | None, pinned: tuple[str, str], ready: tuple[str, str]
) -> None:
    plan = planned(running(pinning, seen), "RiskPolicy", "paper")
    assert conditions(plan)["CPUPinned"] == pinned
    assert conditions(plan)["Ready"] == ready


def test_shared_cpus_come_with_the_fix() -> None:
    plan = planned(running("Required", ALL), "RiskPolicy", "paper")
    assert "may run on CPU 0, 1, 2, of 8: run the kubelet with cpuManagerPolicy static" in message(plan, "Ready")


def test_who_asks_for_no_cpu_of_its_own_gets_a_fraction() -> None:
    def container(pinning: str) -> Any:
        found: Object = running(pinning, None).objects[SET]
        return found["spec"]["template"]["spec"]["containers"][0]

    assert container("None")["resources"]["limits"]["cpu"] == "500m"
    assert container("Preferred")["resources"] == container("Required")["resources"]
    assert container("Required")["resources"]["limits"]["cpu"] == "1"


SIGNALS = Ref("Deployment", "signals-momentum")


@pytest.mark.parametrize(
    ("seen", "spec", "trading"),
    [
        (ALONE, {}, ("True", "Trading")),
        (ALONE, {"mode": "DryRun"}, ("False", "DryRun")),
        (None, {}, ("False", "ExecutorSilent")),
        (note([3], 8, connected=None, kill_switch=None), {}, ("False", "ExecutorSilent")),
        (note([3], 8, kill_switch=True), {}, ("False", "KillSwitch")),
        (note([3], 8, connected=False), {}, ("False", "BrokerDisconnected")),
    ],
    ids=["trades", "dry run", "no note", "no word", "kill switch", "no broker"],
)
def test_trading_is_what_the_executor_says(seen: str | None, spec: dict[str, Any], trading: tuple[str, str]) -> None:
    of = running("Preferred", seen, **spec)
    objects = carried_out(of, "Strategy", "momentum").objects
    assert conditions(planned(World(objects), "Strategy", "momentum"))["Trading"] == (
        trading if trading[0] == "False" else ("False", "SignalsStarting")
    )
    status = {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
    metadata = {**objects[SIGNALS]["metadata"], "generation": 1}
    objects[SIGNALS] = {**objects[SIGNALS], "metadata": metadata, "status": status}
    found = made_by(SIGNALS)
    objects[ref_of(found)] = found
    assert conditions(planned(World(objects), "Strategy", "momentum"))["Trading"] == trading


def test_an_engaged_switch_is_told_before_the_executor_says_so() -> None:
    of = world(policy(killSwitch={"engaged": True}), strategy())
    assert conditions(planned(of, "Strategy", "momentum"))["Trading"] == ("False", "KillSwitch")


def test_a_note_concerns_the_strategies_too() -> None:
    of = running("Preferred", ALONE)
    found = of.objects[Ref("Pod", "executor-paper-0")]
    found["metadata"]["labels"] = {"tradewind.dev/riskpolicy": "paper"}
    assert affected(of, found) == {Ref("RiskPolicy", "paper"), Ref("Strategy", "momentum"), SHARED}
