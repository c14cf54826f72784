"""SIGKILL at random moments: no order twice, none lost, and the decisions of the run that nobody disturbed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tradewind.console.state import StateDirectory, started_at
from tradewind.native.engine import read_journal

pytestmark = [pytest.mark.xdist_group("e2e"), pytest.mark.timeout(1500)]
KILLS = 20
SEED = 20260_11


def victims(state: Path) -> dict[str, int]:
    """Processes that may be killed: all of the run but its venue (and the supervisor that starts them again)."""
    alive = StateDirectory(state).alive()
    return {p.name: p.pid for p in alive if p.name not in {"venue", "up"} and not p.name.startswith("train-")}


def wait_for_trading(state: Path, process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 300
    while "feed" not in victims(state):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, "the feed never started"
        time.sleep(0.2)


def test_killed_at_twenty_random_moments_the_run_decides_alike(
    undisturbed: Any, new_state: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    chance = random.Random(SEED)
    process = started(new_state, "--end", "2011-06-30")
    wait_for_trading(new_state, process)
    killed: Counter[str] = Counter()
    for number in range(KILLS):
        time.sleep(chance.uniform(0.05, 0.6))
        alive = victims(new_state)
        if "feed" not in alive and process.poll() is None and number > KILLS // 2:
            continue
        chosen = list(alive) if number % 7 == 6 else [chance.choice(sorted(alive))] if alive else []
        for name in chosen:
            pid = alive[name]
            if started_at(pid) is not None:
                os.kill(pid, signal.SIGKILL)
                killed[name] += 1
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    summary = json.loads(out)
    assert sum(killed.values()) >= KILLS, f"only {killed}"
    assert any(name.startswith("executor-") for name in killed)

    assert summary["disagreements"] == []
    assert summary["decision_hash"] == undisturbed.summary["decision_hash"]
    assert summary["equity"] == undisturbed.summary["equity"]
    # Duplicate: two venue orders for one (intent, slice). Lost: an accepted intent without a recorded outcome.
    assert summary["orders"] == undisturbed.summary["orders"]
    records = [
        r
        for entry in read_journal(new_state / "executors" / "paper" / "executor.journal")
        for r in entry.get("records", [])
    ]
    accepted = {r["intent"]: r["order"] for r in records if r["record"] == "verdict" and r["accepted"]}
    final = {r["client_order_id"]: r["state"] for r in records if r["record"] == "order"}
    assert accepted
    for intent, order in accepted.items():
        assert not order or order in final, f"intent {intent} was accepted for order {order}, which has no record"
