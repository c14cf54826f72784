"""The intraday path from a user's own files: import minute bars, learn from some sessions, trade the next.

Where TRADEWIND_SHARED_DATA names a directory with us_1min_eqker_2019.parquet, its real week is a case of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tradewind.streaming.recorder import Repository

pytestmark = pytest.mark.timeout(1500)
TRADEWIND = str(Path(sys.executable).parent / "tradewind")
DOCUMENTS = """\
apiVersion: tradewind.dev/v1alpha1
kind: Strategy
metadata: {{name: minutes}}
spec:
  riskPolicy: paper
  bars: 1m
  universe: {{symbols: [{symbols}], context: {context}}}
  features: {{maxWarmUpBars: 64, maxAge: 1m}}
  training:
    until: {until}
    label: {{kind: TripleBarrier, horizonBars: 10}}
    splits: {{trainBars: 390, validationBars: 195, stepBars: 195}}
    search: {{trials: 1}}
  signal: {{threshold: 0.02}}
  sizing: {{method: PercentEquity, maxPositionPct: 0.2}}
  execution: {{orderType: Limit, validFor: 10m, algorithm: Twap, duration: 5m, interval: 1m}}
---
apiVersion: tradewind.dev/v1alpha1
kind: RiskPolicy
metadata: {{name: paper}}
spec:
  strategies: [minutes]
  limits:
    position: {{maxShare: 0.3}}
    exposure: {{sector: 1.0, shortShareOfGross: 1.0, correlatedGroup: 1.0}}
    order: {{maxNotional: "60000", tradesPerDay: 5000, perMinute: 600}}
    loss: {{consecutive: 100, perTrade: 0.1, perTradeHard: 0.1}}
    volatility: {{indexFeature: none, var95: 0.5, portfolio: 1.0}}
"""


@dataclass(frozen=True)
class Case:
    """Files to import, and what to trade of them."""

    arguments: Sequence[str | Path]
    symbols: tuple[str, ...]
    context: str
    until: str
    minutes: int


def written_minutes(directory: Path) -> Case:
    """Four sessions, stamped at the open in New York's time, a file per symbol; the last is a half day."""
    rng = np.random.default_rng(5)
    sessions = [("2024-06-28", 390), ("2024-07-01", 390), ("2024-07-02", 390), ("2024-07-03", 210)]
    files = []
    for symbol in ("AAA", "BBB", "CCC", "MKT"):
        rows, price, drift = [], 80.0, 0.0
        for day, minutes in sessions:
            start = datetime.fromisoformat(f"{day}T09:30:00")
            for minute in range(minutes):
                drift = 0.9 * drift + rng.normal(0, 0.0002)
                opened, price = price, price * float(np.exp(drift + rng.normal(0, 0.0004)))
                first, last = round(opened, 2), round(price, 2)
                low, high = min(first, last) - 0.01, max(first, last) + 0.01
                at = (start + timedelta(minutes=minute)).isoformat(sep=" ")
                rows.append((at, first, round(high, 2), round(low, 2), last, int(rng.integers(10**4, 10**5))))
        path = directory / f"{symbol}.csv"
        names = ["time", "open", "high", "low", "close", "volume"]
        pl.DataFrame(rows, schema=names, orient="row").write_csv(path)
        files.append(path)
    arguments: list[str | Path] = [*files, "--stamps", "open", "--timezone", "America/New_York", "--context", "MKT"]
    return Case(arguments, ("AAA", "BBB", "CCC"), "MKT", "2024-07-02", 210)


def recorded_minutes(directory: Path) -> Case:
    """A real week, as recorded: stamped at the close in UTC; five of its symbols."""
    wanted = ("AAPL", "AMZN", "MSFT", "TSLA", "SPY")
    source = pl.read_parquet(Path(os.environ["TRADEWIND_SHARED_DATA"]) / "us_1min_eqker_2019.parquet")
    path = directory / "week.parquet"
    source.filter(pl.col("symbol").is_in(wanted)).write_parquet(path)
    arguments: list[str | Path] = [
        path,
        "--stamps",
        "close",
        "--timezone",
        "UTC",
        "--column",
        "time=ts_close_utc",
        "--context",
        "SPY",
    ]
    return Case(arguments, wanted[:4], "SPY", "2019-02-14", 390)


CASES: list[Callable[[Path], Case]] = [written_minutes]
if os.environ.get("TRADEWIND_SHARED_DATA"):
    CASES.append(recorded_minutes)


def tradewind(*arguments: str | Path) -> str:
    done = subprocess.run([TRADEWIND, *map(str, arguments)], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("make", CASES, ids=[make.__name__ for make in CASES])
def test_minutes_are_imported_learned_from_and_traded(make: Callable[[Path], Case], tmp_path: Path) -> None:
    case = make(tmp_path)
    dataset, documents, state = tmp_path / "data", tmp_path / "minutes.yaml", tmp_path / "state"
    tradewind("data", "import", *case.arguments, "--interval", "1m", "--out", dataset)
    documents.write_text(
        DOCUMENTS.format(symbols=", ".join(case.symbols), context=f'"{case.context}"', until=case.until)
    )
    summary = json.loads(tradewind("up", "-f", documents, "--replay", dataset, "--state", state, "--json"))
    assert summary["disagreements"] == []
    assert summary["venue_agrees"] is True
    assert summary["dead_letters"] == 0
    assert 0.9 * case.minutes * len(case.symbols) <= summary["features"] <= case.minutes * len(case.symbols)
    assert summary["predictions"] == summary["features"]
    assert summary["fills"] > 20
    with Repository(f"sqlite:///{state}/record.db") as record:
        fills = record.fills("paper")
        orders = {o.client_order_id: o for o in record.orders("paper")}
        intents = {i.id: i for i in record.intents("paper")}
    # Decided on a bar, filled on a later one, within the day that nothing has learned from.
    assert {f.symbol for f in fills} <= set(case.symbols)
    for fill in fills:
        if not fill.internal:
            assert fill.event_time_ns > orders[fill.client_order_id].created_ns
            assert (
                datetime.fromisoformat(case.until).date() < datetime.fromtimestamp(fill.event_time_ns / 1e9, UTC).date()
            )
    # Entries are spread over minutes: some intent has several orders, and what they cost is in the summary.
    slices = Counter(i for o in orders.values() for i in o.intent_ids if intents[i].algorithm == "TWAP")
    assert max(slices.values()) > 1
    assert [row["algorithm"] for row in summary["transaction_costs"]] == ["TWAP"]
    parents = json.loads((state / "transaction_costs.json").read_text())
    assert sum(len(p["fills"]) for p in parents) == sum(row["fills"] for row in summary["transaction_costs"])
    (replayed,) = json.loads(tradewind("replay", state, "--json"))
    assert replayed["decision_hash"] == summary["decision_hash"]
