"""Versions of a model as MLflow's registry has them, and what their gates say. Core."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from tradewind.operators.plan.conditions import false, true
from tradewind.operators.plan.model import Condition, Object

REQUEST = "request."


@dataclass(frozen=True)
class Version:
    """One registered version.

    Attributes:
        number: the version.
        tags: what training wrote about it: `request.KEY` for each training that asked for it, with the time until which
            it had learned (ns UTC); `gates`: each gate's figure, verdict and threshold.
    """

    number: int
    tags: dict[str, str]

    def learned_until(self, key: str) -> int | None:
        """Until when the training with this key had learned, ns UTC; None: it came from another."""
        text = self.tags.get(REQUEST + key)
        return int(text) if text is not None and text.isdigit() else None

    @property
    def passed(self) -> bool:
        """Whether every gate passed."""
        return self.tags.get("gates_passed") == "true"

    def figures(self) -> str:
        """Each gate's figure beside its threshold."""
        try:
            gates: list[dict[str, Any]] = json.loads(self.tags.get("gates", "[]"))
            return "; ".join(_figure(gate) for gate in gates) or "its gates are not recorded"
        except (ValueError, TypeError, KeyError):
            return "its gates can't be read"


def _figure(gate: dict[str, Any]) -> str:
    value = "no figure" if gate["value"] is None else f"{gate['value']:.4g}"
    verdict = {"pass": "", "fail": " FAILED", "inconclusive": " INCONCLUSIVE"}[gate["verdict"]]
    return f"{gate['name']} {value} ({gate['comparison']} {gate['threshold']:g}){verdict}"


def versions(registered: Object | None) -> list[Version]:
    """Every version of a model, newest first."""
    found = (registered or {}).get("versions", [])
    return sorted((Version(int(v["version"]), v["tags"]) for v in found), key=lambda v: -v.number)


def aliased(registered: Object | None, alias: str) -> Version | None:
    """The version that an alias points at."""
    number = (registered or {}).get("aliases", {}).get(alias)
    return next((v for v in versions(registered) if number is not None and v.number == int(number)), None)


def gates_passed(name: str, alias: str, registered: Object | None, challenger: int | None = None) -> Condition:
    """Of the version that is served under `alias`, or on trial; where none may be, of the newest, which shows why."""
    served = aliased(registered, alias) or next((v for v in versions(registered) if v.number == challenger), None)
    shown = served or aliased(registered, "candidate")
    if shown is None:
        return false("GatesPassed", "NoModel", f"model {name} has no version yet")
    what = f"version {shown.number} of model {name}"
    if shown.passed and served is not None:
        return true("GatesPassed", "Passed", f"{what}: {shown.figures()}")
    if shown.passed:
        return false("GatesPassed", "NotPromoted", f"{what} passed, but nobody made it {alias}: {shown.figures()}")
    only = "" if served is not None else f"; no version is {alias}, and only a passed one can be"
    return false("GatesPassed", "Failed", f"{what}: {shown.figures()}{only}")
