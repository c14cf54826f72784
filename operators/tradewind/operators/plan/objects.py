"""The processes of an account and of a strategy as Kubernetes objects. Core."""

from __future__ import annotations

import json
from typing import Any

from tradewind.operators.config import OperatorConfig
from tradewind.operators.plan import podspec
from tradewind.operators.plan.difference import fingerprint
from tradewind.operators.plan.model import LABEL_POLICY, LABEL_STRATEGY, Object
from tradewind.operators.plan.podspec import CONFIG_DIR, FIXED, RESTRICTED, at_least, chosen, exactly
from tradewind.planning import Workload
from tradewind.planning.pods import EXECUTOR_METRICS_PORT, PROBES_PORT, STATE_DIR
from tradewind.specs.base import API_VERSION

_SITE, _TOKEN = "/etc/tradewind", "/var/run/secrets/kubernetes.io/serviceaccount"


def labels(part: str, document: Object, of: str = "") -> dict[str, str]:
    """Labels of everything made for a document; `of` tells two of one part apart (a dot is in no document's name)."""
    own = LABEL_POLICY if document["kind"] == "RiskPolicy" else LABEL_STRATEGY
    name = document["metadata"]["name"]
    return podspec.labels(part, f"{name}.{of}" if of else name, **{own: name})


def executor(
    document: Object,
    workload: Workload,
    strategies: list[str],
    fixed: Any,
    config: OperatorConfig,
    *,
    replicas: int = 1,
    shares: bool = False,
) -> list[Object]:
    """The objects of an executor: its account, what it may read, its site, and itself.

    `strategies` are the names it may read; `fixed` is the part of its configuration that needs a new pod; `replicas`
    is 0 while the kubelet refuses it; `shares`: it needs no CPU of its own.
    """
    name, tags = workload.name, labels("executor", document)
    site = config.for_followers()
    rules = [
        _may(["get", "list", "watch"], "riskpolicies", [document["metadata"]["name"]]),
        _may(["get"], "strategies", strategies),
        # To note on its own pod which CPUs the executor has.
        {"apiGroups": [""], "resources": ["pods"], "resourceNames": [f"{name}-0"], "verbs": ["patch"]},
    ]
    spec = {
        "serviceName": name,
        "replicas": replicas,
        "selector": {"matchLabels": chosen(tags)},
        "persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Retain"},
        "template": {
            "metadata": {"labels": tags, "annotations": {FIXED: fingerprint([fixed, site])}},
            "spec": _executor_pod(name, document["metadata"]["name"], workload, config, shares=shares),
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
        _made("v1", "Service", name, document, tags, spec={"clusterIP": "None", "selector": chosen(tags)}),
        _made("apps/v1", "StatefulSet", name, document, tags, spec=spec),
    ]


def signals(document: Object, workload: Workload, config: OperatorConfig, of: str = "") -> list[Object]:
    """The objects of a signal process: its configuration and itself. `of`: of which leg, if not the strategy's own."""
    name, tags = workload.name, labels("signals", document, of)
    text = json.dumps(workload.config, sort_keys=True)
    # An intent says which generation its process was started under; a limit alone needs no new process.
    fixed = {key: value for key, value in workload.config.items() if key != "policy_generation"}
    volumes = podspec.Volumes().config(name).certificates(config, predictor=True)
    container = {
        "name": "signals",
        "image": config.images.executor,
        **podspec.PROBED,
        "command": ["python", "-m", workload.module, "--config", f"{CONFIG_DIR}/config.json"],
        **podspec.told("signals", config),
        "resources": at_least(config.resources.signals_cpu, config.resources.signals_memory),
        "securityContext": RESTRICTED,
        "volumeMounts": volumes.mounts,
    }
    pod = {**podspec.pod("signals", config), "containers": [container], "volumes": volumes.volumes}
    spec = {
        "replicas": 1,
        "strategy": {"type": "Recreate"},  # two of one consumer group would each see half of the vectors
        "selector": {"matchLabels": chosen(tags)},
        "template": {"metadata": {"labels": tags, "annotations": {FIXED: fingerprint(fixed)}}, "spec": pod},
    }
    return [
        _made("v1", "ConfigMap", name, document, tags, data={"config.json": text}),
        _made("apps/v1", "Deployment", name, document, tags, spec=spec),
    ]


def _executor_pod(
    name: str, policy: str, workload: Workload, config: OperatorConfig, *, shares: bool
) -> dict[str, Any]:
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
            f"--pod={name}-0",
            f"--namespace={config.namespace}",
            f"--site={_SITE}/site.json",
            f"--out={CONFIG_DIR}/config.json",
            f"--state={STATE_DIR}",
            f"--port={PROBES_PORT}",
        ],
        "ports": [{"name": "http", "containerPort": PROBES_PORT, "protocol": "TCP"}],
        "resources": exactly(wanted.follower_cpu, wanted.follower_memory),
        "securityContext": RESTRICTED,
        "startupProbe": {"httpGet": {"path": "/startz", "port": "http"}, "periodSeconds": 1, "failureThreshold": 120},
        "livenessProbe": {"httpGet": {"path": "/livez", "port": "http"}, "periodSeconds": 10},
        # Answers for the whole pod: a probe run in the executor's container would run on its CPU.
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, "periodSeconds": 2},
        "volumeMounts": [
            {"name": "config", "mountPath": CONFIG_DIR},
            {"name": "site", "mountPath": _SITE, "readOnly": True},
            {"name": "token", "mountPath": _TOKEN, "readOnly": True},
            {"name": "journal", "mountPath": STATE_DIR},
        ],
    }
    authorities = podspec.Volumes().certificates(config, broker=True)
    executor = {
        "name": "executor",
        "image": config.images.executor,
        "command": ["python", "-m", workload.module, "--config", f"{CONFIG_DIR}/config.json"],
        "ports": [{"name": "metrics", "containerPort": EXECUTOR_METRICS_PORT, "protocol": "TCP"}],
        **podspec.told("executor", config, podspec.keys_of(f"broker-{policy}", workload.secrets)),
        "resources": exactly(
            wanted.executor_shared_cpu if shares else str(wanted.executor_cpus), wanted.executor_memory
        ),
        "securityContext": RESTRICTED,
        "volumeMounts": [
            {"name": "config", "mountPath": CONFIG_DIR, "readOnly": True},
            {"name": "journal", "mountPath": STATE_DIR},
            *authorities.mounts,
        ],
    }
    token = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    ]
    return {
        **podspec.pod("executor", config),
        "serviceAccountName": name,
        "initContainers": [follower],
        "containers": [executor],
        "volumes": [
            {"name": "config", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
            {"name": "site", "configMap": {"name": name}},
            {"name": "token", "projected": {"sources": token}},
            *authorities.volumes,
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


def _made(api: str, kind: str, name: str, owner: Object, tags: dict[str, str], **content: Any) -> Object:
    return podspec.owned(owner, podspec.made(api, kind, name, owner["metadata"]["namespace"], tags, **content))
