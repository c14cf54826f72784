"""`tradewind apply`: what it writes for an executor, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.planning.test_local_plan import SITE, policy, strategy
from tradewind.console.commands.apply import run
from tradewind.console.errors import ConsoleError
from tradewind.planning.local import plan

DOCUMENTS = """\
apiVersion: tradewind.dev/v1alpha1
kind: Strategy
metadata: {name: one}
spec: {riskPolicy: paper, universe: {symbols: [AAPL, MSFT]}, capitalShare: 0.5}
---
apiVersion: tradewind.dev/v1alpha1
kind: RiskPolicy
metadata: {name: paper}
spec: {strategies: [one]CHANGE}
"""


def written(tmp_path: Path, change: str) -> list[Path]:
    path = tmp_path / "documents.yaml"
    path.write_text(DOCUMENTS.replace("CHANGE", change))
    return [path]


@pytest.fixture
def executor(tmp_path: Path) -> Path:
    """The configuration of an executor as `tradewind up` left it; the executor itself doesn't run."""
    (config,) = (w.config for w in plan([strategy("one")], [policy("paper", "one")], SITE) if w.name.startswith("exec"))
    path = tmp_path / "config" / "executor-paper.json"
    path.parent.mkdir()
    path.write_text(json.dumps(config))
    return path


def read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def test_a_changed_limit_is_the_next_generation_and_nothing_else_changes(executor: Path, tmp_path: Path) -> None:
    before = read(executor)
    run(written(tmp_path, ", limits: {position: {maxShare: 0.04}}"), tmp_path)
    after = read(executor)
    assert after["policy_generation"] == after["engine"]["policy_generation"] == 2
    assert after["engine"]["limits"]["max_position_pct"] == 0.04
    after["engine"]["limits"]["max_position_pct"] = before["engine"]["limits"]["max_position_pct"]
    after["policy_generation"] = after["engine"]["policy_generation"] = 1
    assert after == before


def test_the_same_policy_is_no_new_generation(executor: Path, tmp_path: Path) -> None:
    before = executor.read_bytes()
    run(written(tmp_path, ""), tmp_path)
    assert executor.read_bytes() == before


def test_what_cannot_be_is_refused_and_nothing_is_written(executor: Path, tmp_path: Path) -> None:
    before = executor.read_bytes()
    who = "until: '2030-01-01T00:00:00Z', by: ada, reason: test"
    same = f", overrides: [{{limit: position.maxShare, value: 0.05, {who}}}]"
    with pytest.raises(ConsoleError, match=r"position\.maxShare as 0\.05 changes nothing"):
        run(written(tmp_path, same), tmp_path)
    with pytest.raises(ConsoleError, match=r"spec\.limits\.position\.maxShare"):
        run(written(tmp_path, ", limits: {position: {maxShare: 4}}"), tmp_path)
    assert executor.read_bytes() == before


def test_without_an_executor_there_is_nothing_to_apply_to(tmp_path: Path) -> None:
    with pytest.raises(ConsoleError, match="no executor of these policies"):
        run(written(tmp_path, ""), tmp_path)
