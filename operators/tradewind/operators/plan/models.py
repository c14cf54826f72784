"""Which training a model needs, and what Ray and MLflow tell of it. Core.

MLflow's registry is the record: a version carries the key of every training that asked for it. Ray's list of jobs only
says what happens meanwhile, and may be lost with its head.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime

from tradewind.operators.config import OperatorConfig
from tradewind.operators.plan import documents, gates
from tradewind.operators.plan.conditions import false, true
from tradewind.operators.plan.difference import fingerprint
from tradewind.operators.plan.model import Condition, Object, Plan, Request, World
from tradewind.operators.plan.shared import bound_names
from tradewind.operators.plan.times import parsed
from tradewind.planning.pods import training_job
from tradewind.specs import Strategy
from tradewind.specs.schedule import first_after, last_before

MODEL = "Model"
CONFIGURATION = "TRADEWIND_TRAINING"
# The configuration is no part of the command line: it would be in every list of jobs.
ENTRYPOINT = f"printenv {CONFIGURATION} | python -m tradewind.training --config /dev/stdin"
FIRST_WAIT_S, LAST_WAIT_S = 30, 3600
LONGEST_LOOK_S = 3600.0
_RUNS, _FAILED = ("PENDING", "RUNNING"), ("FAILED", "STOPPED")


@dataclass(frozen=True)
class Wanted:
    """The training that a strategy asks for now.

    Attributes:
        key: hash of what the model depends on, but for the time until which it learns.
        until: that time, ns UTC.
        config: the training's configuration.
    """

    model: str
    key: str
    until: int
    config: Object

    @property
    def submission(self) -> str:
        """Submission id of its first job, without the attempt."""
        return f"tradewind-{self.model}-{self.key}-{self.until // 10**9}"


@dataclass(frozen=True)
class Attempt:
    """The newest job of a training."""

    number: int
    job: Object | None

    @property
    def status(self) -> str:
        """Ray's word; nothing before the first."""
        return "" if self.job is None else str(self.job["status"])

    def wait_s(self, now: datetime) -> float:
        """Seconds until the next attempt may begin."""
        if self.job is None:
            return 0.0
        # In whole numbers: a float overflows after a thousand attempts.
        pause: float = min(FIRST_WAIT_S * 2 ** (self.number - 1), LAST_WAIT_S)
        return pause - (now.timestamp() - float(self.job["ended"]))


def trains(config: OperatorConfig) -> bool:
    """Whether this installation trains."""
    services = config.services
    return bool(services.ray and services.mlflow and services.data and services.data.dataset)


def plan(world: World, name: str, config: OperatorConfig, now: str, problem: str = "") -> Plan:  # noqa: ARG001
    """The plan for the model `name`; strategies' conditions tell of it."""
    if not trains(config) or not reached(world):
        return Plan()
    trainer = _trainer(name, world)
    if trainer is None:
        return Plan()
    wanted = wanted_training(trainer, world, config, now)
    following = first_after(trainer.spec.training.retrain, parsed(now))
    again = None if following is None else min((following - parsed(now)).total_seconds() + 1, LONGEST_LOOK_S)
    if satisfied(wanted, world):
        return Plan(again_s=again)
    attempt = newest_attempt(wanted, world)
    if attempt.status in _RUNS:
        return Plan(again_s=again)
    wait = attempt.wait_s(parsed(now))
    if wait > 0:
        return Plan(again_s=wait)
    return Plan(requests=[_submission(wanted, attempt.number + 1)], again_s=again)


def _trainer(name: str, world: World) -> Strategy | None:
    """The oldest bound strategy of those that share the model."""
    for strategy in documents.of_model(world, name):
        policy = documents.policy(world, strategy.spec.risk_policy)
        if policy is not None and strategy.metadata.name in bound_names(policy, world):
            return strategy
    return None


def wanted_training(strategy: Strategy, world: World, config: OperatorConfig, now: str) -> Wanted:
    """What the strategy's model depends on now."""
    data = config.services.data
    assert data is not None
    until = data.replay.trained_until if data.replay is not None else _learns_until(strategy, world, now)
    settings = training_job(strategy, config.site(), until).config
    spec = strategy.spec.model_dump(mode="json", include={"bars", "universe", "training", "signal", "sizing", "news"})
    del spec["training"]["retrain"]
    depends = {key: settings[key] for key in ("dataset", "feature_set", "volatility_feature", "news")}
    key = fingerprint([strategy.model_name, spec, depends])
    request = {"key": key, "until": until}
    return Wanted(strategy.model_name, key, until, {**settings, "request": request})


