"""Shell: model versions from an MLflow registry."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from mlflow import artifacts
from mlflow.exceptions import MlflowException
from mlflow.tracking import MlflowClient

from tradewind.serving.refusal import ModelRefusedError


class MlflowRegistry:
    """`ModelRegistry` over MLflow. Artefacts are kept below `cache`, one directory per version."""

    def __init__(self, tracking_uri: str, cache: Path) -> None:
        self._client = MlflowClient(tracking_uri=tracking_uri, registry_uri=tracking_uri)
        self._tracking_uri = tracking_uri
        self._cache = cache

    def resolve(self, name: str, alias: str) -> str:
        """The version that `alias` points to."""
        try:
            return str(self._client.get_model_version_by_alias(name, alias).version)
        except MlflowException as error:
            raise ModelRefusedError(
                f"model {name}: alias {alias} cannot be looked up in {self._tracking_uri} ({_line(error)}); "
                "train and register it first"
            ) from None

    def fetch(self, name: str, version: str) -> Path:
        """The version's artefacts, downloaded once: a version never changes."""
        target = self._cache / name / version
        if target.is_dir():
            return target
        self._cache.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".fetch-", dir=self._cache))
        try:
            source = self._client.get_model_version_download_uri(name, version)
            artifacts.download_artifacts(source, dst_path=str(scratch), tracking_uri=self._tracking_uri)
            target.parent.mkdir(parents=True, exist_ok=True)
            scratch.rename(target)
        except (MlflowException, OSError) as error:
            shutil.rmtree(scratch, ignore_errors=True)
            raise ModelRefusedError(
                f"model {name} version {version}: artefacts not available ({_line(error)})"
            ) from None
        return target


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
