"""YAML files → documents, or one line that names the file, the field and the fix. Shell (reads files)."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from tradewind.specs.base import API_VERSION, Document
from tradewind.specs.risk import RiskPolicy
from tradewind.specs.strategy import Strategy

_KINDS: dict[str, type[Strategy] | type[RiskPolicy]] = {"Strategy": Strategy, "RiskPolicy": RiskPolicy}


class SpecError(ValueError):
    """A document that can't be accepted; its text is one line that names file, field and fix."""


class _UniqueKeyLoader(yaml.SafeLoader):
    """SafeLoader that refuses a key given twice (YAML 1.2, 3.2.1.3): the second would silently win."""


def _unique_mapping(loader: _UniqueKeyLoader, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=deep)
        if key in seen:
            raise yaml.constructor.ConstructorError(None, None, f"key {key!r} is given twice", key_node.start_mark)
        seen.add(key)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


_UniqueKeyLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_mapping)


def load_documents(paths: Iterable[Path]) -> list[Strategy | RiskPolicy]:
    """All documents of the files, in order. Raises SpecError on the first that can't be accepted."""
    documents: list[Strategy | RiskPolicy] = []
    for path in paths:
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise SpecError(f"{path}: no such file; check the path given with -f") from None
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError(f"{path}: can't be read: {error}") from None
        documents.extend(parse_documents(text, str(path)))
    check_together(documents)
    return documents


def parse_documents(text: str, source: str) -> list[Strategy | RiskPolicy]:
    """The documents of one YAML text. `source` names it in errors."""
    try:
        raws = [raw for raw in yaml.load_all(text, Loader=_UniqueKeyLoader) if raw is not None]
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise SpecError(f"{source}: {where}not valid YAML: {problem}") from None
    if not raws:
        raise SpecError(f"{source}: holds no document; expected kind: Strategy or kind: RiskPolicy")
    return [parse_document(raw, source) for raw in raws]


def parse_document(raw: Any, source: str) -> Strategy | RiskPolicy:
    """One document as read from YAML or JSON. `source` names it in errors. Raises SpecError."""
    if not isinstance(raw, dict):
        raise SpecError(f"{source}: a document must be a mapping with apiVersion, kind, metadata and spec")
    kind = raw.get("kind")
    if raw.get("apiVersion") != API_VERSION:
        raise SpecError(f"{source}: apiVersion is {raw.get('apiVersion')!r}; write apiVersion: {API_VERSION}")
    model = _KINDS.get(kind) if isinstance(kind, str) else None
    if model is None:
        raise SpecError(f"{source}: kind is {kind!r}; write kind: Strategy or kind: RiskPolicy")
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        raise SpecError(f"{source}: {_first_error(error, model, raw)}") from None


def _first_error(error: ValidationError, model: type[Document], raw: dict[str, Any]) -> str:
    """One line for the first problem, with how many more there are."""
    problems = error.errors(include_url=False)
    first = problems[0]
    name = raw.get("metadata", {}).get("name", "?") if isinstance(raw.get("metadata"), dict) else "?"
    # A discriminator's tag is part of pydantic's location but not of the document.
    parts = [str(p) for p in first["loc"] if not (isinstance(p, str) and p in ("TripleBarrier", "ForwardReturn"))]
    path = ".".join(parts)
    message = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        near = get_close_matches(parts[-1], _keys(model, parts[:-1]), n=1)
        message = f"unknown field; did you mean {near[0]}?" if near else "unknown field; remove it"
    elif first["type"] == "missing":
        message = "required field is missing; add it"
    else:
        message = f"{message} (given: {first.get('input')!r})" if not isinstance(first.get("input"), dict) else message
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{model.__name__}/{name}: {path}: {message}{more}"


def _keys(model: Any, path: list[str]) -> list[str]:
    """Keys the document allows at `path`, for a suggestion."""
    for part in path:
        field = next((f for k, f in model.model_fields.items() if (f.alias or k) == part), None)
        annotation = getattr(field, "annotation", None)
        if not hasattr(annotation, "model_fields"):
            return []
        model = annotation
    return [f.alias or k for k, f in model.model_fields.items()]


def check_together(documents: list[Strategy | RiskPolicy]) -> None:
    """Rules that span documents: names are unique, each strategy's policy is there and allows it."""
    seen: set[str] = set()
    for document in documents:
        if document.uid in seen:
            raise SpecError(f"{document.kind}/{document.metadata.name} is given twice: rename one of them")
        seen.add(document.uid)
    policies = {d.metadata.name: d for d in documents if isinstance(d, RiskPolicy)}
    for strategy in (d for d in documents if isinstance(d, Strategy)):
        name, wanted = strategy.metadata.name, strategy.spec.risk_policy
        policy = policies.get(wanted)
        if not policies:
            continue
        if policy is None:
            raise SpecError(
                f"Strategy/{name}: spec.riskPolicy: no RiskPolicy {wanted!r} given, only {', '.join(sorted(policies))}"
            )
        if name not in policy.spec.strategies:
            raise SpecError(
                f"Strategy/{name}: RiskPolicy/{wanted} does not allow it; add {name} to its spec.strategies"
            )
        if strategy.spec.mode == "Live" and policy.spec.account != "live":
            raise SpecError(f"Strategy/{name}: spec.mode is Live but RiskPolicy/{wanted} is a paper account; use Paper")
    for policy in policies.values():
        bound = [d for d in documents if isinstance(d, Strategy) and d.spec.risk_policy == policy.metadata.name]
        total = sum(d.spec.capital_share for d in bound)
        if total > 1.0 + 1e-9:
            raise SpecError(
                f"RiskPolicy/{policy.metadata.name}: its strategies' spec.capitalShare add up to {total:.2f}; at most 1"
            )
