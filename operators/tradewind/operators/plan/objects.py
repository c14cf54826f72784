"""Workloads as Kubernetes objects. Core.

Every pod is within PodSecurity `restricted`, asks for what it may use (QoS Guaranteed), and carries no token of its
service account but where one is needed.
"""

from __future__ import annotations

import json
from typing import Any

from tradewind.operators.config import OperatorConfig
from tradewind.operators.plan.difference import fingerprint
from tradewind.operators.plan.model import LABEL_MANAGED, LABEL_POLICY, LABEL_STRATEGY, MANAGER, Object
from tradewind.planning import Workload
from tradewind.planning.pods import STATE_DIR
from tradewind.specs.base import API_VERSION

PORT = 9101
_CONFIG, _SITE, _TOKEN = "/run/tradewind", "/etc/tradewind", "/var/run/secrets/kubernetes.io/serviceaccount"
_FIXED = "tradewind.dev/config"


def labels(part: str, document: Object) -> dict[str, str]:
    """Labels of everything made for a document."""
    own = LABEL_POLICY if document["kind"] == "RiskPolicy" else LABEL_STRATEGY
    return {
        "app.kubernetes.io/name": part,
        "app.kubernetes.io/instance": document["metadata"]["name"],
        "app.kubernetes.io/part-of": "tradewind",
        LABEL_MANAGED: MANAGER,
        own: document["metadata"]["name"],
    }


def executor(
    document: Object,
    workload: Workload,
    strategies: list[str],
    fixed: Any,
    config: OperatorConfig,
    *,
    replicas: int = 1,
) -> list[Object]:
    """The objects of an executor: its account, what it may read, its site, and itself.

    `strategies` are the names it may read; `fixed` is the part of its configuration that needs a new pod; `replicas`
    is 0 while the kubelet refuses it.
    """
    name, tags = workload.name, labels("executor", document)
    site = config.for_followers()
    rules = [
        _may(["get", "list", "watch"], "riskpolicies", [document["metadata"]["name"]]),
        _may(["get"], "strategies", strategies),
    ]
    spec = {
        "serviceName": name,
        "replicas": replicas,
        "selector": {"matchLabels": _chosen(tags)},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Retain"},
        "template": {
            "metadata": {"labels": tags, "annotations": {_FIXED: fingerprint([fixed, site])}},
            "spec": _executor_pod(name, document["metadata"]["name"], workload, config),
        },
        "volumeClaimTemplates": [_claim(config)],
    }
    return [
        _made("v1", "ServiceAccount", name, document, tags, automountServiceAccountToken=False),
        _made("rbac.authorization.k8s.io/v1", "Role", name, document, tags, rules=rules),
        _made(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            name,
            document,
            tags,
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            subjects=[{"kind": "ServiceAccount", "name": name, "namespace": config.namespace}],
        ),
        _made("v1", "ConfigMap", name, document, tags, data={"site.json": json.dumps(site, sort_keys=True)}),
        _made("v1", "Service", name, document, tags, spec={"clusterIP": "None", "selector": _chosen(tags)}),
        _made("apps/v1", "StatefulSet", name, document, tags, spec=spec),
    ]


def signals(document: Object, workload: Workload, config: OperatorConfig) -> list[Object]:
    """The objects of a signal process: its configuration and itself."""
    name, tags = workload.name, labels("signals", document)
    text = json.dumps(workload.config, sort_keys=True)
    # An intent says which generation its process was started under; a limit alone needs no new process.
    fixed = {key: value for key, value in workload.config.items() if key != "policy_generation"}
    container = {
        "name": "signals",
        "image": config.images.signals,
        "command": ["python", "-m", workload.module, "--config", f"{_CONFIG}/config.json"],
        "resources": _exactly(config.resources.signals_cpu, config.resources.signals_memory),
        "securityContext": _RESTRICTED,
        "volumeMounts": [{"name": "config", "mountPath": _CONFIG, "readOnly": True}],
    }
    pod = {
        **_POD,
        "containers": [container],
        "volumes": [{"name": "config", "configMap": {"name": name}}],
    }
    spec = {
        "replicas": 1,
        "strategy": {"type": "Recreate"},  # two of one consumer group would each see half of the vectors
        "selector": {"matchLabels": _chosen(tags)},
        "template": {"metadata": {"labels": tags, "annotations": {_FIXED: fingerprint(fixed)}}, "spec": pod},
    }
    return [
        _made("v1", "ConfigMap", name, document, tags, data={"config.json": text}),
        _made("apps/v1", "Deployment", name, document, tags, spec=spec),
    ]


