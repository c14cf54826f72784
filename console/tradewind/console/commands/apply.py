"""`tradewind apply`: changed policies to the executors of a run, without a restart. Shell."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from tradewind.console.documents import load_complete
from tradewind.console.errors import ConsoleError
from tradewind.console.state import StateDirectory
from tradewind.planning.local import executor_policy
from tradewind.specs import RiskPolicy, Strategy

_PATIENCE_S = 15.0


def run(files: list[Path], state: Path) -> None:
    """Writes each changed policy where its executor looks, and waits until the executor has taken or refused it."""
    documents = load_complete(files)
    directory = StateDirectory(state)
    alive = {process.name for process in directory.alive()}
    out = Console()
    known = 0
    for policy in documents.policies:
        name = policy.metadata.name
        path = directory.configs / f"executor-{name}.json"
        if not path.is_file():
            continue
        known += 1
        bound = [s for s in documents.strategies if s.spec.risk_policy == name]
        config = json.loads(path.read_text(encoding="utf-8"))
        changed = config | _policy(policy, bound, config)
        if changed == config:
            out.print(f"{name}: unchanged, generation {config['policy_generation']}")
            continue
        generation = changed["policy_generation"]
        told = state / "executors" / f"{name}.policy.json"
        before = told.stat().st_mtime_ns if told.is_file() else 0
        directory.write_json(path, changed)
        if f"executor-{name}" in alive:
            problem = _problem(told, before, generation)
            if problem:
                directory.write_json(path, config)
                raise ConsoleError(f"the executor of {name} refused generation {generation}: {problem}")
            out.print(f"{name}: generation {generation} is in force")
        else:
            out.print(f"{name}: generation {generation} is written; its executor doesn't run")
    if not known:
        raise ConsoleError(f"no executor of these policies in {state}; start one with tradewind up --state {state}")


def _policy(policy: RiskPolicy, bound: list[Strategy], config: dict[str, Any]) -> dict[str, Any]:
    """The executor's new policy; its generation is one up when anything else changed."""
    same = executor_policy(_generation(policy, config["policy_generation"]), bound)
    if all(json.loads(json.dumps(value)) == config.get(key) for key, value in same.items()):
        return {}
    following = max(config["policy_generation"] + 1, policy.metadata.generation)
    return executor_policy(_generation(policy, following), bound)


def _generation(policy: RiskPolicy, number: int) -> RiskPolicy:
    return policy.model_copy(update={"metadata": policy.metadata.model_copy(update={"generation": number})})


def _problem(told: Path, before: int, generation: int) -> str:
    """Why the executor refuses this generation; empty once it is in force."""
    end = time.monotonic() + _PATIENCE_S
    while time.monotonic() < end:
        if told.is_file() and told.stat().st_mtime_ns > before:
            record = json.loads(told.read_text(encoding="utf-8"))
            if record["problem"] or record["generation"] == generation:
                return str(record["problem"])
        time.sleep(0.02)
    return f"no answer within {_PATIENCE_S:.0f} s; see its log"
