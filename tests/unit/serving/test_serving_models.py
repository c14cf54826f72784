"""Loading, refusing and swapping models, without Ray and MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import lightgbm
import numpy as np
import pytest

from tradewind.serving import answering
from tradewind.serving.catalog import ModelCatalog
from tradewind.serving.config import ServedModel
from tradewind.serving.loaded_model import LoadedModel, load_model
from tradewind.serving.refusal import ModelRefusedError, RequestRefusedError
from tradewind.trading.model_card import ModelCard
from tradewind.v1.prediction_pb2 import FeatureRow, PredictRequest

FEATURES = ["a_x_1_raw", "b_x_1_raw", "c_x_1_raw"]


def version_of(names: Sequence[str]) -> str:
    return "v" + "".join(name[0] for name in names)


def booster(seed: int = 0, names: list[str] | str = "auto", width: int = 3) -> lightgbm.Booster:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(120, width))
    data = lightgbm.Dataset(x, x[:, 0] * 0.01 * (seed + 1), feature_name=names)
    return lightgbm.train({"objective": "regression", "verbose": -1, "num_threads": 1}, data, num_boost_round=4)


def card(**changes: Any) -> ModelCard:
    content = {
        "name": "m", "task": "regression", "feature_set": "daily", "feature_set_version": "vabc", "features": FEATURES,
        "horizon_bars": 1, "label": "forward_return", "prediction_scale": 0.01, "gates": [], "gates_passed": False,
        "trained_from": 0, "trained_until": 1, "rows": 120, "seed": 0, "parameters": {},
    }  # fmt: skip
    return ModelCard.model_validate(content | changes)


def save(directory: Path, model: lightgbm.Booster, described: ModelCard) -> Path:
    (directory / "model").mkdir(parents=True)
    model.save_model(directory / "model" / "booster.txt")
    (directory / "model" / "card.json").write_text(described.model_dump_json())
    return directory


def load(directory: Path, alias: str = "candidate") -> LoadedModel:
    return load_model(directory, "m", "3", alias, version_of=version_of, loaded_time=1)


def request(*rows: Sequence[float], **changes: Any) -> PredictRequest:
    features = [FeatureRow(symbol=f"S{i}", event_time=i, values=row) for i, row in enumerate(rows)]
    return PredictRequest(**({"model": "m", "feature_set_version": "vabc", "rows": features} | changes))


def test_predictions_are_the_boosters(tmp_path: Path) -> None:
    trained = booster()
    model = load(save(tmp_path, trained, card()))
    rows = [[0.5, 1.0, float("nan")], [-2.0, 0.0, 0.0]]
    answer = answering.predict(model, request(*rows))
    raw = np.asarray(trained.predict(np.array(rows)))
    assert [row.prediction for row in answer.rows] == np.tanh(raw / 0.01).tolist()
    assert [row.symbol for row in answer.rows] == ["S0", "S1"]
    assert (answer.model, answer.model_version, answer.model_alias) == ("m", "3", "candidate")


def test_no_rows_is_an_empty_answer(tmp_path: Path) -> None:
    answer = answering.predict(load(save(tmp_path, booster(), card())), request())
    assert (len(answer.rows), answer.model_version) == (0, "3")


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        (
            request([0, 0, 0], feature_set_version="vcba"),
            grpc.StatusCode.FAILED_PRECONDITION,
            "model m version 3 takes feature-set version vabc, the request carries vcba",
        ),
        (
            request([0, 0, 0], feature_set_version=""),
            grpc.StatusCode.FAILED_PRECONDITION,
            "model m version 3 takes feature-set version vabc, the request carries none",
        ),
        (
            request([0, 0, 0], [0, 0]),
            grpc.StatusCode.INVALID_ARGUMENT,
            "row of S1: 2 values, but model m takes 3",
        ),
        (
            request([0, 0, 0], [0, float("-inf"), 0]),
            grpc.StatusCode.INVALID_ARGUMENT,
            "row of S1: feature b_x_1_raw is infinite",
        ),
    ],
)
def test_a_wrong_request_is_refused_by_name(
    tmp_path: Path, asked: PredictRequest, code: grpc.StatusCode, message: str
) -> None:
    model = load(save(tmp_path, booster(), card()))
    with pytest.raises(RequestRefusedError) as refused:
        answering.predict(model, asked)
    assert (refused.value.code, str(refused.value)) == (code, message)


@pytest.mark.parametrize(
    ("trained", "described", "alias", "message"),
    [
        (booster(), card(name="other"), "candidate", "its card is that of other"),
        (booster(), card(), "champion", "its gates did not pass"),
        (
            booster(),
            card(feature_set_version="old"),
            "candidate",
            "daily old, but its features are computed here as vabc",
        ),
        (booster(width=4), card(), "candidate", "the booster takes 4 features, its card lists 3"),
        (
            booster(names=["a_x_1_raw", "c_x_1_raw", "b_x_1_raw"]),
            card(),
            "candidate",
            "input 1 of the booster is c_x_1_raw, of its card b_x_1_raw",
        ),
        (booster(), card(task="classification"), "candidate", "warm-up failed"),
    ],
)
def test_a_model_that_does_not_fit_its_card_is_refused(
    tmp_path: Path, trained: lightgbm.Booster, described: ModelCard, alias: str, message: str
) -> None:
    with pytest.raises(ModelRefusedError, match=f"model m version 3: .*{message}"):
        load(save(tmp_path, trained, described), alias)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("booster.txt", "tree", "booster.txt is not a LightGBM model"),
        ("booster.txt", None, "expected one booster.txt among its artefacts, found 0"),
        ("card.json", "{", "card.json"),
        ("card.json", None, "expected one card.json among its artefacts, found 0"),
    ],
)
def test_broken_artefacts_are_refused(tmp_path: Path, file: str, content: str | None, message: str) -> None:
    path = save(tmp_path, booster(), card()) / "model" / file
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    with pytest.raises(ModelRefusedError, match=message):
        load(tmp_path)


class FakeRegistry:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.aliased: str | None = None
        self.by_alias: dict[str, str] = {}
        self.fetched: list[str] = []

    def publish(self, version: str, model: lightgbm.Booster, described: ModelCard) -> None:
        save(self.root / version, model, described)
        self.aliased = version

    def resolve(self, name: str, alias: str) -> str:
        if self.aliased is None:
            raise ModelRefusedError(f"model {name}: alias {alias} is not set")
        return self.by_alias.get(alias, self.aliased)

    def fetch(self, name: str, version: str) -> Path:
        self.fetched.append(version)
        return self.root / version


@pytest.fixture
def registry(tmp_path: Path) -> FakeRegistry:
    return FakeRegistry(tmp_path)


@pytest.fixture
def catalog(registry: FakeRegistry) -> ModelCatalog:
    made = ModelCatalog(registry, version_of, clock=lambda: 5)
    made.want([ServedModel(name="m")])
    return made


def test_before_the_first_version_a_wanted_model_is_unavailable_and_another_unknown(catalog: ModelCatalog) -> None:
    catalog.refresh()
    assert catalog.health() == (False, "model m: alias candidate is not set")
    codes = {}
    for name in ("m", "other"):
        with pytest.raises(RequestRefusedError) as refused:
            catalog.get(name)
        codes[name] = refused.value.code
    assert codes == {"m": grpc.StatusCode.UNAVAILABLE, "other": grpc.StatusCode.NOT_FOUND}


def test_a_new_version_replaces_the_old_one_which_a_running_request_keeps(
    catalog: ModelCatalog, registry: FakeRegistry
) -> None:
    registry.publish("1", booster(0), card())
    catalog.refresh()
    in_flight = catalog.get("m")
    registry.publish("2", booster(1), card())
    catalog.refresh()
    catalog.refresh()
    assert (in_flight.version, catalog.get("m").version) == ("1", "2")
    assert registry.fetched == ["1", "2"]
    row = request([2.0, 0.0, 0.0])
    assert answering.predict(in_flight, row).rows != answering.predict(catalog.get("m"), row).rows
    assert catalog.health() == (True, "serving")


def test_a_refused_version_leaves_the_old_one_and_says_so(catalog: ModelCatalog, registry: FakeRegistry) -> None:
    registry.publish("1", booster(0), card())
    catalog.refresh()
    registry.publish("2", booster(0), card(feature_set_version="old"))
    catalog.refresh()
    ready, message = catalog.health()
    assert ready
    assert message.startswith("model m version 2: trained on feature set daily old")
    assert message.endswith("; version 1 keeps serving")
    assert catalog.get("m").version == "1"
    registry.aliased = "1"  # the alias goes back
    catalog.refresh()
    assert catalog.health() == (True, "serving")


def test_other_models_are_wanted_while_one_is_served(catalog: ModelCatalog, registry: FakeRegistry) -> None:
    registry.publish("1", booster(0), card())
    catalog.refresh()
    served = catalog.get("m")
    catalog.want([ServedModel(name="m"), ServedModel(name="n")])
    assert catalog.get("m") is served
    assert catalog.health() == (False, "model n: not loaded yet")
    catalog.want([ServedModel(name="n")])
    with pytest.raises(RequestRefusedError) as refused:
        catalog.get("m")
    assert refused.value.code == grpc.StatusCode.NOT_FOUND
    assert catalog.models() == []


def test_a_version_under_another_alias_is_judged_anew(catalog: ModelCatalog, registry: FakeRegistry) -> None:
    registry.publish("1", booster(0), card(gates_passed=False))
    catalog.refresh()
    catalog.want([ServedModel(name="m", alias="champion")])
    catalog.refresh()
    assert catalog.get("m").alias == "candidate"  # it says so, and nobody trades Live on it
    assert "its gates did not pass" in catalog.health()[1]
    registry.publish("2", booster(0), card(gates_passed=True))
    catalog.want([ServedModel(name="m", alias="candidate")])
    catalog.refresh()
    catalog.want([ServedModel(name="m", alias="champion")])
    catalog.refresh()
    assert (catalog.get("m").version, catalog.get("m").alias) == ("2", "champion")


def test_a_challenger_is_served_beside_its_champion_and_only_with_its_gates_passed(
    catalog: ModelCatalog, registry: FakeRegistry
) -> None:
    both = [ServedModel(name="m", alias="champion"), ServedModel(name="m", alias="challenger")]
    registry.publish("1", booster(0), card(gates_passed=True))
    catalog.want(both[:1])
    catalog.refresh()
    registry.publish("2", booster(1), card(gates_passed=False))
    catalog.want(both)
    catalog.refresh()
    assert "m version 2: alias challenger, but its gates did not pass" in catalog.health()[1]
    with pytest.raises(RequestRefusedError) as refused:
        catalog.get("m@challenger")
    assert refused.value.code == grpc.StatusCode.UNAVAILABLE
    assert catalog.get("m").version == "1"
    save(registry.root / "3", booster(1), card(gates_passed=True))
    registry.by_alias = {"champion": "1", "challenger": "3"}
    catalog.refresh()
    served = {name: catalog.get(name) for name in ("m", "m@challenger")}
    assert {name: (model.name, model.version, model.alias) for name, model in served.items()} == {
        "m": ("m", "1", "champion"),
        "m@challenger": ("m", "3", "challenger"),
    }
    assert catalog.health() == (True, "serving")