_RESTRICTED = {
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


def _executor_pod(name: str, policy: str, workload: Workload, config: OperatorConfig) -> dict[str, Any]:
    """The executor alone on its CPUs; beside it, on a fraction of another, what follows the policy for it.

    The follower is a sidecar that starts first (an init container that is restarted always): it writes the executor's
    configuration and writes it anew when the policy changes, with the operator or without. It has the pod's only token.
    """
    wanted = config.resources
    follower = {
        "name": "policy",
        "image": config.images.operator,
        "restartPolicy": "Always",
        "command": ["python", "-m", "tradewind.operators.follow"],
        "args": [
            f"--policy={policy}",
            f"--namespace={config.namespace}",
            f"--site={_SITE}/site.json",
            f"--out={_CONFIG}/config.json",
            f"--state={STATE_DIR}",
            f"--port={PORT}",
        ],
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "resources": _exactly(wanted.follower_cpu, wanted.follower_memory),
        "securityContext": _RESTRICTED,
        "startupProbe": {"httpGet": {"path": "/startz", "port": "http"}, "periodSeconds": 1, "failureThreshold": 120},
        "livenessProbe": {"httpGet": {"path": "/livez", "port": "http"}, "periodSeconds": 10},
        # Answers for the whole pod: a probe run in the executor's container would run on its CPU.
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 2},
        "volumeMounts": [
            {"name": "config", "mountPath": _CONFIG},
            {"name": "site", "mountPath": _SITE, "readOnly": True},
            {"name": "token", "mountPath": _TOKEN, "readOnly": True},
            {"name": "journal", "mountPath": STATE_DIR},
        ],
    }
    executor = {
        "name": "executor",
        "image": config.images.executor,
        "command": ["python", "-m", workload.module, "--config", f"{_CONFIG}/config.json"],
        "env": [
            {"name": key, "valueFrom": {"secretKeyRef": {"name": f"broker-{policy}", "key": key}}}
            for key in workload.secrets
        ],
        "resources": _exactly(str(wanted.executor_cpus), wanted.executor_memory),
        "securityContext": _RESTRICTED,
        "volumeMounts": [
            {"name": "config", "mountPath": _CONFIG, "readOnly": True},
            {"name": "journal", "mountPath": STATE_DIR},
        ],
    }
    token = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
    return {
        **_POD,
        "serviceAccountName": name,
        "initContainers": [follower],
        "containers": [executor],
        "volumes": [
            {"name": "config", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
            {"name": "site", "configMap": {"name": name}},
            {"name": "token", "projected": {"sources": token}},
        ],
    }


def _claim(config: OperatorConfig) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": config.resources.journal}},
    }
    if config.storage_class is not None:
        spec["storageClassName"] = config.storage_class
    return {"metadata": {"name": "journal"}, "spec": spec}


def _may(verbs: list[str], resource: str, names: list[str]) -> dict[str, Any]:
    return {"apiGroups": [API_VERSION.split("/")[0]], "resources": [resource], "resourceNames": names, "verbs": verbs}


def _exactly(cpu: str, memory: str) -> dict[str, Any]:
    return {"requests": {"cpu": cpu, "memory": memory}, "limits": {"cpu": cpu, "memory": memory}}


def _chosen(tags: dict[str, str]) -> dict[str, str]:
    return {key: tags[key] for key in ("app.kubernetes.io/name", "app.kubernetes.io/instance")}


def _made(api: str, kind: str, name: str, owner: Object, tags: dict[str, str], **content: Any) -> Object:
    owned_by = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    metadata = {
        "name": name,
        "namespace": owner["metadata"]["namespace"],
        "labels": tags,
        "ownerReferences": [owned_by],
    }
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **content}
