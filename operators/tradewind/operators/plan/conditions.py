"""Conditions as Kubernetes has them (sig-architecture/api-conventions.md). Core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tradewind.operators.plan.model import Condition, Object

# Reasons that something is on its way: worth an event only where it worked before.
PASSING = frozenset(
    {"Applying", "Stopping", "ExecutorMissing", "ExecutorStarting", "ExecutorChanging"}
    | {"NotSeen", "NotAsked", "ExecutorSilent"}
    | {"SignalsMissing", "SignalsStarting", "SignalsChanging"}
    | {"FeaturesMissing", "FeaturesStarting", "FeedMissing", "FeedStarting", "FeedWaiting"}
    | {"PredictorUnknown", "PredictorMissing", "PredictorChanging", "TrainingUnknown", "NoModel"}
    | {"ShadowStarting", "Promoting", "RegistryUnknown"}
)

# Reasons that something isn't so which nobody has to do anything about.
ORDINARY = frozenset(
    {"Training", "Retraining", "ReplayEnded", "Stopped", "DryRun", "Waiting", "Shadow", "Canary", "Follows"}
)


def status(document: Object, conditions: Sequence[Condition], now: str, **more: Any) -> tuple[Object, list[Condition]]:
    """The document's status with these conditions, and those that are news.

    A condition keeps its lastTransitionTime while its status stays. `now` is a time as Kubernetes writes it.
    """
    generation = document["metadata"]["generation"]
    before = {c["type"]: c for c in document.get("status", {}).get("conditions", [])}
    entries = []
    for condition in conditions:
        old = before.get(condition.type)
        same = old is not None and old["status"] == condition.status
        entries.append(
            {
                "type": condition.type,
                "status": condition.status,
                "observedGeneration": generation,
                "lastTransitionTime": old["lastTransitionTime"] if old is not None and same else now,
                "reason": condition.reason,
                "message": condition.message,
            }
        )
    # One cause is told once, by the first condition that it is the reason of.
    news = list(
        {(c.reason, c.message): c for c in reversed(conditions) if _worth_telling(before.get(c.type), c)}.values()
    )
    news.reverse()
    return {"observedGeneration": generation, "conditions": entries, **more}, news


def _worth_telling(old: Object | None, new: Condition) -> bool:
    if new.reason in PASSING:
        return old is not None and old["status"] == "True"
    return old is None or (old["status"], old["reason"]) != (new.status, new.reason)


def _same_cause(one: Condition, other: Condition) -> bool:
    return (one.reason, one.message) == (other.reason, other.message)


def true(kind: str, reason: str, message: str) -> Condition:
    """A condition that holds."""
    return Condition(kind, "True", reason, message)


def false(kind: str, reason: str, message: str) -> Condition:
    """A condition that doesn't hold."""
    return Condition(kind, "False", reason, message)
