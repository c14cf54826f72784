"""The model registry on a real MLflow store."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import lightgbm
import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.tracking import MlflowClient

from tests.mlflow.server import Server as MlflowServer
from tests.postgres.server import Server as PostgresServer
from tests.s3.server import BUCKET
from tests.s3.server import Server as S3Server
from tradewind.operators.plan import gates
from tradewind.serving.mlflow_registry import MlflowRegistry
from tradewind.serving.refusal import ModelRefusedError
from tradewind.trading.model_card import GateResult, ModelCard
from tradewind.training.config import TrainingRequest
from tradewind.training.errors import TrainingError
from tradewind.training.registry import CANDIDATE, CHAMPION, ModelRegistry

FEATURES = ["tech_rsi_14_raw", "vol_historical_21_annual", "stat_log_return_1_raw"]


@pytest.fixture(scope="module", params=["directory", "server"])
def registry(request, tmp_path_factory) -> Iterator[ModelRegistry]:
    folder = tmp_path_factory.mktemp("registry")
    if request.param == "directory":
        yield ModelRegistry(folder)
        return
    with PostgresServer() as postgres, MlflowServer(postgres.url("mlflow"), folder) as server:
        yield ModelRegistry(folder / "unused", server.url)
        assert not (folder / "unused").exists()


@pytest.fixture(scope="module")
def booster() -> lightgbm.Booster:
    rng = np.random.default_rng(0)
    data = lightgbm.Dataset(rng.standard_normal((300, 3)), rng.integers(0, 3, 300), feature_name=FEATURES)
    return lightgbm.train({"objective": "multiclass", "num_class": 3, "verbosity": -1, "num_threads": 1}, data, 5)


def _card(name: str, *, passed: bool = False) -> ModelCard:
    gate = GateResult(name="sharpe", verdict="pass" if passed else "fail", value=1.5, threshold=1.0, comparison=">=")
    return ModelCard(
        name=name,
        task="classification",
        feature_set="daily",
        feature_set_version="0123456789abcdef",
        features=FEATURES,
        horizon_bars=10,
        label="TripleBarrier",
        prediction_scale=1.0,
        gates=[gate],
        gates_passed=passed,
        trained_from=1,
        trained_until=2,
        rows=300,
        seed=7,
        parameters={"num_leaves": 31, "rounds": 5},
    )


def _register(registry: ModelRegistry, booster: lightgbm.Booster, card: ModelCard, training_hash: str = "h") -> str:
    version = registry.register(
        booster.model_to_string(),
        card,
        training_hash=training_hash,
        dataset_hash="d",
        metrics={"oos_sharpe": 1.5, "oos_log_loss": float("nan")},
        documents={"trials.json": "[]"},
    )
    registry.promote(version, card)
    return version


def test_what_serving_and_mlflow_load_is_the_model_that_was_registered(registry, booster, tmp_path):
    card = _card("loads")
    version = _register(registry, booster, card)
    mlflow.set_tracking_uri(registry.uri)
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/loads@{CANDIDATE}", dst_path=str(tmp_path)))
    text = (folder / "booster.txt").read_text()
    assert text == booster.model_to_string()
    assert ModelCard.model_validate_json((folder / "card.json").read_text()) == card

    rows = np.random.default_rng(1).standard_normal((20, 3))
    expected = booster.predict(rows)
    assert np.array_equal(lightgbm.Booster(model_file=str(folder / "booster.txt")).predict(rows), expected)
    flavour = mlflow.pyfunc.load_model(f"models:/loads/{version}")
    assert np.array_equal(flavour.predict(pd.DataFrame(rows, columns=FEATURES)), expected)
    assert flavour.metadata.signature.inputs.input_names() == FEATURES
    with pytest.raises(mlflow.exceptions.MlflowException, match="tech_rsi_14_raw"):
        flavour.predict(pd.DataFrame(rows[:, 1:], columns=FEATURES[1:]))

    tags = mlflow.MlflowClient().get_model_version("loads", version).tags
    assert tags["feature_set_version"] == "0123456789abcdef"
    assert tags["gates_passed"] == "false"
    assert tags["booster_sha256"] == hashlib.sha256(text.encode()).hexdigest()
    run = mlflow.MlflowClient().get_run(mlflow.MlflowClient().get_model_version("loads", version).run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["num_leaves"] == "31"
    assert run.data.metrics == {"oos_sharpe": 1.5, "gate.sharpe": 1.5}
    assert run.data.tags["gate.sharpe"] == "fail"


def test_the_predictor_fetches_what_was_registered(registry, booster, tmp_path):
    version = _register(registry, booster, _card("fetched"))
    served = MlflowRegistry(registry.uri, tmp_path / "cache")
    assert served.resolve("fetched", CANDIDATE) == version
    folder = served.fetch("fetched", version)
    assert [path.read_text() for path in folder.rglob("booster.txt")] == [booster.model_to_string()]
    with pytest.raises(ModelRefusedError, match="alias champion cannot be looked up"):
        served.resolve("fetched", CHAMPION)


def test_artefacts_in_s3_need_keys_of_the_server_alone(booster, tmp_path):
    """Training and serving ask MLflow's server, which the chart starts like this: neither has a key of the bucket."""
    with S3Server(tmp_path) as s3:
        records, root = f"sqlite:///{tmp_path / 'records.db'}", f"s3://{BUCKET}/here"
        with MlflowServer(records, tmp_path, root, s3.environment) as server:
            version = _register(ModelRegistry(tmp_path / "unused", server.url), booster, _card("in-s3"))
            folder = MlflowRegistry(server.url, tmp_path / "cache").fetch("in-s3", version)
        kept = s3.objects()
    assert [path.read_text() for path in folder.rglob("booster.txt")] == [booster.model_to_string()]
    stored = [content for key, content in kept.items() if key.startswith("here/") and key.endswith("/booster.txt")]
    assert stored == [booster.model_to_string().encode()]


