"""Shell: the feature repository: Feast, configured in code, over the stores of this package.

Everything lies in one directory: `registry.db` (Feast's registry in SQL), `offline/` (part files), `online.db`
(packed vectors) and the `feature_store.yaml` that Feast's own tools need to look inside (rendered, never read back).
Where several machines share the repository, the registry lies in PostgreSQL and the vectors in Redis instead.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import yaml
from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from tradewind.streaming.features.config import StoreConfig
from tradewind.streaming.features.feature_set import FeatureRow, FeatureSet, FeatureSetError, OnlineVector

os.environ.setdefault("FEAST_USAGE", "False")  # no telemetry; read when Feast is imported
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from feast import Entity, FeatureStore, FeatureView, Field, RepoConfig, ValueType
    from feast.data_source import PushSource
    from feast.errors import FeatureViewNotFoundException
    from feast.types import Float64

    from tradewind.streaming.features.asof import CREATED, EVENT, SYMBOL
    from tradewind.streaming.features.offline_store import AsofSource, part_log

_logger = logging.getLogger(__name__)
PROJECT = "tradewind"
_REGISTRY_LOCK = 0x7477_6665_6173_7401  # any number that nobody else takes in this database


class FeatureRepository:
    """The vectors of one feature set, for training (historical) and for serving (online)."""

    def __init__(self, state_dir: Path, feature_set: FeatureSet, store: Any) -> None:
        self.state_dir = state_dir
        self.feature_set = feature_set
        self._store = store
        self._refs = [f"{feature_set.view}:{name}" for name in feature_set.names]
        self._columns = [SYMBOL, EVENT, CREATED, *feature_set.names]

    @classmethod
    def open(
        cls, state_dir: Path | str, feature_set: FeatureSet, *, create: bool = True, store: StoreConfig | None = None
    ) -> FeatureRepository:
        """Open the repository in `state_dir`, made on first use, and register the set's view if it is new.

        store: where its registry and its newest vectors lie; None: in `state_dir` too.

        Several processes may have it open; one at a time should push a given set. create=False: who only reads.
        Raises FeatureSetError when the directory holds other features under this name and version, or (create=False)
        when the set is not there yet.
        """
        path = Path(state_dir).resolve()
        writes = (
            create or store is None
        )  # who only reads from databases may have the directory read-only, or not at all
        if writes:
            path.mkdir(parents=True, exist_ok=True)
        config = _config(path, store)
        with _quiet(), _exclusive(path, store):
            if writes:
                _render(path, config)
            feast = FeatureStore(config=RepoConfig(**config, repo_path=path))
            repository = cls(path, feature_set, feast)
            try:
                repository._register(create)
                feast.refresh_registry()
            finally:  # it is read from memory from here on: no process keeps a connection of the database's few
                feast.registry.write_engine.dispose()
        return repository

    def _register(self, create: bool) -> None:
        feature_set = self.feature_set
        try:
            stored = self._store.get_feature_view(feature_set.view)
        except FeatureViewNotFoundException:
            stored = None
        if stored is None and not create:
            raise FeatureSetError(
                f"{self.state_dir}: feature set {feature_set.name} {feature_set.version} is not there yet; "
                "start the features process of that version"
            )
        if stored is None:
            symbol = Entity(name=SYMBOL, join_keys=[SYMBOL], value_type=ValueType.STRING)
            batch = AsofSource(
                name=f"{feature_set.view}_parts", directory=feature_set.view, features=[*feature_set.names]
            )
            view = FeatureView(
                name=feature_set.view,
                entities=[symbol],
                schema=[Field(name=name, dtype=Float64) for name in feature_set.names],
                source=PushSource(name=f"{feature_set.view}_push", batch_source=batch),
                ttl=feature_set.ttl,
                tags={"version": feature_set.version, "interval": feature_set.interval},
            )
            self._store.apply([symbol, view])
            return
        names = tuple(field.name for field in stored.features)
        if names != feature_set.names or stored.tags.get("version") != feature_set.version:
            raise FeatureSetError(
                f"{self.state_dir}: view {feature_set.view} was registered with other features or another version "
                f"({stored.tags.get('version')}, not {feature_set.version}); use another state directory"
            )

    def write_batch(self, frame: pl.DataFrame) -> None:
        """Add history to the offline store only.

        frame: symbol, event_time and available_time (int64 ns), and the set's features (float64).
        """
        for column in ("symbol", "event_time", "available_time", *self.feature_set.names):
            if column not in frame.columns:
                raise FeatureSetError(f"feature history: column {column} is missing")
        with _quiet():
            self._store.write_to_offline_store(self.feature_set.view, self._pandas(frame))

    def push(self, rows: Sequence[FeatureRow]) -> None:
        """Write vectors online and offline, in that order; both have them when this returns (and survive a SIGKILL).

        An older event never replaces a newer one online. A batch in which no value is warm is kept offline only: Feast
        does not put a vector online that says nothing.
        """
        if not rows:
            return
        names = self.feature_set.names
        for row in rows:
            if len(row.values) != len(names):
                raise FeatureSetError(
                    f"vector of {row.symbol}: {len(row.values)} values, but {self.feature_set.view} has {len(names)}"
                )
            if row.event_time % 1_000:
                raise FeatureSetError(f"vector of {row.symbol}: event_time {row.event_time} is not a whole microsecond")
        data: dict[str, Any] = {
            "symbol": [row.symbol for row in rows],
            "event_time": [row.event_time for row in rows],
            "available_time": [row.available_time for row in rows],
        }
        data.update({name: [float(row.values[i]) for row in rows] for i, name in enumerate(names)})
        frame = self._pandas(pl.DataFrame(data))
        with _quiet():  # not Feast's push(): that asks the registry for feature services each time, and waits for it
            self._store.write_to_online_store(self.feature_set.view, frame)
            self._store.write_to_offline_store(self.feature_set.view, frame)

    def _pandas(self, frame: pl.DataFrame) -> Any:
        times = [
            pl.col(source).cast(pl.Datetime("ns", "UTC")).alias(target)
            for source, target in (("event_time", EVENT), ("available_time", CREATED))
        ]
        return frame.with_columns(times).select(self._columns).to_pandas()

    def historical(self, entities: pl.DataFrame) -> pl.DataFrame:
        """What was known about each entity row at its time.

        entities: symbol, time (int64 ns: the moment of the decision), any other columns. Returns them with the set's
        features added, in the same order; NaN where a feature was not warm, null where nothing was known.
        """
        for column in ("symbol", "time"):
            if column not in entities.columns:
                raise FeatureSetError(f"entity rows: column {column} is missing")
        keys = entities.select("symbol", pl.col("time").cast(pl.Datetime("ns", "UTC")).alias(EVENT)).to_pandas()
        with _quiet():
            table = self._store.get_historical_features(
                entity_df=keys, features=self._refs, filter_by_created_timestamp=True
            ).to_arrow()
        features = pl.from_arrow(table.select(list(self.feature_set.names)))
        assert isinstance(features, pl.DataFrame)
        return pl.concat([entities, features], how="horizontal")

    def online(self, symbols: Sequence[str]) -> list[OnlineVector | None]:
        """The newest vector of each symbol, None where there is none, in the order asked for."""
        if not symbols:
            return []
        with _quiet():
            response = self._store.get_online_features(self._refs, [{SYMBOL: symbol} for symbol in symbols]).proto
        order = {name: index for index, name in enumerate(response.metadata.feature_names.val)}
        columns = [response.results[order[name]] for name in self.feature_set.names]
        found: list[OnlineVector | None] = []
        for row, symbol in enumerate(symbols):
            stamp = columns[0].event_timestamps[row]
            event_time = stamp.seconds * 1_000_000_000 + stamp.nanos
            values = tuple(column.values[row].double_val for column in columns)
            present = columns[0].values[row].WhichOneof("val") == "double_val"
            found.append(OnlineVector(symbol, event_time, values) if present else None)
        return found

    def close(self) -> None:
        """Compact what was pushed into a part file. Nothing is lost without it."""
        part_log(self.state_dir / "offline" / self.feature_set.view, self.feature_set.names).flush()


def _config(path: Path, store: StoreConfig | None) -> dict[str, Any]:
    registry = f"sqlite:///{path / 'registry.db'}" if store is None else store.registry
    online = (
        {
            "type": "tradewind.streaming.features.online_store.PackedSqliteOnlineStore",
            "path": str(path / "online.db"),
        }
        if store is None
        else {"type": "tradewind.streaming.features.redis_store.PackedRedisOnlineStore", "url": store.online}
    )
    return {
        "project": PROJECT,
        "provider": "local",
        # The registry changes only in open(): cached for good, so that no push waits for a reload.
        "registry": {"registry_type": "sql", "path": registry, "cache_ttl_seconds": 0},
        "offline_store": {
            "type": "tradewind.streaming.features.offline_store.AsofOfflineStore",
            "path": str(path / "offline"),
        },
        "online_store": online,
        "entity_key_serialization_version": 3,
    }


def _render(path: Path, config: dict[str, Any]) -> None:
    text = "# Rendered by Tradewind for Feast's own tools; edits are overwritten.\n" + yaml.safe_dump(
        json.loads(json.dumps(config)), sort_keys=False
    )
    temporary = path / ".feature_store.yaml.tmp"
    temporary.write_text(text)
    temporary.rename(path / "feature_store.yaml")


@contextmanager
def _exclusive(path: Path, store: StoreConfig | None) -> Iterator[None]:
    """Feast's registry is not made for two processes that register at once: the lock lies where the registry does."""
    if store is None:
        with (path / ".registry.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    engine = create_engine(store.registry, poolclass=NullPool)
    try:
        connection = engine.connect()
    except SQLAlchemyError as error:
        reason = " ".join(str(getattr(error, "orig", None) or error).split())
        raise FeatureSetError(
            f"store.registry: {store.registry} is not reached ({reason}): see that it is up and PGPASSWORD is right"
        ) from None
    with connection:  # the lock goes with the connection, also when this process is killed
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _REGISTRY_LOCK})
        yield


@contextmanager
def _quiet() -> Iterator[None]:
    """Feast warns about its own internals on every call; what matters to us is raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
