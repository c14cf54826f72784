"""What the API server has of a document, as the models read it. Core."""

from __future__ import annotations

from tradewind.operators.plan.model import Object, Ref, World, is_deleted, is_held, ref_of
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
    made = [world.once(ref_of(found), _usable) for found in world.of("Strategy")]
    return [document for document in made if isinstance(document, Strategy)]


def policy(world: World, name: str) -> RiskPolicy | None:
    """A policy that is there and can be read. One on its way out is in force until nobody trades under it."""
    document = world.once(Ref("RiskPolicy", name), _usable)
    return document if isinstance(document, RiskPolicy) else None


def _usable(found: Object) -> Strategy | RiskPolicy | None:
    if is_deleted(found) and (found["kind"] == "Strategy" or not is_held(found)):
        return None
    try:
        return read(found)
    except SpecError:
        return None  # its own status says so
