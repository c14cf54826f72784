"""Shell: the file of the file-backed log: an SQLite database in WAL mode that several processes share.

Appending is one transaction; the database survives SIGKILL of any process at any moment. `synchronous=NORMAL`: a power
cut may cost the last commits, never the file.
"""

from __future__ import annotations

import json
import random
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tradewind.bus.errors import BusError
from tradewind.bus.record import RawRecord

_APPLICATION_ID = 0x54574255  # "TWBU": tells our files from other SQLite databases
_SCHEMA_VERSION = 1
_SQLITE_MAGIC = b"SQLite format 3\0"
_READ_BUSY_MS = 10_000
_WRITE_PATIENCE_S = 30.0
_RETRY_FIRST_S = 0.0001
_RETRY_LONGEST_S = 0.002

_SCHEMA = """
CREATE TABLE identity (value TEXT NOT NULL);
CREATE TABLE record (
    topic TEXT NOT NULL,
    "offset" INTEGER NOT NULL,
    key TEXT NOT NULL,
    payload BLOB NOT NULL,
    headers TEXT NOT NULL,  -- a JSON object of strings
    timestamp_ns INTEGER NOT NULL,
    PRIMARY KEY (topic, "offset")
) WITHOUT ROWID;
CREATE TABLE committed (
    "group" TEXT NOT NULL,
    topic TEXT NOT NULL,
    next_offset INTEGER NOT NULL,
    PRIMARY KEY ("group", topic)
) WITHOUT ROWID;
"""

Append = tuple[str, str, bytes, Mapping[str, str]]
"""topic, key, payload, headers."""


