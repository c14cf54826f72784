"""The configuration of an executor, from the documents as the API server has them. Core."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from tradewind.operators.config import Services
from tradewind.operators.plan import documents
from tradewind.operators.plan.model import Object, Ref, World
from tradewind.planning.binding import bind
from tradewind.planning.pods import ClusterSite, executor_pod
from tradewind.specs import SpecError


def site(told: Mapping[str, object]) -> ClusterSite:
    """The site as the operator wrote it (OperatorConfig.for_followers)."""
    services = Services.model_validate(told["services"])
    features, port = told["default_features"], told["control_port"]
    assert isinstance(features, dict)
    assert isinstance(port, int)
    return ClusterSite(services.bus, services.predictor, services.broker_url, features, port)


def configuration(policy: Object, strategies: Sequence[Object], where: ClusterSite) -> str:
    """The executor's configuration file.

    Raises SpecError when the policy can't be followed: the file of the last one that could stays.
    """
    name = policy["metadata"]["name"]
    document = documents.policy(World({Ref("RiskPolicy", name): policy}), name)
    if document is None:
        documents.read(policy)  # says why
        raise SpecError(f"RiskPolicy {name} is on its way out")
    found = documents.strategies(World({Ref("Strategy", s["metadata"]["name"]): s for s in strategies}))
    verdicts = bind(document, found)
    bound = [s for s in found if s.metadata.name in verdicts and verdicts[s.metadata.name].bound]
    if not bound:
        raise SpecError(f"no Strategy is bound to RiskPolicy {name}")
    try:
        return json.dumps(executor_pod(document, bound, where).config, sort_keys=True)
    except ValueError as error:
        raise SpecError(str(error)) from None
