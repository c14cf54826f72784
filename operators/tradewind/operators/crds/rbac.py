"""Who may do what: the operator's account, and roles for people. Core.

Strategies and limits are different people's: whoever writes strategies may read the limits and not touch them.
"""

from __future__ import annotations

from typing import Any

from tradewind.operators.crds.definitions import GROUP

OPERATOR = "tradewind-operator"
_RBAC = "rbac.authorization.k8s.io"
_READ = ["get", "list", "watch"]
_WRITE = ["create", "update", "patch", "delete"]


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def operator_rules() -> list[dict[str, Any]]:
    """What the operator does, within its namespace. It reads no Secret.

    Server-side apply of what is not there yet needs create beside patch. The right to read documents and to patch pods
    is also what it hands on to executors, by name: nobody can grant more than they have.
    """
    return [
        # Patched for its finalizer: an admission policy keeps it from anything else.
        _rule(GROUP, ["riskpolicies", "strategies"], [*_READ, "patch"]),
        _rule(GROUP, ["riskpolicies/status", "strategies/status"], ["patch"]),
        # Owner references that block deletion, where the API server enforces who may set them.
        _rule(GROUP, ["riskpolicies/finalizers", "strategies/finalizers"], ["update"]),
        _rule("apps", ["statefulsets"], ["list", "watch", "create", "patch"]),
        _rule("apps", ["deployments"], ["list", "watch", "create", "patch", "delete"]),
        _rule("batch", ["jobs"], ["list", "watch", "create", "patch", "delete"]),
        _rule("", ["configmaps"], ["list", "watch", "create", "patch", "delete"]),
        _rule("", ["serviceaccounts", "services"], ["list", "watch", "create", "patch"]),
        _rule(_RBAC, ["roles", "rolebindings"], ["list", "watch", "create", "patch"]),
        _rule("", ["pods"], ["list", "watch", "patch", "delete"]),
        _rule("", ["events"], ["create"]),
        _rule("coordination.k8s.io", ["leases"], ["get", "create", "update"]),
    ]


def operator() -> list[dict[str, Any]]:
    """The operator's account with its role; a template of the chart."""
    subject = {"kind": "ServiceAccount", "name": OPERATOR, "namespace": "{{ .Release.Namespace }}"}
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": OPERATOR}},
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "Role",
            "metadata": {"name": OPERATOR},
            "rules": operator_rules(),
        },
        {
            "apiVersion": f"{_RBAC}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": OPERATOR},
            "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": OPERATOR},
            "subjects": [subject],
        },
    ]


def people() -> list[dict[str, Any]]:
    """Roles to bind people to, namespace by namespace. Who may view a namespace sees its documents."""
    both = ["riskpolicies", "strategies"]
    return [
        _cluster_role("tradewind-strategy-author", [_rule(GROUP, ["strategies"], _WRITE), _rule(GROUP, both, _READ)]),
        _cluster_role("tradewind-risk-manager", [_rule(GROUP, ["riskpolicies"], _WRITE), _rule(GROUP, both, _READ)]),
        _cluster_role("tradewind-viewer", [_rule(GROUP, both, _READ)], to="view"),
    ]


def _cluster_role(name: str, rules: list[dict[str, Any]], to: str = "") -> dict[str, Any]:
    labels = {"labels": {f"{_RBAC}/aggregate-to-{to}": "true"}} if to else {}
    return {"apiVersion": f"{_RBAC}/v1", "kind": "ClusterRole", "metadata": {"name": name, **labels}, "rules": rules}
