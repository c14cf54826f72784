"""Shell: a Feast offline store over append-only part files, joined as of the moment a row became known.

Feast's file stores pair every training row with every feature row of its symbol, and by default hand out values that
were written after the training row's time. This one sorts once (tradewind.streaming.features.asof) and always honours
the created timestamp: `filter_by_created_timestamp` is not an option here, it is how the store works.
"""

# Signatures are Feast's: a plug-in does not use every argument.
# ruff: noqa: ARG002, ARG004
from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pandas as pd
import polars as pl
import pyarrow as pa
from feast.data_source import DataSource
from feast.feature_logging import LoggingConfig, LoggingSource
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob, RetrievalMetadata
from feast.protos.feast.core.DataSource_pb2 import DataSource as DataSourceProto
from feast.repo_config import FeastConfigBaseModel
from feast.saved_dataset import SavedDatasetStorage
from feast.value_type import ValueType

from tradewind.streaming.features.asof import CREATED, EVENT, SYMBOL, asof_join, deduplicated, latest
from tradewind.streaming.features.part_log import PartLog

_TIME = pa.timestamp("ns", tz="UTC")
_LOGS: dict[Path, PartLog] = {}  # one writer per directory and process, as Feast makes its store objects anew at will


def stored_schema(features: Iterable[str]) -> pa.Schema:
    """Schema of the part files."""
    fields = [(SYMBOL, pa.string()), (EVENT, _TIME), (CREATED, _TIME)]
    return pa.schema([*fields, *((name, pa.float64()) for name in features)])


def part_log(directory: Path, features: Iterable[str]) -> PartLog:
    """This process's writer and reader of a directory of part files."""
    if directory not in _LOGS:
        _LOGS[directory] = PartLog(directory, stored_schema(features))
    return _LOGS[directory]


class AsofSource(DataSource):  # type: ignore[misc]  # Feast publishes no types
    """Where the part files of one feature view lie: a directory below the store's, and its columns."""

    def __init__(self, *, name: str, directory: str, features: list[str]) -> None:
        super().__init__(name=name, timestamp_field=EVENT, created_timestamp_column=CREATED)
        self.directory = directory
        self.features = features

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, AsofSource)
            and bool(super().__eq__(other))
            and (self.directory, self.features) == (other.directory, other.features)
        )

    def __hash__(self) -> int:
        return int(super().__hash__())

    @staticmethod
    def from_proto(data_source: Any) -> AsofSource:
        """From Feast's registry."""
        options = json.loads(data_source.custom_options.configuration)
        return AsofSource(name=data_source.name, directory=options["directory"], features=options["features"])

    def _to_proto_impl(self) -> Any:
        options = json.dumps({"directory": self.directory, "features": self.features})
        return DataSourceProto(
            name=self.name,
            type=DataSourceProto.CUSTOM_SOURCE,
            data_source_class_type=f"{type(self).__module__}.{type(self).__qualname__}",
            timestamp_field=self.timestamp_field,
            created_timestamp_column=self.created_timestamp_column,
            custom_options=DataSourceProto.CustomSourceOptions(configuration=options.encode()),
        )

    def validate(self, config: Any) -> None:
        """Nothing to check: the directory is made with the first write."""

    @staticmethod
    def source_datatype_to_feast_value_type() -> Callable[[str], Any]:
        """Arrow type names to Feast's."""
        return lambda name: {
            "string": ValueType.STRING,
            "double": ValueType.DOUBLE,
        }.get(name, ValueType.UNIX_TIMESTAMP)

    def get_table_column_names_and_types(self, config: Any) -> Iterable[tuple[str, str]]:
        """Columns of the part files."""
        return [(field.name, str(field.type)) for field in stored_schema(self.features)]


class AsofRetrievalJob(RetrievalJob):  # type: ignore[misc]  # Feast publishes no types
    """A join or a scan that runs when its result is asked for."""

    def __init__(self, run: Callable[[], pl.DataFrame], full_feature_names: bool, metadata: Any = None) -> None:
        self._run = run
        self._full_feature_names = full_feature_names
        self._metadata = metadata

    @property
    def full_feature_names(self) -> bool:
        """Whether feature columns carry their view's name."""
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[Any]:
        """None: features are computed before they are stored."""
        return []

    @property
    def metadata(self) -> Any:
        """Which features and keys were asked for."""
        return self._metadata

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        # Feast's consumers expect plain `string`, Polars speaks `large_string`.
        table = self._run().to_arrow()
        fields = [pa.field(f.name, pa.string()) if pa.types.is_large_string(f.type) else f for f in table.schema]
        return table.cast(pa.schema(fields))

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        frame: pd.DataFrame = self._to_arrow_internal(timeout).to_pandas()
        return frame

    def persist(self, storage: SavedDatasetStorage, allow_overwrite: bool = False, timeout: int | None = None) -> None:
        """Refused: training sets are MLflow's to keep."""
        raise ValueError("AsofOfflineStore keeps no saved datasets: write to_arrow() to a file of your own")


