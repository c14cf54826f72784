"""The commands of the README, run on a run that goes on meanwhile."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tradewind.streaming.datasets import read_dataset

ROOT = Path(__file__).parents[2]
TRADEWIND = str(Path(sys.executable).parent / "tradewind")
pytestmark = pytest.mark.timeout(600)


def tradewind(*arguments: str, cwd: Path = ROOT) -> str:
    done = subprocess.run([TRADEWIND, *arguments], capture_output=True, text=True, timeout=120, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return done.stdout


def readme_commands() -> list[list[str]]:
    block = next(b for b in re.findall(r"```\n(.*?)```", (ROOT / "README.md").read_text(), re.S) if "tradewind up" in b)
    lines = [line.split("#")[0].strip() for line in block.splitlines()]
    return [re.findall(r'"[^"]*"|\S+', line)[1:] for line in lines if line]


def test_every_command_and_option_of_the_readme_exists() -> None:
    commands = readme_commands()
    assert len(commands) >= 9
    for words in commands:
        names = words[:2] if words[0] in ("data", "audit") else words[:1]
        text = tradewind(*names, "--help")
        for option in (w for w in words if w.startswith("-")):
            assert option in text, f"tradewind {' '.join(names)} has no {option}"


def test_a_running_strategy_is_watched_halted_resumed_and_stopped(
    new_state: Path, started: Callable[..., subprocess.Popen[str]]
) -> None:
    process = started(new_state, "--speed", "200000")
    state = ["--state", str(new_state)]

    def account() -> dict[str, Any]:
        accounts = json.loads(tradewind("status", *state, "--json"))["accounts"]
        return dict(accounts[0]) if accounts else {}

    def until(what: str, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 240
        while not reached():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, f"{what}: not after 240 s"
            time.sleep(0.5)

    until("three fills", lambda: account().get("fills", 0) >= 3)
    assert "halt taken" in tradewind("halt", "--by", "a tester", "--reason", "drill", *state)
    halted: dict[str, Any] = {}

    def switched() -> bool:
        halted.update(account())
        return bool(halted.get("kill_switch"))

    until("the switch", switched)
    assert "drill" in halted["kill_reason"]
    # New bars go on arriving, and new intents with them; what they get is a refusal.
    until("a refusal", lambda: account().get("rejected_intents", 0) > halted["rejected_intents"])

    assert "resume taken" in tradewind("resume", "--by", "a tester", *state)
    until("the release", lambda: not account().get("kill_switch"))
    assert "trading" in tradewind("status", *state)
    assert "stopped" in tradewind("down", *state)
    process.wait(60)
    assert "nothing runs" in tradewind("status", *state)


def test_a_users_own_bars_become_a_data_set(tmp_path: Path) -> None:
    rows = [
        f"2024-01-02 09:{m}:00,{100 + m % 7},{108 + m % 7},{99 + m % 7},{101 + m % 7},{1000 + m}" for m in range(31, 60)
    ]
    (tmp_path / "bars.csv").write_text("time,open,high,low,close,volume\n" + "\n".join(rows) + "\n")
    words = next(w for w in readme_commands() if w[:2] == ["data", "import"])
    tradewind(*words, cwd=tmp_path)
    bars = read_dataset(tmp_path / "data" / "mine").bars
    assert bars.height == len(rows)
    # Close-stamped New York time: the bar stamped 09:31 opened at 14:30 UTC.
    first = bars.row(0, named=True)
    assert pl.from_epoch(pl.Series([first["open_time"]]), "ns").dt.to_string("%H:%M")[0] == "14:30"
    assert first["close"] == (101 + 31 % 7) * 10**8
