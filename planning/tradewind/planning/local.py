"""The plan of a run on one machine: which processes, with which configuration, in which order. Core."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tradewind.planning.engine_config import engine_config
from tradewind.planning.legs import Stand, canaries, champion_leg
from tradewind.planning.workload import Workload
from tradewind.specs import RiskPolicy, Strategy
from tradewind.specs.base import duration_ns
from tradewind.specs.strategy import NewsSource, Universe

BROKER_KEYS = ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY")
FEATURES_GROUP = "features"
PREDICTOR_APPLICATION = "predictor"  # of Ray Serve
ALPACA = {"paper": "https://paper-api.alpaca.markets", "live": "https://api.alpaca.markets"}
_USUAL_CONTEXT = Universe.model_fields["context"].default


@dataclass(frozen=True)
class Replay:
    """A data set traded again.

    Attributes:
        dataset: its directory.
        trained_until: no bar after this time (ns UTC) is for learning; trading begins with the next.
        end: last time traded, ns UTC; None: the data set's last bar.
        speed: "max" for lockstep in virtual time, or a multiple of recorded speed.
        events: Parquet file of the events known before trading starts; None: there are none.
    """

    dataset: str
    trained_until: int
    end: int | None
    speed: str | float
    events: str | None = None

    @property
    def lockstep(self) -> bool:
        """Whether everybody waits for everybody."""
        return self.speed == "max"


@dataclass(frozen=True)
class Site:
    """What the documents don't say: where things are on this machine.

    Attributes:
        state_dir: absolute path.
        bus: bus URL.
        venue_port: port of the simulated venue; None: the broker of the documents.
        predictor_port: port of the predictor.
        broker_url: REST base of the broker (APCA_API_BASE_URL) for policies that name none; empty: Alpaca's own.
        default_features: the features of a strategy that names none, in order, with the bars each needs to be warm.
        replay: None for a live run.
        base_dir: directory that relative paths of the documents start from.
    """

    state_dir: str
    bus: str
    venue_port: int | None
    predictor_port: int
    broker_url: str
    default_features: Mapping[str, int]
    replay: Replay | None
    base_dir: str
    run: str


def feature_names(strategy: Strategy, default: Mapping[str, int]) -> list[str]:
    """The strategy's features in vector order; the one that sizing needs is always among them."""
    limit = strategy.spec.features.max_warm_up_bars
    names = list(strategy.spec.features.names)
    if not names:
        names = [name for name, warm_up in default.items() if limit is None or warm_up <= limit]
    needed = volatility_feature(strategy)
    return names if needed in names else [*names, needed]


def volatility_feature(strategy: Strategy) -> str:
    """The feature that sizing takes as annual volatility."""
    return f"vol_historical_{strategy.spec.sizing.volatility_bars}_annual"


def feature_set_name(strategy: Strategy) -> str:
    """Name of the strategy's feature set. Strategies on the default features of the same bars and market share one."""
    spec = strategy.spec
    limit = spec.features.max_warm_up_bars
    own = f"warm_{limit}" if limit else "default"
    if spec.features.names:
        own = f"of_{strategy.metadata.name.replace('-', '_')}"
    context = spec.universe.context
    market = "" if context == _USUAL_CONTEXT else f"_{re.sub('[^a-z0-9]+', '', (context or 'alone').lower())}"
    return f"bars_{spec.bars}_{own}_{spec.sizing.volatility_bars}{market}"


