"""From two documents to a prediction: the operator's shell against a real Ray with its dashboard and a real MLflow."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from mlflow.tracking import MlflowClient

from tests.cluster.operator_process import eventually
from tests.integration.ray_head import TOKEN, Running, ray_head
from tests.integration.test_training_pipeline import BARS, DAY, SYMBOLS, UNTIL, _bars, _dataset
from tests.mlflow.server import Server as MlflowServer
from tests.unit.operators.test_shared import config as told_config
from tests.unit.operators.worlds import conditions, message, policy, strategy
from tradewind.bus import ports
from tradewind.native.features import feature_set_version
from tradewind.operators.config import OperatorConfig
from tradewind.operators.plan import redeploying, serving, strategies
from tradewind.operators.plan.model import Object, Plan, Ref, Request, ref_of
from tradewind.operators.plan.models import MODEL
from tradewind.operators.plan.serving import APPLICATION, SERVING
from tradewind.operators.plan.times import parsed
from tradewind.operators.run.api import ApiError
from tradewind.operators.run.observing import Observing
from tradewind.operators.run.queue import Queue
from tradewind.operators.run.reconcile import Reconciler, timestamp
from tradewind.operators.run.remote import CALLS, Remote
from tradewind.operators.run.store import Store
from tradewind.v1.prediction_pb2 import FeatureRow, HealthRequest, ListModelsRequest, PredictRequest
from tradewind.v1.prediction_pb2_grpc import PredictionStub

pytestmark = pytest.mark.timeout(900)

WITHIN_S = 400.0
FEATURES = ["tech_rsi_14_raw", "vol_historical_20_annual"]
SPEC: dict[str, Any] = {
    "capitalShare": 0.5,
    "universe": {"symbols": list(SYMBOLS), "context": "^IDX"},
    "features": {"names": FEATURES},
    "training": {
        "label": {"kind": "TripleBarrier", "horizonBars": 3},
        "splits": {"trainBars": 120, "validationBars": 40, "stepBars": 40},
        "search": {"trials": 2},
    },
}


class Site:
    """The operator's shell for models and serving, over documents that a test applies."""

    def __init__(self, config: OperatorConfig) -> None:
        self._working: asyncio.Task[None] | None = None
        self.config, self.store, self.remote, self.queue = config, Store(), Remote(config.services), Queue()
        # What concerns the strategies themselves needs an API server: tests/cluster.
        self.observing = Observing(config, self.remote, self.store, Queue())
        self.reconciler = Reconciler(config, None, self.store, self.queue, self.remote, self.observing)  # type: ignore[arg-type]

    def apply(self, *documents: Object) -> None:
        for document in documents:
            self.store.world.put(ref_of(document), document)

    def status(self, name: str) -> Plan:
        return strategies.plan(self.store.world, name, self.config, timestamp())

    async def until(self, what: Any, *models: str) -> None:
        """Looks as the operator does until `what` holds."""
        if self._working is None:  # one for the whole test: a worker that is cancelled leaves its work taken
            self._working = asyncio.create_task(self.reconciler.work())
        try:
            async with asyncio.timeout(WITHIN_S):
                while not what():
                    await self.observing.look()
                    for ref in (*(Ref(MODEL, model) for model in models), SERVING):
                        self.queue.add(ref)
                    await asyncio.sleep(1)
        except TimeoutError:
            names = [found["metadata"]["name"] for found in self.store.world.of("Strategy")]
            raise AssertionError({name: self.status(name).status for name in names}) from None

    async def stop(self) -> None:
        """The operator ends."""
        assert self._working is not None
        self._working.cancel()
        await asyncio.wait([self._working])

    def served(self) -> Object:
        found = self.remote.applications()[APPLICATION]
        assert isinstance(found, dict)
        return found


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Running, str]]:
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    for module in ("tradewind.operators.config", "tradewind.planning.pods"):
        monkeypatch.setattr(f"{module}.DATA_DIR", str(tmp_path / "data"))
    _dataset(tmp_path / "data" / "synthetic", _bars())
    with MlflowServer(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path) as mlflow, ray_head(tmp_path) as ray:
        yield ray, mlflow.url


def puts() -> float:
    """Changes of what is served that this process has asked for until now."""
    samples = [s for metric in CALLS.collect() for s in metric.samples if s.name.endswith("_total")]
    return sum(s.value for s in samples if s.labels["verb"] == "PUT")


REPLAY = {"trained_until": UNTIL, "end": BARS * DAY, "speed": 60.0}


def settings(ray: Running, mlflow: str, port: int, replay: dict[str, float] | None = REPLAY) -> OperatorConfig:
    told = told_config(dataset="synthetic", replay=replay).model_dump(mode="json")
    told["services"] |= {"ray": ray.url, "mlflow": mlflow, "predictor": f"127.0.0.1:{port}"}
    return OperatorConfig.model_validate(told)


