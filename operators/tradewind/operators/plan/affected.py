"""Whose plan may change when an object does. Core."""

from __future__ import annotations

from tradewind.operators.plan.model import LABEL_POLICY, LABEL_SHARED, LABEL_STRATEGY, Object, Ref, World, ref_of
from tradewind.operators.plan.shared import SHARED


def affected(world: World, changed: Object) -> set[Ref]:
    """The documents to look at again when `changed` came, changed or went."""
    name = changed["metadata"]["name"]
    if changed["kind"] == "RiskPolicy":
        return {Ref("RiskPolicy", name), *_naming(world, name), SHARED}
    if changed["kind"] == "Strategy":
        policy = _policy(changed)
        # Whoever shares the account may get the capital that this one frees.
        sharing = {Ref("RiskPolicy", policy), *_naming(world, policy)} if policy else set()
        return {Ref("Strategy", name), *sharing, SHARED}
    labels = changed["metadata"].get("labels", {})
    if LABEL_SHARED in labels:
        return {SHARED, *(ref_of(s) for s in world.of("Strategy"))}
    owners = (("RiskPolicy", labels.get(LABEL_POLICY)), ("Strategy", labels.get(LABEL_STRATEGY)))
    return {Ref(kind, owner) for kind, owner in owners if owner}


def _naming(world: World, policy: str) -> set[Ref]:
    return {Ref("Strategy", s["metadata"]["name"]) for s in world.of("Strategy") if _policy(s) == policy}


def _policy(strategy: Object) -> str | None:
    named = strategy.get("spec", {}).get("riskPolicy")
    return named if isinstance(named, str) else None
