"""Client of the predictor's gRPC service. Shell."""

from __future__ import annotations

import json
import socket
import ssl
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
    """Asks for predictions, over TLS where `ca_file` says who signed the predictor's certificate.

    Reads address and CA again before each reconnect, because a restarted predictor may move and a CA is renewed.
    """

    def __init__(self, location: str, timeout_s: float, ca_file: str | None = None) -> None:
        self._location = location
        self._timeout_s = timeout_s
        self._ca_file = ca_file
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
        """Why nobody listens, or nobody to be trusted, where the predictor should; or nothing. Any thread."""
        try:
            address, authority = self._address(), self._authority()
            host, _, port = address.rpartition(":")
            host = host.strip("[]")
            with socket.create_connection((host, int(port)), _REACH_S) as connection:
                if authority is not None:
                    trusting = ssl.create_default_context(cadata=authority.decode("ascii", "ignore"))
                    # Asked for in so many words: of a connection that is lost already there is no handshake otherwise.
                    with trusting.wrap_socket(connection, server_hostname=host, do_handshake_on_connect=False) as tls:
                        tls.do_handshake()
        except PredictorUnavailableError as error:
            return str(error)
        except ssl.SSLCertVerificationError as error:
            return f"{address} is not trusted by {self._ca_file} ({error.verify_message})"
        except (OSError, ValueError) as error:
            return f"{address} is not reached ({error})"
        return ""

    def _connected(self) -> prediction_pb2_grpc.PredictionStub:
        if self._stub is None:
            options = [("grpc.enable_http_proxy", 0)]
            address, authority = self._address(), self._authority()
            if authority is None:
                self._channel = grpc.insecure_channel(address, options=options)
            else:
                self._channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(authority), options=options)
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

    def _authority(self) -> bytes | None:
        if self._ca_file is None:
            return None
        try:
            return Path(self._ca_file).read_bytes()
        except OSError as error:
            raise PredictorUnavailableError(
                f"predictor: CA file {self._ca_file} cannot be read ({error.strerror})"
            ) from None


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
