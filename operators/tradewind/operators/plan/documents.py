"""What the API server has of a document, as the models read it. Core."""

from __future__ import annotations

from tradewind.operators.plan.model import Object, World
from tradewind.specs import RiskPolicy, SpecError, Strategy
from tradewind.specs.loading import parse_document

_METADATA = ("name", "namespace", "generation", "uid")


def read(found: Object) -> Strategy | RiskPolicy:
    """The document. Raises SpecError whose text names the field and the fix."""
    metadata = {key: found["metadata"][key] for key in _METADATA if key in found["metadata"]}
    source = "document"
    plain = {"apiVersion": found["apiVersion"], "kind": found["kind"], "metadata": metadata, "spec": found["spec"]}
    unknown = sorted(set(found) - {*plain, "status"})
    if unknown:
        raise SpecError(f"{unknown[0]}: unknown field; remove it")
    try:
        return parse_document(plain, source)
    except SpecError as error:
        prefix = f"{source}: {found['kind']}/{found['metadata']['name']}: "
        raise SpecError(str(error).removeprefix(prefix)) from None


def strategies(world: World) -> list[Strategy]:
    """Every strategy that can be read and is not on its way out, oldest first."""
    made = []
    for found in world.of("Strategy"):
        if "deletionTimestamp" in found["metadata"]:
            continue
        try:
            document = read(found)
        except SpecError:
            continue  # its own status says so
        if isinstance(document, Strategy):
            made.append(document)
    return made


def policy(world: World, name: str) -> RiskPolicy | None:
    """A policy that is there and can be read."""
    found = world.get("RiskPolicy", name)
    if found is None or "deletionTimestamp" in found["metadata"]:
        return None
    try:
        document = read(found)
    except SpecError:
        return None
    return document if isinstance(document, RiskPolicy) else None
