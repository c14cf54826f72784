"""What the API server has of a document, as the models read it. Core."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from tradewind.operators.plan.model import Object, Ref, World, is_deleted, is_held, ref_of
from tradewind.specs import RiskPolicy, SpecError, Strategy
from tradewind.specs.loading import parse_document

Item = TypeVar("Item")
Key = TypeVar("Key")
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


def known(world: World, ref: Ref) -> Strategy | RiskPolicy | None:
    """The document, if it is there. Raises SpecError as `read` does."""
    made = world.once(ref, _tried)
    if isinstance(made, SpecError):
        raise SpecError(str(made))
    return made


def strategies(world: World) -> Sequence[Strategy]:
    """Every strategy that can be read and is not on its way out, oldest first."""
    return world.gathered("Strategy", _gathered).every


def of_policy(world: World, name: str) -> Sequence[Strategy]:
    """Those of them that name the policy."""
    return world.gathered("Strategy", _gathered).by_policy.get(name, ())


def of_model(world: World, name: str) -> Sequence[Strategy]:
    """Those of them that share the model."""
    return world.gathered("Strategy", _gathered).by_model.get(name, ())


def naming(world: World, policy: str) -> Sequence[Object]:
    """Every strategy that names the policy as the API server has it, readable or not, but for its status."""
    return world.gathered("Strategy", _naming).get(policy, ())


def policy_named(strategy: Object) -> str | None:
    """The policy that a strategy names, which may be one that can't be read."""
    named = strategy.get("spec", {}).get("riskPolicy")
    return named if isinstance(named, str) else None


def policy(world: World, name: str) -> RiskPolicy | None:
    """A policy that is there and can be read. One on its way out is in force until nobody trades under it."""
    found = world.get("RiskPolicy", name)
    document = _usable(found, world) if found is not None else None
    return document if isinstance(document, RiskPolicy) else None


@dataclass(frozen=True)
class _Strategies:
    every: Sequence[Strategy]
    by_policy: Mapping[str, Sequence[Strategy]]
    by_model: Mapping[str, Sequence[Strategy]]


def _gathered(world: World) -> _Strategies:
    made = (_usable(found, world) for found in world.of("Strategy"))
    every = [document for document in made if isinstance(document, Strategy)]
    by_policy = _grouped(every, lambda strategy: strategy.spec.risk_policy)
    return _Strategies(every, by_policy, _grouped(every, lambda strategy: strategy.model_name))


def _naming(world: World) -> Mapping[str | None, Sequence[Object]]:
    return _grouped(world.of("Strategy"), policy_named)


def _grouped(every: Iterable[Item], key: Callable[[Item], Key]) -> Mapping[Key, Sequence[Item]]:
    found: defaultdict[Key, list[Item]] = defaultdict(list)
    for one in every:
        found[key(one)].append(one)
    return dict(found)


def _usable(found: Object, world: World) -> Strategy | RiskPolicy | None:
    if is_deleted(found) and (found["kind"] == "Strategy" or not is_held(found)):
        return None
    made = world.once(ref_of(found), _tried)
    return None if isinstance(made, SpecError) else made  # its own status says so


def _tried(found: Object) -> Strategy | RiskPolicy | SpecError:
    try:
        return read(found)
    except SpecError as error:
        return error
