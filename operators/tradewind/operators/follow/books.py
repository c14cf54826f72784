"""What a follower shares with its executor: its configuration, what that was made of, what became of it. Shell."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

from tradewind.operators.plan.model import Object

_log = logging.getLogger("tradewind.operators.follow")


class Books:
    """Files of one executor.

    Attributes:
        out: the executor's configuration.
        state: directory of the executor's volume; a new pod finds there which strategies the journal knows.
    """

    def __init__(self, out: Path, state: Path, account: str) -> None:
        self.out = out
        self._known = state / f"{account}.strategies.json"
        self._verdict = state / "executors" / f"{account}.policy.json"
        self._before = self.told_at()  # by the executor of an earlier pod

    def write(self, text: str) -> None:
        """Replaces the configuration in one step, if it differs: the executor never reads half a file."""
        if self.out.exists() and self.out.read_text(encoding="utf-8") == text:
            return
        _replace(self.out, text)
        _log.info("%s: generation %s", self.out, json.loads(text)["policy_generation"])

    def known(self) -> list[Object]:
        """The strategies that the executor was last configured with."""
        if not self._known.exists():
            return []
        found: list[Object] = json.loads(self._known.read_text(encoding="utf-8"))
        return found

    def remember(self, strategies: Sequence[Object]) -> None:
        """Notes the strategies before the executor is configured with them."""
        text = json.dumps(list(strategies), sort_keys=True)
        if not self._known.exists() or self._known.read_text(encoding="utf-8") != text:
            _replace(self._known, text)

    def told_at(self) -> int:
        """When the executor last said what became of its configuration; 0: never."""
        return self._verdict.stat().st_mtime_ns if self._verdict.exists() else 0

    def cpus(self) -> tuple[list[int], int] | None:
        """On which CPUs the executor may run, and of how many; None before it has said so."""
        if self.told_at() in (0, self._before):
            return None
        told = json.loads(self._verdict.read_text(encoding="utf-8"))  # an older executor's has none
        return (told["cpus"], told["of"]) if "cpus" in told else None

    def verdict(self) -> str:
        """What the executor has against its configuration, or nothing."""
        return str(json.loads(self._verdict.read_text(encoding="utf-8"))["problem"])


def _replace(path: Path, text: str) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(path)
