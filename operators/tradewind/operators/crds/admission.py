"""ValidatingAdmissionPolicies: what a schema can't say. Core.

A RiskPolicy in use isn't deleted, a kill switch is released in one's own name, and no field is ignored in silence.

An API server drops unknown fields unless the client asks for strict validation. So the definitions keep unknown fields,
and a policy refuses them for every client, `kubectl patch` and Helm among them. Where the policy is not installed, the
operator reads the field and says so in a condition. Fields that this version doesn't act on yet are warned of.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel

from tradewind.operators.crds.definitions import GROUP, KINDS, VERSION, Definition, definitions
from tradewind.operators.crds.rbac import OPERATOR
from tradewind.operators.crds.rules import NULLS
from tradewind.operators.crds.structural import PRESERVE
from tradewind.specs.base import is_in_effect

Schema = dict[str, Any]
(RISK_POLICY,) = (kind for kind in KINDS if kind.plural == "riskpolicies")


def admission() -> list[dict[str, Any]]:
    """Policies with their bindings."""
    made: list[dict[str, Any]] = [*_in_use(), *_released_by()]
    for kind, definition in zip(KINDS, definitions(), strict=True):
        schema = definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        denied = [*_unknown(schema, "object", []), *_dropped_nulls(kind.spec, "spec")]
        made += _policy(kind, "known-fields", "Deny", denied)
        made += _policy(kind, "fields-in-effect", "Warn", list(_without_effect(kind.spec, "spec")))
        made += _policy(kind, "operators-hands", "Deny", [_FINALIZERS_ONLY], ["UPDATE"])
    return made


# The operator may patch a document for its finalizer's sake; who may set limits is for people to say.
_FINALIZERS_ONLY = {
    "expression": f"request.userInfo.username != 'system:serviceaccount:' + request.namespace + ':{OPERATOR}' || "
    "object.spec == oldObject.spec",
    "message": "the operator's account changes no spec",
    "reason": "Forbidden",
}


def _in_use() -> list[dict[str, Any]]:
    """A policy that strategies trade under stays, or says that it waits for them.

    A namespace that goes takes both, in whatever order.
    Each Strategy of the namespace is a parameter, as the API server itself knows it: the policy's status would still
    name one that was deleted a moment before.
    """
    name, waits = "oldObject.metadata.name", "has(oldObject.spec.onDelete) && oldObject.spec.onDelete == 'Wait'"
    validation = {
        "expression": f"({waits}) || params.spec.riskPolicy != {name} || has(params.metadata.deletionTimestamp) || "
        "!(params.metadata.name in oldObject.spec.strategies)",
        "message": "a Strategy trades under this RiskPolicy: delete it first",
        "messageExpression": "'Strategy ' + params.metadata.name + ' trades under this RiskPolicy: delete it first'",
        "reason": "Forbidden",
    }
    ends = "request.userInfo.username == 'system:serviceaccount:kube-system:namespace-controller'"
    condition = {"name": "the-namespace-stays", "expression": f"!({ends})"}
    policy, binding = _policy(RISK_POLICY, "in-use", "Deny", [validation], ["DELETE"], [condition])
    (strategy,) = (kind for kind in KINDS if kind.plural == "strategies")
    policy["spec"]["paramKind"] = {"apiVersion": f"{GROUP}/{VERSION}", "kind": strategy.kind}
    binding["spec"]["paramRef"] = {"selector": {}, "parameterNotFoundAction": "Allow"}
    return [policy, binding]


def _released_by() -> list[dict[str, Any]]:
    """Whoever releases the kill switch says so in their own name, which the API server knows."""
    said, before = "object.spec.killSwitch.releasedBy", "oldObject.spec.killSwitch.releasedBy"
    validation = {
        "expression": f"{said} == '' || {said} == request.userInfo.username || "
        f"(oldObject != null && {said} == {before})",
        "message": "spec.killSwitch.releasedBy: write your own name as the API server knows it",
        "messageExpression": "'spec.killSwitch.releasedBy: write your own name, ' + request.userInfo.username",
        "reason": "Forbidden",
    }
    return _policy(RISK_POLICY, "released-by", "Deny", [validation])


def _policy(
    kind: Definition,
    what: str,
    action: str,
    validations: list[Schema],
    operations: Sequence[str] = ("CREATE", "UPDATE"),
    conditions: Sequence[Schema] = (),
) -> list[dict[str, Any]]:
    if not validations:
        return []
    name = f"{what}.{kind.plural}.{GROUP}"
    rule = {
        "apiGroups": [GROUP],
        "apiVersions": [VERSION],
        "operations": list(operations),
        "resources": [kind.plural],
    }
    return [
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "failurePolicy": "Fail",
                "matchConstraints": {"resourceRules": [rule]},
                **({"matchConditions": list(conditions)} if conditions else {}),
                "validations": validations,
            },
        },
        {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "ValidatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {"policyName": name, "validationActions": [action]},
        },
    ]


def _unknown(schema: Schema, at: str, loops: list[str]) -> Iterator[Schema]:
    """One validation per object of the schema; `loops` are the lists on the way, `at` the object in CEL."""
    if PRESERVE in schema:
        yield _only(sorted(schema["properties"]), at, loops)
    for name, inner in schema.get("properties", {}).items():
        if inner.get("type") == "object":
            yield from _unknown(inner, f"{at}.{name}", loops)
        elif inner.get("type") == "array" and inner["items"].get("type") == "object":
            if loops:
                raise NotImplementedError(f"{at}.{name}: a list of objects within a list of objects")
            yield from _unknown(inner["items"], "item", [f"{at}.{name}"])


def _only(known: list[str], at: str, loops: list[str]) -> Schema:
    allowed = json.dumps(known).replace('"', "'")
    # dyn: the checker knows objects by their fields; as maps, all keys that are there can be looked at.
    expression, unknown = f"dyn({at}).all(k, k in {allowed})", f"dyn({at}).filter(k, !(k in {allowed}))[0]"
    where = at
    if loops:
        (items,) = loops
        unknown = f"dyn({items}.filter(item, !{expression})[0]).filter(k, !(k in {allowed}))[0]"
        expression = f"{items}.all(item, {expression})"
        where = f"{items}[]"
    path = where.removeprefix("object").removeprefix(".") or "the document"
    return {
        "expression": expression,
        "message": f"{path} has an unknown field",
        "messageExpression": f"'{path}: unknown field ' + {unknown} + '; known are {', '.join(known)}'",
    }


APPLIED = "kubectl.kubernetes.io/last-applied-configuration"


def _dropped_nulls(model: type[BaseModel], path: str) -> Iterator[Schema]:
    """`kubectl apply` sends no nulls, and the defaults would hold; what was written is in its annotation."""
    for name, info in model.model_fields.items():
        alias = info.alias or name
        if (model, name) in NULLS:
            blank = json.dumps(NULLS[model, name])
            yield {
                "expression": f"!has(object.metadata.annotations) || !('{APPLIED}' in object.metadata.annotations) || "
                f"!object.metadata.annotations['{APPLIED}'].contains('\"{alias}\":null')",
                "message": f"{path}.{alias}: kubectl apply drops null, so the default would hold; write {blank}",
            }
        elif isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _dropped_nulls(info.annotation, f"{path}.{alias}")


def _without_effect(model: type[BaseModel], path: str) -> Iterator[Schema]:
    for name, info in model.model_fields.items():
        where = f"{path}.{info.alias or name}"
        if not is_in_effect(info.json_schema_extra):
            default = info.get_default(call_default_factory=True, validated_data={})
            unset = f"!has(object.{where})"
            same = "" if default is None else f" || object.{where} == {json.dumps(default)}"
            yield {
                "expression": unset + same,
                "message": f"{where} is set, but this version does not act on it yet",
            }
        elif isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            yield from _without_effect(info.annotation, where)
