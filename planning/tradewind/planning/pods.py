"""The processes of a namespace in a cluster, where each is a pod of its own. Core.

The same plans as `tradewind.planning.local`, with what differs where processes share no machine: addresses, files and
who waits for whom.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tradewind.planning.legs import CHALLENGER, served_as
from tradewind.planning.local import (
    Replay,
    Site,
    executor,
    executor_policy,
    feature_set_name,
    features,
    feed,
    model_alias,
    one_per_model,
    serving,
    signals,
    training,
)
from tradewind.planning.workload import Workload
from tradewind.specs import RiskPolicy, Strategy

STATE_DIR = "/var/lib/tradewind"
DATA_DIR = f"{STATE_DIR}/data"
PROBES_PORT = 9101  # /livez, /readyz and /metrics of every pod
EXECUTOR_METRICS_PORT = 9103  # in an executor's pod it is the follower that answers for the pod
FOR_EVER = 2**63 - 1  # ns UTC
LONGEST_NAME = 50  # of a Deployment, so that its pods' names are labels: 63 characters with the two hashes


@dataclass(frozen=True)
class ClusterSite:
    """What the documents don't say: where things are in the cluster.

    Attributes:
        bus: bus URL.
        predictor: HOST:PORT of the predictor's gRPC service.
        predictor_ca: CA certificate of that service, a path in the pods; None: it speaks plain text.
        broker_url: REST base for policies that name none; empty: Alpaca's own for the account.
        broker_ca: CA certificate of that broker, a path in the pods; None: the system's.
        default_features: the features of a strategy that names none, in order, with the bars each needs to be warm.
        control_port: port of an executor's Control service, within its pod.
        dataset: directory of the data set in the pods; None: there is none.
        replay: the data set traded again instead of the market, at a multiple of recorded speed; None: the market.
        tracking_uri: MLflow's server; None: somebody else trains and serves.
        store: Feast's stores, `registry` and `online`; None: files.
    """

    bus: str
    predictor: str
    broker_url: str
    default_features: Mapping[str, int]
    control_port: int
    broker_ca: str | None = None
    predictor_ca: str | None = None
    dataset: str | None = None
    replay: Replay | None = None
    tracking_uri: str | None = None
    store: Mapping[str, str] | None = None

    def as_site(self, state_dir: str = STATE_DIR) -> Site:
        """The site as the planners take it."""
        return Site(
            state_dir=state_dir,
            bus=self.bus,
            venue_port=None,
            predictor_port=0,
            broker_url=self.broker_url,
            default_features=self.default_features,
            replay=self.replay,
            base_dir=DATA_DIR,
            run="live" if self.replay is None else f"replay-{self.replay.trained_until}",
        )

    def knowing(self, until: int) -> Site:
        """The site of processes that learn from the data set what was known until then, ns UTC."""
        if self.dataset is None:
            return self.as_site(DATA_DIR)
        events = self.replay.events if self.replay else None
        return replace(self.as_site(DATA_DIR), replay=Replay(self.dataset, until, None, 1.0, events))


def executor_pod(
    policy: RiskPolicy, strategies: Sequence[Strategy], site: ClusterSite, deleted: Collection[str] = ()
) -> Workload:
    """The executor of `policy` with the strategies bound to it, and those in `deleted` (UIDs) that may hold something.

    Raises ValueError as `executor` does.
    """
    made = executor(policy, strategies, site.as_site(), deleted)
    # A policy that names a broker of its own means one whose certificate anybody can check.
    broker = {**made.config["broker"], "ca_file": None if policy.spec.broker.url else site.broker_ca}
    if site.replay is not None:
        broker["requests_per_minute"] = None  # a budget per minute means nothing where minutes are replayed
    # Which CPU is the kubelet's to say; spec.execution.cpu is for one machine.
    own = {"cpu": None, "broker": broker, "control_port": site.control_port, "probes_port": EXECUTOR_METRICS_PORT}
    return replace(made, config={**made.config, **own})


def signal_pod(strategy: Strategy, policy: RiskPolicy, strategies: Sequence[Strategy], site: ClusterSite) -> Workload:
    """The signal process of `strategy`; `strategies` are all of the namespace."""
    made = signals(strategy, policy, strategies, site.as_site())
    predictor = {"predictor": site.predictor, "predictor_ca_file": site.predictor_ca}
    return _probed(replace(made, config={**made.config, **predictor}))


def trial_pod(leg: Strategy, policy: RiskPolicy, strategies: Sequence[Strategy], site: ClusterSite) -> Workload:
    """The signal process of a challenger's leg."""
    made = signal_pod(leg, policy, strategies, site)
    # A group that signal processes may join, and no strategy's: a dot is in no name.
    own = {"group": f"{made.config['group']}.trial", "model_alias": CHALLENGER}
    own["served_model"] = served_as(leg.model_name, CHALLENGER)
    return replace(made, name=trial_pod_name(leg.metadata.name), config={**made.config, **own})


