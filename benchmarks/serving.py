"""Latency of the predictor over gRPC: `python -m benchmarks.serving` prints one JSON line per figure.

A model like the demo's (every default feature, 300 × 31 leaves) is registered in a fresh MLflow registry and served by
the real process. Arms: `predict`, one client that asks as soon as it is answered, 1 and 20 rows; `booster`, the same
matrix through Booster.predict in this process, the part that no server can take away. Milliseconds.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import grpc
import lightgbm
import numpy as np
from mlflow.tracking import MlflowClient

from tradewind.native.features import DEFAULT_FEATURES, feature_set_version
from tradewind.trading.model_card import ModelCard
from tradewind.v1.prediction_pb2 import FeatureRow, PredictRequest
from tradewind.v1.prediction_pb2_grpc import PredictionStub

MODEL = "benchmark"


def train() -> lightgbm.Booster:
    """300 trees of 31 leaves for three classes' worth of noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(5_000, len(DEFAULT_FEATURES)))
    y = np.digitize(x[:, 0] + rng.normal(size=5_000), [-0.5, 0.5])
    parameters = {"objective": "multiclass", "num_class": 3, "verbose": -1, "num_threads": 1, "num_leaves": 31}
    return lightgbm.train(parameters, lightgbm.Dataset(x, y, feature_name=list(DEFAULT_FEATURES)), 100)


def register(root: Path, booster: lightgbm.Booster, names: Sequence[str] = DEFAULT_FEATURES) -> str:
    """The model, of the features `names`, in a registry below `root`; returns its URI."""
    uri = f"sqlite:///{root / 'mlflow.db'}"
    client = MlflowClient(uri, uri)
    run = client.create_run(client.create_experiment("benchmark", (root / "artefacts").as_uri()))
    card = ModelCard(
        name=MODEL,
        task="classification",
        feature_set="daily",
        feature_set_version=feature_set_version(names),
        features=list(names),
        horizon_bars=5,
        label="noise",
        prediction_scale=1.0,
        gates=[],
        gates_passed=False,
        trained_from=0,
        trained_until=0,
        rows=5_000,
        seed=0,
        parameters={},
    )
    client.log_text(run.info.run_id, booster.model_to_string(), "model/booster.txt")
    client.log_text(run.info.run_id, card.model_dump_json(), "model/card.json")
    client.create_registered_model(MODEL)
    version = client.create_model_version(MODEL, f"{run.info.artifact_uri}/model", run.info.run_id)
    client.set_registered_model_alias(MODEL, "candidate", version.version)
    return uri


def measure(arm: str, rows: int, calls: int, call: Callable[[], object]) -> None:
    """Time `call` and print its percentiles."""
    for _ in range(min(200, calls)):
        call()
    times = np.empty(calls)
    for index in range(calls):
        begin = time.perf_counter_ns()
        call()
        times[index] = (time.perf_counter_ns() - begin) / 1e6
    for metric, quantile in (("p50", 50), ("p99", 99), ("p99.9", 99.9)):
        line = {
            "bench": "serving",
            "arm": arm,
            "metric": metric,
            "value": round(float(np.percentile(times, quantile)), 4),
        }
        print(json.dumps(line | {"unit": "ms", "params": {"rows": rows, "calls": calls}}), flush=True)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=5_000)
    calls = parser.parse_args().calls
    booster = train()
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        config = {
            "state_dir": str(root / "state"),
            "models": [{"name": MODEL}],
            "tracking_uri": register(root, booster),
        }
        (root / "serving.json").write_text(json.dumps(config))
        process = subprocess.Popen(
            [sys.executable, "-m", "tradewind.serving", "--config", str(root / "serving.json")],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            address = json.loads(process.stdout.readline())["address"]
            with grpc.insecure_channel(address) as channel:
                stub = PredictionStub(channel)
                for rows in (1, 20):
                    matrix = np.random.default_rng(1).normal(size=(rows, len(DEFAULT_FEATURES)))
                    request = PredictRequest(
                        model=MODEL,
                        feature_set_version=feature_set_version(DEFAULT_FEATURES),
                        rows=[FeatureRow(symbol=f"S{index}", values=row) for index, row in enumerate(matrix)],
                    )
                    measure("predict", rows, calls, lambda request=request: stub.Predict(request))  # type: ignore[misc]
                    measure("booster", rows, calls, lambda matrix=matrix: booster.predict(matrix, num_threads=1))  # type: ignore[misc]
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


if __name__ == "__main__":
    main()
