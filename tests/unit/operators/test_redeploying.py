"""A predictor that could not be deployed, as tables: what Serve told and when → what is asked of it, and what is said.

Ray Serve's own behaviour, which these rest on, is tested on a real Ray in tests/cluster/test_training_and_serving.py.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tests.unit.operators.test_models import HEARD, NOTHING_SERVED, REPLAYED, TRAINED, registered, told, with_
from tests.unit.operators.worlds import conditions, message, policy, strategy, world
from tradewind.operators.plan import serving, strategies
from tradewind.operators.plan.model import Object, Plan, World
from tradewind.operators.plan.redeploying import STAMP
from tradewind.operators.plan.serving import APPLICATION, SERVING
from tradewind.operators.plan.times import parsed, written
from tradewind.operators.run.observing import WITHOUT_REPLICA, _cause, _status

DEPLOYED = "2026-11-21T10:00:00Z"
WHY = "ImportError: libgomp.so.1: cannot open shared object file"


def after(seconds: float) -> str:
    return written(parsed(DEPLOYED) + timedelta(seconds=seconds))


def asked(of: World, now: str) -> Plan:
    return serving.plan(of, SERVING.name, REPLAYED, now)


def application(plan: Plan) -> Object:
    (request,) = plan.requests
    assert request.body is not None
    (found,) = request.body["applications"]
    assert isinstance(found, dict)
    return found


def stamp(plan: Plan) -> str | None:
    """Of the only application that is asked for."""
    environment: dict[str, str] = application(plan).get("runtime_env", {}).get("env_vars", {})
    assert set(environment) <= {STAMP}
    return environment.get(STAMP)


def taken_over(plan: Plan, status: str, of: World = TRAINED, at: str = DEPLOYED) -> World:
    """The world once Serve has taken the request over at a time, and come to a status."""
    config = json.loads(json.dumps(application(plan)))
    there = {"config": config, "status": status, "message": WHY, "deployed": parsed(at).timestamp() - 0.5}
    return with_(told("ServeApplications", "all", applications={APPLICATION: there}), base=of)


FIRST = asked(TRAINED, DEPLOYED)
FAILED = taken_over(FIRST, "DEPLOY_FAILED")


def test_the_first_attempt_has_no_stamp() -> None:
    assert stamp(FIRST) is None


def test_a_failed_one_is_left_alone_until_its_time_and_then_asked_for_with_a_stamp() -> None:
    assert asked(FAILED, after(45)) == Plan(again_s=15)
    again = asked(FAILED, after(60))
    assert stamp(again) is not None
    assert {k: v for k, v in application(again).items() if k != "runtime_env"} == application(FIRST)


@pytest.mark.parametrize("status", ["NOT_STARTED", "DEPLOYING", "RUNNING", "UNHEALTHY", "DELETING"])
def test_what_has_not_failed_is_not_asked_for_again(status: str) -> None:
    assert asked(taken_over(FIRST, status), after(10**6)) == Plan()
    assert asked(taken_over(asked(FAILED, after(60)), status), after(10**6)) == Plan()


def test_each_attempt_waits_longer_to_half_an_hour() -> None:
    plan, at, waits, stamps = FIRST, DEPLOYED, [], set()
    for _ in range(8):
        there = taken_over(plan, "DEPLOY_FAILED", at=at)
        wait = asked(there, at).again_s
        assert wait is not None
        waits.append(wait)
        at = written(parsed(at) + timedelta(seconds=wait))
        plan = asked(there, at)
        stamps.add(stamp(plan))
    assert waits == [60, 120, 240, 480, 960, 1800, 1800, 1800]
    assert len(stamps) == 8


def test_a_changed_configuration_is_tried_at_once_and_counts_from_one() -> None:
    again = asked(FAILED, after(60))
    failed_again = taken_over(again, "DEPLOY_FAILED", at=after(60))
    two = world(
        policy(allows=("momentum", "trend")), strategy(capitalShare=0.5), strategy("trend", 2, capitalShare=0.5), *HEARD
    )
    trend = told("RegisteredModel", "trend", versions=[{"version": "1", "tags": {}}], aliases={"candidate": "1"})
    base = with_(registered(two), NOTHING_SERVED, trend, base=two)
    there = failed_again.get("ServeApplications", "all")
    assert there is not None
    changed = asked(with_(there, base=base), after(61))
    assert stamp(changed) not in (None, stamp(again))
    assert asked(taken_over(changed, "DEPLOY_FAILED", of=base), after(0)).again_s == 60

    # One that runs keeps its stamp: another would restart its replicas.
    running = taken_over(again, "RUNNING").get("ServeApplications", "all")
    assert running is not None
    assert stamp(asked(with_(running, base=base), after(61))) == stamp(again)


def test_the_condition_says_why_and_when_it_is_tried_again() -> None:
    for of, number, when in (
        (FAILED, 1, after(60)),
        (taken_over(asked(FAILED, after(60)), "DEPLOY_FAILED", at=after(60)), 2, after(180)),
    ):
        said = [strategies.plan(of, "momentum", REPLAYED, now) for now in (after(60), after(61))]
        assert conditions(said[0])["Ready"] == ("False", "PredictorFailed")
        assert message(said[0], "Ready") == (
            f"application predictor: attempt {number} to deploy it failed: {WHY}; "
            f"attempt {number + 1} comes at {when}"
        )  # fmt: skip
        assert message(said[1], "Ready") == message(said[0], "Ready")  # time alone writes no status


TRACEBACK = 'The deployment failed 3 times. Error:\n  File "x.py", line 1\nRuntimeError: no model\n'


@pytest.mark.parametrize(
    ("application", "cause"),
    [
        ({"status": "RUNNING", "message": "long ago"}, ""),
        ({"status": "DEPLOY_FAILED", "message": TRACEBACK, "deployments": {}}, "RuntimeError: no model"),
        (
            {
                "status": "DEPLOY_FAILED",
                "message": "Failed to update the deployments ['Predictor'].",
                "deployments": {"Predictor": {"status": "DEPLOY_FAILED", "message": TRACEBACK}},
            },
            "RuntimeError: no model",
        ),
        ({"status": "UNHEALTHY", "message": None, "deployments": None}, ""),
    ],
)
def test_the_cause_is_the_last_line_of_whoever_failed(application: dict[str, Any], cause: str) -> None:
    assert _cause(application) == cause


@pytest.mark.parametrize(
    ("status", "replicas", "said"),
    [
        ("RUNNING", ["RUNNING"], "RUNNING"),
        ("RUNNING", ["STARTING", "RUNNING"], "RUNNING"),
        ("RUNNING", ["STARTING"], WITHOUT_REPLICA),
        ("RUNNING", [], WITHOUT_REPLICA),
        ("DEPLOYING", ["STARTING"], "DEPLOYING"),
    ],
)
def test_an_application_without_a_replica_does_not_run(status: str, replicas: list[str], said: str) -> None:
    deployment = {"status": "HEALTHY", "replicas": [{"state": state} for state in replicas]}
    assert _status({"status": status, "deployments": {"Predictor": deployment}}) == said
