"""The model registry: MLflow, on SQLite in the state directory or as a server. Shell.

In a directory, `mlflow.db` holds runs, versions and aliases, `mlruns/` the artefacts; a server keeps both, and hands
artefacts out itself. A version's artefact has at its root what serving
reads (`booster.txt`, `card.json`) and MLflow's own description, so that MLflow's tools load it too.

Aliases: `candidate` is the newest version; `champion` the newest that passed its gates, or, where a training comes with
a request, the one that whoever asked has promoted. `promote` is the one place here that sets them, `rollback` the one
that takes them back.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightgbm
from sqlalchemy.exc import SQLAlchemyError

from tradewind.streaming.surroundings import ensure_home
from tradewind.trading.model_card import ModelCard
from tradewind.training.config import TrainingRequest
from tradewind.training.errors import TrainingError

# MLflow reads these when it is imported.
ensure_home()
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("DO_NOT_TRACK", "true")
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "4")  # half a minute; seven would be four minutes

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import mlflow.lightgbm
    import mlflow.models
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient
    from mlflow.types import ColSpec, Schema
for _name in ("mlflow", "alembic"):
    logging.getLogger(_name).setLevel(logging.ERROR)

CANDIDATE = "candidate"
CHAMPION = "champion"
ARTEFACT = "model"
BOOSTER_FILE = "booster.txt"
CARD_FILE = "card.json"

_TRAINING_HASH = "training_hash"
_GATE = "gate."
_REQUEST = "request."


@dataclass(frozen=True)
class RegisteredModel:
    """A version and what it says of itself."""

    version: str
    card: ModelCard
    metrics: Mapping[str, float]


class ModelRegistry:
    """Versions of models, and which of them are in use."""

    def __init__(self, state_dir: Path, tracking_uri: str | None = None) -> None:
        """Open the registry at `tracking_uri`, or in `state_dir`, made on first use.

        Raises TrainingError when it cannot be.
        """
        state = state_dir.resolve()
        self._artefacts = None if tracking_uri else state / "mlruns"
        self.uri = tracking_uri or f"sqlite:///{state / 'mlflow.db'}"
        try:
            if tracking_uri is None:
                state.mkdir(parents=True, exist_ok=True)
            self._client = MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)
            self._client.search_registered_models(max_results=1)
        except (MlflowException, SQLAlchemyError, OSError) as error:
            reason = " ".join(str(error).split())[:200]
            if tracking_uri:
                raise TrainingError(
                    f"tracking_uri: {tracking_uri} does not answer ({reason}); is MLflow there?"
                ) from None
            raise TrainingError(
                f"{state}: the model registry cannot be opened ({reason}); move mlflow.db away or use another directory"
            ) from None

    def find(self, name: str, training_hash: str) -> RegisteredModel | None:
        """The newest version of `name` that came from exactly this training, or None."""
        found = [
            version
            for version in self._client.search_model_versions(f"name='{name}'")
            if version.tags.get(_TRAINING_HASH) == training_hash
        ]
        if not found:
            return None
        newest = max(found, key=lambda version: int(version.version))
        with tempfile.TemporaryDirectory() as scratch:
            path = self._client.download_artifacts(newest.run_id, f"{ARTEFACT}/{CARD_FILE}", scratch)
            card = ModelCard.model_validate_json(Path(path).read_text())
        logged = self._client.get_run(newest.run_id).data.metrics
        metrics = {key: value for key, value in logged.items() if not key.startswith(_GATE)}
        return RegisteredModel(str(newest.version), card, metrics)

    def register(
        self,
        booster_text: str,
        card: ModelCard,
        *,
        training_hash: str,
        dataset_hash: str,
        metrics: Mapping[str, float],
        documents: Mapping[str, str],
    ) -> str:
        """Record the run and its model as a new version; the aliases stay where they are until `promote`.

        `metrics`: figures of the run (those that are not numbers are left out). `documents`: file name → text, kept
        beside the model for people (trials, strategy). Answers the version.
        """
        run = self._client.create_run(self._experiment(card.name), tags={"mlflow.runName": card.name})
        run_id: str = run.info.run_id
        try:
            self._log(run_id, card, metrics, dataset_hash)
            with tempfile.TemporaryDirectory() as scratch:
                folder = Path(scratch)
                write_artefact(folder / ARTEFACT, booster_text, card)
                self._client.log_artifacts(run_id, str(folder / ARTEFACT), ARTEFACT)
                for file, text in documents.items():
                    self._client.log_text(run_id, text, file)
            self._client.set_terminated(run_id)
        except BaseException:
            self._client.set_terminated(run_id, status="FAILED")
            raise
        try:
            self._client.create_registered_model(card.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        created = self._client.create_model_version(
            card.name,
            source=f"{run.info.artifact_uri}/{ARTEFACT}",
            run_id=run_id,
            tags={
                _TRAINING_HASH: training_hash,
                "dataset_hash": dataset_hash,
                "feature_set": card.feature_set,
                "feature_set_version": card.feature_set_version,
                "gates_passed": str(card.gates_passed).lower(),
                "gates": json.dumps([gate.model_dump() for gate in card.gates]),
                "trained_from": str(card.trained_from),
                "trained_until": str(card.trained_until),
                "booster_sha256": hashlib.sha256(booster_text.encode()).hexdigest(),
            },
        )
        return str(created.version)

    def promote(self, version: str, card: ModelCard, *, champion: bool = True) -> list[str]:
        """Point `candidate` at the version, and `champion` too if it may be and its gates passed.

        A version that was found again never takes `champion` back: someone may have rolled it back. Nor does one that
        somebody asked for who decides about `champion` later. Answers the aliases that the version has now.
        """
        for alias in [CANDIDATE, CHAMPION] if card.gates_passed and champion else [CANDIDATE]:
            history = self._history(card.name, alias)
            if not history or history[-1] != version:
                self._set(card.name, alias, [*history, version])
        return [alias for alias in (CANDIDATE, CHAMPION) if self.version_of(card.name, alias) == version]

    def note(self, name: str, version: str, request: TrainingRequest | None) -> None:
        """Write on a version who asked for it; done last, so that whoever looks for it finds it promoted."""
        if request is not None:
            self._client.set_model_version_tag(name, version, f"{_REQUEST}{request.key}", str(request.until))

    def rollback(self, name: str, alias: str = CHAMPION) -> str:
        """Point `alias` back at the version it had before; answers that version. Raises TrainingError if none."""
        history = self._history(name, alias)
        if len(history) < 2:
            raise TrainingError(f"model {name}: {alias} has no earlier version to go back to")
        self._set(name, alias, history[:-1])
        return history[-2]

    def version_of(self, name: str, alias: str) -> str | None:
        """The version an alias points at, or None."""
        try:
            return str(self._client.get_model_version_by_alias(name, alias).version)
        except MlflowException:
            return None

    def _history(self, name: str, alias: str) -> list[str]:
        tags = self._client.get_registered_model(name).tags
        history: list[str] = json.loads(tags.get(f"history.{alias}", "[]"))
        return history

    def _set(self, name: str, alias: str, history: list[str]) -> None:
        self._client.set_registered_model_tag(name, f"history.{alias}", json.dumps(history))
        self._client.set_registered_model_alias(name, alias, history[-1])

    def _experiment(self, name: str) -> str:
        found = self._client.get_experiment_by_name(name)
        if found is None:
            place = (self._artefacts / name).as_uri() if self._artefacts else None  # a server has a place of its own
            try:
                return str(self._client.create_experiment(name, artifact_location=place))
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            found = self._client.get_experiment_by_name(name)  # another training of this model was first
        return str(found.experiment_id)

    def _log(self, run_id: str, card: ModelCard, metrics: Mapping[str, float], dataset_hash: str) -> None:
        for key, value in card.parameters.items():
            self._client.log_param(run_id, key, value)
        for key in ("task", "label", "feature_set", "feature_set_version", "horizon_bars", "rows", "seed"):
            self._client.log_param(run_id, key, getattr(card, key))
        self._client.log_param(run_id, "trained_from", card.trained_from)
        self._client.log_param(run_id, "trained_until", card.trained_until)
        self._client.log_param(run_id, "dataset_hash", dataset_hash)
        for name, value in metrics.items():
            if value == value:  # not NaN
                self._client.log_metric(run_id, name, value)
        for result in card.gates:
            self._client.set_tag(run_id, f"{_GATE}{result.name}", result.verdict)
            if result.value is not None:
                self._client.log_metric(run_id, f"{_GATE}{result.name}", result.value)


def write_artefact(path: Path, booster_text: str, card: ModelCard) -> None:
    """Write a model's folder: booster.txt, card.json, and MLflow's LightGBM flavour with a signature over both."""
    booster = lightgbm.Booster(model_str=booster_text)
    inputs = Schema([ColSpec("double", name) for name in card.features])
    flavour: dict[str, Any] = {
        "signature": mlflow.models.ModelSignature(inputs=inputs, outputs=Schema([ColSpec("double")])),
        "pip_requirements": [f"lightgbm=={lightgbm.__version__}"],
        "metadata": {"feature_set": card.feature_set, "feature_set_version": card.feature_set_version},
    }
    mlflow.lightgbm.save_model(booster, str(path), **flavour)
    shutil.move(path / "model.lgb", path / BOOSTER_FILE)
    description = mlflow.models.Model.load(str(path))
    description.flavors["lightgbm"]["data"] = BOOSTER_FILE
    description.flavors["python_function"]["data"] = BOOSTER_FILE
    description.save(str(path / "MLmodel"))
    (path / BOOSTER_FILE).write_text(booster_text)
    (path / CARD_FILE).write_text(card.model_dump_json(indent=2) + "\n")
