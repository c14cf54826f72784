"""Random failures of real processes, from a seed. `CHAOS_RUNS` says how many seeds; a failing one keeps its inputs.

A run that fails leaves its seed, journal, bus and logs in `runs/chaos/seed-N`; `CHAOS_SEED=N` strikes the same blows
again, and `tradewind replay runs/chaos/seed-N/executors/paper/executor.journal` decides its inputs again.
"""

from __future__ import annotations

import os
import shutil
import traceback
from collections import Counter
from pathlib import Path

import pytest

from tests.chaos.storm import INTENTS, ON_KAFKA, blows, weather

ROOT = Path(__file__).parents[2]
RUNS = int(os.environ.get("CHAOS_RUNS", "20"))
SEEDS = [int(os.environ["CHAOS_SEED"])] if "CHAOS_SEED" in os.environ else list(range(RUNS))


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_sent_twice_lost_or_past_a_limit(seed: int, tmp_path: Path) -> None:
    try:
        figures = weather(tmp_path, seed)
        assert figures["intents"] >= INTENTS, figures
        assert figures["orders"] >= 1, figures
        assert sum(figures["deaths"].values()) >= sum(b.kind == "kill" for b in blows(seed)) // 2, figures
    except BaseException:
        kept = ROOT / "runs" / "chaos" / f"seed-{seed}"
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(tmp_path, kept)
        (kept / "failure.txt").write_text(traceback.format_exc())
        print(f"kept in {kept}; again: CHAOS_SEED={seed} python -m pytest tests/chaos/test_random_failures.py")
        raise


def test_the_blows_of_a_seed_are_always_the_same_and_of_every_kind() -> None:
    assert [blows(seed) for seed in range(50)] == [blows(seed) for seed in range(50)]
    kinds = Counter((b.kind, b.target) for seed in range(200) for b in blows(seed))
    assert set(kinds) == {
        ("kill", "first"), ("kill", "second"), ("kill", "signals"), ("kill", "venue"), ("kill", "kafka"),
        ("stop", "first"), ("stop", "second"),
    }  # fmt: skip
    assert kinds.pop(("kill", "kafka")) == 200 // ON_KAFKA
    assert min(kinds.values()) > 50