def plan(strategies: Sequence[Strategy], policies: Sequence[RiskPolicy], site: Site) -> list[Workload]:
    """Every process of the run, in an order in which each can start after those it names."""
    bound = {
        p.metadata.name: [s for s in strategies if s.spec.risk_policy == p.metadata.name]
        for p in policies
        if any(s.spec.risk_policy == p.metadata.name for s in strategies)
    }
    used = [p for p in policies if p.metadata.name in bound]
    # Whoever sets the alias champion has decided; that orders are sent the document must say.
    legs = {name: [champion_leg(s, Stand(champion=True)) for s in of] for name, of in bound.items()}
    workloads: list[Workload] = []
    if site.venue_port is not None:
        workloads.append(_venue(strategies, site))
    workloads.append(_recorder(site))
    jobs = [training(s, site) for s in one_per_model(strategies)] if site.replay else []
    workloads += jobs
    trained = tuple(job.name for job in jobs)
    workloads += features(strategies, site, after=trained)
    workloads.append(serving(strategies, site, after=trained))
    workloads += [executor(p, legs[p.metadata.name], site) for p in used]
    workloads += [signals(s, p, strategies, site) for p in used for s in legs[p.metadata.name]]
    workloads.append(feed(strategies, used, site, after=tuple(w.name for w in workloads)))
    return workloads


def broker_url(policy: RiskPolicy, site: Site) -> str:
    """REST base for the orders of an account. A replay trades at the simulated venue, whatever the policy names."""
    if site.venue_port is not None:
        return venue_url(site)
    return policy.spec.broker.url or site.broker_url or ALPACA[policy.spec.account]


def venue_url(site: Site) -> str:
    """REST base of the simulated venue."""
    return f"https://127.0.0.1:{site.venue_port}"


def venue_ca(site: Site) -> str | None:
    """CA certificate of the simulated venue."""
    return None if site.venue_port is None else f"{site.state_dir}/venue/ca.pem"


def one_per_model(strategies: Sequence[Strategy]) -> list[Strategy]:
    """Strategies that share a model train it once, by the first of them."""
    return list({s.model_name: s for s in reversed(strategies)}.values())[::-1]


def traded_symbols(strategies: Sequence[Strategy]) -> list[str]:
    """Every symbol of the strategies, once."""
    return sorted({symbol for s in strategies for symbol in s.spec.universe.symbols})


def news_configs(strategies: Sequence[Strategy], base_dir: str) -> list[dict[str, Any]]:
    """The news sources of all strategies, each once, with absolute paths."""
    return _news(list({(n.kind, n.name): n for s in strategies for n in s.spec.news}.values()), base_dir)


def _news(sources: Sequence[NewsSource], base_dir: str) -> list[dict[str, Any]]:
    return [
        {
            **source.model_dump(),
            "path": source.path if not source.path or source.path.startswith("/") else f"{base_dir}/{source.path}",
        }
        for source in sources
    ]


def _venue(strategies: Sequence[Strategy], site: Site) -> Workload:
    return Workload(
        "venue",
        "tradewind.execution.venue",
        {
            "state_dir": f"{site.state_dir}/venue",
            "port": site.venue_port,
            "symbols": traded_symbols(strategies),
            "clock": "virtual",
            "start_time": site.replay.trained_until if site.replay else 0,
        },
        secrets=BROKER_KEYS,
    )


def _recorder(site: Site) -> Workload:
    return Workload(
        "recorder", "tradewind.streaming.recorder", {"bus": site.bus, "sql": f"sqlite:///{site.state_dir}/record.db"}
    )


def training(strategy: Strategy, site: Site) -> Workload:
    """The training of a strategy's model. Raises ValueError in a live run on one machine."""
    if site.replay is None:
        raise ValueError("training needs a data set: there is none in a live run")
    return Workload(
        f"train-{strategy.model_name}",
        "tradewind.training",
        {
            "strategy": strategy.model_dump(mode="json", by_alias=True),
            "dataset": site.replay.dataset,
            "state_dir": f"{site.state_dir}/models",
            "feature_dir": f"{site.state_dir}/features",
            "feature_set": _feature_set(strategy, site),
            "volatility_feature": volatility_feature(strategy),
            "until": site.replay.trained_until,
            "news": _news(strategy.spec.news, site.base_dir),
            # One machine: the final fit needs no worker process of its own.
            "ray": {"fit_workers": 0},
        },
        kind="Job",
    )


