"""The words of the planners: what was seen, and what to do about it. Core."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar

Object = dict[str, Any]
Made = TypeVar("Made")

MANAGER = "tradewind-operator"
LABEL_MANAGED = "app.kubernetes.io/managed-by"
LABEL_POLICY = "tradewind.dev/riskpolicy"
LABEL_STRATEGY = "tradewind.dev/strategy"
LABEL_SHARED = "tradewind.dev/shared"
# On a Strategy whose executor knows it, and on the RiskPolicy of that: what is left is dealt with before they go.
FINALIZER = "tradewind.dev/on-delete"


class Ref(NamedTuple):
    """Which object: its kind and name; all are of one namespace."""

    kind: str
    name: str


def ref_of(found: Object) -> Ref:
    """The reference of an object."""
    return Ref(found["kind"], found["metadata"]["name"])


def is_held(found: Object) -> bool:
    """Whether a document has our finalizer."""
    return FINALIZER in found["metadata"].get("finalizers", [])


def is_deleted(found: Object) -> bool:
    """Whether a document is on its way out."""
    return "deletionTimestamp" in found["metadata"]


class World:
    """Everything of the namespace that planners look at, as the watches told it.

    An object is replaced when it changes, never changed in place. What planners made of an object, its status apart, is
    remembered until it changes in more than that: statuses change all the time, and by our own hand.
    """

    def __init__(self, objects: Mapping[Ref, Object]) -> None:
        self._kinds: dict[str, dict[str, Object]] = defaultdict(dict)
        self._made: dict[Ref, Any] = {}
        self._changes: Counter[str] = Counter()
        self._gathered: dict[tuple[str, Callable[..., Any]], tuple[int, Any]] = {}
        for ref, found in objects.items():
            self.put(ref, found)

    @property
    def objects(self) -> dict[Ref, Object]:
        """A copy of all of it."""
        return {Ref(kind, name): o for kind, named in self._kinds.items() for name, o in named.items()}

    def put(self, ref: Ref, found: Object) -> None:
        """Takes an object over."""
        known = self.get(*ref)
        if known is None or not _is_same_but_for_status(known, found):
            self._made.pop(ref, None)
            self._changes[ref.kind] += 1
        self._kinds[ref.kind][ref.name] = found

    def remove(self, ref: Ref) -> Object | None:
        """Forgets an object; what it was."""
        self._made.pop(ref, None)
        self._changes[ref.kind] += 1
        return self._kinds[ref.kind].pop(ref.name, None)

    def get(self, kind: str, name: str) -> Object | None:
        """An object, if it is there."""
        return self._kinds[kind].get(name)

    def of(self, kind: str) -> list[Object]:
        """All objects of a kind, oldest first."""
        return sorted(self._kinds[kind].values(), key=_age)

    def once(self, ref: Ref, make: Callable[[Object], Made]) -> Made | None:
        """What `make`, always the same of a kind, makes of an object without its status; None when it isn't there."""
        found = self.get(*ref)
        if found is None:
            return None
        if ref not in self._made:
            self._made[ref] = make(found)
        made: Made = self._made[ref]
        return made

    def gathered(self, kind: str, make: Callable[[World], Made]) -> Made:
        """What `make` makes of all objects of a kind without their statuses, and of nothing else."""
        known = self._gathered.get((kind, make))
        if known is None or known[0] != self._changes[kind]:
            known = self._gathered[kind, make] = (self._changes[kind], make(self))
        made: Made = known[1]
        return made


def _is_same_but_for_status(one: Object, other: Object) -> bool:
    def rest(found: Object) -> Object:
        metadata = {key: value for key, value in found["metadata"].items() if key != "resourceVersion"}
        return {**found, "metadata": metadata, "status": None}

    return rest(one) == rest(other)


def _age(found: Object) -> tuple[str, str]:
    return found["metadata"].get("creationTimestamp", ""), found["metadata"]["name"]


@dataclass(frozen=True)
class Condition:
    """One observation about a document."""

    type: str
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str


@dataclass(frozen=True)
class Request:
    """A request to a service outside the API server; sent again it changes nothing more.

    Attributes:
        service: key of the configuration's services that has its address.
        body: JSON; None: none.
    """

    service: Literal["ray", "mlflow"]
    method: Literal["POST", "PUT"]
    path: str
    body: Object | None = None


@dataclass(frozen=True)
class Plan:
    """What to do for one document.

    Attributes:
        apply: objects as they should be; only those that differ from what was seen.
        delete: objects that should not be.
        requests: what other services are asked for.
        status: the document's whole status; None leaves it as it is.
        events: conditions that changed, worth a Kubernetes event.
        status_first: the status remembers what is gone once the rest is done, so it is written before.
        finalizer: whether the document is to have ours; None leaves it as it is. Taken away when the rest is done.
        again_s: the document is looked at again after this long, whatever happens; None: when something changes.
    """

    apply: list[Object] = field(default_factory=list)
    delete: list[Ref] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    status: Object | None = None
    events: list[Condition] = field(default_factory=list)
    status_first: bool = False
    finalizer: bool | None = None
    again_s: float | None = None