class AsofOfflineStoreConfig(FeastConfigBaseModel):  # type: ignore[misc]  # Feast publishes no types
    """The `offline_store` section of the Feast configuration."""

    type: Literal["tradewind.streaming.features.offline_store.AsofOfflineStore"] = (
        "tradewind.streaming.features.offline_store.AsofOfflineStore"
    )
    path: str


class AsofOfflineStore(OfflineStore):  # type: ignore[misc]  # Feast publishes no types
    """Feast `OfflineStore` plug-in."""

    supports_filter_by_created_timestamp = True

    @staticmethod
    def get_historical_features(
        config: Any,
        feature_views: list[Any],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str | None,
        registry: Any,
        project: str,
        full_feature_names: bool = False,
        filter_by_created_timestamp: bool = True,  # Feast's flag; this store never leaks, with it or without
        **_: Any,
    ) -> RetrievalJob:
        """Join `entity_df` (columns symbol, event_timestamp, any others) with the views as of each row's time."""
        if not isinstance(entity_df, pd.DataFrame):
            raise ValueError("AsofOfflineStore: entity_df must be a DataFrame with symbol and event_timestamp")
        for column in (SYMBOL, EVENT):
            if column not in entity_df.columns:
                raise ValueError(f"AsofOfflineStore: entity_df has no column {column}")
        entities = pl.from_pandas(entity_df.reset_index(drop=True))

        def run() -> pl.DataFrame:
            key = entities.select(SYMBOL, _nanoseconds(EVENT))
            columns = [entities]
            for view in feature_views:
                name = view.projection.name_to_use()
                wanted = [ref.split(":", 1)[1] for ref in feature_refs if ref.split(":", 1)[0].split("@")[0] == name]
                rows = _read(config, view.batch_source, wanted)
                joined = asof_join(key, rows, wanted, int(view.ttl.total_seconds() * 1e9) if view.ttl else 0)
                columns.append(joined.rename({f: f"{name}__{f}" for f in wanted}) if full_feature_names else joined)
            return pl.concat(columns, how="horizontal")

        times = entities[EVENT]
        return AsofRetrievalJob(
            run,
            full_feature_names,
            RetrievalMetadata(
                features=feature_refs,
                keys=[SYMBOL],
                min_event_timestamp=times.min(),
                max_event_timestamp=times.max(),
            ),
        )

    @staticmethod
    def pull_latest_from_table_or_query(
        config: Any,
        data_source: Any,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> RetrievalJob:
        """The newest row of each symbol whose event lies in [start_date, end_date]: Feast materialises from it."""
        return AsofRetrievalJob(
            lambda: _timestamps(
                latest(_between(_read(config, data_source, feature_name_columns), start_date, end_date))
            ),
            False,
        )

    @staticmethod
    def pull_all_from_table_or_query(
        config: Any,
        data_source: Any,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """Every row whose event lies in [start_date, end_date], once each."""
        return AsofRetrievalJob(
            lambda: _timestamps(
                deduplicated(_between(_read(config, data_source, feature_name_columns), start_date, end_date))
            ),
            False,
        )

    @staticmethod
    def offline_write_batch(
        config: Any, feature_view: Any, table: pa.Table, progress: Callable[[int], Any] | None
    ) -> None:
        """Append rows to the view's part files."""
        source: AsofSource = feature_view.batch_source
        log = part_log(Path(config.offline_store.path) / source.directory, source.features)
        log.append(_with_nan(table.select(log.schema.names), source.features))
        if progress:
            progress(table.num_rows)

    @staticmethod
    def write_logged_features(
        config: Any, data: pa.Table | Path, source: LoggingSource, logging_config: LoggingConfig, registry: Any
    ) -> None:
        """Refused: what was served is on the bus (`features`, `signals`) and in the recorder's database."""
        raise ValueError("AsofOfflineStore logs no served features: read the features topic instead")


def _with_nan(table: pa.Table, features: list[str]) -> pa.Table:
    """Nulls to NaN: pandas to Arrow (inside Feast) turned the NaN of a feature that is not yet warm into a null."""
    for name in features:
        index = table.schema.get_field_index(name)
        column = table.column(index).cast(pa.float64())
        table = table.set_column(index, name, column.fill_null(float("nan")) if column.null_count else column)
    return table


def _read(config: Any, source: AsofSource, features: list[str]) -> pl.DataFrame:
    log = part_log(Path(config.offline_store.path) / source.directory, source.features)
    columns = [SYMBOL, EVENT, CREATED, *features]
    return log.read(columns).with_columns(_nanoseconds(EVENT), _nanoseconds(CREATED))


def _nanoseconds(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Datetime("ns", "UTC")).dt.timestamp("ns").alias(column)


def _timestamps(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(pl.col(c).cast(pl.Datetime("ns", "UTC")) for c in (EVENT, CREATED))


def _between(rows: pl.DataFrame, start: datetime | None, end: datetime | None) -> pl.DataFrame:
    if start is not None:
        rows = rows.filter(pl.col(EVENT) >= _date_ns(start))
    return rows if end is None else rows.filter(pl.col(EVENT) <= _date_ns(end))


def _date_ns(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(pd.Timestamp(aware).value)
