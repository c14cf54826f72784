"""Shell: the Ray Serve deployment behind the Prediction gRPC service.

One replica holds every configured model: boosters are a few megabytes, and a hop between two replicas costs more than
a prediction does. Vectors are predicted on the replica's event loop (some 0.1 ms each); MLflow and Feast, which block,
run in threads. The service is imported in the replica only: the process that deploys it needs neither.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ray import serve

from tradewind.serving.config import PredictorConfig, ServedModels, ServingConfig
from tradewind.serving.refusal import RequestRefusedError
from tradewind.streaming.surroundings import ensure_home
from tradewind.v1.prediction_pb2 import (
    HealthRequest,
    HealthResponse,
    ListModelsRequest,
    ListModelsResponse,
    PredictEntitiesRequest,
    PredictRequest,
    PredictResponse,
)


class Predictor:
    """The gRPC servicer; method names are the RPCs' (`tradewind.v1.Prediction`)."""

    def __init__(self, config_json: str) -> None:
        ensure_home()
        from tradewind.serving.service import PredictionService

        config = PredictorConfig.model_validate_json(config_json)
        self._service = PredictionService(config)
        self._poll_seconds = config.poll_seconds
        self._watching = asyncio.get_event_loop().create_task(self._watch())

    async def reconfigure(self, user_config: dict[str, Any]) -> None:
        """Other models, without a restart; called by Serve before the first request and at each change."""
        await asyncio.to_thread(self._service.serve, ServedModels.model_validate(user_config))

    async def _watch(self) -> None:
        """Follow the aliases for as long as the replica lives."""
        while True:
            await asyncio.to_thread(self._service.refresh)
            await asyncio.sleep(self._poll_seconds)

    def check_health(self) -> None:
        """Asked by Serve: without its watcher a replica would serve old models for ever."""
        if self._watching.done():
            raise RuntimeError("the watcher of the model aliases has ended") from self._watching.exception()

    async def Predict(self, request: PredictRequest, grpc_context: Any) -> PredictResponse:  # noqa: N802
        """Predictions of vectors in the request."""
        try:
            return self._service.predict(request)
        except RequestRefusedError as refusal:
            return _refuse(grpc_context, refusal)

    async def PredictEntities(self, request: PredictEntitiesRequest, grpc_context: Any) -> PredictResponse:  # noqa: N802
        """Predictions of the newest vectors in the online store."""
        try:
            return await asyncio.to_thread(self._service.predict_entities, request)
        except RequestRefusedError as refusal:
            return _refuse(grpc_context, refusal)

    async def ListModels(self, request: ListModelsRequest) -> ListModelsResponse:  # noqa: N802, ARG002
        """Every model being served."""
        return self._service.list_models()

    async def Health(self, request: HealthRequest) -> HealthResponse:  # noqa: N802, ARG002
        """Whether every configured model is served."""
        return self._service.health()


def _refuse(grpc_context: Any, refusal: RequestRefusedError) -> PredictResponse:
    # Set, not raised: Ray would log each refusal with a traceback and prefix the message.
    grpc_context.set_code(refusal.code)
    grpc_context.set_details(str(refusal))
    return PredictResponse()


def application(config: ServingConfig) -> Any:
    """The Serve application of one process, with its models."""
    models = ServedModels(models=config.models).model_dump(mode="json")
    return _deployment().options(user_config=models).bind(config.predictor().model_dump_json())


def build(args: dict[str, Any]) -> Any:
    """The Serve application for Serve's REST API: `args` is a PredictorConfig, the models come as `user_config`."""
    return _deployment().bind(PredictorConfig.model_validate(args).model_dump_json())


def _deployment() -> Any:
    return serve.deployment(
        name="Predictor",
        num_replicas=1,
        max_ongoing_requests=512,  # few and short requests: never hold one back
        ray_actor_options={"num_cpus": 0.1},
        health_check_period_s=5,
    )(Predictor)