async def test_documents_become_a_model_with_its_gates_and_a_prediction(services: tuple[Running, str]) -> None:
    ray, mlflow = services
    port = ports.reserve()
    site, before = Site(settings(ray, mlflow, port)), puts()
    site.apply(policy(allows=("momentum", "trend")), strategy(**SPEC))
    await site.until(lambda: conditions(site.status("momentum")).get("ModelReady") == ("True", "Trained"), "momentum")
    assert "version 1 of model momentum" in message(site.status("momentum"), "ModelReady")
    # What trained on three synthetic symbols doesn't pass; each figure stands beside its threshold.
    assert conditions(site.status("momentum"))["GatesPassed"] == ("False", "Failed")
    assert "sharpe" in message(site.status("momentum"), "GatesPassed")
    assert "(>= 100)" in message(site.status("momentum"), "GatesPassed")
    reasons = ("FeaturesMissing",)  # all that is left to wait for are pods
    await site.until(lambda: conditions(site.status("momentum"))["Ready"][1] in reasons, "momentum")
    sent = puts()
    assert sent > before  # once, and again where the first, which starts Serve, was not answered in time
    (job,) = site.remote.jobs()
    assert job["status"] == "SUCCEEDED"
    # A submission whose answer was lost is sent again: Ray knows the id, and trains once.
    again = {"submission_id": job["submission_id"], "entrypoint": job["entrypoint"]}
    with pytest.raises(ApiError, match=f"{job['submission_id']} already exists"):
        site.remote.send(Request("ray", "POST", "/api/jobs/", again))
    assert [j["submission_id"] for j in site.remote.jobs()] == [job["submission_id"]]

    replicas = [r["replica_id"] for r in site.served()["deployments"]["Predictor"]["replicas"]]
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = PredictionStub(channel)
        rows = [FeatureRow(symbol="AAA", event_time=1, values=[55.0, 0.2])]
        version = feature_set_version(FEATURES)
        answer = stub.Predict(PredictRequest(model="momentum", feature_set_version=version, rows=rows), timeout=30)
        assert (answer.model_version, answer.model_alias, len(answer.rows)) == ("1", "candidate", 1)

        # Another strategy's model is taken over by the same replica, which reads its card before it serves it.
        site.apply(strategy("trend", 2, **SPEC))
        register_again(mlflow, site, "trend")
        await site.until(lambda: conditions(site.status("trend"))["Ready"][1] in reasons, "momentum", "trend")
        assert "model trend version 1: its card is that of momentum" in stub.Health(HealthRequest(), timeout=30).message
        assert [m.name for m in stub.ListModels(ListModelsRequest(), timeout=30).models] == ["momentum"]
    assert [r["replica_id"] for r in site.served()["deployments"]["Predictor"]["replicas"]] == replicas
    # Another PUT; and a look at what is as it should be asks for nothing.
    looks = iter(range(5))
    await site.until(lambda: next(looks) == 4, "momentum", "trend")
    assert puts() == sent + 1
    assert len(site.remote.jobs()) == 1


async def test_a_schedule_brings_the_next_version_and_who_predicts_goes_on(services: tuple[Running, str]) -> None:
    ray, mlflow = services
    port = ports.reserve()
    site, came = Site(settings(ray, mlflow, port, replay=None)), timestamp()

    def scheduled(retrain: str) -> Object:
        document = strategy(**SPEC | {"training": SPEC["training"] | {"retrain": retrain}})
        document["metadata"]["creationTimestamp"] = came
        return document

    def model_ready() -> tuple[str, str]:
        return conditions(site.status("momentum"))["ModelReady"]

    def replicas() -> list[str]:
        return [r["replica_id"] for r in site.served()["deployments"]["Predictor"]["replicas"]]

    site.apply(policy(), scheduled(""))
    await site.until(lambda: predictor(site)[0] == "PredictorRunning", "momentum")
    first = replicas()
    # Once a day, for the first time at the next full minute from ten seconds on.
    due = (parsed(timestamp()) + timedelta(seconds=70)).replace(second=0)
    site.apply(scheduled(f"{due.minute} {due.hour} * * *"))
    ask = PredictRequest(
        model="momentum",
        feature_set_version=feature_set_version(FEATURES),
        rows=[FeatureRow(symbol="AAA", event_time=1, values=[55.0, 0.2])],
    )
    answered: list[str] = []
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = PredictionStub(channel)

        def predicts() -> bool:
            answered.append(stub.Predict(ask, timeout=30).model_version)
            return answered[-1] == "2"

        await site.until(lambda: predicts() or len(site.remote.jobs()) == 2, "momentum")
        assert parsed(timestamp()) >= due
        assert model_ready() == ("True", "Retraining")
        assert message(site.status("momentum"), "ModelReady").startswith("the earlier version stays")
        assert set(answered) == {"1"}
        await site.until(lambda: predicts() and model_ready() == ("True", "Trained"), "momentum")
    assert replicas() == first
    version = MlflowClient(mlflow, mlflow).get_model_version("momentum", "2")
    (until,) = (value for tag, value in version.tags.items() if tag.startswith("request."))
    assert int(until) == int(due.timestamp()) * 10**9
    assert len(site.remote.jobs()) == 2


