"""Shell: the models being served, and how a new version takes the place of the old one.

`refresh` runs beside the requests: it looks an alias up, loads and checks the new version in full, and only then puts
it in place with one assignment. A request holds the model it began with; a version that is refused changes nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class _Served:
    """What a name stands for now: one value, so that nobody reads a new version beside the old one's problem."""

    model: LoadedModel | None
    problem: str = ""


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
        self._served: dict[str, _Served] = {}  # by the same name; all that are wanted
        self._one_at_a_time = Lock()

    def want(self, wanted: Sequence[ServedModel]) -> None:
        """The models to serve from now on, others no longer. A model that is served goes on until `refresh`."""
        with self._one_at_a_time:
            asked = {model.served_as: model for model in wanted}
            self._served = {n: self._served.get(n, _Served(None, f"model {n}: not loaded yet")) for n in asked}
            self._wanted = asked

    def refresh(self) -> None:
        """Look every alias up once; take new versions in."""
        with self._one_at_a_time:
            for name, model in self._wanted.items():
                self._look(name, model)

    def _look(self, name: str, model: ServedModel) -> None:
        served = self._served[name]
        try:
            self._served[name] = _Served(self._newest(served.model, model))
        except ModelRefusedError as error:
            if served.problem != str(error):
                _logger.error("%s", error)
            self._served[name] = _Served(served.model, str(error))

    def _newest(self, current: LoadedModel | None, model: ServedModel) -> LoadedModel:
        version = self._registry.resolve(model.name, model.alias)
        if current is not None and (current.version, current.alias) == (version, model.alias):
            return current
        return load_model(
            self._registry.fetch(model.name, version),
            model.name,
            version,
            model.alias,
            version_of=self._version_of,
            loaded_time=self._clock(),
        )

    def get(self, name: str) -> LoadedModel:
        """The version being served. Raises RequestRefusedError: NOT_FOUND, or UNAVAILABLE before the first one."""
        served = self._served.get(name)
        if served is None:
            known = ", ".join(self._served)
            raise RequestRefusedError(
                grpc.StatusCode.NOT_FOUND, f"model {name or '(none named)'} is not served here; served: {known}"
            )
        if served.model is None:
            raise RequestRefusedError(grpc.StatusCode.UNAVAILABLE, served.problem)
        return served.model

    def models(self) -> list[LoadedModel]:
        """Every model being served, by name."""
        return [served.model for _, served in sorted(self._served.items()) if served.model is not None]

    def health(self) -> tuple[bool, str]:
        """Whether every wanted model is served (an old version counts), and what is wrong, in one line."""
        served = [found for _, found in sorted(self._served.items())]
        problems = [
            f"{s.problem}; version {s.model.version} keeps serving" if s.model is not None else s.problem
            for s in served
            if s.problem
        ]
        return all(s.model is not None for s in served), "; ".join(problems) or "serving"
