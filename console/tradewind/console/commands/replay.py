"""`tradewind replay`: a recorded input log, decided again. Shell."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from tradewind.console.errors import ConsoleError
from tradewind.native.engine import JournalError, replay_journal


def run(journal: Path, *, as_json: bool) -> None:
    """Feeds each journal to a fresh engine; every output must be the recorded one."""
    results = {}
    for path in _journals(journal):
        try:
            results[path] = replay_journal(path)
        except JournalError as error:
            raise ConsoleError(str(error)) from None
    if as_json:
        value = [
            {"journal": str(p), "inputs": r["inputs"], "decision_hash": r["decision_hash"]} for p, r in results.items()
        ]
        print(json.dumps(value))  # noqa: T201
        return
    out = Console()
    for path, result in results.items():
        out.print(f"{path}: {result['inputs']:,} inputs decided as recorded; decision hash {result['decision_hash']}")


def _journals(path: Path) -> list[Path]:
    """The journal itself, or those of a run's state directory."""
    if not path.exists():
        raise ConsoleError(f"{path}: no such journal or state directory")
    if path.is_file():
        return [path]
    found = sorted(path.glob("**/*.journal"))
    if not found:
        raise ConsoleError(f"{path}: holds no journal; give the state directory of a run that has traded")
    return found
