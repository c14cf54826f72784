"""What every pod has in common. Core.

Every pod is within PodSecurity `restricted`, asks for what it may use (QoS Guaranteed), and carries no token of its
service account but where one is needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tradewind.operators.config import (
    BROKER_CA,
    BUS_CA,
    CA_FILE,
    PREDICTOR_CA,
    Authority,
    OperatorConfig,
    Placement,
    PodPart,
)
from tradewind.operators.plan.model import LABEL_MANAGED, MANAGER, Object
from tradewind.planning.pods import DATA_DIR, PROBES_PORT

CONFIG_DIR = "/run/tradewind"
FIXED = "tradewind.dev/config"
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
_POD: dict[str, Any] = {
    "automountServiceAccountToken": False,
    "enableServiceLinks": False,
    "terminationGracePeriodSeconds": 30,
    "securityContext": {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "fsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
}


def pod(part: PodPart, config: OperatorConfig) -> dict[str, Any]:
    """The specification that every pod of a part begins with."""
    placed = config.placement.get(part, Placement())
    chosen_by_installation = {
        "priorityClassName": config.priority_classes.get(part),
        "nodeSelector": placed.node_selector,
        "tolerations": placed.tolerations,
        "imagePullSecrets": [{"name": name} for name in config.pull_secrets],
    }
    # What is empty is left out: the API server drops it, and then it would differ for ever.
    return {**_POD, **{key: value for key, value in chosen_by_installation.items() if value}}


def labels(part: str, instance: str, **own: str) -> dict[str, str]:
    """Labels of everything that the operator makes; `own` by key."""
    return {
        "app.kubernetes.io/name": part,
        "app.kubernetes.io/instance": instance,
        "app.kubernetes.io/part-of": "tradewind",
        LABEL_MANAGED: MANAGER,
        **own,
    }


def chosen(tags: dict[str, str]) -> dict[str, str]:
    """Those of the labels that select pods."""
    return {key: tags[key] for key in ("app.kubernetes.io/name", "app.kubernetes.io/instance")}


REACH_S = "60"


def exactly(cpu: str, memory: str) -> dict[str, Any]:
    """Requests that are limits, so that the pod is Guaranteed."""
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": cpu, "memory": memory}}


def at_least(cpu: str, memory: str) -> dict[str, Any]:
    """A share of the CPUs that may grow into what is idle: a limit would stretch start-ups and bursts to minutes."""
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"memory": memory}}


def keys_of(secret: str, keys: tuple[str, ...]) -> list[Object]:
    """Environment variables from the keys of a Secret."""
    return [{"name": key, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}} for key in keys]


def told(part: PodPart, config: OperatorConfig, keys: Sequence[Object] = ()) -> dict[str, Any]:
    """The environment of a part's container: the keys it needs, and what it is told.

    What is empty is left out: the API server drops it, and then it would differ for ever.
    """
    own, kafka = config.environment.get(part), config.services.kafka
    # Who dies because the brokers start just now takes the CPU that they start on.
    plain, kept = {"KAFKA_REACH_S": REACH_S, **(own.variables if own else {})}, list(keys)
    if kafka is not None:
        user = kafka.users[part]
        plain |= {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": kafka.mechanism}
        plain |= {"KAFKA_SASL_USERNAME": user.name}
        plain |= {"KAFKA_CA_FILE": f"{BUS_CA}/{CA_FILE}"} if kafka.ca else {}
        password = {"secretKeyRef": {"name": user.secret, "key": user.key}}
        kept.append({"name": "KAFKA_SASL_PASSWORD", "valueFrom": password})
    found: dict[str, Any] = {}
    if kept or plain:
        found["env"] = [*kept, *({"name": name, "value": value} for name, value in sorted(plain.items()))]
    if own and own.secrets:
        found["envFrom"] = [{"secretRef": {"name": name}} for name in own.secrets]
    return found


# A process that starts is alive; until its server is there (imports), the startup probe waits for five minutes.
PROBED: dict[str, Any] = {
    "ports": [{"name": "http", "containerPort": PROBES_PORT, "protocol": "TCP"}],
    "startupProbe": {"httpGet": {"path": "/livez", "port": "http"}, "periodSeconds": 2, "failureThreshold": 150},
    "livenessProbe": {"httpGet": {"path": "/livez", "port": "http"}, "periodSeconds": 10, "timeoutSeconds": 5},
    "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 2, "timeoutSeconds": 5},
}


def _certificate(of: Authority) -> Object:
    items = [{"key": of.key, "path": CA_FILE}]
    if of.secret:
        return {"secret": {"secretName": of.secret, "items": items}}
    return {"configMap": {"name": of.config_map, "items": items}}


class Volumes:
    """The volumes of a pod, and where its container has them."""

    def __init__(self) -> None:
        self.volumes: list[Object] = []
        self.mounts: list[Object] = []

    def add(self, name: str, path: str, source: Object, *, read_only: bool = True) -> Volumes:
        """One more."""
        self.volumes.append({"name": name, **source})
        self.mounts.append({"name": name, "mountPath": path, **({"readOnly": True} if read_only else {})})
        return self

    def config(self, config_map: str) -> Volumes:
        """The process's configuration."""
        return self.add("config", CONFIG_DIR, {"configMap": {"name": config_map}})

    def certificates(self, config: OperatorConfig, *, broker: bool = False, predictor: bool = False) -> Volumes:
        """The CAs that the installation names."""
        services = config.services
        if services.kafka is not None and services.kafka.ca is not None:
            self.add("bus-ca", BUS_CA, _certificate(services.kafka.ca))
        if broker and services.broker_ca:
            self.add("broker-ca", BROKER_CA, {"configMap": {"name": services.broker_ca}})
        if predictor and services.predictor_ca is not None:
            self.add("predictor-ca", PREDICTOR_CA, _certificate(services.predictor_ca))
        return self

    def data(self, config: OperatorConfig) -> Volumes:
        """The claim of the data sets, and room for temporary files."""
        assert config.services.data is not None
        claim = {"persistentVolumeClaim": {"claimName": config.services.data.claim}}
        self.add("data", DATA_DIR, claim, read_only=False)
        return self.add("tmp", "/tmp", {"emptyDir": {}}, read_only=False)  # noqa: S108 - of the pod alone


def made(api: str, kind: str, name: str, namespace: str, tags: dict[str, str], **content: Any) -> Object:
    """An object."""
    metadata = {"name": name, "namespace": namespace, "labels": tags}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **content}


def owned(owner: Object, wanted: Object) -> Object:
    """The object as one that goes with its owner."""
    reference = {**_reference(owner), "controller": True, "blockOwnerDeletion": True}
    return {**wanted, "metadata": {**wanted["metadata"], "ownerReferences": [reference]}}


def shared_by(owners: Sequence[Object], wanted: Object) -> Object:
    """The object as one that goes with the last of its owners."""
    references = [_reference(owner) for owner in owners]
    return {**wanted, "metadata": {**wanted["metadata"], "ownerReferences": references}}


def _reference(owner: Object) -> Object:
    metadata = owner["metadata"]
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
