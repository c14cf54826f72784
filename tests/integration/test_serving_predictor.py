"""The predictor as it runs: Ray Serve, an MLflow registry in SQLite, a LightGBM model, Feast's online store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import lightgbm
import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest
from mlflow.tracking import MlflowClient

from tests.haproxy.proxy import Proxy
from tradewind.native.features import DEFAULT_FEATURES, feature_set_version
from tradewind.streaming.features import FeatureRow as StoredRow
from tradewind.streaming.features import FeatureSet
from tradewind.streaming.features.repository import FeatureRepository
from tradewind.trading.model_card import ModelCard
from tradewind.trading.predictions import to_predictions
from tradewind.v1.features_pb2 import FeatureVector
from tradewind.v1.prediction_pb2 import (
    FeatureRow,
    HealthRequest,
    HealthResponse,
    ListModelsRequest,
    PredictEntitiesRequest,
    PredictRequest,
)
from tradewind.v1.prediction_pb2_grpc import PredictionStub

FEATURES = list(DEFAULT_FEATURES[:12])
VERSION = feature_set_version(FEATURES)
MODEL = "momentum"
WAIT = 120.0


def train(seed: int) -> lightgbm.Booster:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(400, len(FEATURES)))
    y = np.digitize(x[:, seed % len(FEATURES)] + 0.3 * rng.normal(size=400), [-0.4, 0.4])
    data = lightgbm.Dataset(x, y, feature_name=FEATURES)
    parameters = {"objective": "multiclass", "num_class": 3, "verbose": -1, "num_threads": 1, "num_leaves": 7}
    return lightgbm.train(parameters, data, num_boost_round=20)


def card(**changes: Any) -> ModelCard:
    content = {
        "name": MODEL, "task": "classification", "feature_set": "daily", "feature_set_version": VERSION,
        "features": FEATURES, "horizon_bars": 5, "label": "triple_barrier", "prediction_scale": 1.0, "gates": [],
        "gates_passed": False, "trained_from": 0, "trained_until": 1, "rows": 400, "seed": 1, "parameters": {},
    }  # fmt: skip
    return ModelCard.model_validate(content | changes)


class Registry:
    """Registers models as training does: artefacts of a run below `model`, a version, an alias."""

    def __init__(self, root: Path) -> None:
        self.uri = f"sqlite:///{root / 'mlflow.db'}"
        self.client = MlflowClient(self.uri, self.uri)
        self.experiment = self.client.create_experiment("test", artifact_location=(root / "artefacts").as_uri())
        self.client.create_registered_model(MODEL)

    def register(self, files: dict[str, str], alias: str = "candidate") -> str:
        run = self.client.create_run(self.experiment)
        for name, text in files.items():
            self.client.log_text(run.info.run_id, text, f"model/{name}")
        source = f"{run.info.artifact_uri}/model"
        version = self.client.create_model_version(MODEL, source, run.info.run_id).version
        self.client.set_registered_model_alias(MODEL, alias, version)
        return str(version)

    def register_model(self, booster: lightgbm.Booster, described: ModelCard | None = None) -> str:
        text = (described or card()).model_dump_json()
        return self.register({"booster.txt": booster.model_to_string(), "card.json": text})


@dataclass
class Stack:
    root: Path
    registry: Registry
    config: Path
    process: subprocess.Popen[str]
    stub: Any
    address: str

    def health(self) -> HealthResponse:
        answer = self.stub.Health(HealthRequest(), timeout=WAIT)
        assert isinstance(answer, HealthResponse)
        return answer

    def predict(self, vectors: np.ndarray, **changes: Any) -> Any:
        features = [FeatureRow(symbol=f"S{i}", event_time=i, values=row) for i, row in enumerate(vectors)]
        request = {"model": MODEL, "feature_set_version": VERSION, "rows": features} | changes
        return self.stub.Predict(PredictRequest(**request), timeout=WAIT)


def await_condition(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline, f"waited {WAIT:.0f} s for {what}"
        time.sleep(0.05)


def launch(config: Path) -> tuple[subprocess.Popen[str], str]:
    with config.with_suffix(".log").open("a") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tradewind.serving", "--config", str(config)],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, config.with_suffix(".log").read_text()
    ready = json.loads(line)
    assert ready["ready"] is True
    return process, ready["address"]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    root = tmp_path_factory.mktemp("serving")
    registry = Registry(root)
    registry.register_model(train(0))
    config = root / "serving.json"
    config.write_text(
        json.dumps(
            {
                "state_dir": str(root / "state"),
                "tracking_uri": registry.uri,
                "models": [{"name": MODEL, "alias": "candidate"}],
                "repo": str(root / "features"),
                "poll_seconds": 0.2,
            }
        )
    )
    process, address = launch(config)
    with grpc.insecure_channel(address) as channel:
        stack = Stack(root, registry, config, process, PredictionStub(channel), address)
        yield stack
    stack.process.send_signal(signal.SIGTERM)
    assert stack.process.wait(timeout=WAIT) == 0
    assert not (root / "state" / "predictor.json").exists()


def serve_new(stack: Stack, seed: int) -> lightgbm.Booster:
    booster = train(seed)
    version = stack.registry.register_model(booster)
    await_condition(
        lambda: stack.stub.ListModels(ListModelsRequest(), timeout=WAIT).models[0].version == version, "the new version"
    )
    return booster


def rows_of(count: int, seed: int = 7) -> np.ndarray:
    rows = np.random.default_rng(seed).normal(size=(count, len(FEATURES)))
    rows[0, 3] = np.nan  # a feature that is not warm
    return rows


def test_predictions_are_the_boosters_to_the_bit(stack: Stack) -> None:
    booster = serve_new(stack, 1)
    rows = rows_of(20)
    answer = stack.predict(rows)
    predictions, confidences = to_predictions(np.asarray(booster.predict(rows)), card())
    assert [r.prediction for r in answer.rows] == predictions.tolist()
    assert [r.confidence for r in answer.rows] == confidences.tolist()
    assert [(r.symbol, r.event_time) for r in answer.rows] == [(f"S{i}", i) for i in range(20)]
    assert (answer.model_alias, answer.gates_passed, answer.feature_set_version) == ("candidate", False, VERSION)


def test_over_tls_ray_serve_answers_as_in_plain_text(stack: Stack, tmp_path: Path) -> None:
    """Through the proxy that the chart puts before it."""
    rows = rows_of(20)
    vectors = [FeatureVector(symbol=f"S{i}", event_time=i, values=row) for i, row in enumerate(rows)]
    with Proxy(tmp_path, int(stack.address.rsplit(":", 1)[1])) as proxy, closing(proxy.client()) as client:
        answer = client.predict(MODEL, VERSION, vectors)
    assert [(r.value, r.confidence) for r in answer] == [(r.prediction, r.confidence) for r in stack.predict(rows).rows]


def test_predictor_json_names_the_address(stack: Stack) -> None:
    announced = json.loads((stack.root / "state" / "predictor.json").read_text())
    assert announced["address"] == stack.address


def test_the_replica_takes_its_turn_on_the_cpu_like_everybody_else(stack: Stack) -> None:
    here = psutil.Process(stack.process.pid)
    replicas = [p for p in here.children(recursive=True) if p.name().startswith("ray::ServeRepl")]
    assert replicas, [p.name() for p in here.children(recursive=True)]
    assert {p.nice() for p in replicas} == {here.nice()}


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        (
            {"feature_set_version": "fedcba9876543210"},
            grpc.StatusCode.FAILED_PRECONDITION,
            f"model {MODEL} version N takes feature-set version {VERSION}, the request carries fedcba9876543210",
        ),
        ({"model": "other"}, grpc.StatusCode.NOT_FOUND, f"model other is not served here; served: {MODEL}"),
        (
            {"rows": [FeatureRow(symbol="AAPL", values=[1.0])]},
            grpc.StatusCode.INVALID_ARGUMENT,
            f"row of AAPL: 1 values, but model {MODEL} takes 12",
        ),
        (
            {"rows": [FeatureRow(symbol="IBM", values=[0.0] * 11 + [float("inf")])]},
            grpc.StatusCode.INVALID_ARGUMENT,
            f"row of IBM: feature {FEATURES[11]} is infinite",
        ),
    ],
)
def test_a_wrong_request_is_refused_by_name(
    stack: Stack, changes: dict[str, Any], code: grpc.StatusCode, message: str
) -> None:
    version = stack.stub.ListModels(ListModelsRequest(), timeout=WAIT).models[0].version
    with pytest.raises(grpc.RpcError) as refused:
        stack.predict(rows_of(1), **changes)
    assert refused.value.code() == code
    assert refused.value.details() == message.replace("version N", f"version {version}")


def test_entities_are_predicted_from_the_online_store(stack: Stack) -> None:
    request = PredictEntitiesRequest(model=MODEL, symbols=["IBM", "AAPL"])
    with pytest.raises(grpc.RpcError) as absent:
        stack.stub.PredictEntities(request, timeout=WAIT)
    assert absent.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    repository = FeatureRepository.open(stack.root / "features", FeatureSet("daily", tuple(FEATURES), VERSION, "1d"))
    rows = rows_of(2)
    second = 1_000_000_000
    repository.push([StoredRow(s, second, second, row.tolist()) for s, row in zip(["AAPL", "IBM"], rows, strict=True)])
    by_entity = stack.stub.PredictEntities(request, timeout=WAIT)
    by_vector = stack.predict(rows[::-1])
    assert [(r.symbol, r.event_time) for r in by_entity.rows] == [("IBM", second), ("AAPL", second)]
    assert [(r.prediction, r.confidence) for r in by_entity.rows] == [
        (r.prediction, r.confidence) for r in by_vector.rows
    ]
    with pytest.raises(grpc.RpcError) as missing:
        stack.stub.PredictEntities(PredictEntitiesRequest(model=MODEL, symbols=["IBM", "ZZZ"]), timeout=WAIT)
    assert missing.value.code() == grpc.StatusCode.NOT_FOUND
    assert str(missing.value.details()).startswith("symbol ZZZ: no vector of daily")


def test_a_new_version_is_taken_up_under_load_without_an_error(stack: Stack) -> None:
    old = serve_new(stack, 2)
    rows = rows_of(3)
    stop = threading.Event()
    answers: list[tuple[str, list[float]]] = []
    errors: list[Exception] = []

    def call() -> None:
        with grpc.insecure_channel(stack.address) as channel:
            stub = PredictionStub(channel)
            features = [FeatureRow(symbol=f"S{i}", values=row) for i, row in enumerate(rows)]
            request = PredictRequest(model=MODEL, feature_set_version=VERSION, rows=features)
            while not stop.is_set():
                try:
                    answer = stub.Predict(request, timeout=WAIT)
                except grpc.RpcError as error:
                    errors.append(error)
                else:
                    answers.append((answer.model_version, [r.prediction for r in answer.rows]))

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        await_condition(lambda: len(answers) > 50, "answers of the old version")
        first = answers[0][0]
        new = serve_new(stack, 3)
        seen = len(answers)
        await_condition(lambda: len(answers) > seen + 50, "answers of the new version")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert errors == []
    expected = {
        version: to_predictions(np.asarray(booster.predict(rows)), card())[0].tolist()
        for version, booster in ((first, old), (answers[-1][0], new))
    }
    assert len(expected) == 2
    # Every answer is one version's whole answer, never a mixture.
    assert all(predictions == expected[version] for version, predictions in answers)


def test_a_broken_version_is_refused_and_the_old_one_keeps_serving(stack: Stack) -> None:
    booster = serve_new(stack, 4)
    served = stack.stub.ListModels(ListModelsRequest(), timeout=WAIT).models[0].version
    broken = stack.registry.register({"booster.txt": "tree", "card.json": card().model_dump_json()})
    await_condition(lambda: f"version {broken}" in stack.health().message, "the refusal")
    health = stack.health()
    assert health.ready
    assert health.message.endswith(f"version {served} keeps serving")
    rows = rows_of(2)
    answer = stack.predict(rows)
    assert answer.model_version == served
    assert [r.prediction for r in answer.rows] == to_predictions(np.asarray(booster.predict(rows)), card())[0].tolist()
    serve_new(stack, 5)
    assert stack.health().message == "serving"


def test_killed_and_started_again_it_serves_and_leaves_no_process_behind(stack: Stack) -> None:
    before = psutil.Process(stack.process.pid).children(recursive=True)
    assert before
    stack.process.kill()
    stack.process.wait()
    stack.process, address = launch(stack.config)
    with grpc.insecure_channel(address) as channel:
        stub = PredictionStub(channel)
        assert stub.Health(HealthRequest(), timeout=WAIT).ready
    await_condition(lambda: not any(p.is_running() and p.status() != "zombie" for p in before), "the old Ray to end")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"polls": 2}, "polls: Extra inputs are not permitted"),
        ({"port": "taken"}, "is in use; stop who listens on it or name another port"),
        ({"ray": {"temp_dir": "/tmp/" + "x" * 60}}, "ray.temp_dir"),
    ],
)
def test_a_bad_configuration_is_one_line_and_status_2(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        content = {"state_dir": str(tmp_path), "tracking_uri": "sqlite://", "models": [{"name": MODEL}], **change}
        if change.get("port") == "taken":
            content["port"] = taken.getsockname()[1]
        (tmp_path / "c.json").write_text(json.dumps(content))
        ran = subprocess.run(
            [sys.executable, "-m", "tradewind.serving", "--config", str(tmp_path / "c.json")],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONWARNINGS": "ignore"},
        )
    assert ran.returncode == 2
    (line,) = ran.stderr.strip().splitlines()
    assert message in line
