"""Training and serving, as tables: what Ray and MLflow told → what is asked of them, and what the conditions say."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.unit.operators.test_shared import LIVE, REPLAY, TRY_OUT, config
from tests.unit.operators.worlds import CONFIG, NOW, conditions, message, policy, strategy, world
from tradewind.operators.config import OperatorConfig
from tradewind.operators.plan import models, serving, shared, strategies
from tradewind.operators.plan.affected import observed
from tradewind.operators.plan.model import Object, Plan, Ref, World, ref_of
from tradewind.operators.plan.models import ENTRYPOINT, MODEL
from tradewind.operators.plan.serving import APPLICATION, SERVING
from tradewind.operators.plan.times import parsed as moment
from tradewind.serving.config import PredictorConfig, ServedModels
from tradewind.specs import Strategy
from tradewind.specs.loading import parse_document
from tradewind.streaming.features.config import FeaturesConfig
from tradewind.training.config import TrainingConfig

DAY = 86_400 * 10**9


def training(under: OperatorConfig) -> OperatorConfig:
    told = under.model_dump(mode="json")
    told["services"] |= {"ray": "http://ray:8265", "mlflow": "http://mlflow:5000"}
    return OperatorConfig.model_validate(told)


REPLAYED, MARKET = training(TRY_OUT), training(LIVE)


def told(kind: str, name: str, **content: Any) -> Object:
    return {"kind": kind, "metadata": {"name": name}, **content}


HEARD = [told("Heard", name, problem="") for name in ("ray", "mlflow")]
NOTHING_SERVED = told("ServeApplications", "all", applications={})


def parsed(document: Object) -> Strategy:
    metadata = {k: v for k, v in document["metadata"].items() if k != "creationTimestamp"}
    found = parse_document({**document, "metadata": metadata}, "test")
    assert isinstance(found, Strategy)
    return found


def wanted(of: World, under: OperatorConfig = REPLAYED, now: str = NOW, name: str = "momentum") -> models.Wanted:
    document = of.get("Strategy", name)
    assert document is not None
    return models.wanted_training(parsed(document), of, under, now)


def asked(of: World, under: OperatorConfig = REPLAYED, now: str = NOW, name: str = "momentum") -> Plan:
    return models.plan(of, name, under, now)


def job(of: World, attempt: int, status: str, ended: str = "", **more: Any) -> Object:
    seconds = moment(ended).timestamp() if ended else 0
    content = {"model": "momentum", "status": status, "ended": seconds, "message": "", "progress": "", "lines": ""}
    return told("RayJob", f"{wanted(of).submission}-{attempt}", **{**content, **more})


GATES = [
    {"name": "sharpe", "verdict": "pass", "value": 1.234567, "threshold": 1.0, "comparison": ">="},
    {"name": "trades", "verdict": "fail", "value": 12.0, "threshold": 100.0, "comparison": ">="},
    {"name": "pbo", "verdict": "inconclusive", "value": None, "threshold": 0.5, "comparison": "<="},
]


def registered(of: World, until: int = 1_000, passed: bool = False, number: int = 3, **aliases: int) -> Object:
    tags = {f"request.{wanted(of).key}": str(until), "gates": json.dumps(GATES), "gates_passed": str(passed).lower()}
    pointed = {alias: str(version) for alias, version in (aliases or {"candidate": number}).items()}
    return told("RegisteredModel", "momentum", versions=[{"version": str(number), "tags": tags}], aliases=pointed)


BOTH = world(policy(), strategy(), *HEARD)


def with_(*more: Object, base: World = BOTH) -> World:
    return World({**base.objects, **{ref_of(o): o for o in more}})


def test_a_model_that_is_missing_is_trained_once() -> None:
    plan = asked(BOTH)
    (request,) = plan.requests
    assert (request.service, request.method, request.path) == ("ray", "POST", "/api/jobs/")
    assert request.body is not None
    assert request.body["submission_id"] == f"tradewind-momentum-{wanted(BOTH).key}-0-1"
    assert request.body["entrypoint"] == ENTRYPOINT
    settings = json.loads(request.body["runtime_env"]["env_vars"]["TRADEWIND_TRAINING"])
    assert settings["tracking_uri"] == "http://mlflow:5000"
    assert settings["ray"]["address"] == "auto"
    assert (settings["until"], settings["request"]) == (1_000, {"key": wanted(BOTH).key, "until": 1_000})
    assert TrainingConfig.model_validate(settings).request is not None
    assert settings["dataset"] == "/var/lib/tradewind/data/megacap"
    assert asked(BOTH) == plan
    for status in ("PENDING", "RUNNING"):
        assert asked(with_(job(BOTH, 1, status))).requests == []
    assert asked(with_(registered(BOTH))).requests == []


@pytest.mark.parametrize(
    ("of", "under"),
    [
        (world(policy(), strategy()), REPLAYED),
        (with_(told("Heard", "mlflow", problem="refused")), REPLAYED),
        (with_(told("Heard", "ray", problem="refused")), REPLAYED),
        (world(policy(allows=("other",)), strategy(), *HEARD), REPLAYED),
        (BOTH, TRY_OUT),
        (BOTH, CONFIG),
    ],
    ids=["nothing heard", "no registry", "no Ray", "not bound", "no Ray configured", "no data"],
)
def test_nothing_is_trained_without_what_it_needs(of: World, under: OperatorConfig) -> None:
    assert asked(of, under).requests == []


@pytest.mark.parametrize(
    ("change", "again"),
    [
        ({"sizing": {"targetVolatility": 0.1}}, True),
        ({"training": {"costBps": 7}}, True),
        ({"universe": {"symbols": ["AAPL", "MSFT"]}}, True),
        ({"features": {"names": ["tech_rsi_14_raw"]}}, True),
        ({"model": "shared"}, True),
        ({"bars": "1h"}, True),
        ({"mode": "DryRun"}, False),
        ({"capitalShare": 0.5}, False),
        ({"execution": {"orderType": "Market"}}, False),
        ({"training": {"retrain": "0 3 * * *"}}, False),
    ],
)
def test_what_a_model_depends_on_trains_it_anew(change: dict[str, Any], again: bool) -> None:
    assert (wanted(world(policy(), strategy(**change))).key != wanted(BOTH).key) is again


def test_a_training_that_failed_comes_again_later_and_later() -> None:
    ended = "2026-11-21T10:00:00Z"
    one = with_(job(BOTH, 1, "FAILED", ended))
    assert (asked(one, now="2026-11-21T10:00:10Z").requests, asked(one, now="2026-11-21T10:00:10Z").again_s) == (
        [],
        20.0,
    )
    (second,) = asked(one, now="2026-11-21T10:00:30Z").requests
    assert second.body is not None
    assert second.body["submission_id"].endswith("-2")
    two = with_(job(BOTH, 1, "FAILED", ended), job(BOTH, 2, "STOPPED", ended))
    assert asked(two, now="2026-11-21T10:00:59Z").requests == []
    assert len(asked(two, now="2026-11-21T10:01:00Z").requests) == 1
    many = with_(*(job(BOTH, n, "FAILED", ended) for n in range(1, 30)))
    assert len(asked(many, now="2026-11-21T11:00:00Z").requests) == 1
    # A job that ended well but registered nothing is a failure, too.
    lost = with_(job(BOTH, 1, "SUCCEEDED", ended))
    assert len(asked(lost, now="2026-11-21T10:00:30Z").requests) == 1


def test_a_schedule_trains_again_on_what_is_known_by_then() -> None:
    of = world(policy(), strategy(training={"retrain": "0 3 * * *"}), *HEARD)
    came = int(moment("2026-11-20T10:00:01Z").timestamp()) * 10**9
    scheduled = int(moment("2026-11-21T03:00:00Z").timestamp()) * 10**9
    assert wanted(of, MARKET, "2026-11-21T02:59:00Z").until == came
    assert wanted(of, MARKET, NOW).until == scheduled
    assert wanted(of, MARKET, NOW).key == wanted(of, MARKET, "2026-11-21T02:59:00Z").key
    stale = with_(registered_for(of, came), base=of)
    assert len(asked(stale, MARKET).requests) == 1
    assert asked(stale, MARKET, "2026-11-21T02:59:00Z").again_s == 61.0
    assert asked(stale, MARKET, "2026-11-21T02:59:00Z").requests == []
    plan = strategies.plan(stale, "momentum", MARKET, NOW)
    assert conditions(plan)["ModelReady"] == ("True", "Retraining")
    assert "the earlier version stays" in message(plan, "ModelReady")
    fresh = with_(registered_for(of, scheduled), base=of)
    assert asked(fresh, MARKET).requests == []
    # A replay has an end to what may be known.
    assert wanted(of, REPLAYED, NOW).until == REPLAY["trained_until"]


def test_what_has_failed_for_weeks_is_tried_every_hour() -> None:
    ended = 1_800_000_000
    attempt = models.Attempt(2000, {"ended": ended})
    assert attempt.wait_s(datetime.fromtimestamp(ended + 600, tz=UTC)) == 3000


def registered_for(of: World, until: int) -> Object:
    tags = {f"request.{wanted(of, MARKET).key}": str(until), "gates_passed": "false"}
    return told("RegisteredModel", "momentum", versions=[{"version": "1", "tags": tags}], aliases={"candidate": "1"})


@pytest.mark.parametrize(
    ("more", "reason", "says"),
    [
        ([], "Training", "submitting"),
        ([job(BOTH, 1, "RUNNING", progress="search 40%")], "Training", "search 40%"),
        (
            [job(BOTH, 1, "FAILED", "2026-11-21T10:00:00Z", lines="training.start: too late; give more")],
            "TrainingFailed",
            "training.start: too late; give more; attempt 2 comes 30 s",
        ),
        ([job(BOTH, 1, "SUCCEEDED", "2026-11-21T10:00:00Z")], "Training", "has not come to services.mlflow yet"),
        (
            [job(BOTH, n, "SUCCEEDED", "2026-11-21T09:59:30Z") for n in (1, 2)],
            "TrainingFailed",
            "registered nothing at services.mlflow",
        ),
        ([told("Refused", "Model/momentum", model="momentum", problem="HTTP 401")], "TrainingRefused", "HTTP 401"),
        ([told("Heard", "ray", problem="connection refused")], "TrainingUnknown", "services.ray: connection refused"),
    ],
    ids=["new", "running", "failed", "looked for", "lost", "refused", "no Ray"],
)
def test_training_is_told_of(more: list[Object], reason: str, says: str) -> None:
    plan = strategies.plan(with_(*more), "momentum", REPLAYED, NOW)
    assert conditions(plan)["ModelReady"] == ("False", reason)
    assert says in message(plan, "ModelReady")
    assert conditions(plan)["Ready"] == ("False", reason)
    assert conditions(plan)["GatesPassed"] == ("False", "NoModel")


@pytest.mark.parametrize(
    ("mode", "passed", "aliases", "gates", "says", "version"),
    [
        ("Paper", False, {"candidate": 3}, ("False", "Failed"), "trades 12 (>= 100) FAILED; pbo no figure", 3),
        ("Paper", True, {"candidate": 3}, ("True", "Passed"), "version 3 of model momentum: sharpe 1.235 (>= 1)", 3),
        ("Live", False, {"candidate": 3}, ("False", "Failed"), "no version is champion", None),
        ("Live", True, {"candidate": 3}, ("True", "Passed"), "version 3", None),  # it is to be tried
        ("Live", True, {"candidate": 3, "champion": 3}, ("True", "Passed"), "version 3", 3),
    ],
)
def test_gates_show_each_figure_beside_its_threshold(
    mode: str, passed: bool, aliases: dict[str, int], gates: tuple[str, str], says: str, version: int | None
) -> None:
    of = world(policy(account="live"), strategy(mode=mode), *HEARD)
    plan = strategies.plan(with_(registered(of, passed=passed, **aliases), base=of), "momentum", REPLAYED, NOW)
    assert conditions(plan)["GatesPassed"] == gates
    assert says in message(plan, "GatesPassed")
    assert conditions(plan)["ModelReady"] == ("True", "Trained")
    # Only Live needs the gates.
    assert (conditions(plan)["Ready"] == gates) is (mode == "Live" and gates[0] == "False")
    assert plan.status is not None
    assert plan.status.get("model", {}).get("version") == version


def served(of: World, under: OperatorConfig = REPLAYED) -> Plan:
    return serving.plan(of, SERVING.name, under, NOW)


def deployed(plan: Plan, status: str = "RUNNING") -> Object:
    """What Serve tells once it has taken the request over; it adds defaults."""
    (request,) = plan.requests
    assert request.body is not None
    applications = json.loads(json.dumps(request.body["applications"]))
    told_of = {a["name"]: {"config": {"runtime_env": {}, **a}, "status": status, "message": "m"} for a in applications}
    return told("ServeApplications", "all", applications=told_of)


TRAINED = with_(registered(BOTH), NOTHING_SERVED)


def test_a_registered_model_is_served_and_asked_for_once() -> None:
    assert served(with_(NOTHING_SERVED)) == Plan()  # no model yet
    plan = served(TRAINED)
    (request,) = plan.requests
    assert (request.service, request.method, request.path) == ("ray", "PUT", "/api/serve/applications/")
    assert request.body is not None
    (application,) = request.body["applications"]
    assert application["name"] == APPLICATION
    assert application["deployments"][0]["user_config"] == {"models": [{"name": "momentum", "alias": "candidate"}]}
    assert request.body["grpc_options"]["port"] == 9000
    assert PredictorConfig.model_validate(application["args"]).tracking_uri == "http://mlflow:5000"
    assert len(ServedModels.model_validate(application["deployments"][0]["user_config"]).models) == 1
    assert served(with_(deployed(plan), base=TRAINED)) == Plan()


def test_what_is_no_longer_wanted_of_a_predictor_is_a_difference() -> None:
    there = deployed(served(TRAINED))
    there["applications"][APPLICATION]["config"]["args"]["store"] = None
    assert len(served(with_(there, base=TRAINED)).requests) == 1


def test_where_stores_are_shared_everybody_is_told() -> None:
    store = {"registry": "postgresql+psycopg://tradewind@postgres/feast", "online": "redis://redis:6379/0"}
    told_of = REPLAYED.model_dump(mode="json")
    told_of["services"]["store"] = store
    under = OperatorConfig.model_validate(told_of)
    (job_request,), (put,) = asked(BOTH, under).requests, served(TRAINED, under).requests
    assert job_request.body is not None
    assert put.body is not None
    trains = TrainingConfig.model_validate_json(job_request.body["runtime_env"]["env_vars"]["TRADEWIND_TRAINING"])
    serves = PredictorConfig.model_validate(put.body["applications"][0]["args"])
    made = {ref_of(o): o for o in shared.plan(BOTH, "namespace", under, NOW).apply}
    features = made[Ref("ConfigMap", "features-bars-1d-default-20")]
    computes = FeaturesConfig.model_validate_json(features["data"]["config.json"])
    for config_of in (trains, serves, computes):
        assert config_of.store is not None
        assert config_of.store.model_dump() == store
    assert serves.repo is None


def test_another_model_changes_only_what_the_replicas_take_over() -> None:
    of = world(
        policy(allows=("momentum", "trend")), strategy(capitalShare=0.5), strategy("trend", 2, capitalShare=0.5), *HEARD
    )
    trend = told("RegisteredModel", "trend", versions=[{"version": "1", "tags": {}}], aliases={"candidate": "1"})
    first = with_(registered(of), NOTHING_SERVED, base=of)
    plan = served(first)
    (request,) = served(with_(deployed(plan), trend, base=first)).requests
    assert request.body is not None
    (application,), (before,) = request.body["applications"], plan.requests[0].body["applications"]  # type: ignore[index]
    names = [m["name"] for m in application["deployments"][0]["user_config"]["models"]]
    assert names == ["momentum", "trend"]
    assert {k: v for k, v in application.items() if k != "deployments"} == {
        k: v for k, v in before.items() if k != "deployments"
    }


def test_applications_of_others_stay() -> None:
    other = {"config": {"name": "other", "import_path": "a:b"}, "status": "RUNNING", "message": ""}
    imperative = {"config": None, "status": "RUNNING", "message": ""}
    there = told("ServeApplications", "all", applications={"other": other, "notebook": imperative})
    (request,) = served(with_(registered(BOTH), there)).requests
    assert request.body is not None
    assert [a["name"] for a in request.body["applications"]] == ["other", APPLICATION]
    gone = world(policy(), *HEARD, deployed(served(TRAINED)))
    (request,) = served(gone).requests
    assert request.body is not None
    assert request.body["applications"] == []


@pytest.mark.parametrize(
    ("of", "ready"),
    [
        (TRAINED, "PredictorMissing"),
        (World({r: o for r, o in TRAINED.objects.items() if r.kind != "ServeApplications"}), "PredictorUnknown"),
        (with_(deployed(served(TRAINED), "DEPLOYING"), base=TRAINED), "PredictorChanging"),
        (with_(deployed(served(TRAINED), "UNHEALTHY"), base=TRAINED), "PredictorNotRunning"),
        (with_(deployed(served(TRAINED)), base=TRAINED), "FeaturesMissing"),
        (
            with_(told("Refused", "Serving/predictor", model="predictor", problem="no"), base=TRAINED),
            "PredictorRefused",
        ),
    ],
    ids=["missing", "unknown", "deploying", "unhealthy", "running", "refused"],
)
def test_ready_waits_for_the_predictor(of: World, ready: str) -> None:
    plan = strategies.plan(of, "momentum", REPLAYED, NOW)
    assert conditions(plan)["Ready"] == ("False", ready)


def test_strategies_that_share_a_model_train_it_once_by_the_first() -> None:
    allowed = policy(allows=("momentum", "twin"))
    twin = strategy("twin", 2, capitalShare=0.5, model="momentum", training={"costBps": 9})
    of = world(allowed, strategy(capitalShare=0.5), twin, *HEARD, NOTHING_SERVED)
    assert len(asked(of).requests) == 1
    trained = with_(registered(of), base=of)
    assert asked(trained).requests == []
    for name in ("momentum", "twin"):
        assert conditions(strategies.plan(trained, name, REPLAYED, NOW))["ModelReady"] == ("True", "Trained")
    (request,) = served(trained).requests
    assert request.body is not None
    assert len(request.body["applications"][0]["deployments"][0]["user_config"]["models"]) == 1


def test_who_is_looked_at_when_something_is_told() -> None:
    of = with_(strategy("trend", 2))
    concerned = {Ref("Strategy", "momentum"), Ref(MODEL, "momentum"), SERVING}
    assert observed(of, job(BOTH, 1, "RUNNING")) == concerned
    assert observed(of, registered(BOTH)) == concerned
    assert observed(of, told("Refused", "Model/momentum", model="momentum", problem="x")) == {
        Ref("Strategy", "momentum")
    }
    both = {Ref("Strategy", "momentum"), Ref("Strategy", "trend")}
    assert observed(of, told("Refused", "Serving/predictor", model="predictor", problem="x")) == both
    assert both < observed(of, NOTHING_SERVED)


def test_training_needs_a_registry_and_a_data_set() -> None:
    for services in ({"ray": "http://ray"}, {"ray": "http://ray", "mlflow": "http://mlflow"}):
        with pytest.raises(ValueError, match="ray needs mlflow, and data with a dataset"):
            OperatorConfig.model_validate(
                {**CONFIG.model_dump(mode="json"), "services": {**CONFIG.services.model_dump(), **services}}
            )
    assert models.trains(training(config()))
