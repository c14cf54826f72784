"""The words of the planners: what was seen, and what to do about it. Core."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Object = dict[str, Any]

MANAGER = "tradewind-operator"
LABEL_MANAGED = "app.kubernetes.io/managed-by"
LABEL_POLICY = "tradewind.dev/riskpolicy"
LABEL_STRATEGY = "tradewind.dev/strategy"


class Ref(NamedTuple):
    """Which object: its kind and name; all are of one namespace."""

    kind: str
    name: str


def ref_of(found: Object) -> Ref:
    """The reference of an object."""
    return Ref(found["kind"], found["metadata"]["name"])


@dataclass(frozen=True)
class World:
    """Everything of the namespace that planners look at, as the watches told it."""

    objects: Mapping[Ref, Object]

    def get(self, kind: str, name: str) -> Object | None:
        """An object, if it is there."""
        return self.objects.get(Ref(kind, name))

    def of(self, kind: str) -> list[Object]:
        """All objects of a kind, oldest first."""
        found = [o for ref, o in self.objects.items() if ref.kind == kind]
        return sorted(found, key=lambda o: (o["metadata"].get("creationTimestamp", ""), o["metadata"]["name"]))


@dataclass(frozen=True)
class Condition:
    """One observation about a document."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


@dataclass(frozen=True)
class Plan:
    """What to do for one document.

    Attributes:
        apply: objects as they should be; only those that differ from what was seen.
        delete: objects that should not be.
        status: the document's whole status; None leaves it as it is.
        events: conditions that changed, worth a Kubernetes event.
    """

    apply: list[Object] = field(default_factory=list)
    delete: list[Ref] = field(default_factory=list)
    status: Object | None = None
    events: list[Condition] = field(default_factory=list)
