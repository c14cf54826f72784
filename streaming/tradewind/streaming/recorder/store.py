"""Shell: writes records to the database, each exactly once.

The rows and the offsets they bring the record up to are one transaction. So after any kill the database says by itself
where to go on; what the bus has committed does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    Table,
    and_,
    bindparam,
    create_engine,
    event,
    insert,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from tradewind.bus import Record
from tradewind.streaming.recorder import schema
from tradewind.streaming.recorder.errors import InvalidRecordError, RecorderError
from tradewind.streaming.recorder.rows import Row, Values, rows_of

_LOCK_PATIENCE_S = 30
_KEYS_AT_A_TIME = 500
_OLD = "old_"  # prefix of the parameters that name the row to update

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that was not stored, and why, in one line."""

    record: Record
    reason: str


class Store:
    """The record's database.

    Args:
        sql: SQLAlchemy address.
        bus: identity of the bus that is recorded; a database records one.

    Raises:
        RecorderError: the address is wrong, the database cannot be used, or it records another bus.
    """

    def __init__(self, sql: str, bus: str) -> None:
        self._engine = open_engine(sql)
        try:
            schema.metadata.create_all(self._engine)
            with self._engine.begin() as db:
                _claim(db, bus, sql)
                self._next = {row.topic: row.next_offset for row in db.execute(select(schema.recorded_offsets))}
        except SQLAlchemyError as error:
            self.close()
            raise unusable(self._engine, error) from error
        except RecorderError:
            self.close()
            raise

    def next_offset(self, topic: str) -> int:
        """The first offset of `topic` that is not recorded yet."""
        return int(self._next.get(topic, 0))

    def write(self, records: Sequence[Record], bury: Callable[[Refusal], None]) -> int:
        """Store `records` in one transaction; those that are stored already are passed over.

        Args:
            bury: called for each record that cannot be stored, before the transaction is committed: were it after, a
                kill in between would lose the record.

        Returns:
            how many records were new.
        """
        new = [record for record in records if record.offset >= self.next_offset(record.topic)]
        ends = {record.topic: record.offset + 1 for record in new}
        try:
            with self._engine.begin() as db:
                for refusal in _write(db, new):
                    bury(refusal)
                for topic, end in ends.items():
                    _remember(db, topic, end)
        except SQLAlchemyError as error:
            raise unusable(self._engine, error) from error
        self._next |= ends
        return len(new)

    def problem(self) -> str:
        """Why the database does not answer now, or nothing. Any thread."""
        try:
            with self._engine.connect() as db:
                db.execute(text("SELECT 1"))
        except SQLAlchemyError as error:
            return str(unusable(self._engine, error))
        return ""

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()


def open_engine(sql: str) -> Engine:
    """The database at the address `sql`.

    Raises:
        RecorderError: it is not an address, or its driver is not installed.
    """
    try:
        engine = create_engine(make_url(sql))
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        fix = "use sqlite:////path or postgresql+psycopg://USER@HOST/NAME (needs tradewind-streaming[postgresql])"
        raise RecorderError(f"sql: the address of the database cannot be used ({error}): {fix}") from error
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _tune_sqlite)
    return engine


def unusable(engine: Engine, error: SQLAlchemyError) -> RecorderError:
    """The one line for an error of the database. The address is shown without its password."""
    cause = " ".join(str(getattr(error, "orig", None) or error).split())
    return RecorderError(f"database {engine.url.render_as_string()} cannot be used: {cause}")


def _tune_sqlite(connection: Any, _record: Any) -> None:
    connection.execute(f"PRAGMA busy_timeout = {_LOCK_PATIENCE_S * 1000}")
    connection.execute("PRAGMA journal_mode = WAL")  # who reads does not wait for who writes
    connection.execute("PRAGMA synchronous = NORMAL")


