"""Whether an object is as it should be. Core."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from tradewind.operators.plan.model import Object, World, ref_of

APPLIED = "tradewind.dev/applied"


def fingerprint(value: Any) -> str:
    """A short hash of a JSON value."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]


def stamped(wanted: Object) -> Object:
    """The object with the hash of what is wanted, so that a field no longer wanted is a difference, too."""
    metadata = wanted["metadata"]
    annotations = {**metadata.get("annotations", {}), APPLIED: fingerprint(wanted)}
    return {**wanted, "metadata": {**metadata, "annotations": annotations}}


def differing(wanted: Iterable[Object], world: World) -> list[Object]:
    """Those of `wanted` that aren't there or aren't as wanted; somebody may have changed them."""
    found = []
    for plain in wanted:
        there, stamped_one = world.get(*ref_of(plain)), stamped(plain)
        if there is None or not holds(there, stamped_one):
            found.append(stamped_one)
    return found


def holds(there: Any, wanted: Any) -> bool:
    """Whether everything wanted is there; what the server or others added besides doesn't matter."""
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(
            key in there and holds(there[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(there, list)
            and len(there) == len(wanted)
            and all(holds(a, b) for a, b in zip(there, wanted, strict=True))
        )
    return bool(there == wanted)