def wanted_by(strategy: Strategy, world: World, config: OperatorConfig, now: str) -> Wanted:
    """The training of the model that the strategy trades on: where it is shared, what its trainer asks for."""
    return wanted_training(_trainer(strategy.model_name, world) or strategy, world, config, now)


def _learns_until(strategy: Strategy, world: World, now: str) -> int:
    """In the market: the schedule's newest time, or when the strategy came."""
    found = world.get("Strategy", strategy.metadata.name)
    assert found is not None
    came = parsed(found["metadata"]["creationTimestamp"])
    scheduled = last_before(strategy.spec.training.retrain, parsed(now))
    return int((scheduled if scheduled is not None and scheduled > came else came).timestamp()) * 10**9


def reached(world: World) -> bool:
    """Whether Ray and MLflow have told what they have, and still do."""
    return all((heard := world.get("Heard", name)) is not None and not heard["problem"] for name in ("ray", "mlflow"))


def satisfied(wanted: Wanted, world: World) -> bool:
    """Whether the registry has what is wanted."""
    until = learned(wanted, world)
    return until is not None and until >= wanted.until


def learned(wanted: Wanted, world: World) -> int | None:
    """Until when the newest version of this training had learned; None: there is none."""
    found = gates.versions(world.get("RegisteredModel", wanted.model))
    times = [until for v in found if (until := v.learned_until(wanted.key)) is not None]
    return max(times, default=None)


def newest_attempt(wanted: Wanted, world: World) -> Attempt:
    """The job of the training that came last."""
    number = 0
    while world.get("RayJob", f"{wanted.submission}-{number + 1}") is not None:
        number += 1
    return Attempt(number, world.get("RayJob", f"{wanted.submission}-{number}"))


def _submission(wanted: Wanted, attempt: int) -> Request:
    body = {
        "submission_id": f"{wanted.submission}-{attempt}",
        "entrypoint": ENTRYPOINT,
        "runtime_env": {"env_vars": {CONFIGURATION: json.dumps(wanted.config, sort_keys=True)}},
        "metadata": {"model": wanted.model, "key": wanted.key},
    }
    return Request("ray", "POST", "/api/jobs/", body)


def model_ready(strategy: Strategy, world: World, config: OperatorConfig, now: str) -> Condition:
    """Whether a model of what the strategy asks for is registered, or how far its training is."""
    wanted = wanted_by(strategy, world, config, now)
    attempt = newest_attempt(wanted, world)
    usable = learned(wanted, world) is not None
    if satisfied(wanted, world):
        newest = next(
            v
            for v in gates.versions(world.get("RegisteredModel", wanted.model))
            if v.learned_until(wanted.key) is not None
        )
        until = datetime.fromtimestamp(wanted.until / 1e9, tz=UTC).strftime("%Y-%m-%d")
        return true("ModelReady", "Trained", f"version {newest.number} of model {wanted.model}, trained until {until}")
    what = _meanwhile(wanted, attempt, world, now)
    if usable:
        return true(
            "ModelReady", f"Re{what.reason[0].lower()}{what.reason[1:]}", f"the earlier version stays; {what.message}"
        )
    return what


def _meanwhile(wanted: Wanted, attempt: Attempt, world: World, now: str) -> Condition:
    for name in ("ray", "mlflow"):
        heard = world.get("Heard", name)
        if heard is None or heard["problem"]:
            why = "it has not answered yet" if heard is None else heard["problem"]
            return false("ModelReady", "TrainingUnknown", f"services.{name}: {why}")
    refused, job = world.get("Refused", f"{MODEL}/{wanted.model}"), attempt.job
    if refused is not None:
        return false("ModelReady", "TrainingRefused", refused["problem"])
    if job is None:
        return false("ModelReady", "Training", f"submitting {wanted.submission}-1")
    if attempt.status in _RUNS:
        return false(
            "ModelReady", "Training", f"Ray job {job['metadata']['name']}: {job['progress'] or attempt.status.lower()}"
        )
    if attempt.status not in _FAILED and parsed(now).timestamp() - job["ended"] < FIRST_WAIT_S:  # Ray told first
        why = f"Ray job {job['metadata']['name']} ended well; its version has not come to services.mlflow yet"
        return false("ModelReady", "Training", why)
    wait = max(0, round(attempt.wait_s(datetime.fromtimestamp(job["ended"], tz=UTC))))
    if attempt.status in _FAILED:
        why = job["lines"] or job["message"] or "it said nothing"
    else:
        why = "it ended well, but registered nothing at services.mlflow: check that both have the same registry"
    return false(
        "ModelReady",
        "TrainingFailed",
        f"Ray job {job['metadata']['name']}: {why}; attempt {attempt.number + 1} comes {wait} s after its end",
    )
