"""From a changed policy to its being in force: `python -m benchmarks.policy_reload` prints JSON lines.

A real executor process at the simulated venue, on this host. Each round writes another limit into the executor's
file, as `tradewind apply` does, and waits until the executor says that it holds: measured is the time from the file's
replacement to that word, which comes after the engine has taken the limits over between two inputs and has written
them to its journal. The executor looks at the file every 50 ms when nothing happens, and between any two batches of
records.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.hops_input import documents
from tradewind.planning.local import Replay, Site, plan, venue_ca

_PATIENCE_S = 30.0


def start(stack: ExitStack, directory: Path, name: str, module: str, config: dict[str, Any]) -> dict[str, Any]:
    """Starts a process of the stack and returns what it announces."""
    path = directory / f"{name}.json"
    path.write_text(json.dumps(config))
    log = stack.enter_context((directory / f"{name}.log").open("w"))
    process = subprocess.Popen(
        [sys.executable, "-m", module, "--config", str(path)], stdout=subprocess.PIPE, stderr=log, text=True
    )
    stack.callback(process.wait)
    stack.callback(process.terminate)
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(f"{name} did not start: {(directory / f'{name}.log').read_text()}")
    return dict(json.loads(line))


def seconds_until_in_force(path: Path, told: Path, config: dict[str, Any]) -> float:
    """Replaces the file and waits for the executor's word."""
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(config))
    begin = time.perf_counter()
    temporary.replace(path)
    while time.perf_counter() - begin < _PATIENCE_S:
        record = json.loads(told.read_text())
        if record["generation"] == config["policy_generation"]:
            return time.perf_counter() - begin
        time.sleep(0.0005)
    raise RuntimeError(f"generation {config['policy_generation']} is not in force after {_PATIENCE_S:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--symbols", type=int, default=20)
    arguments = parser.parse_args()
    os.environ["APCA_API_KEY_ID"], os.environ["APCA_API_SECRET_KEY"] = (
        "AK" + secrets.token_hex(9),
        secrets.token_hex(20),
    )
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        strategy, policy = documents([f"S{i}" for i in range(arguments.symbols)])
        site = Site(
            state_dir=str(directory),
            bus=f"file://{directory}/bus.db",
            venue_port=0,
            predictor_port=0,
            broker_url="",
            default_features={},
            replay=Replay("unused", 1, None, 1.0),
            base_dir=str(directory),
            run="reload",
        )
        planned = {w.name: w for w in plan([strategy], [policy], site)}
        name = f"executor-{policy.metadata.name}"
        url = start(stack, directory, "venue", planned["venue"].module, dict(planned["venue"].config))["url"]
        config: dict[str, Any] = json.loads(json.dumps(planned[name].config))
        config["broker"] |= {"url": url, "ca_file": venue_ca(site)}
        start(stack, directory, "executor", planned[name].module, config)
        told = directory / "executors" / f"{policy.metadata.name}.policy.json"
        spent = []
        for number in range(arguments.rounds):
            config["policy_generation"] += 1
            config["engine"]["policy_generation"] += 1
            config["engine"]["limits"]["max_order_notional"] = str(1_000_000 - number)
            spent.append(seconds_until_in_force(directory / "executor.json", told, config))
            time.sleep(0.001 * (number % 53))  # so that the rounds meet the executor at different moments
        params = {"rounds": arguments.rounds, "symbols": arguments.symbols}
        for label, quantile in (("p50", 50), ("p99", 99), ("max", 100)):
            value = round(float(np.percentile(spent, quantile)) * 1e3, 2)
            line = {"bench": "policy_reload", "arm": "tradewind", "metric": f"in_force_{label}"}
            print(json.dumps(line | {"value": value, "unit": "ms", "params": params}))


if __name__ == "__main__":
    main()
