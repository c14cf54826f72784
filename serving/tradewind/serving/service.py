"""Shell: what the predictor does, without Ray: models from the registry, vectors from requests or from Feast."""

from __future__ import annotations

from pathlib import Path

import grpc

from tradewind.native.features import feature_set_version
from tradewind.serving import answering
from tradewind.serving.catalog import ModelCatalog
from tradewind.serving.config import PredictorConfig, ServedModels
from tradewind.serving.entities import EntityFeatures
from tradewind.serving.mlflow_registry import MlflowRegistry
from tradewind.serving.refusal import RequestRefusedError
from tradewind.v1.prediction_pb2 import (
    HealthResponse,
    ListModelsResponse,
    PredictEntitiesRequest,
    PredictRequest,
    PredictResponse,
)


class PredictionService:
    """The RPCs of `tradewind.v1.Prediction`. Any thread; each raises RequestRefusedError."""

    def __init__(self, config: PredictorConfig) -> None:
        registry = MlflowRegistry(config.tracking_uri, Path(config.state_dir) / "models")
        self._catalog = ModelCatalog(registry, feature_set_version)
        shared = config.repo or config.store
        self._entities = EntityFeatures(config.repo or config.state_dir, config.store) if shared else None

    def serve(self, models: ServedModels) -> None:
        """The models to serve from now on; they are loaded before this returns, as far as they can be."""
        self._catalog.want(models.models)
        self._catalog.refresh()

    def refresh(self) -> None:
        """Take up new model versions."""
        self._catalog.refresh()

    def predict(self, request: PredictRequest) -> PredictResponse:
        """Predictions of vectors in the request."""
        return answering.predict(self._catalog.get(request.model), request)

    def predict_entities(self, request: PredictEntitiesRequest) -> PredictResponse:
        """Predictions of the newest vectors in the online store."""
        model = self._catalog.get(request.model)
        if self._entities is None:
            raise RequestRefusedError(
                grpc.StatusCode.FAILED_PRECONDITION,
                "PredictEntities needs the feature repository: set `repo` or `store` in the predictor's configuration",
            )
        return answering.answer(model, self._entities.rows(model.card, list(request.symbols)))

    def list_models(self) -> ListModelsResponse:
        """Every model being served."""
        return ListModelsResponse(models=[answering.describe(model) for model in self._catalog.models()])

    def health(self) -> HealthResponse:
        """Ready when every configured model is served; the message names what is not as it should be."""
        ready, message = self._catalog.health()
        return HealthResponse(ready=ready, message=message)
