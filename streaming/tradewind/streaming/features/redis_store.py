"""Shell: a Feast online store in Redis, one packed hash per (view, entity): what several machines read and write.

Feast's own Redis store keeps a field per feature and compares times outside Redis, in two steps between which another
writer fits. Here a vector is one BLOB, and comparing and replacing are one script that Redis runs alone. Written in a
transaction, a push is there whole or not at all.
"""

# Signatures are Feast's: a plug-in does not use every argument.
# ruff: noqa: ARG002
from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import redis
from feast.infra.online_stores.online_store import OnlineStore
from feast.repo_config import FeastConfigBaseModel

from tradewind.streaming.features.feature_set import FeatureSetError
from tradewind.streaming.features.packing import Answer, Written, entity_of, pack, unpack, view_of

_TIMEOUT_S = 5.0
_DELETED_AT_A_TIME = 500
# Times are whole microseconds, which Lua's numbers (doubles) hold exactly until the year 2255.
_REPLACE_UNLESS_OLDER = """
local old = redis.call('HMGET', KEYS[1], 'event_us', 'created_us')
if old[1] then
  local event, created = tonumber(ARGV[1]), tonumber(ARGV[2])
  local old_event, old_created = tonumber(old[1]), tonumber(old[2])
  if event < old_event or (event == old_event and created < old_created) then return 0 end
end
redis.call('HSET', KEYS[1], 'event_us', ARGV[1], 'created_us', ARGV[2], 'vector', ARGV[3])
return 1
"""


class PackedRedisOnlineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]  # Feast publishes no types
    """The `online_store` section of the Feast configuration. The password is REDIS_PASSWORD's."""

    type: Literal["tradewind.streaming.features.redis_store.PackedRedisOnlineStore"] = (
        "tradewind.streaming.features.redis_store.PackedRedisOnlineStore"
    )
    url: str


class PackedRedisOnlineStore(OnlineStore):  # type: ignore[misc]  # Feast publishes no types
    """Feast `OnlineStore` plug-in. All features are float64; a missing value is NaN. Any thread.

    Each method raises FeatureSetError, one line, when Redis does not answer.
    """

    def __init__(self) -> None:
        self._client: redis.Redis | None = None
        self._lock = threading.Lock()

    def _connect(self, config: Any) -> redis.Redis:
        with self._lock:
            if self._client is None:
                password = os.environ.get("REDIS_PASSWORD") or None
                self._client = redis.Redis.from_url(
                    config.online_store.url, password=password, socket_timeout=_TIMEOUT_S, protocol=2
                )
            return self._client

    def online_write_batch(
        self, config: Any, table: Any, data: list[Written], progress: Callable[[int], Any] | None
    ) -> None:
        """Write rows in one transaction; a row older than the stored one changes nothing."""
        view = view_of(config, table)
        client = self._connect(config)
        replace = client.register_script(_REPLACE_UNLESS_OLDER)
        with _answering(config):
            pipeline = client.pipeline(transaction=True)
            for row in pack(config, table, data):
                replace([_key(view, row.entity)], [row.event_us, row.created_us, row.vector], pipeline)
            pipeline.execute()
        if progress:
            progress(len(data))

    def online_read(
        self, config: Any, table: Any, entity_keys: list[Any], requested_features: list[str] | None = None
    ) -> list[Answer]:
        """(event time, feature → value) per key, (None, None) where there is no row. One round trip."""
        view = view_of(config, table)
        with _answering(config):
            pipeline = self._connect(config).pipeline(transaction=False)
            for key in entity_keys:
                pipeline.hmget(_key(view, entity_of(config, key)), "event_us", "vector")
            found = pipeline.execute()
        rows = [None if event is None else (int(event), vector) for event, vector in found]
        return [unpack(table, row, requested_features) for row in rows]

    def update(
        self,
        config: Any,
        tables_to_delete: Sequence[Any],
        tables_to_keep: Sequence[Any],
        entities_to_delete: Sequence[Any],
        entities_to_keep: Sequence[Any],
        partial: bool,
    ) -> None:
        """Drop the rows of deleted views; nothing has to be made for new ones."""
        self.teardown(config, tables_to_delete, entities_to_delete)

    def teardown(self, config: Any, tables: Sequence[Any], entities: Sequence[Any]) -> None:
        """Drop the rows of `tables`."""
        client = self._connect(config)
        with _answering(config):
            client.ping()
            for table in tables:
                keys: list[bytes] = []
                for key in client.scan_iter(_key(view_of(config, table), b"*"), count=_DELETED_AT_A_TIME):
                    keys.append(key)
                    if len(keys) == _DELETED_AT_A_TIME:
                        client.delete(*keys)
                        keys.clear()
                if keys:
                    client.delete(*keys)

    def plan(self, config: Any, desired_registry_proto: Any) -> list[Any]:
        """One key space for all views: nothing to plan per view."""
        return []


def _key(view: str, entity: bytes) -> bytes:
    return b"vector:" + view.encode() + b":" + entity


@contextmanager
def _answering(config: Any) -> Iterator[None]:
    try:
        yield
    except redis.RedisError as error:
        reason = " ".join(str(error).split())
        raise FeatureSetError(
            f"store.online: Redis at {config.online_store.url} does not do what is asked ({reason}): see that it is up "
            "and REDIS_PASSWORD is right"
        ) from error
