"""Core: a vector as one BLOB, and the names of its view and entity, as both online stores keep them.

A vector is little-endian float64 in the order of the view's features; a missing value is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.protos.feast.types.Value_pb2 import Value

_VECTOR = np.dtype("<f8")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Written = tuple[Any, dict[str, Any], datetime, datetime | None]
"""A row as Feast hands it over: entity key, feature → value, event time, created time."""

Answer = tuple[datetime | None, dict[str, Any] | None]
"""A row as Feast wants it back: event time, feature → value; Nones where there is none."""


@dataclass(frozen=True, slots=True)
class Packed:
    """A row to be stored. Of two of one entity the one with the greater (event, created) stays."""

    entity: bytes
    event_us: int
    created_us: int
    vector: bytes


def pack(config: Any, table: Any, data: Sequence[Written]) -> list[Packed]:
    """The rows of one write."""
    names = [field.name for field in table.features]
    return [
        Packed(
            entity_of(config, key),
            _microseconds(event),
            _microseconds(created or event),
            np.array([_number(values[name]) for name in names], dtype=_VECTOR).tobytes(),
        )
        for key, values, event, created in data
    ]


def unpack(table: Any, found: tuple[int, bytes] | None, requested: list[str] | None) -> Answer:
    """The answer for `found`, (event time in microseconds, vector), of which the features `requested` are wanted.

    Raises:
        ValueError: the vector is not of this view.
    """
    if found is None:
        return None, None
    event_us, blob = found
    names = [field.name for field in table.features]
    vector = np.frombuffer(blob, dtype=_VECTOR)
    if len(vector) != len(names):
        raise ValueError(f"online store: view {table.name} holds {len(vector)} values, expected {len(names)}")
    event = datetime.fromtimestamp(event_us // 1_000_000, UTC).replace(microsecond=event_us % 1_000_000)
    return event, {name: Value(double_val=float(vector[names.index(name)])) for name in requested or names}


def view_of(config: Any, table: Any) -> str:
    """The view's name among all projects'."""
    return f"{config.project}.{table.name}"


def entity_of(config: Any, key: Any) -> bytes:
    """Feast's own encoding of an entity key."""
    encoded: bytes = serialize_entity_key(key, config.entity_key_serialization_version)
    return encoded


def _number(value: Any) -> float:
    # Feast hands a NaN over as a value without content: Arrow took it for a null on the way.
    return float(value.double_val) if value.WhichOneof("val") == "double_val" else float("nan")


def _microseconds(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    delta = aware - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
