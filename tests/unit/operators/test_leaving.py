"""Strategies that are deleted: what their executor tells → what is said, and when they may go."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.operators.worlds import NOW, conditions, message, planned, policy, strategy, world
from tradewind.operators.follow.gauges import Gauges, read
from tradewind.operators.plan.model import FINALIZER, LABEL_POLICY, Object, Ref, World
from tradewind.operators.plan.noted import ANNOTATION, Remains

SET: Object = {"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "executor-paper"}}
SIGNALS: Object = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "signals-momentum"}}


def pod(uids: list[str] | None = None, connected: bool | None = True, kill: bool = False, **remains: Any) -> Object:
    """The executor's pod with a note; `remains` are of momentum."""
    told = {"uid-momentum": remains} if remains else {}
    note = {"cpus": [1], "of": 2, "connected": connected, "kill_switch": kill, "remains": told}
    note["strategies"] = ["uid-momentum"] if uids is None else uids
    metadata = {
        "name": "executor-paper-0",
        "labels": {LABEL_POLICY: "paper"},
        "annotations": {ANNOTATION: json.dumps(note)},
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata}


def held(found: Object, *, deleted: bool = False) -> Object:
    metadata = {**found["metadata"], "finalizers": ["example.com/other", FINALIZER]}
    return {**found, "metadata": {**metadata, "deletionTimestamp": NOW} if deleted else metadata}


def going(how: str | None, *others: Object) -> World:
    spec: dict[str, Any] = {} if how is None else {"onDelete": how}
    return world(held(policy()), held(strategy(**spec), deleted=True), *others)


WAITS: list[tuple[str | None, tuple[Object, ...], str, str]] = [
    ("Keep", (SET, pod(), SIGNALS), "SignalsStopping", "is being ended"),
    ("Keep", (SET,), "ExecutorSilent", "has not said what it has left"),
    ("Keep", (SET, pod()), "ExecutorSilent", f"remove the finalizer {FINALIZER}"),
    (None, (SET, pod(orders=1, positions=2)), "Cancelling", "orders in 1 and positions in 2 symbols are left"),
    ("Cancel", (SET, pod(orders=1)), "Cancelling", f"remove the finalizer {FINALIZER}"),
    ("Cancel", (SET, pod(orders=1, kill=True)), "KillSwitch", "a named person releases it"),
    ("Cancel", (SET, pod(orders=1, connected=False)), "BrokerDisconnected", "stream of RiskPolicy/paper is down"),
    ("Cancel", (SET, pod(orders=1, connected=None)), "BrokerDisconnected", "stream of RiskPolicy/paper is down"),
    ("Flatten", (SET, pod(orders=1)), "Flattening", "orders in 1"),
    ("Flatten", (SET, pod(positions=1)), "Flattening", "positions in 1"),
    ("Flatten", (SET, pod(positions=1, refused="OUT_OF_SESSION")), "MarketClosed", "no orders now (OUT_OF_SESSION)"),
    ("Flatten", (SET, pod(positions=1, refused="SESSION_UNKNOWN")), "MarketClosed", "(SESSION_UNKNOWN)"),
    ("Flatten", (SET, pod(positions=1, refused="RESTRICTED")), "ExitRefused", "(RESTRICTED); it is tried again"),
    ("Flatten", (pod(positions=1),), "Flattening", "positions in 1"),  # the set is gone, its pod not yet
]


@pytest.mark.parametrize(("how", "others", "reason", "says"), WAITS, ids=[f"{w[0]}-{w[2]}" for w in WAITS])
def test_a_strategy_waits_for_its_executor_and_says_so(
    how: str | None, others: tuple[Object, ...], reason: str, says: str
) -> None:
    plan = planned(going(how, *others), "Strategy", "momentum")
    assert conditions(plan) == {"Deleted": ("False", reason), "Ready": ("False", reason)}
    assert says in message(plan, "Deleted")
    assert plan.finalizer is None
    assert plan.delete == ([Ref("Deployment", "signals-momentum")] if SIGNALS in others else [])
    # Its policy waits with it, and so its executor stays.
    assert planned(going(how, *others), "RiskPolicy", "paper").finalizer is None


