"""Whose plan may change when an object does. Core."""

from __future__ import annotations

from tradewind.operators.plan import documents
from tradewind.operators.plan.model import LABEL_POLICY, LABEL_SHARED, LABEL_STRATEGY, Object, Ref, World, ref_of
from tradewind.operators.plan.models import MODEL
from tradewind.operators.plan.serving import SERVING
from tradewind.operators.plan.shared import SHARED


def affected(world: World, changed: Object) -> set[Ref]:
    """The documents to look at again when `changed` came, changed or went."""
    name = changed["metadata"]["name"]
    if changed["kind"] == "RiskPolicy":
        return {Ref("RiskPolicy", name), *_with_models(world, _naming(world, name)), SHARED, SERVING}
    if changed["kind"] == "Strategy":
        policy = documents.policy_named(changed)
        # Whoever shares the account may get the capital that this one frees.
        sharing = {Ref("RiskPolicy", policy), *_naming(world, policy)} if policy else set()
        return {Ref("Strategy", name), *_with_models(world, sharing), Ref(MODEL, _model(changed)), SHARED, SERVING}
    labels = changed["metadata"].get("labels", {})
    if LABEL_SHARED in labels:
        return {SHARED, *(ref_of(s) for s in world.of("Strategy"))}
    owners = (("RiskPolicy", labels.get(LABEL_POLICY)), ("Strategy", labels.get(LABEL_STRATEGY)))
    concerned = {Ref(kind, owner) for kind, owner in owners if owner}
    if changed["kind"] == "Pod" and LABEL_POLICY in labels:
        # What is noted on it says whether they trade, and whether somebody who doesn't needs prices.
        concerned |= {*_naming(world, labels[LABEL_POLICY]), SHARED}
    return concerned


def observed(world: World, told: Object) -> set[Ref]:
    """The same for what another service told."""
    if told["kind"] in ("Heard", "ServeApplications"):
        return everything(world)
    name = told["model"] if told["kind"] in ("RayJob", "Refused") else told["metadata"]["name"]
    if name == SERVING.name and told["kind"] == "Refused":
        return {ref_of(s) for s in world.of("Strategy")}
    concerned = {ref_of(s) for s in world.of("Strategy") if _model(s) == name}
    return concerned if told["kind"] == "Refused" else {*concerned, Ref(MODEL, name), SERVING}


def everything(world: World) -> set[Ref]:
    """Every document, and what they share."""
    documents = {ref_of(o) for kind in ("RiskPolicy", "Strategy") for o in world.of(kind)}
    return {*_with_models(world, documents), SHARED, SERVING}


def _with_models(world: World, documents: set[Ref]) -> set[Ref]:
    found = [o for ref in documents if ref.kind == "Strategy" and (o := world.get(*ref)) is not None]
    return {*documents, *(Ref(MODEL, _model(o)) for o in found)}


def _model(strategy: Object) -> str:
    named = strategy.get("spec", {}).get("model")
    return named if isinstance(named, str) else str(strategy["metadata"]["name"])


def _naming(world: World, policy: str) -> set[Ref]:
    return {ref_of(s) for s in documents.naming(world, policy)}
