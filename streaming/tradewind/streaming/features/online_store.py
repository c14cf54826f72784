"""Shell: a Feast online store in one SQLite file, one packed row per (view, entity).

Feast's own SQLite store keeps a row per feature, so that a vector of 200 costs 200 statements, and lets whatever is
written last win. Here a vector is one BLOB, and a row is replaced only by one whose (event, created) is not older. WAL:
other processes read while one writes.
"""

# Signatures are Feast's: a plug-in does not use every argument.
# ruff: noqa: ARG002
from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from feast.infra.online_stores.online_store import OnlineStore
from feast.repo_config import FeastConfigBaseModel

from tradewind.streaming.features.packing import Answer, Written, entity_of, pack, unpack, view_of

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
        data: list[Written],
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Write rows in one transaction; a row older than the stored one changes nothing."""
        view = view_of(config, table)
        rows = [(view, r.entity, r.event_us, r.created_us, r.vector) for r in pack(config, table, data)]
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
    ) -> list[Answer]:
        """(event time, feature → value) per key, (None, None) where there is no row."""
        view = view_of(config, table)
        with self._lock:
            connection = self._connect(config)
            found = [
                connection.execute(
                    "SELECT event_us, vector FROM vectors WHERE view = ? AND entity = ?", (view, entity_of(config, key))
                ).fetchone()
                for key in entity_keys
            ]
        return [unpack(table, row, requested_features) for row in found]

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
            connection.executemany(
                "DELETE FROM vectors WHERE view = ?", [(view_of(config, table),) for table in tables]
            )

    def plan(self, config: Any, desired_registry_proto: Any) -> list[Any]:
        """One file for all views: nothing to plan per view."""
        return []
