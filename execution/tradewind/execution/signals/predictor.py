"""Client of the predictor's gRPC service. Shell."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import grpc

from tradewind.execution.process import StoppedError
from tradewind.execution.signals.decisions import Prediction
from tradewind.planning.local import PREDICTOR_APPLICATION
from tradewind.v1 import features_pb2, prediction_pb2, prediction_pb2_grpc

_REACH_S = 2.0
# Ray Serve's gRPC proxy asks which application is meant once it has more than one.
_METADATA = (("application", PREDICTOR_APPLICATION),)


class PredictionRefusedError(Exception):
    """The predictor will not answer this request however often it is asked; the text says why."""


class PredictorUnavailableError(Exception):
    """The predictor could not be reached in time."""


# Answers of the predictor itself. Any other status comes from one that starts, dies or is overrun (Ray's proxy says
# INTERNAL of a replica killed while it answers, NOT_FOUND before the application is deployed): ask again.
_REFUSALS = {
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.OUT_OF_RANGE,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.UNIMPLEMENTED,
}


class PredictorClient:
    """Asks for predictions; reads the address again before each reconnect, because a restarted predictor may move."""

    def __init__(self, location: str, timeout_s: float) -> None:
        self._location = location
        self._timeout_s = timeout_s
        self._channel: grpc.Channel | None = None
        self._stub: prediction_pb2_grpc.PredictionStub | None = None

    def predict(
        self, model: str, feature_set_version: str, rows: Sequence[features_pb2.FeatureVector]
    ) -> list[Prediction]:
        """One prediction per row. Raises PredictionRefusedError or PredictorUnavailableError."""
        request = prediction_pb2.PredictRequest(
            model=model,
            feature_set_version=feature_set_version,
            rows=[prediction_pb2.FeatureRow(symbol=r.symbol, event_time=r.event_time, values=r.values) for r in rows],
        )
        try:
            response = self._connected().Predict(request, timeout=self._timeout_s, metadata=_METADATA)
        except grpc.RpcError as error:
            self.close()
            if error.code() in _REFUSALS:
                raise PredictionRefusedError(f"{error.code().name}: {error.details()}") from None
            raise PredictorUnavailableError(f"predictor {self._location}: {error.details()}") from None
        if [(r.symbol, r.event_time) for r in response.rows] != [(r.symbol, r.event_time) for r in rows]:
            raise PredictionRefusedError("the answer's rows are not those of the request")
        return [
            Prediction(
                row.prediction,
                row.confidence,
                response.model,
                response.model_version,
                response.model_alias,
                response.gates_passed,
            )
            for row in response.rows
        ]

    def close(self) -> None:
        """Drops the connection; the next call makes a new one."""
        if self._channel is not None:
            self._channel.close()
        self._channel = self._stub = None

    def problem(self) -> str:
        """Why nobody listens where the predictor should, or nothing. Any thread; knows nothing of its models."""
        try:
            address = self._address()
            host, _, port = address.rpartition(":")
            socket.create_connection((host.strip("[]"), int(port)), _REACH_S).close()
        except PredictorUnavailableError as error:
            return str(error)
        except (OSError, ValueError) as error:
            return f"{address} is not reached ({error})"
        return ""

    def _connected(self) -> prediction_pb2_grpc.PredictionStub:
        if self._stub is None:
            options = [("grpc.enable_http_proxy", 0)]
            self._channel = grpc.insecure_channel(self._address(), options=options)
            self._stub = prediction_pb2_grpc.PredictionStub(self._channel)
        return self._stub

    def _address(self) -> str:
        if not self._location.startswith("file://"):
            return self._location
        path = Path(self._location.removeprefix("file://"))
        try:
            return str(json.loads(path.read_text(encoding="utf-8"))["address"])
        except (OSError, ValueError, KeyError):
            raise PredictorUnavailableError(f"predictor: {path} does not name an address yet") from None


def predict_when_up(
    client: PredictorClient,
    model: str,
    feature_set_version: str,
    rows: Sequence[features_pb2.FeatureVector],
    deadline_s: float | None,
    stop: threading.Event,
) -> list[Prediction]:
    """Asks until the predictor answers; gives up with PredictorUnavailableError after `deadline_s` (None: never).

    Raises StoppedError once `stop` is set.
    """
    started = time.monotonic()
    while True:
        try:
            return client.predict(model, feature_set_version, rows)
        except PredictorUnavailableError:
            if deadline_s is not None and time.monotonic() - started > deadline_s:
                raise
            if stop.wait(0.05):
                raise StoppedError from None
