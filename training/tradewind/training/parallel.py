"""Walk-forward on several processes. Shell: Ray tasks over data that lies in Ray's object store once.

Processes, not threads: LightGBM has crashed when two threads of one process trained at the same time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tradewind.specs.strategy import StrategySpec
from tradewind.training.market import Market
from tradewind.training.model import Parameters
from tradewind.training.panel import Panel
from tradewind.training.ray_session import CPU_SHARE
from tradewind.training.walk_forward import Fold, OutOfSample, assemble, make_splitter, run_folds


@dataclass(frozen=True)
class Workbench:
    """A strategy's data in the object store, and how many processes may work on it.

    panel, market: Ray object references.
    """

    panel: Any
    market: Any
    spec: StrategySpec
    splits: int
    periods_per_year: float
    workers: int


def make_workbench(panel: Panel, market: Market, spec: StrategySpec, workers: int) -> Workbench:
    """Put the data into the object store of the running Ray."""
    import ray

    splits = make_splitter(panel, spec).get_n_splits()
    return Workbench(ray.put(panel), ray.put(market), spec, splits, market.periods_per_year, min(workers, splits))


def parallel_walk_forward(bench: Workbench, parameters: Parameters, *, in_sample: bool = False) -> OutOfSample:
    """`walk_forward`, the splits dealt out to `workers` processes, this one among them. The answer is the same."""
    import ray

    hands = [range(first, bench.splits, bench.workers) for first in range(bench.workers)]
    task = ray.remote(num_cpus=CPU_SHARE)(_run_hand)
    pending = [task.remote(bench, dict(parameters), list(hand), in_sample) for hand in hands[1:]]
    done = [_run_hand(bench, parameters, list(hands[0]), in_sample), *ray.get(pending)]
    folds = {
        index: fold for hand, part in zip(hands, done, strict=True) for index, fold in zip(hand, part, strict=True)
    }
    panel, market = ray.get(bench.panel), ray.get(bench.market)
    return assemble(panel, market, bench.spec, [folds[index] for index in range(bench.splits)])


def _run_hand(bench: Workbench, parameters: Parameters, which: list[int], in_sample: bool) -> list[Fold]:
    import ray

    panel, market = ray.get(bench.panel), ray.get(bench.market)
    return run_folds(panel, market, bench.spec, parameters, which, in_sample=in_sample)
