"""What the watches told, by kind and name. Shell (state of the process)."""

from __future__ import annotations

from collections.abc import Iterable

from tradewind.operators.plan.model import Object, Ref, World, ref_of


def version(found: Object) -> int:
    """An object's resourceVersion; it grows with every write."""
    return int(found["metadata"]["resourceVersion"])


class Store:
    """Objects as last heard of. Used from one thread only."""

    def __init__(self) -> None:
        self._gone: dict[Ref, int] = {}
        self.world = World({})

    def fill(self, found: Iterable[Object]) -> None:
        """Takes a listing over."""
        for item in found:
            self.put(item)

    def put(self, found: Object) -> bool:
        """Takes an object over unless a newer state of it is known. True when that is news."""
        ref = ref_of(found)
        known = self.world.get(*ref)
        if version(found) <= max(version(known) if known else 0, self._gone.get(ref, 0)):
            return False
        # Who wrote which field is half of an object's size, and nobody asks here.
        metadata = {key: value for key, value in found["metadata"].items() if key != "managedFields"}
        self.world.put(ref, {**found, "metadata": metadata})
        self._gone.pop(ref, None)
        return True

    def remove(self, found: Object) -> bool:
        """Forgets an object that was deleted, unless it is there again. True when that is news."""
        ref = ref_of(found)
        known = self.world.get(*ref)
        if known is not None and version(known) > version(found):
            return False
        # An answer to a write of ours may still come in, older than the deletion.
        self._gone[ref] = version(found)
        return self.world.remove(ref) is not None

    def stale(self, kind: str, actual: dict[Ref, int]) -> set[Ref]:
        """Objects of a kind that the API server has in a newer state, has and we don't, or we have and it doesn't."""
        known = {ref_of(found): version(found) for found in self.world.of(kind)}
        behind = {ref for ref, at in actual.items() if known.get(ref, 0) < at}
        return behind | (set(known) - set(actual))
