"""A pydantic model as a structural OpenAPI v3 schema, the dialect of CustomResourceDefinitions. Core.

Kubernetes' dialect differs from JSON Schema (apiextensions.k8s.io/v1 JSONSchemaProps): no `$ref`, no `const`,
`nullable` in place of a union with null, bounds that are exclusive by a flag, and `oneOf` may not declare fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from tradewind.operators.crds.rules import BOUNDS, LIMIT_PATHS, NULLS, RULES, SETS, WORDINGS, ZONED
from tradewind.specs.base import is_in_effect

Schema = dict[str, Any]
PRESERVE = "x-kubernetes-preserve-unknown-fields"
_KEPT = ("type", "format", "enum", "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems")


def structural(model: type[BaseModel]) -> Schema:
    """The schema of an object of `model`.

    Unknown fields are kept, not pruned: pruned, nobody could refuse them (see `admission`), and a client that doesn't
    ask for strict validation would lose them in silence.
    """
    schema: Schema = {
        "type": "object",
        "description": _sentence(model.__doc__ or ""),
        "properties": {alias: _field(model, name, info) for name, alias, info in _fields(model)},
        PRESERVE: True,
    }
    required = [alias for _, alias, info in _fields(model) if info.is_required()]
    if required:
        schema["required"] = required
    if model in RULES:
        schema["x-kubernetes-validations"] = [rule.as_validation() for rule in RULES[model]]
    return schema


def _fields(model: type[BaseModel]) -> Iterator[tuple[str, str, FieldInfo]]:
    for name, info in model.model_fields.items():
        yield name, info.alias or name, info


def _field(model: type[BaseModel], name: str, info: FieldInfo) -> Schema:
    if (model, name) in LIMIT_PATHS:
        schema: Schema = {"type": "string", "enum": LIMIT_PATHS[model, name]}
    else:
        described = model.model_json_schema(by_alias=True)["properties"][info.alias or name]
        schema = _convert(described, {m.__name__: m for m in _models(info.annotation)})
    about = " ".join(text for text in (info.description, schema.get("description")) if text)
    if not is_in_effect(info.json_schema_extra):
        about += " This version does not act on it yet."
    schema["description"] = about
    if (model, name) in SETS:
        schema["x-kubernetes-list-type"] = "set"
    if (model, name) in NULLS:
        schema = _may_be_blank(schema)
    schema |= BOUNDS.get((model, name), {})
    default = _default(info)
    if default is not None:
        schema["default"] = default
    return schema


def _may_be_blank(schema: Schema) -> Schema:
    """The schema with "" (or 0) as a spelling of null."""
    rules = [{**r, "rule": f"self == '' || {r['rule']}"} for r in schema.get("x-kubernetes-validations", [])]
    kept = {k: v for k, v in schema.items() if k not in ("exclusiveMinimum", "x-kubernetes-validations")}
    return {**kept, "x-kubernetes-validations": rules} if rules else kept


def _default(info: FieldInfo) -> Any:
    """What Kubernetes writes when the field is absent; an object's is whole, because its rules are checked on it."""
    value = info.get_default(call_default_factory=True, validated_data={})
    if info.is_required() or value is None:
        return None
    return TypeAdapter(type(value)).dump_python(value, mode="json", by_alias=True, exclude_none=True)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models that an annotation names, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]


def _convert(json: Schema, models: dict[str, type[BaseModel]]) -> Schema:
    json = {k: v for k, v in json.items() if k not in ("title", "default", "$defs")}
    if "$ref" in json:
        return structural(models[json["$ref"].rsplit("/", 1)[1]])
    if "oneOf" in json:
        return _union([models[part["$ref"].rsplit("/", 1)[1]] for part in json["oneOf"]])
    if "anyOf" in json:
        (inner,) = [part for part in json["anyOf"] if part.get("type") != "null"]
        return {**_convert(inner, models), "nullable": True}
    return _leaf(json, models)


def _leaf(json: Schema, models: dict[str, type[BaseModel]]) -> Schema:
    schema: Schema = {key: json[key] for key in _KEPT if key in json}
    if "const" in json:
        schema["enum"] = [json["const"]]
    if json.get("type") == "integer":
        schema["format"] = "int64"
    for bound, flag in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        # The tighter of the two counts; an exclusive bound at the same value is the tighter one.
        if flag in json and not (bound in json and _looser(bound, json[flag], json[bound])):
            schema |= {bound: json[flag], flag: True}
    if "pattern" in json:
        schema |= WORDINGS[json["pattern"]].as_schema()
    if json.get("format") == "date-time":
        # Kubernetes' own format takes a time without a zone.
        schema = {"type": "string", **ZONED.as_schema()}
    if json.get("type") == "array":
        schema["items"] = _convert(json["items"], models)
    if json.get("type") == "object":
        schema |= _mapping(json, models)
    return schema


def _looser(bound: str, exclusive: float, inclusive: float) -> bool:
    return exclusive < inclusive if bound == "minimum" else exclusive > inclusive


def _mapping(json: Schema, models: dict[str, type[BaseModel]]) -> Schema:
    """Free keys; a pattern of theirs becomes a rule, because the dialect has no patternProperties."""
    if "patternProperties" in json:
        ((pattern, inner),) = json["patternProperties"].items()
        rule = WORDINGS[pattern].as_key_rule()
        return {"additionalProperties": _convert(inner, models), "x-kubernetes-validations": [rule]}
    return {"additionalProperties": _convert(json["additionalProperties"], models)}


def _union(models: list[type[BaseModel]]) -> Schema:
    """Objects told apart by `kind` as one object with the fields of all; which kind may have which is a rule.

    A field's default is in its description only: it depends on the kind, and pydantic fills it in.
    """
    parts = [structural(model) for model in models]
    kinds = [part["properties"]["kind"]["enum"][0] for part in parts]
    merged: Schema = {
        "type": "object",
        "description": " ".join(f"{kind}: {part['description']}" for kind, part in zip(kinds, parts, strict=True)),
        "properties": {"kind": {"type": "string", "enum": kinds, "description": "Which of them."}},
        "required": ["kind"],
        PRESERVE: True,
    }
    owners: dict[str, list[str]] = {}
    for kind, part in zip(kinds, parts, strict=True):
        for name, schema in part["properties"].items():
            if name == "kind":
                continue
            owners.setdefault(name, []).append(kind)
            told = merged["properties"].setdefault(name, {k: v for k, v in schema.items() if k != "default"})
            if "default" in schema:
                told["description"] += f" {kind}: {schema['default']:g} by default."
    merged["x-kubernetes-validations"] = [
        {
            "rule": f"!has(self.{name}) || self.kind in {_listed(of)}",
            "message": f"{name} belongs to kind {' or '.join(of)}: remove it, or change kind",
            "fieldPath": f".{name}",
        }
        for name, of in owners.items()
        if len(of) < len(kinds)
    ]
    return merged


def _listed(names: list[str]) -> str:
    return "[" + ", ".join(f"'{name}'" for name in names) + "]"


def _sentence(doc: str) -> str:
    """A docstring as one line."""
    return re.sub(r"\s+", " ", doc).strip()
