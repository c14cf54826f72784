"""Requests to Ray's dashboard and MLflow's server. Shell."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any

import urllib3
from prometheus_client import Counter
from urllib3.exceptions import HTTPError

from tradewind.operators.config import Services
from tradewind.operators.plan.model import Object, Request
from tradewind.operators.run.api import ApiError

CALLS = Counter("tradewind_operator_requests_total", "Requests that change something outside.", ["service", "verb"])
TIMEOUT_S = 15.0
PAGE = 1000
# Variables that the services' own clients read. A Ray cluster asks for a token unless RAY_AUTH_MODE is disabled.
TOKENS = {"ray": "RAY_AUTH_TOKEN", "mlflow": "MLFLOW_TRACKING_TOKEN"}


class Remote:
    """HTTP to the services that an installation names. Every method blocks, for at most TIMEOUT_S a request."""

    def __init__(self, services: Services) -> None:
        self._urls = {"ray": services.ray or "", "mlflow": services.mlflow or ""}
        self._pool = urllib3.PoolManager(timeout=TIMEOUT_S, retries=False, maxsize=4)
        tokens = {service: os.environ.get(name) for service, name in TOKENS.items()}
        self._headers = {s: {"Authorization": f"Bearer {token}"} if token else {} for s, token in tokens.items()}

    def send(self, request: Request) -> None:
        """A request that changes something. Raises ApiError."""
        CALLS.labels(request.service, request.method).inc()
        self._ask(request.service, request.method, request.path, request.body)

    def jobs(self) -> list[Object]:
        """Every job that Ray knows. Raises ApiError."""
        found: list[Object] = self._ask("ray", "GET", "/api/jobs/")
        return found

    def log(self, submission_id: str) -> str:
        """What a job has printed. Raises ApiError."""
        return str(self._ask("ray", "GET", f"/api/jobs/{submission_id}/logs")["logs"])

    def applications(self) -> dict[str, Object]:
        """Serve's applications, by name. Raises ApiError."""
        found: dict[str, Object] = self._ask("ray", "GET", "/api/serve/applications/")["applications"]
        return found

    def models(self) -> Iterator[Object]:
        """Every registered model, with its aliases. Raises ApiError."""
        return self._pages("/api/2.0/mlflow/registered-models/search", "registered_models")

    def versions(self) -> Iterator[Object]:
        """Every version of every model, with its tags. Raises ApiError."""
        return self._pages("/api/2.0/mlflow/model-versions/search", "model_versions")

    def _pages(self, path: str, what: str) -> Iterator[Object]:
        token = ""
        while True:
            answer = self._ask("mlflow", "GET", path, query={"max_results": str(PAGE), "page_token": token})
            yield from answer.get(what, [])
            token = answer.get("next_page_token", "")
            if not token:
                return

    def _ask(
        self, service: str, method: str, path: str, body: Object | None = None, query: dict[str, str] | None = None
    ) -> Any:
        url = self._urls[service].rstrip("/") + path
        fields = {key: value for key, value in (query or {}).items() if value}
        try:
            if body is None:
                response = self._pool.request(method, url, fields=fields or None, headers=self._headers[service])
            else:
                response = self._pool.request(method, url, json=body, headers=self._headers[service])
        except HTTPError as error:
            raise ApiError(f"{method} {url}: {error}") from None
        if response.status >= 300:
            raise ApiError(f"{method} {url}: HTTP {response.status}: {_said(response.data)}")
        return json.loads(response.data) if response.data else None


def _said(body: bytes) -> str:
    """The last line of an answer that says something; of a traceback that is the error."""
    lines = [line.strip() for line in body.decode(errors="replace").replace("\\n", "\n").splitlines()]
    return next((line for line in reversed(lines) if len(line) > 3), "")[:300]
