"""SIGKILL at random moments: no order twice, none lost, and the decisions of the run that nobody disturbed."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import tail_of_logs
from tradewind.bus import open_bus
from tradewind.console.state import StateDirectory, started_at
from tradewind.native.engine import read_journal

pytestmark = pytest.mark.timeout(1500)
KILLS = 20
SEED = 20260_11


def victims(state: Path) -> dict[str, int]:
    """Processes that may be killed: all of the run but its venue and the supervisor."""
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
    blows = 0
    while killed.total() < KILLS and process.poll() is None:
        time.sleep(chance.uniform(0.05, 0.6))
        alive = victims(new_state)
        if not alive or (blows > KILLS // 4 and "feed" not in alive):
            continue  # a slow machine needs its time to start again what died; some blows hit it in the middle of that
        for name in list(alive) if blows % 7 == 6 else [chance.choice(sorted(alive))]:
            pid = alive[name]
            if started_at(pid) is not None:
                os.kill(pid, signal.SIGKILL)
                killed[name] += 1
        blows += 1
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, f"{err}\n{tail_of_logs(new_state)}"
    summary = json.loads(out)
    assert killed.total() >= KILLS, f"only {killed}"
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


def test_the_supervisor_dies_with_all_the_others_and_the_same_command_goes_on(
    undisturbed: Any, new_state: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    process = started(new_state, "--end", "2011-06-30")
    wait_for_trading(new_state, process)
    with open_bus(f"file://{new_state}/bus.db") as bus:
        while bus.end_offset("orders") == 0:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.05)
    process.kill()
    process.communicate()
    orphans = victims(new_state)
    assert any(name.startswith("executor-") for name in orphans), "nobody stops the trading of a dead supervisor"
    for pid in orphans.values():
        os.kill(pid, signal.SIGKILL)
    # The venue lives: a second run beside it would be a mistake, and `down` is the way out that the refusal names.
    refused = started(new_state, "--end", "2011-06-30")
    assert "tradewind down" in refused.communicate(timeout=120)[1]
    assert refused.returncode == 2
    down = [str(Path(sys.executable).parent / "tradewind"), "down", "--state", str(new_state)]
    subprocess.run(down, check=True, capture_output=True, timeout=120)
    with contextlib.ExitStack() as others:
        for port in json.loads((new_state / "run.json").read_text())["ports"].values():
            others.enter_context(socket.create_server(("127.0.0.1", port)))  # somebody's by now
        again = started(new_state, "--end", "2011-06-30")
        out, err = again.communicate(timeout=900)
    assert again.returncode == 0, f"{err}\n{tail_of_logs(new_state)}"
    summary = json.loads(out)
    assert summary["disagreements"] == [], err
    assert summary["decision_hash"] == undisturbed.summary["decision_hash"]
    assert (summary["equity"], summary["orders"]) == (undisturbed.summary["equity"], undisturbed.summary["orders"])