def _feature_set(strategy: Strategy, site: Site) -> dict[str, Any]:
    return {
        "name": feature_set_name(strategy),
        "names": feature_names(strategy, site.default_features),
        "interval": strategy.spec.bars,
        "context_symbol": strategy.spec.universe.context,
    }


def features(strategies: Sequence[Strategy], site: Site, after: tuple[str, ...] = ()) -> list[Workload]:
    """One features process for each feature set that a strategy has."""
    first = {feature_set_name(s): s for s in reversed(strategies)}
    return [
        Workload(
            f"features-{name.replace('_', '-')}",
            "tradewind.streaming.features",
            {
                "bus": site.bus,
                "group": f"{FEATURES_GROUP}-{name}",
                "state_dir": f"{site.state_dir}/features",
                "feature_set": _feature_set(strategy, site),
                "history": _history(site),
            },
            after=after,
        )
        for name, strategy in sorted(first.items())
    ]


def _history(site: Site) -> dict[str, Any] | None:
    if site.replay is None:
        return None
    return {"dataset": site.replay.dataset, "events": site.replay.events, "until": site.replay.trained_until}


def serving(strategies: Sequence[Strategy], site: Site, after: tuple[str, ...] = ()) -> Workload:
    """The predictor of every model."""
    return Workload(
        "serving",
        "tradewind.serving",
        {
            "state_dir": f"{site.state_dir}/serving",
            "tracking_uri": f"sqlite:///{site.state_dir}/models/mlflow.db",
            "models": [{"name": s.model_name, "alias": model_alias(s, strategies)} for s in one_per_model(strategies)],
            "repo": f"{site.state_dir}/features",
            "port": site.predictor_port,
        },
        after=after,
    )


def model_alias(strategy: Strategy, strategies: Sequence[Strategy]) -> str:
    """Live serves only what passed its gates; everything else the newest model, in plain sight.

    A model that a Live strategy shares is the champion for all of them: the predictor serves one version of a name.
    """
    sharing = [s for s in strategies if s.model_name == strategy.model_name]
    return "champion" if any(s.spec.mode == "Live" for s in sharing) else "candidate"


def executor(policy: RiskPolicy, strategies: Sequence[Strategy], site: Site, deleted: Collection[str] = ()) -> Workload:
    """The executor of an account; `deleted` as `engine_config` takes it.

    Raises ValueError when a document says what the engine can't do.
    """
    runtime = policy.spec.execution
    simulated = site.venue_port is not None
    name = policy.metadata.name
    return Workload(
        f"executor-{name}",
        "tradewind.execution.executor",
        {
            "bus": site.bus,
            "group": f"executor-{name}",
            "account": name,
            **executor_policy(policy, strategies, deleted),
            "clock": "wall" if site.replay is None else "lockstep" if site.replay.lockstep else "recorded",
            "state_dir": f"{site.state_dir}/executors",
            "sync": runtime.sync.lower(),
            "lease_s": duration_ns(runtime.lease) / 1e9,
            "wait": runtime.wait.lower(),
            "cpu": runtime.cpu,
            "broker": {
                "url": broker_url(policy, site),
                "ca_file": venue_ca(site),
                "requests_per_minute": None if simulated else policy.spec.broker.requests_per_minute,
                "timeout_ms": duration_ns(policy.spec.broker.request_timeout) // 10**6,
                "connections": policy.spec.broker.connections,
            },
            "volatility": _volatility_source(policy, strategies, site),
        },
        secrets=BROKER_KEYS,
        after=("venue",) if simulated else (),
    )


