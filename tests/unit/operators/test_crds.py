"""The definitions are made from the models, whole: every field, default, constraint and validator."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from tradewind.operators.crds import admission, definitions
from tradewind.operators.crds.__main__ import files
from tradewind.operators.crds.rules import BOUNDS, ENUMERATED, LIMIT_PATHS, NOT_CEL, NULLS, RULES, SETS
from tradewind.specs import RiskPolicySpec, StrategySpec
from tradewind.specs.risk import Override

CHART = Path(__file__).parents[3] / "charts" / "tradewind"
SPECS: dict[str, type[BaseModel]] = {"Strategy": StrategySpec, "RiskPolicy": RiskPolicySpec}
LEAST: dict[str, Any] = {
    "Strategy": {"riskPolicy": "paper", "universe": {"symbols": ["AAPL"]}},
    "RiskPolicy": {"strategies": ["momentum"]},
}
# JSONSchemaProps of apiextensions.k8s.io/v1, as far as a structural schema may use them.
DIALECT = {
    "type", "format", "description", "default", "nullable", "enum", "properties", "required",
    "additionalProperties", "items", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "minLength", "maxLength", "pattern", "minItems", "maxItems", "maxProperties", "x-kubernetes-validations",
    "x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-preserve-unknown-fields",
}  # fmt: skip


def schemas() -> dict[str, dict[str, Any]]:
    return {d["spec"]["names"]["kind"]: d["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for d in definitions()}


def nodes(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from nodes(inner, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key], f"{path}[]")


def models(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    yield model
    for info in model.model_fields.values():
        for inner in within(info.annotation):
            yield from models(inner)


def within(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in within(part)]


def defaulted(schema: dict[str, Any], value: Any) -> Any:
    """What an API server makes of a value (apiextensions.k8s.io/v1, "Defaulting"): top down, each absent field."""
    if isinstance(value, list):
        return [defaulted(schema.get("items", {}), item) for item in value]
    if not isinstance(value, dict):
        return value
    made = dict(value)
    for name, inner in schema.get("properties", {}).items():
        if name not in made and "default" in inner:
            made[name] = copy.deepcopy(inner["default"])
        if name in made:
            made[name] = defaulted(inner, made[name])
    return made


@pytest.mark.parametrize("path", sorted(files()))
def test_the_charts_files_are_what_the_models_say(path: str) -> None:
    assert (CHART / path).read_text(encoding="utf-8") == files()[path], f"{path} is not up to date; run make crds"


def test_the_chart_has_no_other_definitions() -> None:
    assert {f"crds/{p.name}" for p in (CHART / "crds").iterdir()} == {p for p in files() if p.startswith("crds/")}


@pytest.mark.parametrize("kind", SPECS)
def test_every_node_is_of_the_dialect_and_described(kind: str) -> None:
    found = list(nodes(schemas()[kind], kind))
    assert len(found) > 60
    for path, schema in found:
        assert set(schema) <= DIALECT, path
        assert schema["type"] in ("object", "array", "string", "number", "integer", "boolean"), path
        if not path.endswith(("[]", ".metadata")):
            assert schema["description"].strip().endswith((".", ")")) or path.count(".") == 1, (
                f"{path} has no description"
            )


@pytest.mark.parametrize("kind", SPECS)
def test_every_field_of_the_models_is_there_and_no_other(kind: str) -> None:
    def compare(model: type[BaseModel], schema: dict[str, Any]) -> None:
        aliases = {info.alias or name: info for name, info in model.model_fields.items()}
        assert set(schema["properties"]) == set(aliases), model
        for alias, info in aliases.items():
            inner = schema["properties"][alias]
            parts = within(info.annotation)
            if len(parts) == 1:
                compare(parts[0], inner["items"] if inner["type"] == "array" else inner)
            elif parts:
                assert set(inner["properties"]) == {f.alias or n for p in parts for n, f in p.model_fields.items()}

    compare(SPECS[kind], schemas()[kind]["properties"]["spec"])


@pytest.mark.parametrize("kind", SPECS)
@pytest.mark.parametrize("fill", [False, True], ids=["absent", "empty objects"])
def test_defaults_are_the_models_own(kind: str, fill: bool) -> None:
    schema = schemas()[kind]["properties"]["spec"]
    least = copy.deepcopy(LEAST[kind])
    if fill:  # an object that is there but empty gets its fields' own defaults
        for name, inner in schema["properties"].items():
            if inner["type"] == "object" and name not in least:
                least[name] = {}
    made = defaulted(schema, least)
    assert set(made) > set(LEAST[kind])
    assert SPECS[kind].model_validate(made) == SPECS[kind].model_validate(LEAST[kind])
    absent_or_null = SPECS[kind].model_validate(LEAST[kind]).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert defaulted(schema, made) == made
    assert set(made) == set(absent_or_null)


@pytest.mark.parametrize("kind", SPECS)
def test_every_validator_has_its_rule(kind: str) -> None:
    covered = {(model, rule.stands_for) for model, rules in RULES.items() for rule in rules if rule.stands_for}
    covered |= {(model, name) for (model, _), name in SETS.items()} | set(ENUMERATED.items())
    covered |= {(model, name) for model, names in NOT_CEL.items() for name in names}
    validators = {
        (model, name)
        for model in models(SPECS[kind])
        for name in (*model.__pydantic_decorators__.model_validators, *model.__pydantic_decorators__.field_validators)
    }
    assert validators
    missing = {f"{model.__name__}.{name}" for model, name in validators - covered}
    assert not missing, f"write these in CEL in operators/crds/rules.py, or list them in NOT_CEL: {sorted(missing)}"


def test_the_tables_name_only_what_there_is() -> None:
    known = {*models(StrategySpec), *models(RiskPolicySpec)}
    assert set(RULES) <= known
    for model, field in (*SETS, *BOUNDS, *NULLS, *LIMIT_PATHS):
        assert model in known
        assert field in model.model_fields
    for model, rules in RULES.items():
        decorators = model.__pydantic_decorators__
        for rule in rules:
            if rule.stands_for:
                assert rule.stands_for in {*decorators.model_validators, *decorators.field_validators}


def test_a_null_that_is_not_absence_has_another_spelling() -> None:
    """`kubectl apply` drops nulls; a field whose default is no null needs a way to say null."""
    needing = {
        (model, name)
        for spec in SPECS.values()
        for model in models(spec)
        for name, info in model.model_fields.items()
        if type(None) in get_args(info.annotation) and info.get_default() is not None
    }
    assert needing == set(NULLS)
    for (model, name), blank in NULLS.items():
        field = {"symbols": ["AAPL"], model.model_fields[name].alias or name: blank}
        assert getattr(model.model_validate({k: v for k, v in field.items() if k in allowed(model)}), name) is None


def allowed(model: type[BaseModel]) -> set[str]:
    return {info.alias or name for name, info in model.model_fields.items()}


def test_an_override_names_each_limit_that_is_a_number() -> None:
    paths = LIMIT_PATHS[Override, "limit"]
    assert {"position.maxShare", "order.maxNotional", "loss.daily", "order.turnoverPerDay"} <= set(paths)
    assert "session.calendar" not in paths
    assert "shorting" not in paths
    accepted = set()
    for path in paths:
        for value in (1, 0.5, 30, 64, 0.01, 0.001):
            try:
                RiskPolicySpec.model_validate(
                    {
                        "strategies": ["a"],
                        "limits": {"order": {"turnoverPerDay": 3}},  # an override changes a limit that there is
                        "overrides": [
                            {
                                "limit": path,
                                "value": value,
                                "until": "2027-01-01T00:00:00Z",
                                "by": "Ann",
                                "reason": "test",
                            }
                        ],
                    }
                )
                accepted.add(path)
            except ValueError:
                continue
    assert accepted == set(paths)


def test_admission_denies_unknown_fields_of_every_object() -> None:
    policies = {p["metadata"]["name"]: p["spec"] for p in admission() if p["kind"] == "ValidatingAdmissionPolicy"}
    bindings = {
        p["metadata"]["name"]: p["spec"] for p in admission() if p["kind"] == "ValidatingAdmissionPolicyBinding"
    }
    assert set(policies) == set(bindings)
    for kind, plural in (("Strategy", "strategies"), ("RiskPolicy", "riskpolicies")):
        name = f"known-fields.{plural}.tradewind.dev"
        objects = [s for _, s in nodes(schemas()[kind], kind) if s.get("x-kubernetes-preserve-unknown-fields")]
        looked_at = [v for v in policies[name]["validations"] if "unknown field" in v["message"]]
        assert len(looked_at) == len(objects) > 10
        assert bindings[name]["validationActions"] == ["Deny"]
        assert policies[name]["failurePolicy"] == "Fail"
