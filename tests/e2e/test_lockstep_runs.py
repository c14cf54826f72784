"""What must hold of a run in lockstep: repeatable, replayable, netted, and everyone's books alike."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tradewind.bus import Bus, open_bus
from tradewind.streaming.recorder import Repository

pytestmark = pytest.mark.timeout(1500)
TRADEWIND = str(Path(sys.executable).parent / "tradewind")


def replayed(state: Path) -> dict[str, Any]:
    done = subprocess.run([TRADEWIND, "replay", str(state), "--json"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    return dict(result)


def messages(bus: Bus, topic: str) -> list[tuple[int, Any]]:
    return [(r.offset, r.message) for r in bus.read(topic)]


def test_a_run_trades_and_every_keeper_of_books_agrees(undisturbed: Any) -> None:
    summary = undisturbed.summary
    assert summary["fills"] > 20
    assert summary["orders"] > 20
    assert summary["predictions"] == summary["features"]
    assert summary["disagreements"] == []
    assert summary["venue_agrees"] is True
    assert summary["dead_letters"] == 0
    assert (undisturbed.state / "report.html").stat().st_size > 10**6


def test_a_run_from_scratch_decides_alike(undisturbed: Any, trade: Callable[..., Any], tmp_path: Path) -> None:
    # From an empty directory: data set, features, training, selection and trading are all made again.
    again = trade("--end", "2011-06-30", state=tmp_path / "state")
    assert again.summary["decision_hash"] == undisturbed.summary["decision_hash"]
    assert again.summary["equity"] == undisturbed.summary["equity"]


def test_the_recorded_input_log_decides_alike(undisturbed: Any) -> None:
    assert replayed(undisturbed.state)["decision_hash"] == undisturbed.summary["decision_hash"]


def test_a_changed_input_decides_otherwise(trade: Callable[..., Any], undisturbed: Any) -> None:
    shorter = trade("--end", "2011-05-16")
    assert shorter.summary["decision_hash"] != undisturbed.summary["decision_hash"]


def test_a_run_at_recorded_speed_replays_to_its_own_hash(trade: Callable[..., Any]) -> None:
    run = trade("--end", "2011-04-15", "--speed", "400000")
    assert run.summary["fills"] > 0
    assert run.summary["disagreements"] == []
    assert replayed(run.state)["decision_hash"] == run.summary["decision_hash"]


def test_two_strategies_on_one_account_are_netted(
    trade: Callable[..., Any], documents: Path, tmp_path: Path, undisturbed: Any
) -> None:
    strategy, policy = documents.read_text().split("---\n")
    sides = [
        strategy.replace("name: small", "name: long-side").replace(
            "riskPolicy: paper", "riskPolicy: paper\n  capitalShare: 0.5\n  model: small"
        ),
        strategy.replace("name: small", "name: short-side").replace(
            "riskPolicy: paper", "riskPolicy: paper\n  capitalShare: 0.4\n  model: small"
        ).replace("threshold: 0.02", "threshold: 0.02, invert: true"),
    ]  # fmt: skip
    path = tmp_path / "two.yaml"
    path.write_text("---\n".join([*sides, policy]))
    run = trade("--end", "2011-05-31", files=path)
    assert run.summary["disagreements"] == []
    assert run.summary["dead_letters"] == 0

    with Repository(f"sqlite:///{run.state}/record.db") as record:
        books = record.positions_at("paper")
        assert books is not None
        fills = record.fills("paper")
        orders = record.orders("paper")
    # Both sides were held, in opposite directions, at least once.
    sides_held = {(f.strategy, f.symbol) for f in fills}
    assert {s for s, _ in sides_held} == {"strategy/default/long-side", "strategy/default/short-side"}
    crossed = [f for f in fills if f.internal]
    assert crossed, "opposite targets in one symbol must cross inside the account"
    # Sub-books add up to the account's book, symbol by symbol, to the share.
    account = {p.symbol: p.quantity for p in books.positions if not p.strategy}
    parts: dict[str, Any] = defaultdict(int)
    for position in books.positions:
        if position.strategy:
            parts[position.symbol] += position.quantity
    assert {s: q for s, q in parts.items() if q} == {s: q for s, q in account.items() if q}
    # What crossed inside sums to zero, execution by execution.
    for symbol in {f.symbol for f in crossed}:
        inside = [f.quantity if f.side.endswith("BUY") else -f.quantity for f in crossed if f.symbol == symbol]
        assert sum(inside) == 0
    # The venue never had to refuse a wash trade, and no two orders of one symbol worked on opposite sides at once.
    assert not [o for o in orders if "wash" in o.message.lower()]


def test_a_kafka_bus_carries_the_same_decisions(trade: Callable[..., Any], undisturbed: Any, kafka_broker: str) -> None:
    run = trade("--end", "2011-06-30", "--kafka", kafka_broker)
    assert run.summary["decision_hash"] == undisturbed.summary["decision_hash"]
    assert run.summary["disagreements"] == []


def test_every_decision_can_be_traced_back_to_its_bar(undisturbed: Any) -> None:
    with open_bus(f"file://{undisturbed.state}/bus.db") as bus:
        bars = dict(messages(bus, "bars"))
        features = dict(messages(bus, "features"))
        signals = {m.id: m for _, m in messages(bus, "signals")}
        intents = {m.id: m for _, m in messages(bus, "intents")}
        orders = {m.client_order_id: m for _, m in messages(bus, "orders") if m.intent_ids}
        fills = [m for _, m in messages(bus, "fills")]
    assert fills
    for fill in fills:
        order = orders[fill.client_order_id]
        for intent in (intents[i] for i in order.intent_ids):
            signal = signals[intent.signal_id]
            vector = features[signal.feature_offset]
            bar = bars[vector.bar_offset]
            assert bar.symbol == vector.symbol == intent.symbol == fill.symbol
            assert bar.event_time == vector.event_time <= intent.decision_time < fill.event_time
            assert signal.model_version == intent.model_version != ""
