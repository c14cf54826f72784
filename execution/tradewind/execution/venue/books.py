"""Shell. The durable books: one SQLite file in WAL mode, one transaction per accepted change.

With `synchronous=NORMAL` a committed transaction is in the file system when `write` returns, so it survives the death
of the process at any instant; a power failure may lose the last ones (never tear them).
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tradewind.execution.venue.account import Account, Position
from tradewind.execution.venue.changes import Changes, Fill
from tradewind.execution.venue.market import Asset, Bar, News
from tradewind.execution.venue.matching import Terms
from tradewind.execution.venue.money import notional
from tradewind.execution.venue.orders import Order
from tradewind.execution.venue.state import State

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE assets(symbol TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE positions(symbol TEXT PRIMARY KEY, qty INTEGER, cost INTEGER, realized INTEGER) WITHOUT ROWID;
CREATE TABLE orders(seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, client_order_id TEXT UNIQUE NOT NULL,
  symbol TEXT NOT NULL, status TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE fills(seq INTEGER PRIMARY KEY, execution_id TEXT UNIQUE, order_id TEXT, client_order_id TEXT,
  symbol TEXT, side TEXT, qty INTEGER, price INTEGER, fee INTEGER, time INTEGER, cum_qty INTEGER,
  leaves_qty INTEGER, position_qty INTEGER, order_status TEXT);
CREATE TABLE events(event_id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE equity(seq INTEGER PRIMARY KEY, time INTEGER, equity INTEGER);
CREATE TABLE steps(time INTEGER PRIMARY KEY, answer TEXT NOT NULL);
CREATE TABLE bars(symbol TEXT, interval TEXT, open_time INTEGER, event_time INTEGER, open INTEGER, high INTEGER,
  low INTEGER, close INTEGER, volume INTEGER, vwap INTEGER, trade_count INTEGER,
  PRIMARY KEY(symbol, interval, open_time)) WITHOUT ROWID;
CREATE TABLE news(id INTEGER PRIMARY KEY, updated_at INTEGER NOT NULL, body TEXT NOT NULL);
"""
_BAR_COLUMNS = "symbol, open_time, event_time, open, high, low, close, volume, vwap, trade_count, interval"


class BooksError(Exception):
    """The books cannot be opened or are not what they must be; the message is one line for a person."""


def _fields(row: Any) -> dict[str, Any]:
    """A slotted dataclass as a flat dict (its fields are scalars; asdict would copy them one by one, slowly)."""
    return {name: getattr(row, name) for name in row.__slots__}


