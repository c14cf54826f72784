"""Core: from a request and a model to a response, or to the reason why not."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
import numpy as np
from numpy.typing import NDArray

from tradewind.serving.loaded_model import LoadedModel
from tradewind.serving.refusal import RequestRefusedError
from tradewind.v1.prediction_pb2 import FeatureRow, ModelInfo, PredictionRow, PredictRequest, PredictResponse


def predict(model: LoadedModel, request: PredictRequest) -> PredictResponse:
    """Answer a request with vectors. Raises RequestRefusedError."""
    expected = model.card.feature_set_version
    if request.feature_set_version != expected:
        raise RequestRefusedError(
            grpc.StatusCode.FAILED_PRECONDITION,
            f"model {model.name} version {model.version} takes feature-set version {expected}, "
            f"the request carries {request.feature_set_version or 'none'}",
        )
    return answer(model, request.rows)


def answer(model: LoadedModel, rows: Sequence[FeatureRow]) -> PredictResponse:
    """Predictions of `rows`, in their order. Raises RequestRefusedError."""
    response = PredictResponse(
        model=model.name,
        model_version=model.version,
        model_alias=model.alias,
        feature_set_version=model.card.feature_set_version,
        gates_passed=model.card.gates_passed,
    )
    if rows:
        predictions, confidences = model.predict(_matrix(model, rows))
        response.rows.extend(
            PredictionRow(symbol=row.symbol, event_time=row.event_time, prediction=prediction, confidence=confidence)
            for row, prediction, confidence in zip(rows, predictions.tolist(), confidences.tolist(), strict=True)
        )
    return response


def _matrix(model: LoadedModel, rows: Sequence[FeatureRow]) -> NDArray[np.float64]:
    features = model.card.features
    for row in rows:
        if len(row.values) != len(features):
            raise RequestRefusedError(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"row of {row.symbol}: {len(row.values)} values, but model {model.name} takes {len(features)}",
            )
    matrix = np.array([row.values for row in rows], dtype=np.float64)
    # NaN is a feature that is not warm: the trees have learnt a side for it. Infinity is arithmetic gone wrong.
    if np.isinf(matrix).any():
        index, column = (int(position) for position in np.argwhere(np.isinf(matrix))[0])
        raise RequestRefusedError(
            grpc.StatusCode.INVALID_ARGUMENT, f"row of {rows[index].symbol}: feature {features[column]} is infinite"
        )
    return matrix


def describe(model: LoadedModel) -> ModelInfo:
    """What ListModels says of a model."""
    return ModelInfo(
        name=model.name,
        version=model.version,
        alias=model.alias,
        feature_set=model.card.feature_set,
        feature_set_version=model.card.feature_set_version,
        features=model.card.features,
        gates_passed=model.card.gates_passed,
        loaded_time=model.loaded_time,
    )