def trial_pod_name(strategy: str) -> str:
    """Name of the signal process of a strategy's challenger."""
    return f"trial-{strategy}"


def feature_pods(strategies: Sequence[Strategy], site: ClusterSite) -> list[Workload]:
    """The features processes of a namespace, one for each feature set of `strategies`.

    In a replay their history ends where trading begins; in the market it is all that the data set has.
    """
    until = FOR_EVER if site.replay is None else site.replay.trained_until
    stores = _stores(site)
    return [
        _probed(replace(made, name=_cut(made.name), config={**made.config, **stores}))
        for made in features(strategies, site.knowing(until))
    ]


def _stores(site: ClusterSite) -> dict[str, Any]:
    """Feast's stores, where they aren't files."""
    return {} if site.store is None else {"store": dict(site.store)}


def _probed(made: Workload) -> Workload:
    return replace(made, config={**made.config, "probes_port": PROBES_PORT})


def feature_pod_name(strategy: Strategy) -> str:
    """Name of the features process that computes the strategy's vectors."""
    return _cut(f"features-{feature_set_name(strategy).replace('_', '-')}")


def _cut(name: str) -> str:
    """The name, cut where the names of its pods would be too long."""
    if len(name) <= LONGEST_NAME:
        return name
    return f"{name[: LONGEST_NAME - 9].rstrip('-')}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def feed_pods(strategies: Sequence[Strategy], policies: Sequence[RiskPolicy], site: ClusterSite) -> list[Workload]:
    """What brings the market to a namespace: the replay, or Alpaca's stream for each interval of bars.

    A replay has every symbol of its data set, so that another strategy doesn't begin it anew. It waits for nobody.
    """
    if site.replay is None:
        intervals = sorted({s.spec.bars for s in strategies})
        return [
            _probed(
                replace(
                    feed([s for s in strategies if s.spec.bars == bars], policies, site.as_site(DATA_DIR)),
                    name=f"feed-{bars}",
                )
            )
            for bars in intervals
        ]
    made = feed(strategies, policies, site.as_site(DATA_DIR))
    config: dict[str, Any] = {**made.config, "source": {**made.config["source"], "symbols": None}, "consumers": []}
    config["accounts"] = []
    if site.broker_url:
        config["venue"] = {"url": site.broker_url, "ca_file": site.broker_ca}
    return [_probed(replace(made, config=config))]


def training_job(strategy: Strategy, site: ClusterSite, until: int) -> Workload:
    """The training of the strategy's model on what was known until then (ns UTC), in the Ray cluster it runs in."""
    made = training(strategy, site.knowing(until))
    own = {"tracking_uri": site.tracking_uri, "ray": {**made.config["ray"], "address": "auto"}}
    return replace(made, config={**made.config, **own, **_stores(site)})


def predictor(
    strategies: Sequence[Strategy], every: Sequence[Strategy], site: ClusterSite, challengers: Sequence[str] = ()
) -> dict[str, Any]:
    """What a predictor's replicas are made with (`args`), and what they take over while they run (`user_config`).

    `strategies` are those whose models are served, `every` are all of the namespace, `challengers` the models of which
    a challenger is served.
    """
    made = serving(strategies, site.as_site(DATA_DIR)).config
    own: dict[str, Any] = _stores(site) or {"repo": made["repo"]}
    args = {"state_dir": made["state_dir"], "tracking_uri": site.tracking_uri, **own}
    models = [{"name": s.model_name, "alias": model_alias(s, every)} for s in one_per_model(strategies)]
    models += [{"name": name, "alias": CHALLENGER} for name in challengers]
    return {"args": args, "user_config": {"models": models}}


def fixed_part(
    executor_config: Mapping[str, object], policy: RiskPolicy, strategies: Sequence[Strategy]
) -> dict[str, object]:
    """What of an executor's configuration it can't take over while it runs: a change of it needs a new pod."""
    return {key: value for key, value in executor_config.items() if key not in executor_policy(policy, strategies)}
