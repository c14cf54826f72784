"""Core: a request or a model that is refused, with the gRPC status that says so."""

from __future__ import annotations

import grpc


class RequestRefusedError(Exception):
    """A request that is not answered: `code` and one line that names what is wrong with it."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


class ModelRefusedError(Exception):
    """A model version that is not served; the message names the model, the version and the reason."""
