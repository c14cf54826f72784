"""Shell: a model version from its artefacts, checked before it may answer.

The native booster is called with a plain float64 matrix. MLflow's pyfunc wrapper would build a data frame and check the
signature on every call; here the order of the inputs is checked once, against the card, and each request by its
feature-set version.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from tradewind.serving.refusal import ModelRefusedError
from tradewind.trading.model_card import ModelCard
from tradewind.trading.predictions import to_predictions

BOOSTER_FILE = "booster.txt"
CARD_FILE = "card.json"


@dataclass(frozen=True)
class LoadedModel:
    """One version of a registered model, ready to answer. Never changed: a new version is a new object."""

    name: str
    version: str
    alias: str
    card: ModelCard
    booster: Any
    loaded_time: int

    def predict(self, matrix: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Predictions and confidences; matrix: (rows, features), NaN = not warm. One thread: rows are few."""
        return to_predictions(np.asarray(self.booster.predict(matrix, num_threads=1)), self.card)


def load_model(
    directory: Path,
    name: str,
    version: str,
    alias: str,
    *,
    version_of: Callable[[Sequence[str]], str],
    loaded_time: int,
) -> LoadedModel:
    """The model whose artefacts lie somewhere below `directory`.

    version_of: the feature-set version of a list of features (the native engine's). Raises ModelRefusedError.
    """
    label = f"model {name} version {version}"
    card = _read_card(_find(directory, CARD_FILE, label), label)
    if card.name != name:
        raise ModelRefusedError(f"{label}: its card is that of {card.name}")
    if alias in ("champion", "challenger") and not card.gates_passed:
        raise ModelRefusedError(f"{label}: alias {alias}, but its gates did not pass; only a model that passed is live")
    try:
        computed = version_of(card.features)
    except ValueError as error:
        raise ModelRefusedError(f"{label}: its features are not computed here: {error}") from None
    if computed != card.feature_set_version:
        raise ModelRefusedError(
            f"{label}: trained on feature set {card.feature_set} {card.feature_set_version}, "
            f"but its features are computed here as {computed}; train it again"
        )
    try:
        booster = lightgbm.Booster(model_file=str(_find(directory, BOOSTER_FILE, label)))
    except lightgbm.basic.LightGBMError as error:
        raise ModelRefusedError(f"{label}: {BOOSTER_FILE} is not a LightGBM model ({_line(error)})") from None
    model = LoadedModel(name, version, alias, card, booster, loaded_time)
    _check_inputs(booster, card, label)
    _warm_up(model, label)
    return model


def _find(directory: Path, file: str, label: str) -> Path:
    found = sorted(directory.rglob(file))
    if len(found) != 1:
        raise ModelRefusedError(f"{label}: expected one {file} among its artefacts, found {len(found)}")
    return found[0]


def _read_card(path: Path, label: str) -> ModelCard:
    try:
        return ModelCard.model_validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "JSON"
        raise ModelRefusedError(f"{label}: {CARD_FILE}: {field}: {first['msg']}") from None


def _check_inputs(booster: Any, card: ModelCard, label: str) -> None:
    if booster.num_feature() != len(card.features):
        raise ModelRefusedError(
            f"{label}: the booster takes {booster.num_feature()} features, its card lists {len(card.features)}"
        )
    named = booster.feature_name()
    unnamed = [f"Column_{index}" for index in range(len(named))]
    if named not in (unnamed, card.features):
        index = next(i for i, pair in enumerate(zip(named, card.features, strict=True)) if pair[0] != pair[1])
        raise ModelRefusedError(
            f"{label}: input {index} of the booster is {named[index]}, of its card {card.features[index]}"
        )


def _warm_up(model: LoadedModel, label: str) -> None:
    """The first call allocates; and a model that cannot answer two plain rows is not served."""
    width = len(model.card.features)
    try:
        predictions, confidences = model.predict(np.vstack([np.zeros(width), np.full(width, np.nan)]))
    except (ValueError, lightgbm.basic.LightGBMError) as error:
        raise ModelRefusedError(f"{label}: warm-up failed: {_line(error)}") from None
    if not (np.isfinite(predictions).all() and np.isfinite(confidences).all()):
        raise ModelRefusedError(f"{label}: warm-up gave a prediction that is not a number")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
