"""Whole runs of the local stack: real processes, the simulated venue, the demo's real bars."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TRADEWIND = str(Path(sys.executable).parent / "tradewind")

STRATEGY = """\
apiVersion: tradewind.dev/v1alpha1
kind: Strategy
metadata: {name: small}
spec:
  riskPolicy: paper
  universe: {symbols: [AAPL, GOOG, IBM, MSFT]}
  news: [{kind: Calendar, name: fomc, path: FOMC}]
  training:
    until: 2011-02-28
    splits: {trainBars: 756, validationBars: 252, stepBars: 252}
    search: {trials: 2}
  signal: {threshold: 0.02}
  sizing: {method: PercentEquity, maxPositionPct: 0.2}
  execution: {orderType: Market}
"""
POLICY = """\
apiVersion: tradewind.dev/v1alpha1
kind: RiskPolicy
metadata: {name: paper}
spec:
  strategies: [small, long-side, short-side]
  limits:
    position: {maxShare: 0.3}
    exposure: {sector: 1.0, shortShareOfGross: 1.0, correlatedGroup: 1.0}
    order: {maxNotional: "60000"}
    loss: {consecutive: 100, perTrade: 0.1, perTradeHard: 0.1}
    volatility: {var95: 0.5, portfolio: 1.0}
"""


@dataclass
class Run:
    """A finished run."""

    state: Path
    summary: dict[str, Any]
    stderr: str
    documents: Path = field(default_factory=Path)


@pytest.fixture(scope="session")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One strategy and its policy."""
    path = tmp_path_factory.mktemp("documents") / "small.yaml"
    path.write_text(STRATEGY.replace("FOMC", str(ROOT / "examples" / "fomc.yaml")) + "---\n" + POLICY)
    return path


def shared(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder of the whole session: the first worker that asks makes it, the others wait for it."""
    of_session = factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()
    folder, made = of_session / name, of_session / f"{name}.made"
    with (of_session / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            folder.mkdir()
            make(folder)
            made.touch()
    return folder


@pytest.fixture(scope="session")
def trained(documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state directory in which the strategy's model is trained; runs start from copies of it."""

    def train(folder: Path) -> None:
        done = subprocess.run(
            [TRADEWIND, "train", "-f", str(documents), "--replay", "demo", "--state", str(folder / "state")],
            capture_output=True,
            text=True,
            timeout=600,
            cwd=ROOT,
        )
        assert done.returncode == 0, done.stderr

    return shared(tmp_path_factory, "trained", train) / "state"


@pytest.fixture(scope="session")
def trade(trained: Path, documents: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """Runs `tradewind up` on a copy of the trained state until it ends."""

    def run(*options: str, files: Path | None = None, state: Path | None = None) -> Run:
        own = state or fresh_state(trained, tmp_path_factory.mktemp("run"))
        used = files or documents
        done = subprocess.run(
            [TRADEWIND, "up", "-f", str(used), "--replay", "demo", "--state", str(own), "--json", *options],
            capture_output=True,
            text=True,
            timeout=900,
            cwd=ROOT,
        )
        assert done.returncode == 0, f"{done.stderr}\n{tail_of_logs(own)}"
        return Run(own, json.loads(done.stdout), done.stderr, used)

    return run


def fresh_state(trained: Path, folder: Path) -> Path:
    """A copy of the trained state that no run has touched."""
    own = folder / "state"
    shutil.copytree(trained, own, ignore=shutil.ignore_patterns("logs", "pids", "run.json"))
    return own


@pytest.fixture
def new_state(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, for tests that start the run themselves."""
    return fresh_state(trained, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def undisturbed(trade: Callable[..., Run], trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run that others are compared with: four months in lockstep."""

    def trade_once(folder: Path) -> None:
        run = trade("--end", "2011-06-30", state=fresh_state(trained, folder))
        (folder / "summary.json").write_text(json.dumps(run.summary))

    folder = shared(tmp_path_factory, "undisturbed", trade_once)
    return Run(folder / "state", json.loads((folder / "summary.json").read_text()), "")


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """HOST:PORT of a real Kafka of this session."""
    spec = importlib.util.spec_from_file_location("kafka_broker_for_e2e", ROOT / "tests" / "kafka" / "broker.py")
    assert spec is not None
    assert spec.loader is not None
    module: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with module.Broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker.bootstrap


@pytest.fixture
def started(documents: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `tradewind up` and leaves it running; ends it with the test."""
    processes: list[subprocess.Popen[str]] = []

    def start(state: Path, *options: str) -> subprocess.Popen[str]:
        command = [TRADEWIND, "up", "-f", str(documents), "--replay", "demo", "--state", str(state), "--json", *options]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ}
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            process.terminate()
            process.wait(60)


def tail_of_logs(state: Path) -> str:
    """The last lines of each process's log, for a failed assertion."""
    return "\n".join(
        f"== {p.name}\n" + "\n".join(p.read_text(errors="replace").splitlines()[-8:])
        for p in sorted((state / "logs").glob("*.log"))
        if p.stat().st_size
    )
