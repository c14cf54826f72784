"""Shell: a Feast online store in one SQLite file, one packed row per (view, entity).

Feast's own SQLite store keeps a row per feature, so that a vector of 200 costs 200 statements, and lets whatever is
written last win. Here a vector is one BLOB of little-endian float64 in the order of the view's features, and a row is
replaced only by one whose (event, created) is not older. WAL: other processes read while one writes.
"""

# Signatures are Feast's: a plug-in does not use every argument.
# ruff: noqa: ARG002
from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.online_store import OnlineStore
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import FeastConfigBaseModel

_VECTOR = np.dtype("<f8")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_CREATE = """
CREATE TABLE IF NOT EXISTS vectors (
    view TEXT NOT NULL, entity BLOB NOT NULL, event_us INTEGER NOT NULL, created_us INTEGER NOT NULL,
    vector BLOB NOT NULL, PRIMARY KEY (view, entity)
) WITHOUT ROWID
"""
_UPSERT = """
INSERT INTO vectors (view, entity, event_us, created_us, vector) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (view, entity) DO UPDATE
SET event_us = excluded.event_us, created_us = excluded.created_us, vector = excluded.vector
WHERE (excluded.event_us, excluded.created_us) >= (vectors.event_us, vectors.created_us)
"""


class PackedSqliteOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]  # Feast publishes no types
    """The `online_store` section of the Feast configuration."""

    type: Literal["tradewind.streaming.features.online_store.PackedSqliteOnlineStore"] = (
        "tradewind.streaming.features.online_store.PackedSqliteOnlineStore"
    )
    path: str


class PackedSqliteOnlineStore(OnlineStore):  # type: ignore[misc]  # Feast publishes no types
    """Feast `OnlineStore` plug-in. All features are float64; a missing value is NaN."""

    def __init__(self) -> None:
        self._connection: sqlite3.Connection | None = None
        self._lock = threading.Lock()  # one connection, used by whichever thread of the process asks

    def _connect(self, config: Any) -> sqlite3.Connection:
        if self._connection is None:
            path = Path(config.online_store.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(path, timeout=10, check_same_thread=False, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute(_CREATE)
            self._connection = connection
        return self._connection

    def online_write_batch(
        self,
        config: Any,
        table: Any,
        data: list[tuple[Any, dict[str, Any], datetime, datetime | None]],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows in one transaction; a row older than the stored one changes nothing."""
        names = [field.name for field in table.features]
        rows = [
            (
                _view(config, table),
                _entity(config, key),
                _microseconds(event),
                _microseconds(created or event),
                np.array([_number(values[name]) for name in names], dtype=_VECTOR).tobytes(),
            )
            for key, values, event, created in data
        ]
        with self._lock:
            connection = self._connect(config)
            connection.execute("BEGIN IMMEDIATE")
            try:
                connection.executemany(_UPSERT, rows)
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
        if progress:
            progress(len(rows))

    def online_read(
        self, config: Any, table: Any, entity_keys: list[Any], requested_features: list[str] | None = None
    ) -> list[tuple[datetime | None, dict[str, Any] | None]]:
        """(event time, feature → value) per key, (None, None) where there is no row."""
        names = [field.name for field in table.features]
        wanted = [(name, names.index(name)) for name in (requested_features or names)]
        result: list[tuple[datetime | None, dict[str, Any] | None]] = []
        with self._lock:
            connection = self._connect(config)
            found = [
                connection.execute(
                    "SELECT event_us, vector FROM vectors WHERE view = ? AND entity = ?",
                    (_view(config, table), _entity(config, key)),
                ).fetchone()
                for key in entity_keys
            ]
        for row in found:
            if row is None:
                result.append((None, None))
                continue
            vector = np.frombuffer(row[1], dtype=_VECTOR)
            if len(vector) != len(names):
                raise ValueError(f"online store: view {table.name} holds {len(vector)} values, expected {len(names)}")
            event = datetime.fromtimestamp(row[0] // 1_000_000, UTC).replace(microsecond=row[0] % 1_000_000)
            result.append((event, {name: Value(double_val=float(vector[index])) for name, index in wanted}))
        return result

    def update(
        self,
        config: Any,
        tables_to_delete: Sequence[Any],
        tables_to_keep: Sequence[Any],
        entities_to_delete: Sequence[Any],
        entities_to_keep: Sequence[Any],
        partial: bool,
    ) -> None:
        """Create the table; drop the rows of deleted views."""
        self.teardown(config, tables_to_delete, entities_to_delete)

    def teardown(self, config: Any, tables: Sequence[Any], entities: Sequence[Any]) -> None:
        """Drop the rows of `tables`."""
        with self._lock:
            connection = self._connect(config)
            connection.executemany("DELETE FROM vectors WHERE view = ?", [(_view(config, table),) for table in tables])

    def plan(self, config: Any, desired_registry_proto: Any) -> list[Any]:
        """One file for all views: nothing to plan per view."""
        return []


def _view(config: Any, table: Any) -> str:
    return f"{config.project}.{table.name}"


def _entity(config: Any, key: Any) -> bytes:
    encoded: bytes = serialize_entity_key(key, config.entity_key_serialization_version)
    return encoded


def _number(value: Any) -> float:
    # Feast hands a NaN over as a value without content: Arrow took it for a null on the way.
    return float(value.double_val) if value.WhichOneof("val") == "double_val" else float("nan")


def _microseconds(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    delta = aware - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds
