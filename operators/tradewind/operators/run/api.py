"""What the operator asks of the API server. Shell."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import kubernetes
from kubernetes.client.exceptions import ApiException
from prometheus_client import Counter
from urllib3.exceptions import HTTPError

from tradewind.operators.plan.conditions import ORDINARY
from tradewind.operators.plan.model import FINALIZER, LABEL_MANAGED, MANAGER, Condition, Object, Ref

WRITES = Counter("tradewind_operator_writes_total", "Writes to the API server.", ["kind", "verb"])
TIMEOUT_S = 15
_OURS = f"{LABEL_MANAGED}={MANAGER}"


@dataclass(frozen=True)
class Kind:
    """A kind that is watched: where it is served, and which of its objects matter."""

    group: str
    version: str
    plural: str
    selector: str = _OURS

    @property
    def api(self) -> str:
        """apiVersion of its objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str, name: str = "") -> str:
        """Path of an object, or of the collection."""
        root = f"/apis/{self.group}" if self.group else "/api"
        return f"{root}/{self.version}/namespaces/{namespace}/{self.plural}" + (f"/{name}" if name else "")


KINDS = {
    "RiskPolicy": Kind("tradewind.dev", "v1alpha1", "riskpolicies", ""),
    "Strategy": Kind("tradewind.dev", "v1alpha1", "strategies", ""),
    "StatefulSet": Kind("apps", "v1", "statefulsets"),
    "Deployment": Kind("apps", "v1", "deployments"),
    "Job": Kind("batch", "v1", "jobs"),
    "Pod": Kind("", "v1", "pods"),
    "ConfigMap": Kind("", "v1", "configmaps"),
    "Service": Kind("", "v1", "services"),
    "ServiceAccount": Kind("", "v1", "serviceaccounts"),
    "Role": Kind("rbac.authorization.k8s.io", "v1", "roles"),
    "RoleBinding": Kind("rbac.authorization.k8s.io", "v1", "rolebindings"),
}


class ApiError(Exception):
    """A request that the API server refused or didn't answer; its text is what was said."""


class Api:
    """Requests within one namespace. Every method blocks, for at most TIMEOUT_S."""

    def __init__(self, namespace: str, identity: str) -> None:
        self._namespace = namespace
        self._identity = identity
        self._client = kubernetes.client.ApiClient()
        self._client.user_agent = f"{MANAGER}/{identity}"  # so that an audit log tells replicas apart

    def apply(self, wanted: Object) -> Object:
        """Server-side apply under the operator's own field manager; what the server made of it."""
        WRITES.labels(wanted["kind"], "apply").inc()
        path = KINDS[wanted["kind"]].path(self._namespace, wanted["metadata"]["name"])
        return self._apply(path, wanted)

    def set_status(self, document: Object, status: Object) -> Object:
        """Server-side apply of a document's whole status; the document as it is then."""
        WRITES.labels(document["kind"], "status").inc()
        name = document["metadata"]["name"]
        body = {"apiVersion": document["apiVersion"], "kind": document["kind"], "metadata": {"name": name}}
        return self._apply(f"{KINDS[document['kind']].path(self._namespace, name)}/status", {**body, "status": status})

    def set_finalizer(self, document: Object, *, wanted: bool) -> Object:
        """Gives a document our finalizer, or takes it away; others' stay."""
        WRITES.labels(document["kind"], "finalizer").inc()
        name, uid = document["metadata"]["name"], document["metadata"]["uid"]
        metadata = {"name": name, "uid": uid, **({"finalizers": [FINALIZER]} if wanted else {})}
        body = {"apiVersion": document["apiVersion"], "kind": document["kind"], "metadata": metadata}
        return self._apply(KINDS[document["kind"]].path(self._namespace, name), body)

    def delete(self, ref: Ref) -> None:
        """Deletes an object; that it is gone already is no error. A Job is gone when its pods are."""
        WRITES.labels(ref.kind, "delete").inc()
        policy = "Foreground" if ref.kind == "Job" else "Background"
        try:
            self._ask("DELETE", KINDS[ref.kind].path(self._namespace, ref.name), query=[("propagationPolicy", policy)])
        except ApiError as error:
            if "not found" not in str(error):
                raise

    def tell(self, document: Object, news: Condition, now: str) -> None:
        """A Kubernetes event about a condition; `kubectl describe` shows it."""
        WRITES.labels("Event", "create").inc()
        about = {key: document[key] for key in ("apiVersion", "kind")}
        about |= {key: document["metadata"][key] for key in ("name", "namespace", "uid", "resourceVersion")}
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{document['metadata']['name']}.", "namespace": self._namespace},
            "involvedObject": about,
            "type": "Normal" if news.status == "True" or news.reason in ORDINARY else "Warning",
            "reason": news.reason,
            "message": f"{news.type}: {news.message}"[:1024],
            "source": {"component": MANAGER},
            "reportingComponent": f"tradewind.dev/{MANAGER}",
            "reportingInstance": self._identity[:128],
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        self._ask("POST", Kind("", "v1", "events").path(self._namespace), event)

    def all(self, kind: str) -> list[Object]:
        """Every object of a kind that matters."""
        served = KINDS[kind]
        found = self._list(kind, "application/json")
        return [{"apiVersion": served.api, "kind": kind, **item} for item in found]

    def versions(self, kind: str) -> Iterator[tuple[Ref, int]]:
        """Every object of a kind that matters, with its resourceVersion."""
        for item in self._list(kind, "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"):
            yield Ref(kind, item["metadata"]["name"]), int(item["metadata"]["resourceVersion"])

    def _list(self, kind: str, accept: str) -> list[Object]:
        served = KINDS[kind]
        query = [("labelSelector", served.selector)] if served.selector else []
        answer = self._ask("GET", served.path(self._namespace), query=query, accept=accept)
        found: list[Object] = answer["items"] or []  # an empty list of metadata is null
        return found

    def _apply(self, path: str, body: Object) -> Object:
        query = [("fieldManager", MANAGER), ("force", "true"), ("fieldValidation", "Strict")]
        made: Object = self._ask("PATCH", path, body, query, content="application/apply-patch+yaml")
        return made

    def _ask(
        self,
        method: str,
        path: str,
        body: Object | None = None,
        query: list[tuple[str, str]] | None = None,
        accept: str = "application/json",
        content: str = "application/json",
    ) -> Any:
        headers = {"Accept": accept, "Content-Type": content}
        try:
            response = self._client.call_api(
                *self._client.param_serialize(
                    method, path, query_params=query, header_params=headers, body=body, auth_settings=["BearerToken"]
                ),
                _request_timeout=TIMEOUT_S,
            )
            payload = response.read()
        except ApiException as error:
            raise ApiError(_said(error)) from None
        except HTTPError as error:
            raise ApiError(f"{method} {path}: {error}") from None
        if not 200 <= response.status < 300:
            raise ApiError(_message(payload) or f"{method} {path}: HTTP {response.status}")
        return json.loads(payload)


def _said(error: ApiException) -> str:
    return _message(error.body or b"") or f"HTTP {error.status} {error.reason}"


def _message(body: bytes | str) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, TypeError, KeyError):
        return ""
