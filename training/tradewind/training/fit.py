"""The final fit, by Ray Train: the winning parameters on every row. Shell: runs one Ray worker."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from tradewind.training.errors import TrainingError
from tradewind.training.model import Parameters, Task, fit_rows
from tradewind.training.panel import Panel
from tradewind.training.ray_session import CPU_SHARE

# Each of these would be one more process or log for a fit that takes a second.
os.environ.setdefault("RAY_TRAIN_V2_ENABLED", "1")
os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
os.environ.setdefault("RAY_TRAIN_METRICS_ENABLED", "0")
os.environ.setdefault("RAY_CHDIR_TO_TRIAL_DIR", "0")


def fit_final(
    panel: Panel,
    task: Task,
    parameters: Parameters,
    seed: int,
    rounds: int,
    *,
    workers: int = 1,
    shared: Path | None = None,
) -> str:
    """Text of the booster fitted on all rows of `panel`, `rounds` rounds. Ray must be running.

    `workers`: 1 fits in a Ray Train worker; 0 in this process, by Ray Train's local mode, which spares a small machine
    five process starts. The same arguments give the same text, to the byte, either way. `shared`: a directory
    of all nodes of the Ray, where there are several. Raises TrainingError when the worker fails.
    """
    import ray
    import ray.train
    from ray.train.lightgbm import LightGBMTrainer

    with tempfile.TemporaryDirectory(prefix=".tradewind-fit-", dir=shared) as scratch:
        trainer = LightGBMTrainer(
            train_worker,
            train_loop_config={
                "panel": ray.put(panel),
                "task": task,
                "parameters": dict(parameters),
                "seed": seed,
                "rounds": rounds,
            },
            scaling_config=ray.train.ScalingConfig(num_workers=workers, resources_per_worker={"CPU": CPU_SHARE}),
            run_config=ray.train.RunConfig(storage_path=scratch, name="fit"),
        )
        try:
            result = trainer.fit()
        except ray.train.TrainingFailedError as error:
            raise TrainingError(f"training: the final fit failed: {str(error).strip().splitlines()[-1]}") from error
    return str(result.return_value)


def train_worker(config: dict[str, Any]) -> str:
    """What the Ray Train worker runs: fit, and hand the model's text over."""
    import ray

    panel: Panel = ray.get(config["panel"])
    rows = np.arange(len(panel), dtype=np.intp)
    booster = fit_rows(panel, rows, config["task"], config["parameters"], config["seed"], config["rounds"])
    return str(booster.model_to_string())