class FileStore:
    """The log's file, opened. Threads share it: writes take turns, and reads never wait for writes.

    Args:
        path: made if missing; its folder must exist.

    Raises:
        BusError: the path is not a bus file, is damaged, or was written by a newer version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._write_turn = threading.Lock()
        self._read_turn = threading.Lock()
        self._closed = False
        _require_file(path)
        with self._explained():
            self._writer = _open(path, 0)
            try:
                self._prepare()
                self._reader = _open(path, _READ_BUSY_MS)
                self.identity: str = self._query("SELECT value FROM identity", ())[0][0]
            except BaseException:
                self._writer.close()
                raise

    def close(self) -> None:
        """Close the file."""
        with self._write_turn, self._read_turn:
            self._closed = True
            self._reader.close()
            self._writer.close()

    def append(self, rows: Sequence[Append]) -> list[int]:
        """Append all rows in one transaction; returns their offsets."""
        with self._transaction() as db:
            ends: dict[str, int] = {}
            offsets = []
            now = time.time_ns()  # taken inside the transaction, so that time never runs backwards along a topic
            for topic, key, payload, headers in rows:
                offset = ends[topic] if topic in ends else _end(db, topic)
                ends[topic] = offset + 1
                offsets.append(offset)
                values = (topic, offset, key, payload, json.dumps(dict(headers)), now)
                db.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)", values)
        return offsets

    def fetch(self, topic: str, start: int, count: int) -> list[RawRecord]:
        """At most `count` records of `topic` from offset `start`."""
        rows = self._query(
            'SELECT "offset", key, payload, headers, timestamp_ns FROM record '
            'WHERE topic = ? AND "offset" >= ? ORDER BY "offset" LIMIT ?',
            (topic, start, count),
        )
        return [RawRecord(topic, row[0], row[1], row[2], json.loads(row[3]), row[4]) for row in rows]

    def end(self, topic: str) -> int:
        """The offset that the next record of `topic` will get."""
        return int(self._query('SELECT coalesce(max("offset") + 1, 0) FROM record WHERE topic = ?', (topic,))[0][0])

    def commit(self, group: str, offsets: Mapping[str, int]) -> None:
        """Remember how far `group` is, by topic, in one transaction; never backwards."""
        with self._transaction() as db:
            for topic, offset in offsets.items():
                db.execute(
                    "INSERT INTO committed VALUES (?, ?, ?) ON CONFLICT DO UPDATE "
                    "SET next_offset = max(next_offset, excluded.next_offset)",
                    (group, topic, offset),
                )

    def committed(self, group: str, topic: str) -> int:
        """The next offset that `group` has to read in `topic`."""
        rows = self._query('SELECT next_offset FROM committed WHERE "group" = ? AND topic = ?', (group, topic))
        return int(rows[0][0]) if rows else 0

    def _query(self, sql: str, values: Sequence[object]) -> list[Any]:
        with self._explained(), self._read_turn:
            self._require_open()
            return self._reader.execute(sql, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._explained(), self._write_turn:
            self._require_open()
            self._begin()
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            except BaseException:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")
                raise

    def _begin(self) -> None:
        """Take the write lock of the file. SQLite's own wait sleeps up to 100 ms at a time, ours 2 ms."""
        deadline = time.monotonic() + _WRITE_PATIENCE_S
        pause = _RETRY_FIRST_S
        while True:
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() > deadline:
                    raise
            time.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * 2, _RETRY_LONGEST_S)

    def _prepare(self) -> None:
        """Make the tables if the file is new; refuse a file that is not ours to use."""
        self._begin()
        try:
            application = self._writer.execute("PRAGMA application_id").fetchone()[0]
            version = self._writer.execute("PRAGMA user_version").fetchone()[0]
            if application == 0 and self._writer.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
                self._create()
            elif application != _APPLICATION_ID:
                raise BusError(f"{self._path} is an SQLite database but not a bus file: give another path")
            elif version > _SCHEMA_VERSION:
                raise BusError(
                    f"{self._path} was written by a newer version (format {version}, this one reads "
                    f"{_SCHEMA_VERSION}): upgrade tradewind or give another path"
                )
        finally:
            if self._writer.in_transaction:
                self._writer.execute("COMMIT")

    def _create(self) -> None:
        for statement in _SCHEMA.split(";\n"):
            self._writer.execute(statement)
        self._writer.execute("INSERT INTO identity VALUES (?)", (f"file:{uuid.uuid4()}",))
        self._writer.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        self._writer.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")

    def _require_open(self) -> None:
        if self._closed:
            raise BusError(f"the bus {self._path} is closed: open it again")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if _is_busy(error):
                raise BusError(f"{self._path} stayed locked by another process: find who holds it open") from error
            raise BusError(f"{self._path} cannot be used: {error}; check the disk and the permissions") from error
        except sqlite3.DatabaseError as error:
            raise BusError(f"{self._path} is damaged ({error}): move it away and start with a new path") from error


def _require_file(path: Path) -> None:
    if not path.parent.is_dir():
        raise BusError(f"the folder {path.parent} of the bus file does not exist: make it first")
    if path.is_dir():
        raise BusError(f"{path} is a folder: give the path of the bus file")
    if not path.exists():
        return
    try:
        with path.open("rb") as file:
            magic = file.read(len(_SQLITE_MAGIC))
    except OSError as error:
        raise BusError(f"{path} cannot be read: {error.strerror}") from error
    if magic and magic != _SQLITE_MAGIC:
        raise BusError(f"{path} is not a bus file: give another path")


def _open(path: Path, busy_ms: int) -> sqlite3.Connection:
    # The first connections of several processes race for the switch to WAL; there SQLite may answer busy at once.
    deadline = time.monotonic() + _WRITE_PATIENCE_S
    while True:
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=_READ_BUSY_MS / 1000)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(f"PRAGMA busy_timeout = {busy_ms}")
            return db
        except sqlite3.OperationalError as error:
            db.close()
            if not _is_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(_RETRY_LONGEST_S)
        except BaseException:
            db.close()
            raise


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _end(db: sqlite3.Connection, topic: str) -> int:
    row = db.execute('SELECT coalesce(max("offset") + 1, 0) FROM record WHERE topic = ?', (topic,)).fetchone()
    return int(row[0])