def executor_policy(
    policy: RiskPolicy, strategies: Sequence[Strategy], deleted: Collection[str] = ()
) -> dict[str, Any]:
    """The part of an executor's configuration that it takes over while it runs."""
    limits, kill = policy.spec.limits, policy.spec.kill_switch
    return {
        "policy_generation": policy.metadata.generation,
        "engine": engine_config(policy, strategies, deleted),
        "canaries": canaries(strategies),
        "calendar": limits.session.calendar,
        "estimates": {
            "days": limits.volatility.look_back_days,
            "min_days": limits.volatility.min_days,
            "pair_correlation": limits.exposure.pair_correlation,
        },
        "kill_switch": {"engaged": kill.engaged, "flatten": kill.flatten, "released_by": kill.released_by},
    }


def _volatility_source(policy: RiskPolicy, strategies: Sequence[Strategy], site: Site) -> dict[str, Any] | None:
    """Which vectors carry the policy's volatility index, and where in them."""
    wanted = policy.spec.limits.volatility.index_feature
    for strategy in strategies:
        names = feature_names(strategy, site.default_features)
        if wanted in names:
            return {"feature_set": feature_set_name(strategy), "index": names.index(wanted)}
    return None


def signals(strategy: Strategy, policy: RiskPolicy, strategies: Sequence[Strategy], site: Site) -> Workload:
    """The signal process of a strategy; `strategies` are all that share its models."""
    lockstep = site.replay is not None and site.replay.lockstep
    return Workload(
        f"signals-{strategy.metadata.name}",
        "tradewind.execution.signals",
        {
            "bus": site.bus,
            "group": f"signals-{strategy.metadata.name}",
            "account": policy.metadata.name,
            "policy_generation": policy.metadata.generation,
            "strategy": strategy.model_dump(mode="json", by_alias=True),
            "predictor": f"file://{site.state_dir}/serving/predictor.json",
            "model_alias": model_alias(strategy, strategies),
            "volatility_feature": volatility_feature(strategy),
            "features": feature_names(strategy, site.default_features),
            "feature_set": feature_set_name(strategy),
            "positions_timeout_s": None if lockstep else 5.0,
            "virtual_time": site.replay is not None,
        },
        after=("serving",),
    )


def feed(
    strategies: Sequence[Strategy], policies: Sequence[RiskPolicy], site: Site, after: tuple[str, ...] = ()
) -> Workload:
    """What brings the market in: a data set's replay, or Alpaca's stream."""
    replay = site.replay
    first = strategies[0].spec
    source: dict[str, Any] = (
        {
            "kind": "replay",
            "dataset": replay.dataset,
            "symbols": traded_symbols(strategies) + sorted({s.spec.universe.context or "" for s in strategies} - {""}),
            "start": replay.trained_until + 1,
            "end": replay.end,
            "speed": replay.speed,
        }
        if replay
        else {"kind": "alpaca", "symbols": traded_symbols(strategies), "interval": first.bars}
    )
    return Workload(
        "feed",
        "tradewind.streaming.feed",
        {
            "bus": site.bus,
            "run": site.run,
            "source": source,
            "venue": None if site.venue_port is None else {"url": venue_url(site), "ca_file": venue_ca(site)},
            "news": news_configs(strategies, site.base_dir),
            "consumers": consumers(strategies, policies),
            "accounts": [p.metadata.name for p in policies],
            "state_dir": f"{site.state_dir}/feed",
        },
        kind="Job" if replay else "Service",
        secrets=BROKER_KEYS,
        after=after,
    )


def consumers(strategies: Sequence[Strategy], policies: Sequence[RiskPolicy]) -> list[dict[str, str]]:
    """Who must have acknowledged which topic before a step of a lockstep run is over, in the order data flows."""
    sets = sorted({feature_set_name(s) for s in strategies})
    return (
        [{"group": f"{FEATURES_GROUP}-{name}", "topic": "bars"} for name in sets]
        + [{"group": f"executor-{p.metadata.name}", "topic": "control"} for p in policies]
        + [{"group": f"signals-{s.metadata.name}", "topic": "features"} for s in strategies]
    )
