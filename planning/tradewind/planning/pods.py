"""The processes of an account and of a strategy in a cluster, where each is a pod of its own. Core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tradewind.planning.local import Site, executor, executor_policy, signals
from tradewind.planning.workload import Workload
from tradewind.specs import RiskPolicy, Strategy

STATE_DIR = "/var/lib/tradewind"


@dataclass(frozen=True)
class ClusterSite:
    """What the documents don't say: where things are in the cluster.

    Attributes:
        bus: bus URL.
        predictor: HOST:PORT of the predictor's gRPC service.
        broker_url: REST base for policies that name none; empty: Alpaca's own for the account.
        default_features: the features of a strategy that names none, in order, with the bars each needs to be warm.
        control_port: port of an executor's Control service, within its pod.
    """

    bus: str
    predictor: str
    broker_url: str
    default_features: Mapping[str, int]
    control_port: int

    def as_site(self) -> Site:
        """The site as the planners take it: a live run."""
        return Site(
            state_dir=STATE_DIR,
            bus=self.bus,
            venue_port=None,
            predictor_port=0,
            broker_url=self.broker_url,
            default_features=self.default_features,
            replay=None,
            base_dir=STATE_DIR,
            run="",
        )


def executor_pod(policy: RiskPolicy, strategies: Sequence[Strategy], site: ClusterSite) -> Workload:
    """The executor of `policy` with the strategies bound to it. Raises ValueError as `executor` does."""
    made = executor(policy, strategies, site.as_site())
    return replace(made, config={**made.config, "control_port": site.control_port})


def signal_pod(strategy: Strategy, policy: RiskPolicy, strategies: Sequence[Strategy], site: ClusterSite) -> Workload:
    """The signal process of `strategy`; `strategies` are all of the namespace."""
    made = signals(strategy, policy, strategies, site.as_site())
    return replace(made, config={**made.config, "predictor": site.predictor})


def fixed_part(
    executor_config: Mapping[str, object], policy: RiskPolicy, strategies: Sequence[Strategy]
) -> dict[str, object]:
    """What of an executor's configuration it can't take over while it runs: a change of it needs a new pod."""
    return {key: value for key, value in executor_config.items() if key not in executor_policy(policy, strategies)}