def register_again(mlflow: str, site: Site, name: str) -> None:
    """The first model once more, as the training of `name` would have registered it."""
    from tests.unit.operators.test_models import wanted

    client = MlflowClient(mlflow, mlflow)
    first = client.get_model_version("momentum", "1")
    client.create_registered_model(name)
    key = wanted(site.store.world, site.config, timestamp(), name)
    tags = {**first.tags, f"request.{key.key}": str(key.until)}
    client.create_model_version(name, first.source, first.run_id, tags=tags)
    client.set_registered_model_alias(name, "candidate", "1")


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that keeps replicas from starting, as an image without a library does: remove it and they start."""
    shadow = tmp_path / "shadow"
    shadow.mkdir()
    (shadow / "lightgbm.py").write_text("raise ImportError('libgomp.so.1: cannot open shared object file')\n")
    monkeypatch.setenv("PYTHONPATH", f"{shadow}:{os.environ.get('PYTHONPATH', '')}")
    return shadow / "lightgbm.py"


@pytest.mark.timeout(1500)
async def test_a_predictor_that_could_not_start_is_deployed_again(broken: Path, services: tuple[Running, str]) -> None:
    """By an operator that has seen nothing of the first attempts: what is deployed says how many there were."""
    ray, mlflow = services
    client = MlflowClient(mlflow, mlflow)
    client.create_registered_model("momentum")
    run = client.create_run("0")
    client.create_model_version("momentum", f"{run.info.artifact_uri}/model", run.info.run_id)
    client.set_registered_model_alias("momentum", "candidate", "1")
    config = settings(ray, mlflow, ports.reserve())
    first, second = Site(config), Site(config)
    for site in (first, second):
        site.apply(policy(), strategy(**SPEC))
    await first.until(lambda: predictor(first)[0] == "PredictorFailed")
    assert re.fullmatch(
        r"application predictor: attempt \d+ to deploy it failed: "
        r"ImportError: libgomp\.so\.1: cannot open shared object file; attempt \d+ comes at \S+Z",
        predictor(first)[1],
    )
    await first.stop()
    # A slow one was tried again meanwhile.
    await asyncio.to_thread(eventually, lambda: first.served()["status"] == redeploying.FAILED, WITHIN_S)
    await asyncio.to_thread(broken.unlink)

    # What a stamp is for: Serve takes an equal request for done, though nothing runs.
    failed = first.served()["deployed_app_config"]
    first.remote.send(Request("ray", "PUT", serving.PATH, {"applications": [failed]}))
    await asyncio.sleep(5)
    assert first.served()["status"] == redeploying.FAILED

    await second.until(lambda: predictor(second)[0] == "PredictorRunning")
    deployed = second.served()["deployed_app_config"]
    attempts = int(deployed.pop("runtime_env")["env_vars"][redeploying.STAMP].rpartition("-")[2])
    earlier = failed.pop("runtime_env", {"env_vars": {redeploying.STAMP: "-1"}})
    assert attempts == int(earlier["env_vars"][redeploying.STAMP].rpartition("-")[2]) + 1
    assert deployed == failed
    sent, looks = puts(), iter(range(5))
    await second.until(lambda: next(looks) == 4)
    assert puts() == sent


def predictor(site: Site) -> tuple[str, str]:
    """Reason and message of what is said of the predictor."""
    condition = serving.served("momentum", "candidate", site.store.world)
    return condition.reason, condition.message


async def test_a_training_that_can_not_succeed_says_why(services: tuple[Running, str]) -> None:
    ray, mlflow = services
    port = ports.reserve()
    site = Site(settings(ray, mlflow, port))
    hopeless = json.loads(json.dumps(SPEC))
    hopeless["training"]["splits"]["trainBars"] = 5_000
    site.apply(policy(), strategy(**hopeless))
    await site.until(
        lambda: conditions(site.status("momentum")).get("ModelReady") == ("False", "TrainingFailed"), "momentum"
    )
    said = message(site.status("momentum"), "ModelReady")
    assert "trainBars" in said or "train_bars" in said
    assert "attempt 2 comes 30 s after its end" in said
