"""Hyper-parameter search by Ray Tune with Optuna's TPE sampler. Shell: runs trials on Ray.

One trial runs at a time and each suggestion waits for the result before it, so the same seed gives the same trials. The
cores work on the splits of a trial instead (see `parallel_walk_forward`).
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradewind.specs.training import Search
from tradewind.training.errors import TrainingError
from tradewind.training.model import Parameters
from tradewind.training.parallel import Workbench, parallel_walk_forward
from tradewind.training.performance import annual_sharpe
from tradewind.training.ray_session import CPU_SHARE
from tradewind.training.walk_forward import OutOfSample, task_of

# Ray reads these when it is imported or starts: no telemetry, no logger files per trial, no re-wrapping of `uv run`.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")

# What one leaf per training row costs, in units of the objective: of two equal records the simpler model wins.
COMPLEXITY_PENALTY = {"Sharpe": 0.05, "IC": 0.002, "LogLoss": 0.002}
# Score of a trial without a record (it never traded): worse than any that has one.
_NO_RECORD = -100.0


@dataclass(frozen=True)
class Trial:
    """One set of parameters and its out-of-sample record."""

    parameters: Parameters
    score: float
    record: OutOfSample


@dataclass(frozen=True)
class SearchResult:
    """All finished trials in the order they ran, and the best (the first of equals)."""

    trials: list[Trial]

    @property
    def best(self) -> Trial:
        """The trial with the highest score."""
        return max(self.trials, key=lambda trial: trial.score)

    @property
    def returns(self) -> NDArray[np.float64]:
        """Out-of-sample returns, one column per trial."""
        return np.column_stack([trial.record.returns for trial in self.trials])


def score(record: OutOfSample, objective: str, periods_per_year: float) -> float:
    """What the search maximises: annual Sharpe ratio, mean IC or negative log loss, less the price of complexity."""
    if objective == "Sharpe":
        value = annual_sharpe(record.returns, periods_per_year)
    elif objective == "IC":
        defined = record.ic[np.isfinite(record.ic)]
        value = float(defined.mean()) if len(defined) else math.nan
    else:
        value = -record.log_loss
    if not math.isfinite(value):
        return _NO_RECORD
    return value - COMPLEXITY_PENALTY[objective] * record.leaves_per_row


def search(bench: Workbench, progress: Callable[[float], None], shared: Path | None = None) -> SearchResult:
    """Run the strategy's search on the running Ray. `shared`: a directory of all its nodes, where there are several.

    Raises TrainingError when the objective does not fit the label, a trial keeps failing, or none finished in time.
    """
    spec = bench.spec
    settings = spec.training.search
    if settings.objective == "LogLoss" and task_of(spec) != "classification":
        raise TrainingError("training.search.objective: LogLoss needs the label TripleBarrier; use Sharpe or IC")
    import ray.tune  # slow to import, and only the process that searches needs it

    counting, limit = _watching(progress, settings)
    with tempfile.TemporaryDirectory(prefix=".tradewind-search-", dir=shared) as scratch:
        # A trial's process works on splits itself; the other CPUs are for the tasks that it starts.
        resources = ray.tune.PlacementGroupFactory([{"CPU": CPU_SHARE}] * bench.workers)
        tuner = ray.tune.Tuner(
            ray.tune.with_resources(partial(run_trial, bench=bench), resources),
            tune_config=ray.tune.TuneConfig(
                num_samples=settings.trials,
                search_alg=_sampler(settings.seed, settings.trials),
                metric="score",
                mode="max",
                max_concurrent_trials=1,
                reuse_actors=True,
            ),
            run_config=ray.tune.RunConfig(
                storage_path=scratch,
                name="search",
                verbose=0,
                # A worker that died (out of memory, say) is tried again; its trial gives the same record.
                failure_config=ray.tune.FailureConfig(max_failures=2),
                callbacks=[counting],
                stop=limit,
            ),
        )
        results = tuner.fit()
    trials = [
        Trial(result.metrics["parameters"], result.metrics["score"], result.metrics["record"])
        for result in results
        if result.metrics and "record" in result.metrics
    ]
    if results.errors:  # going on with the others would make the outcome depend on luck
        reason = str(results.errors[0]).strip().splitlines()[-1]
        raise TrainingError(f"training.search: {len(results.errors)} trials failed three times: {reason}")
    if not trials:
        seconds = settings.time_limit_seconds
        raise TrainingError(f"training.search.timeLimitSeconds: no trial finished in {seconds} s; raise it")
    return SearchResult(trials)


def run_trial(config: dict[str, Any], bench: Workbench) -> None:
    """One trial, in a Ray worker: its record and score go back as the trial's result."""
    import ray.tune

    record = parallel_walk_forward(bench, config)
    value = score(record, bench.spec.training.search.objective, bench.periods_per_year)
    ray.tune.report({"score": value, "record": record, "parameters": dict(config)})


def _sampler(seed: int, trials: int) -> Any:
    """Optuna's TPE over the tree parameters; the first third of the trials is random."""
    import optuna
    from ray.tune.search.optuna import OptunaSearch

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = {
        "learning_rate": optuna.distributions.FloatDistribution(0.02, 0.2, log=True),
        "num_leaves": optuna.distributions.IntDistribution(4, 31, log=True),
        "min_data_in_leaf": optuna.distributions.IntDistribution(20, 200, log=True),
        "feature_fraction": optuna.distributions.FloatDistribution(0.3, 1.0),
        "bagging_fraction": optuna.distributions.FloatDistribution(0.5, 1.0),
        "lambda_l2": optuna.distributions.FloatDistribution(1e-3, 10.0, log=True),
    }
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=max(1, trials // 3))
    return OptunaSearch(space=space, metric="score", mode="max", sampler=sampler)


class _Teller:
    """Tells how many trials are done. Tune pickles its callbacks, to resume runs (ours never are): then it is mute.

    Attributes:
        begun: whether a trial has what it needs of Ray.
    """

    def __init__(self, progress: Callable[[float], None] | None, trials: int) -> None:
        self._progress, self._trials, self._done = progress, trials, 0
        self.begun = False

    def __reduce__(self) -> tuple[Any, ...]:
        return _Teller, (None, self._trials)

    def one_more(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done / self._trials)


def _watching(progress: Callable[[float], None], settings: Search) -> tuple[Any, Any]:
    """What tells Tune's progress, and what ends the search when its time is over."""
    from ray.tune import Callback
    from ray.tune.stopper import TimeoutStopper

    teller = _Teller(progress, settings.trials)

    class Progress(Callback):  # type: ignore[misc]  # Ray publishes no types
        """Counts trials as they end."""

        def on_trial_start(self, **_: Any) -> None:
            teller.begun = True

        def on_trial_complete(self, **_: Any) -> None:
            teller.one_more()

    class Limit(TimeoutStopper):  # type: ignore[misc]  # the same
        """Waiting for another training's CPUs takes none of the time."""

        def stop_all(self) -> bool:
            return teller.begun and bool(super().stop_all())

    return Progress(), Limit(settings.time_limit_seconds)