def _claim(db: Connection, bus: str, sql: str) -> None:
    """Write whose record this is into a new database; refuse one that is another's."""
    owner = db.execute(select(schema.store)).first()
    if owner is None:
        db.execute(insert(schema.store).values(version=schema.SCHEMA_VERSION, bus=bus))
        return
    where = make_url(sql).render_as_string()
    if owner.version != schema.SCHEMA_VERSION:
        raise RecorderError(
            f"database {where} has tables of version {owner.version}, this recorder writes {schema.SCHEMA_VERSION}: "
            "use the recorder that made it, or another database"
        )
    if owner.bus != bus:
        raise RecorderError(
            f"database {where} records another bus ({owner.bus}, not {bus}): give this bus a database of its own"
        )


def _write(db: Connection, records: Iterable[Record]) -> list[Refusal]:
    refusals: list[Refusal] = []
    rows: list[Row] = []
    for record in records:
        try:
            rows += rows_of(record)
        except InvalidRecordError as error:
            refusals.append(Refusal(record, str(error)))
    by_table: dict[Table, list[Row]] = {}
    for row in rows:
        by_table.setdefault(row.table, []).append(row)
    for table, its_rows in by_table.items():
        if table in schema.ONCE:
            refusals += _write_once(db, table, its_rows)
        elif table in schema.LATEST:
            _write_latest(db, table, its_rows)
        else:
            db.execute(insert(table), [row.values for row in its_rows])
    return refusals


def _write_once(db: Connection, table: Table, rows: list[Row]) -> list[Refusal]:
    """Insert the rows that are not there. One that is there with other content is refused: the first stays."""
    names = schema.ONCE[table]
    known = _known(db, table, names, "digest", rows)
    fresh: list[Values] = []
    refusals = []
    for row in rows:
        key = _key(row, names)
        digest = row.values["digest"]
        if key not in known:
            known[key] = digest
            fresh.append(row.values)
        elif known[key] != digest:
            what = ", ".join(f"{name} {value}" for name, value in zip(names, key, strict=True))
            refusals.append(Refusal(row.record, f"{what}: is recorded in {table.name} with other content"))
    if fresh:
        db.execute(insert(table), fresh)
    return refusals


def _write_latest(db: Connection, table: Table, rows: list[Row]) -> None:
    """Insert or update, so that each row is its newest version; an older one that comes late changes nothing."""
    names, order = schema.LATEST[table]
    known = _known(db, table, names, order, rows)
    inserts: dict[Key, Values] = {}
    updates: dict[Key, Values] = {}
    for row in rows:
        key = _key(row, names)
        if key not in known:
            inserts[key] = row.values
        elif row.values[order] >= known[key]:
            changed = {name: value for name, value in row.values.items() if name not in schema.KEPT_AT_FIRST}
            (inserts if key in inserts else updates).setdefault(key, {}).update(changed)
        else:
            continue
        known[key] = row.values[order]
    if inserts:
        db.execute(insert(table), list(inserts.values()))
    for values in updates.values():
        db.execute(_update(table, names, values))


def _update(table: Table, names: Sequence[str], values: Values) -> Any:
    where = and_(*(table.c[name] == bindparam(_OLD + name, values[name]) for name in names))
    return update(table).where(where).values({name: value for name, value in values.items() if name not in names})


def _known(db: Connection, table: Table, names: Sequence[str], wanted: str, rows: list[Row]) -> dict[Key, Any]:
    """Column `wanted` of those of the rows' names that are in the table."""
    columns = [table.c[name] for name in names]
    found: dict[Key, Any] = {}
    keys = sorted({_key(row, names) for row in rows})
    for first in range(0, len(keys), _KEYS_AT_A_TIME):  # databases limit how many values a statement may have
        some = keys[first : first + _KEYS_AT_A_TIME]
        asked = select(*columns, table.c[wanted]).where(tuple_(*columns).in_(some))
        found |= {tuple(row[:-1]): row[-1] for row in db.execute(asked)}
    return found


def _remember(db: Connection, topic: str, end: int) -> None:
    table = schema.recorded_offsets
    changed = db.execute(update(table).where(table.c.topic == topic).values(next_offset=end))
    if changed.rowcount == 0:
        db.execute(insert(table).values(topic=topic, next_offset=end))


def _key(row: Row, names: Sequence[str]) -> Key:
    return tuple(row.values[name] for name in names)
