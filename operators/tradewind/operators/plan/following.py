"""The configuration of an executor, from the documents as the API server has them. Core."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from tradewind.operators import config
from tradewind.operators.plan import documents
from tradewind.operators.plan.model import Object, World, ref_of
from tradewind.planning.binding import bind
from tradewind.planning.pods import ClusterSite, executor_pod
from tradewind.specs import RiskPolicy, SpecError, Strategy

# What a strategy that left but still holds something has of the capital: enough to be one, too little for new risk.
LEFT_SHARE = 1e-6


def site(told: Mapping[str, object]) -> ClusterSite:
    """The site as the operator wrote it (OperatorConfig.for_followers)."""
    services = config.Services.model_validate(told["services"])
    features, port = told["default_features"], told["control_port"]
    assert isinstance(features, dict)
    assert isinstance(port, int)
    return config.site(services, features, port)


def bound(policy: Object, strategies: Sequence[Object]) -> list[Object]:
    """Those of `strategies` that trade under the policy. Raises SpecError when the policy can't be followed."""
    document = _policy(policy)
    world = World({ref_of(s): s for s in strategies})
    verdicts = bind(document, documents.strategies(world))
    return [s for s in world.of("Strategy") if (v := verdicts.get(s["metadata"]["name"])) is not None and v.bound]


def configuration(policy: Object, strategies: Sequence[Object], where: ClusterSite, left: Sequence[Object] = ()) -> str:
    """The executor's configuration file: these bound strategies, and those that `left` but may still hold something.

    Raises SpecError when the policy can't be followed.
    """
    trading = [*(_strategy(s) for s in strategies), *(_leaving(_strategy(s)) for s in left)]
    document = _policy(policy)
    if not trading:
        raise SpecError(f"no Strategy is bound to RiskPolicy {document.metadata.name}")
    names = [s.metadata.name for s in trading]
    allowing = document.model_copy(update={"spec": document.spec.model_copy(update={"strategies": names})})
    try:
        return json.dumps(executor_pod(allowing, trading, where).config, sort_keys=True)
    except ValueError as error:
        raise SpecError(str(error)) from None


def _policy(found: Object) -> RiskPolicy:
    if "deletionTimestamp" in found["metadata"]:
        raise SpecError(f"RiskPolicy {found['metadata']['name']} is on its way out")
    document = documents.read(found)
    assert isinstance(document, RiskPolicy)
    return document


def _strategy(found: Object) -> Strategy:
    document = documents.read(found)
    assert isinstance(document, Strategy)
    return document


def _leaving(strategy: Strategy) -> Strategy:
    return strategy.model_copy(update={"spec": strategy.spec.model_copy(update={"capital_share": LEFT_SHARE})})
