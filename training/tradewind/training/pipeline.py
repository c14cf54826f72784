"""One training run from end to end. Shell: strings the stages together and keeps time.

history → dataset → search → gates → fit → register. Each stage has its file; what a run may see is decided in
`history`, whether a model may trade live in `gates`, and which alias it gets in `registry`.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import lightgbm
import numpy as np

from tradewind.specs import Strategy
from tradewind.streaming.features.config import StoreConfig
from tradewind.streaming.features.feature_set import FeatureSetError
from tradewind.trading.model_card import ModelCard
from tradewind.training.config import TrainingRequest
from tradewind.training.dataset import FeatureSource, build_panel
from tradewind.training.errors import TrainingError
from tradewind.training.fit import fit_final
from tradewind.training.gates import evaluate_gates, gates_pass
from tradewind.training.history import EventSource, History, load_history, no_events
from tradewind.training.market import Market, make_market
from tradewind.training.model import prediction_scale
from tradewind.training.panel import Panel
from tradewind.training.parallel import make_workbench, parallel_walk_forward
from tradewind.training.performance import annual_sharpe, max_drawdown
from tradewind.training.ray_session import ray_session
from tradewind.training.registry import ModelRegistry
from tradewind.training.search import SearchResult, search
from tradewind.training.walk_forward import OutOfSample, make_splitter, task_of

Progress = Callable[[str, float], None]

STAGES = ("history", "dataset", "search", "gates", "fit", "register")


@dataclass(frozen=True)
class TrainingResult:
    """What came of a run. metrics: out-of-sample figures of the chosen trial. seconds: wall time per stage.

    reused: the registry had a model of exactly this training, and nothing was trained.
    """

    model: str
    version: str
    card: ModelCard
    aliases: list[str]
    metrics: dict[str, float]
    seconds: dict[str, float]
    reused: bool


@dataclass
class _Stages:
    """Tells progress and keeps the time of each stage."""

    progress: Progress
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[Callable[[float], None]]:
        self.progress(name, 0.0)
        begun = time.monotonic()
        yield lambda fraction: self.progress(name, fraction)
        self.seconds[name] = round(time.monotonic() - begun, 3)
        self.progress(name, 1.0)


def train(
    strategy: Strategy,
    dataset: Path,
    state_dir: Path,
    *,
    until_ns: int,
    progress: Progress,
    source: FeatureSource,
    feature_dir: Path,
    store: StoreConfig | None = None,
    events: EventSource = no_events,
    tracking_uri: str | None = None,
    ray_address: str | None = None,
    num_cpus: int | None = 2,
    object_store_mb: int = 100,
    fit_workers: int = 1,
    force: bool = False,
    request: TrainingRequest | None = None,
) -> TrainingResult:
    """Train, judge and register the strategy's model on what was known at `until_ns`.

    `dataset`: data set directory. `state_dir`, `tracking_uri`: of the model registry. `ray_address`: of a cluster whose
    nodes share `feature_dir`; None: a Ray of its own. `source`, `feature_dir`, `store`: the features and where
    their repository lies. `events`: makes the events of the strategy's news. The same inputs give the same model, to
    the byte; a model the registry has already is not trained again unless `force`. `request` is noted on the version.
    Raises TrainingError.
    """
    stages = _Stages(progress)
    spec = strategy.spec
    with stages.stage("history"):
        history = load_history(dataset, spec, until_ns, events)
        fingerprint = training_hash(strategy, history, source)
        registry = ModelRegistry(state_dir, tracking_uri)
        known = None if force else registry.find(strategy.model_name, fingerprint)
    if known is not None:
        aliases = registry.promote(known.version, known.card, champion=False)
        registry.note(strategy.model_name, known.version, request)
        return TrainingResult(
            strategy.model_name, known.version, known.card, aliases, dict(known.metrics), stages.seconds, reused=True
        )
    with stages.stage("dataset"):
        panel = _panel(strategy, history, source, feature_dir, store)
        make_splitter(panel, spec).get_n_splits()  # too short a history is said before Ray starts
        market = make_market(history.bars, panel.symbols)
    shared = feature_dir if ray_address else None
    with ray_session(num_cpus, object_store_mb, ray_address) as workers:
        with stages.stage("search") as tell:
            bench = make_workbench(panel, market, spec, workers)
            found = search(bench, tell, shared)
        with stages.stage("gates"):
            best = found.best
            record = parallel_walk_forward(bench, best.parameters, in_sample=True)
            gates = evaluate_gates(record, found.returns, spec.training.gates, market.periods_per_year)
        with stages.stage("fit"):
            rounds = int(np.median(record.rounds))
            seed = spec.training.search.seed
            text = fit_final(panel, task_of(spec), best.parameters, seed, rounds, workers=fit_workers, shared=shared)
    card = ModelCard(
        name=strategy.model_name,
        task=task_of(spec),
        feature_set=source.feature_set.name,
        feature_set_version=source.feature_set.version,
        features=list(panel.feature_names),
        horizon_bars=spec.training.label.horizon_bars,
        label=spec.training.label.kind,
        prediction_scale=prediction_scale(panel, np.arange(len(panel)), task_of(spec)),
        gates=gates,
        gates_passed=gates_pass(gates),
        trained_from=history.first,
        trained_until=history.until,
        rows=len(panel),
        seed=seed,
        parameters={**best.parameters, "rounds": rounds},
    )
    metrics = _metrics(record, found, market)
    with stages.stage("register"):
        model_version = registry.register(
            text,
            card,
            training_hash=fingerprint,
            dataset_hash=history.digest,
            metrics=metrics,
            documents=_documents(strategy, found, record),
        )
        aliases = registry.promote(model_version, card, champion=request is None)
        registry.note(strategy.model_name, model_version, request)
    return TrainingResult(strategy.model_name, model_version, card, aliases, metrics, stages.seconds, reused=False)


def training_hash(strategy: Strategy, history: History, source: FeatureSource) -> str:
    """SHA-256 of everything a model depends on: what was known, what was asked, and the versions that computed it."""
    wanted = strategy.spec.model_dump(
        mode="json",
        include={"bars", "universe", "training", "signal", "sizing"},
        exclude={"training": {"until", "retrain"}},
    )
    parts = {
        "model": strategy.model_name,
        "spec": wanted,
        "history": history.digest,
        "until": history.until,
        "features": source.feature_set.version,
        "volatility_feature": source.volatility_feature,
        "lightgbm": lightgbm.__version__,
        "tradewind": version("tradewind-training"),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _panel(
    strategy: Strategy, history: History, source: FeatureSource, feature_dir: Path, store: StoreConfig | None
) -> Panel:
    from tradewind.streaming.features.repository import FeatureRepository  # Feast is slow to import

    try:
        repository = FeatureRepository.open(feature_dir, source.feature_set, store=store)
        return build_panel(
            history, source, repository, tuple(strategy.spec.universe.symbols), strategy.spec.training.label
        )
    except FeatureSetError as error:
        raise TrainingError(str(error)) from None


def _metrics(record: OutOfSample, found: SearchResult, market: Market) -> dict[str, float]:
    ic = record.ic[np.isfinite(record.ic)]
    return {
        "oos_sharpe": annual_sharpe(record.returns, market.periods_per_year),
        "oos_max_drawdown": max_drawdown(record.returns),
        "oos_return": float(np.prod(1 + record.returns) - 1),
        "oos_bars": float(len(record.returns)),
        "oos_trades": float(len(record.trades)),
        "oos_win_rate": float(np.mean(record.trades > 0)) if len(record.trades) else float("nan"),
        "oos_turnover_per_year": float(record.turnover.mean() * market.periods_per_year),
        "oos_ic": float(ic.mean()) if len(ic) else float("nan"),
        "oos_ic_std": float(ic.std(ddof=1)) if len(ic) > 1 else float("nan"),
        "oos_log_loss": record.log_loss,
        "is_sharpe": float("nan") if record.in_sample_sharpe is None else record.in_sample_sharpe,
        "splits": float(len(record.rounds)),
        "trials": float(len(found.trials)),
    }


def _documents(strategy: Strategy, found: SearchResult, record: OutOfSample) -> dict[str, str]:
    """Files kept beside the model: what was asked, what was tried, and the record that the gates judged."""
    trials = [{"parameters": dict(trial.parameters), "score": trial.score} for trial in found.trials]
    series = {"decision_time": record.times.tolist(), "return": record.returns.tolist()}
    return {
        "strategy.json": strategy.model_dump_json(by_alias=True, indent=2),
        "trials.json": json.dumps(trials, indent=2),
        "out_of_sample.json": json.dumps(series),
    }
