"""Feed, features and signals as processes with their probes."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.integration.probing import probe
from tradewind.bus import FileBus, ports
from tradewind.planning.local import Replay, Site, plan
from tradewind.specs import RiskPolicy, Strategy, parse_documents
from tradewind.streaming.datasets import write_dataset
from tradewind.streaming.datasets.store import BAR_SCHEMA

DAY = 86_400_000_000_000
FIRST = 19_000 * DAY  # 8 January 2022
DAYS = 40
PATIENCE_S = 60.0
DOCUMENTS = """\
apiVersion: tradewind.dev/v1alpha1
kind: Strategy
metadata: {name: turns}
spec:
  riskPolicy: paper
  universe: {symbols: [AAPL], context: null}
  bars: 1d
  features: {names: [tech_rsi_14_raw, vol_historical_21_annual]}
---
apiVersion: tradewind.dev/v1alpha1
kind: RiskPolicy
metadata: {name: paper}
spec: {strategies: [turns]}
"""

Start = Callable[..., int]


def bars() -> pl.DataFrame:
    rows = [
        {
            "symbol": "AAPL", "interval": "1d", "open_time": FIRST + (day - 1) * DAY, "event_time": FIRST + day * DAY,
            "available_time": FIRST + day * DAY, "open": close, "high": close + 10, "low": close - 10, "close": close,
            "volume": 1_000, "vwap": None, "trade_count": None, "context": False,
        }
        for day in range(1, DAYS + 1)
        for close in [100 * 10**8 + day * 10**6]
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=BAR_SCHEMA)


@pytest.fixture
def configs(tmp_path: Path) -> dict[str, dict[str, Any]]:
    return replay(tmp_path, f"file://{tmp_path}/bus.db")


def replay(folder: Path, bus: str, venue_port: int | None = None) -> dict[str, dict[str, Any]]:
    """The configuration of each process of a replay at recorded speed, by name."""
    data = folder / "data"
    write_dataset(data, bars(), name="t", interval="1d", stamps="close", adjustment="forward", source="test")
    documents = parse_documents(DOCUMENTS, "turns.yaml")
    site = Site(
        state_dir=str(folder), bus=bus, venue_port=venue_port, predictor_port=0, broker_url="",
        default_features={}, replay=Replay(str(data), FIRST + 30 * DAY, None, 1.0), base_dir=str(folder), run="r",
    )  # fmt: skip
    planned = plan(
        [d for d in documents if isinstance(d, Strategy)], [d for d in documents if isinstance(d, RiskPolicy)], site
    )
    return {w.module.rpartition(".")[2]: w.config for w in planned}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a process, waits for its word, and says where its probes are."""
    started: list[subprocess.Popen[str]] = []

    def begin(name: str, config: dict[str, Any]) -> int:
        port = ports.reserve()
        member = "execution" if name == "signals" else "streaming"
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(config | {"probes_port": port}))
        command = [sys.executable, "-m", f"tradewind.{member}.{name}", "--config", str(path)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["ready"]
        return port

    yield begin
    for process in started:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0


def wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_each_counts_what_it_reads_and_writes(configs: dict[str, dict[str, Any]], start: Start, tmp_path: Path) -> None:
    features = start("features", configs["features"] | {"history": None})
    assert probe(features, "/readyz") == (200, "ok\n")
    feed = start("feed", configs["feed"] | {"progress": False})
    with FileBus(tmp_path / "bus.db") as bus:
        wait_until(lambda: bus.end_offset("features") >= 3)
    for port in (feed, features):
        assert probe(port, "/livez") == probe(port, "/readyz") == (200, "ok\n")
    assert 'tradewind_bus_records_written_total{topic="bars"} ' in probe(feed, "/metrics")[1]
    said = probe(features, "/metrics")[1]
    assert 'tradewind_bus_records_read_total{topic="bars"} ' in said
    assert 'tradewind_bus_records_written_total{topic="features"} ' in said


def test_signals_are_ready_when_somebody_listens_where_the_predictor_should(
    configs: dict[str, dict[str, Any]], start: Start, tmp_path: Path
) -> None:
    with socket.socket() as predictor:
        predictor.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        address = f"127.0.0.1:{predictor.getsockname()[1]}"
        signals = start("signals", configs["signals"] | {"predictor": address})
        status, said = probe(signals, "/readyz")
        assert status == 503
        assert said.startswith(f"predictor: {address} is not reached (")
        assert probe(signals, "/livez") == (200, "ok\n")
        predictor.listen()
        assert probe(signals, "/readyz") == (200, "ok\n")
