"""Shell: the models being served, and how a new version takes the place of the old one.

`refresh` runs beside the requests: it looks an alias up, loads and checks the new version in full, and only then puts
it in place with one assignment. A request holds the model it began with; a version that is refused changes nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Protocol

import grpc

from tradewind.serving.config import ServedModel
from tradewind.serving.loaded_model import LoadedModel, load_model
from tradewind.serving.refusal import ModelRefusedError, RequestRefusedError

_logger = logging.getLogger(__name__)


class ModelRegistry(Protocol):
    """Where model versions come from."""

    def resolve(self, name: str, alias: str) -> str:
        """The version that `alias` of model `name` points to. Raises ModelRefusedError."""

    def fetch(self, name: str, version: str) -> Path:
        """A directory with the version's artefacts. Raises ModelRefusedError."""


class ModelCatalog:
    """The models of one predictor."""

    def __init__(
        self,
        registry: ModelRegistry,
        version_of: Callable[[Sequence[str]], str],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self._wanted: dict[str, ServedModel] = {}  # by the name that requests ask for
        self._registry = registry
        self._version_of = version_of
        self._clock = clock
        self._models: dict[str, LoadedModel] = {}
        self._problems: dict[str, str] = {}
        self._one_at_a_time = Lock()

    def want(self, wanted: Sequence[ServedModel]) -> None:
        """The models to serve from now on, others no longer. A model that is served goes on until `refresh`."""
        with self._one_at_a_time:
            asked = {model.served_as: model for model in wanted}
            self._models = {name: model for name, model in self._models.items() if name in asked}
            self._problems = {
                n: self._problems.get(n, f"model {n}: not loaded yet") for n in asked if n not in self._models
            }
            self._wanted = asked

    def refresh(self) -> None:
        """Look every alias up once; take new versions in."""
        with self._one_at_a_time:
            for name, model in self._wanted.items():
                self._look(name, model)

    def _look(self, name: str, model: ServedModel) -> None:
        try:
            self._refresh(name, model)
        except ModelRefusedError as error:
            if self._problems.get(name) != str(error):
                _logger.error("%s", error)
            self._problems[name] = str(error)
        else:
            self._problems.pop(name, None)

    def _refresh(self, name: str, model: ServedModel) -> None:
        version = self._registry.resolve(model.name, model.alias)
        current = self._models.get(name)
        if current is not None and (current.version, current.alias) == (version, model.alias):
            return
        self._models[name] = load_model(
            self._registry.fetch(model.name, version),
            model.name,
            version,
            model.alias,
            version_of=self._version_of,
            loaded_time=self._clock(),
        )

    def get(self, name: str) -> LoadedModel:
        """The version being served. Raises RequestRefusedError: NOT_FOUND, or UNAVAILABLE before the first one."""
        model = self._models.get(name)
        if model is not None:
            return model
        if name in self._wanted:
            raise RequestRefusedError(grpc.StatusCode.UNAVAILABLE, self._problems.get(name, f"model {name}: loading"))
        served = ", ".join(self._wanted)
        raise RequestRefusedError(
            grpc.StatusCode.NOT_FOUND, f"model {name or '(none named)'} is not served here; served: {served}"
        )

    def models(self) -> list[LoadedModel]:
        """Every model being served, by name."""
        return [model for _, model in sorted(self._models.items())]

    def health(self) -> tuple[bool, str]:
        """Whether every wanted model is served (an old version counts), and what is wrong, in one line."""
        ready = all(name in self._models for name in self._wanted)
        problems = [
            f"{problem}; version {self._models[name].version} keeps serving" if name in self._models else problem
            for name, problem in sorted(self._problems.items())
        ]
        return ready, "; ".join(problems) or "serving"