def _dumps(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


class Books:
    """The file and its lock. Open it once per process; a second process on the same directory is refused."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / "books.sqlite"
        try:
            state_dir.mkdir(parents=True, exist_ok=True)
            self._lock = (state_dir / "lock").open("w")
        except OSError as error:
            raise BooksError(f"state_dir {state_dir}: cannot be written ({error.strerror}); choose another") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._db = self._open()
        except BlockingIOError as error:
            self._lock.close()
            raise BooksError(f"state_dir {state_dir}: another venue is using it; stop it or choose another") from error
        except sqlite3.Error as error:
            self._lock.close()
            raise self._damaged(str(error)) from error
        except BooksError:
            self._lock.close()
            raise

    def _damaged(self, reason: str) -> BooksError:
        return BooksError(f"{self.path}: the books are damaged ({reason}); restore them or choose another state_dir")

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise self._damaged(str(verdict).splitlines()[-1])
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={SCHEMA_VERSION}; COMMIT;")
        elif version != SCHEMA_VERSION:
            raise BooksError(f"{self.path}: books of version {version}, this venue keeps {SCHEMA_VERSION}")
        return db

    def close(self) -> None:
        self._db.close()
        self._lock.close()

    def load(self, terms: Terms, now: int) -> State:
        """The state the books hold; new books open with the terms' cash at `now`. Raises BooksError on damage."""
        try:
            row = self._db.execute("SELECT value FROM meta WHERE key = 'account'").fetchone()
            if row is None:
                cash = terms.starting_cash
                return State(terms, Account(cash, cash, now=now, opened_at=now, last_equity=cash))
            state = State(terms, Account(**json.loads(row[0])))
            state.restore(
                assets=[Asset(**json.loads(body)) for (body,) in self._rows("SELECT body FROM assets")],
                positions=[Position(*row) for row in self._rows("SELECT * FROM positions")],
                orders=[Order(**json.loads(body)) for (body,) in self._rows("SELECT body FROM orders ORDER BY seq")],
                fills=[Fill(*row) for row in self._rows("SELECT * FROM fills ORDER BY seq")],
                steps=[(time, json.loads(text)) for time, text in self._rows("SELECT * FROM steps")],
                equity_curve=self._rows("SELECT time, equity FROM equity ORDER BY seq"),
            )
            events = self._db.execute("SELECT COALESCE(MAX(event_id), 0), COUNT(*) FROM events").fetchone()
        except (sqlite3.Error, ValueError, TypeError, KeyError) as error:
            raise self._damaged(str(error)) from error
        self._verify(state, events)
        return state

    def _rows(self, sql: str, *values: object) -> Iterator[tuple[Any, ...]]:
        return iter(self._db.execute(sql, values))

    def _verify(self, state: State, events: tuple[int, int]) -> None:
        """Cash, positions and filled quantities must be what the fills make them, or something was lost."""
        cash, held, filled = state.account.starting_cash, dict[str, int](), dict[str, int]()
        for fill in state.fills:
            signed = fill.qty if fill.side == "buy" else -fill.qty
            cash -= notional(fill.price, signed) + fill.fee
            held[fill.symbol] = held.get(fill.symbol, 0) + signed
            filled[fill.order_id] = filled.get(fill.order_id, 0) + fill.qty
        if cash != state.account.cash:
            raise self._damaged("cash is not what the fills make it")
        if any(position.qty != held.get(symbol, 0) for symbol, position in state.positions.items()):
            raise self._damaged("a position is not what the fills make it")
        if any(order.filled_qty != filled.get(order.id, 0) for order in state.orders.values()):
            raise self._damaged("an order's filled quantity is not what its fills make it")
        if events != (state.account.event_id, state.account.event_id):
            raise self._damaged("stream events are missing")
        if len(state.orders) != state.account.order_seq:
            raise self._damaged("orders are missing")

    def write(self, state: State, changes: Changes) -> list[str]:
        """Make `changes` durable in one transaction. Returns the JSON text of each event, in order."""
        bodies = [_dumps(data) for _, data in changes.events]
        numbers = [event_id for event_id, _ in changes.events]
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            self._write_rows(state, changes)
            db.executemany("INSERT INTO events VALUES(?, ?)", zip(numbers, bodies, strict=True))
            db.execute("REPLACE INTO meta VALUES('account', ?)", (_dumps(_fields(state.account)),))
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
        return bodies

    def _write_rows(self, state: State, changes: Changes) -> None:
        db = self._db
        for order in changes.orders.values():
            row = (order.seq, order.id, order.client_order_id, order.symbol, order.status, _dumps(_fields(order)))
            db.execute("REPLACE INTO orders VALUES(?, ?, ?, ?, ?, ?)", row)
        if changes.fills:
            marks = ", ".join("?" * len(Fill.__slots__))
            db.executemany(
                f"INSERT INTO fills VALUES({marks})",
                [tuple(_fields(fill).values()) for fill in changes.fills],
            )
        for symbol in changes.positions:
            held = state.positions[symbol]
            db.execute("REPLACE INTO positions VALUES(?, ?, ?, ?)", (symbol, held.qty, held.cost, held.realized))
        for symbol in changes.assets:
            db.execute("REPLACE INTO assets VALUES(?, ?)", (symbol, _dumps(_fields(state.assets[symbol]))))
        if changes.bars:
            db.executemany(
                f"REPLACE INTO bars({_BAR_COLUMNS}) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [tuple(_fields(bar).values()) for bar in changes.bars],
            )
        for news in changes.news:
            db.execute("REPLACE INTO news VALUES(?, ?, ?)", (news.id, news.updated_at, _dumps(_fields(news))))
        db.executemany("INSERT INTO equity(time, equity) VALUES(?, ?)", changes.equity)
        db.executemany("INSERT INTO steps VALUES(?, ?)", [(time, _dumps(answer)) for time, answer in changes.steps])

    def events(self, after: int, last: int) -> Iterator[str]:
        """The JSON text of the trade updates numbered in (after, last], in order."""
        rows = self._rows("SELECT body FROM events WHERE event_id > ? AND event_id <= ? ORDER BY event_id", after, last)
        return (body for (body,) in rows)

    def intervals(self, symbol: str) -> list[str]:
        """The bar intervals kept for a symbol."""
        return [row[0] for row in self._rows("SELECT DISTINCT interval FROM bars WHERE symbol = ?", symbol)]

    def count_bars(self, symbol: str, interval: str, start: int, end: int) -> int:
        """How many bars open within [start, end]."""
        sql = "SELECT COUNT(*) FROM bars WHERE symbol = ? AND interval = ? AND open_time BETWEEN ? AND ?"
        return int(self._db.execute(sql, (symbol, interval, start, end)).fetchone()[0])

    def bars(
        self,
        symbol: str,
        interval: str,
        start: int,
        end: int,
        *,
        descending: bool = False,
        skip: int = 0,
        most: int = -1,
    ) -> list[Bar]:
        """Bars that open within [start, end], in time order or against it."""
        sql = (
            f"SELECT {_BAR_COLUMNS} FROM bars WHERE symbol = ? AND interval = ? AND open_time BETWEEN ? AND ? "  # noqa: S608
            f"ORDER BY open_time {'DESC' if descending else 'ASC'} LIMIT ? OFFSET ?"
        )
        return [Bar(*row) for row in self._rows(sql, symbol, interval, start, end, most, skip)]

    def last_bar(self, symbol: str) -> Bar | None:
        """The bar that closed last."""
        sql = f"SELECT {_BAR_COLUMNS} FROM bars WHERE symbol = ? ORDER BY event_time DESC, open_time DESC LIMIT 1"  # noqa: S608
        row = self._db.execute(sql, (symbol,)).fetchone()
        return None if row is None else Bar(*row)

    def news(self) -> list[News]:
        """All articles, the last updated first."""
        rows = self._rows("SELECT body FROM news ORDER BY updated_at DESC, id DESC")
        found = [News(**json.loads(body)) for (body,) in rows]
        return [dataclasses.replace(news, symbols=tuple(news.symbols)) for news in found]