@pytest.mark.parametrize(
    ("how", "others", "reason"),
    [
        ("Keep", (SET, pod(orders=1, positions=1)), "Kept"),
        ("Cancel", (SET, pod(orders=0, positions=3)), "Cancelled"),
        ("Flatten", (SET, pod(orders=0, positions=0)), "Flattened"),
        ("Flatten", (), "NoExecutor"),
    ],
)
def test_a_strategy_goes_when_it_is_done(how: str, others: tuple[Object, ...], reason: str) -> None:
    plan = planned(going(how, *others), "Strategy", "momentum")
    assert conditions(plan)["Deleted"] == ("True", reason)
    assert plan.finalizer is False
    assert [news.reason for news in plan.events if news.type == "Deleted"] == [reason]


def test_only_what_an_executor_knows_is_held() -> None:
    silent, known = world(policy(), strategy(), SET), world(policy(), strategy(), SET, pod())
    other = world(policy(), strategy(), SET, pod(uids=["uid-of-another"]))
    assert [planned(of, "Strategy", "momentum").finalizer for of in (silent, other, known)] == [None, None, True]
    assert planned(known, "RiskPolicy", "paper").finalizer is None
    with_it = world(policy(), held(strategy()), SET, pod())
    assert planned(with_it, "Strategy", "momentum").finalizer is None
    assert planned(with_it, "RiskPolicy", "paper").finalizer is True


def test_a_policy_goes_after_its_last_strategy() -> None:
    last = world(held(policy(), deleted=True), held(strategy(), deleted=True), SET, pod())
    plan = planned(last, "RiskPolicy", "paper")
    assert plan.finalizer is None
    assert conditions(plan)["Deleted"] == ("False", "StrategiesHeld")
    assert message(plan, "Deleted").endswith(": momentum")
    assert "Deleted" not in conditions(planned(world(held(policy()), held(strategy())), "RiskPolicy", "paper"))
    alone = world(held(policy(), deleted=True), SET, pod())
    assert planned(alone, "RiskPolicy", "paper").finalizer is False
    elsewhere = world(held(policy()), held(strategy(riskPolicy="other")))
    assert planned(elsewhere, "RiskPolicy", "paper").finalizer is False


def test_a_policy_on_its_way_out_is_in_force_while_somebody_trades_under_it() -> None:
    of = world(held(policy(), deleted=True), held(strategy()), SET, pod())
    assert conditions(planned(of, "Strategy", "momentum"))["RiskBound"] == ("True", "Bound")
    gone = world({**policy(), "metadata": {**policy()["metadata"], "deletionTimestamp": NOW}}, strategy())
    assert conditions(planned(gone, "Strategy", "momentum"))["RiskBound"] == ("False", "PolicyMissing")


def test_the_executors_account_sees_those_that_its_policy_does_not_allow_any_more() -> None:
    of = world(held(policy(allows=("trend",))), strategy("trend"), held(strategy(), deleted=True))
    (role,) = [o for o in planned(of, "RiskPolicy", "paper").apply if o["kind"] == "Role"]
    (rule,) = [r for r in role["rules"] if r["resources"] == ["strategies"]]
    assert rule["resourceNames"] == ["momentum", "trend"]


def test_the_executors_metrics_are_read() -> None:
    text = """
# TYPE tradewind_executor_connected gauge
tradewind_executor_connected{account="paper"} 1.0
# TYPE tradewind_executor_leaving_orders gauge
tradewind_executor_leaving_orders{account="paper",strategy="one"} 2.0
tradewind_executor_leaving_orders{account="paper",strategy="two"} 0.0
# TYPE tradewind_executor_leaving_positions gauge
tradewind_executor_leaving_positions{account="paper",strategy="one"} 1.0
tradewind_executor_leaving_positions{account="paper",strategy="two"} 0.0
# TYPE tradewind_executor_leaving_refused gauge
tradewind_executor_leaving_refused{account="paper",code="RESTRICTED",strategy="one"} 1.0
"""
    one = Remains(orders=2, positions=1, refused="RESTRICTED")
    assert read(text) == Gauges(connected=True, kill_switch=None, remains={"one": one, "two": Remains()})
