"""The configuration of an executor, from the documents as the API server has them. Core."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

from tradewind.operators import config
from tradewind.operators.plan import documents
from tradewind.operators.plan.model import Object, World, is_deleted, ref_of
from tradewind.planning.binding import bind
from tradewind.planning.legs import LEFT_SHARE, engine_legs, is_leg, owner_of, stand_of
from tradewind.planning.pods import ClusterSite, executor_pod
from tradewind.specs import RiskPolicy, SpecError, Strategy


def site(told: Mapping[str, object]) -> ClusterSite:
    """The site as the operator wrote it (OperatorConfig.for_followers)."""
    services = config.Services.model_validate(told["services"])
    features, port = told["default_features"], told["control_port"]
    assert isinstance(features, dict)
    assert isinstance(port, int)
    return config.site(services, features, port)


def bound(policy: Object, strategies: Sequence[Object]) -> list[Object]:
    """The legs of those of `strategies` that trade under the policy.

    Raises SpecError when the policy can't be followed.
    """
    document = _policy(policy)
    world = World({ref_of(s): s for s in strategies})
    verdicts = bind(document, documents.strategies(world))
    found = [s for s in world.of("Strategy") if (v := verdicts.get(s["metadata"]["name"])) is not None and v.bound]
    return [leg for s in found for leg in _legs(s)]


def _legs(found: Object) -> list[Object]:
    """The strategy as its executor has books for it: the legs of a Live one, which its status tells."""
    strategy = _strategy(found)
    if strategy.spec.mode != "Live":
        return [found]
    return [
        {
            **found,
            "metadata": {**found["metadata"], "uid": leg.uid},
            "spec": {**found["spec"], "capitalShare": leg.spec.capital_share, "mode": leg.spec.mode},
        }
        for leg in engine_legs(strategy, stand_of(found.get("status")))
    ]


def leaving(known: Sequence[Object], trading: Sequence[Object], now: Mapping[str, Object | None]) -> list[Object]:
    """Those of the `known` strategies that don't trade any more; who is deleted has a deletionTimestamp.

    `now` has what the API server has of each, by name: None where there is none; a name that may not be read isn't in
    it, and stays what it was. A strategy that is gone for good is deleted, too, however it went.
    """
    uids = {s["metadata"]["uid"] for s in trading}
    gone = [s for s in known if s["metadata"]["uid"] not in uids]
    return [_ended(s, uids, now) if is_leg(s["metadata"]["uid"]) else _latest(s, now) for s in gone]


def _ended(leg: Object, trading: Collection[str], now: Mapping[str, Object | None]) -> Object:
    """A challenger's leg that trades no more: its trial is over, or its strategy left and took it along."""
    name, owner = leg["metadata"]["name"], owner_of(leg["metadata"]["uid"])
    if owner in trading:
        return _marked({**leg, "spec": {**leg["spec"], "onDelete": "Flatten"}})
    if is_deleted(leg) or name not in now:
        return leg
    found = now[name]
    if found is None or found["metadata"]["uid"] != owner:
        return _marked(leg)
    how = found["spec"].get("onDelete", "Cancel")
    return _marked({**leg, "spec": {**leg["spec"], "onDelete": how}}) if is_deleted(found) else leg


def _latest(known: Object, now: Mapping[str, Object | None]) -> Object:
    name, uid = known["metadata"]["name"], known["metadata"]["uid"]
    if name not in now:
        return known
    found = now[name]
    if found is not None and found["metadata"]["uid"] == uid:
        try:
            documents.read(found)
        except SpecError:
            return _marked(known) if is_deleted(found) else known
        return found
    return _marked(known)


def _marked(known: Object) -> Object:
    return {**known, "metadata": {**known["metadata"], "deletionTimestamp": "gone"}}


def configuration(policy: Object, strategies: Sequence[Object], where: ClusterSite, left: Sequence[Object] = ()) -> str:
    """The executor's configuration file: these bound strategies, and those that `left` but may still hold something.

    With those of them that are deleted it is to do as their onDelete says. Raises SpecError when the policy can't be
    followed.
    """
    trading = [*(_strategy(s) for s in strategies), *(_leaving(_strategy(s)) for s in left)]
    document = _policy(policy)
    if not trading:
        raise SpecError(f"no Strategy is bound to RiskPolicy {document.metadata.name}")
    names = [s.metadata.name for s in trading]
    deleted = {s["metadata"]["uid"] for s in left if is_deleted(s)}
    allowing = document.model_copy(update={"spec": document.spec.model_copy(update={"strategies": names})})
    try:
        return json.dumps(executor_pod(allowing, trading, where, deleted).config, sort_keys=True)
    except ValueError as error:
        raise SpecError(str(error)) from None


def _policy(found: Object) -> RiskPolicy:
    document = documents.read(found)
    assert isinstance(document, RiskPolicy)
    return document


def _strategy(found: Object) -> Strategy:
    document = documents.read(found)
    assert isinstance(document, Strategy)
    return document


def _leaving(strategy: Strategy) -> Strategy:
    spec = strategy.spec.model_copy(update={"capital_share": LEFT_SHARE, "mode": "DryRun"})
    return strategy.model_copy(update={"spec": spec})