def test_candidate_is_the_newest_and_champion_the_newest_that_passed(registry, booster):
    name = "aliases"
    first = _register(registry, booster, _card(name))
    assert (registry.version_of(name, CANDIDATE), registry.version_of(name, CHAMPION)) == (first, None)
    second = _register(registry, booster, _card(name, passed=True))
    assert (registry.version_of(name, CANDIDATE), registry.version_of(name, CHAMPION)) == (second, second)
    third = _register(registry, booster, _card(name))
    assert (registry.version_of(name, CANDIDATE), registry.version_of(name, CHAMPION)) == (third, second)


def test_rollback_goes_back_one_version_at_a_time_and_then_says_that_there_is_none(registry, booster):
    name = "rollback"
    card = _card(name, passed=True)
    first, second = _register(registry, booster, card), _register(registry, booster, card)
    registry.promote(second, card)  # promoted again, it is still one step
    assert registry.rollback(name) == first
    assert registry.version_of(name, CHAMPION) == first
    assert registry.version_of(name, CANDIDATE) == second
    with pytest.raises(TrainingError, match="champion has no earlier version"):
        registry.rollback(name)
    assert registry.rollback(name, CANDIDATE) == first


def test_a_version_found_again_is_candidate_but_never_takes_champion_back(registry, booster):
    name = "again"
    card = _card(name, passed=True)
    first, second = _register(registry, booster, card), _register(registry, booster, card)
    registry.rollback(name)
    assert registry.promote(second, card, champion=False) == [CANDIDATE]
    assert registry.version_of(name, CHAMPION) == first
    assert registry.promote(first, card, champion=False) == [CANDIDATE, CHAMPION]


def test_where_somebody_else_promotes_a_version_that_passed_is_candidate_only(registry, booster):
    name = "asked"
    card = _card(name, passed=True)
    first = _register(registry, booster, card)
    metrics: dict[str, float] = {}
    new = registry.register(
        booster.model_to_string(), card, training_hash="n", dataset_hash="d", metrics=metrics, documents={}
    )
    assert registry.promote(new, card, champion=False) == [CANDIDATE]
    assert registry.version_of(name, CHAMPION) == first


def test_a_training_is_found_again_by_its_hash_alone(registry, booster):
    card = _card("found")
    _register(registry, booster, card, "one")
    version = _register(registry, booster, card, "two")
    newer = _register(registry, booster, card, "two")
    found = registry.find("found", "two")
    assert found is not None
    assert (found.version, found.card, found.metrics["oos_sharpe"]) == (newer, card, 1.5)
    assert int(newer) == int(version) + 1
    assert registry.find("found", "three") is None
    assert registry.find("nobody", "two") is None


def test_who_asked_is_noted_on_the_version_beside_its_gates(registry, booster):
    version = _register(registry, booster, _card("asked"))
    for request in (TrainingRequest(key="a1", until=7), TrainingRequest(key="b2", until=9), None):
        registry.note("asked", version, request)
    tags = MlflowClient(registry.uri, registry.uri).get_model_version("asked", version).tags
    found = gates.Version(int(version), tags)
    assert (found.learned_until("a1"), found.learned_until("b2"), found.learned_until("c3")) == (7, 9, None)
    assert not found.passed
    assert found.figures() == "sharpe 1.5 (>= 1) FAILED"


def test_a_server_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrainingError, match=r"^tracking_uri: http://127\.0\.0\.1:1 does not answer ") as raised:
        ModelRegistry(tmp_path, "http://127.0.0.1:1")
    assert "\n" not in str(raised.value)


def test_a_state_that_cannot_hold_a_registry_is_named(tmp_path):
    (tmp_path / "mlflow.db").write_text("this is not a database")
    with pytest.raises(TrainingError, match="the model registry cannot be opened") as raised:
        ModelRegistry(tmp_path)
    assert str(tmp_path) in str(raised.value)
    assert "\n" not in str(raised.value)
