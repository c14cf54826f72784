"""Shell: questions to the record. Money and quantities are Decimals, times are ns since the epoch, UTC."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Row, Select, Table, func, select
from sqlalchemy.exc import SQLAlchemyError

from tradewind.streaming.recorder import schema
from tradewind.streaming.recorder.errors import RecorderError
from tradewind.streaming.recorder.store import open_engine, unusable

_MONEY = Decimal(10**8)
_QUANTITY = Decimal(10**9)


@dataclass(frozen=True, slots=True)
class Order:
    """An order in its latest state. `limit_price` is None for an order without one."""

    client_order_id: str
    account: str
    broker_order_id: str
    intent_ids: tuple[str, ...]
    symbol: str
    side: str
    order_type: str
    time_in_force: str
    quantity: Decimal
    limit_price: Decimal | None
    state: str
    filled_quantity: Decimal
    filled_notional: Decimal
    code: str
    message: str
    created_ns: int
    updated_ns: int


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """A verdict on intents (no `client_order_id` if they made no order of their own) or a change of an order."""

    account: str
    client_order_id: str
    intent_ids: tuple[str, ...]
    symbol: str
    state: str
    filled_quantity: Decimal
    code: str
    message: str
    event_time_ns: int


@dataclass(frozen=True, slots=True)
class Fill:
    """A strategy's share of an execution."""

    account: str
    execution_id: str
    strategy: str
    client_order_id: str
    symbol: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    event_time_ns: int
    internal: bool


@dataclass(frozen=True, slots=True)
class Intent:
    """A target position of a strategy. `algorithm` is empty for an order that is sent at once."""

    id: str
    strategy: str
    symbol: str
    target_quantity: Decimal
    decision_time_ns: int
    order_type: str
    limit_price: Decimal | None
    reference_price: Decimal
    algorithm: str


@dataclass(frozen=True, slots=True)
class Position:
    """A position; `strategy` is empty for the whole account's."""

    symbol: str
    strategy: str
    quantity: Decimal
    average_price: Decimal
    realized_pnl: Decimal
    market_price: Decimal


@dataclass(frozen=True, slots=True)
class Books:
    """An account at a moment."""

    account: str
    event_time_ns: int
    cash: Decimal
    equity: Decimal
    positions: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class EquityPoint:
    """Equity of an account at a moment."""

    event_time_ns: int
    equity: Decimal
    cash: Decimal


@dataclass(frozen=True, slots=True)
class Signal:
    """What a model said, and what its strategy made of it."""

    id: str
    strategy: str
    symbol: str
    event_time_ns: int
    decision_time_ns: int
    prediction: float
    confidence: float
    strength: float
    horizon_bars: int
    model: str
    model_version: str
    reason: str


class Repository:
    """The record at the SQLAlchemy address `sql`, for reading, also while the recorder writes it.

    Raises:
        RecorderError: there is no record at this address.
    """

    def __init__(self, sql: str) -> None:
        self._engine = open_engine(sql)
        path = self._engine.url.database
        if self._engine.dialect.name == "sqlite" and path and not Path(path).exists():
            raise RecorderError(f"database {path} does not exist: start the recorder first")  # opening would make it
        self._rows(select(schema.store))

    def close(self) -> None:
        """Close the database."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def orders(self, account: str | None = None, symbol: str | None = None) -> list[Order]:
        """Orders, oldest first."""
        table = schema.orders
        asked = _where(select(table), table, account=account, symbol=symbol)
        return [_order(row) for row in self._rows(asked.order_by(table.c.created_ns, table.c.bus_offset))]

    def order_events(self, account: str | None = None, client_order_id: str | None = None) -> list[OrderEvent]:
        """Verdicts and changes, in the order they were published."""
        table = schema.order_events
        asked = _where(select(table), table, account=account, client_order_id=client_order_id)
        return [_order_event(row) for row in self._rows(asked.order_by(table.c.bus_offset))]

    def fills(
        self,
        account: str | None = None,
        strategy: str | None = None,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
    ) -> list[Fill]:
        """Fills with start <= time < end, oldest first."""
        table = schema.fills
        asked = _where(select(table), table, account=account, strategy=strategy)
        asked = _between(asked, table, start_ns, end_ns)
        return [_fill(row) for row in self._rows(asked.order_by(table.c.event_time_ns, table.c.bus_offset))]

    def positions_at(self, account: str, time_ns: int | None = None) -> Books | None:
        """The account's books as last known at `time_ns` (now by default); None if nothing was known then."""
        table = schema.position_snapshots
        asked = select(table).where(table.c.account == account)
        if time_ns is not None:
            asked = asked.where(table.c.event_time_ns <= time_ns)
        newest = asked.order_by(table.c.event_time_ns.desc(), table.c.bus_offset.desc()).limit(1)
        for snapshot in self._rows(newest):
            return self._books(snapshot)
        return None

    def equity_curve(self, account: str) -> list[EquityPoint]:
        """Equity over time, oldest first: one point per moment, the last one published for it."""
        table = schema.position_snapshots
        last = (
            select(func.max(table.c.bus_offset)).where(table.c.account == account).group_by(table.c.event_time_ns)
        )  # fmt: skip
        asked = select(table).where(table.c.bus_offset.in_(last)).order_by(table.c.event_time_ns)
        return [EquityPoint(row.event_time_ns, _money(row.equity_e8), _money(row.cash_e8)) for row in self._rows(asked)]

    def signals(
        self,
        strategy: str | None = None,
        symbol: str | None = None,
        *,
        start_ns: int | None = None,
        end_ns: int | None = None,
    ) -> list[Signal]:
        """Signals with start <= event time < end, oldest first."""
        table = schema.signals
        asked = _between(_where(select(table), table, strategy=strategy, symbol=symbol), table, start_ns, end_ns)
        return [_signal(row) for row in self._rows(asked.order_by(table.c.event_time_ns, table.c.bus_offset))]

    def intents(self, account: str | None = None, strategy: str | None = None) -> list[Intent]:
        """Intents by decision, oldest first."""
        table = schema.intents
        asked = _where(select(table), table, account=account, strategy=strategy)
        return [_intent(row) for row in self._rows(asked.order_by(table.c.decision_time_ns, table.c.bus_offset))]

    def counts(self) -> dict[str, int]:
        """How many rows each table of the record has."""
        tables = [
            table for table in schema.metadata.sorted_tables if table not in (schema.store, schema.recorded_offsets)
        ]
        return {table.name: self._rows(select(func.count()).select_from(table))[0][0] for table in tables}

    def recorded_offset(self, topic: str) -> int:
        """The first offset of the topic that is not recorded yet."""
        table = schema.recorded_offsets
        rows = self._rows(select(table.c.next_offset).where(table.c.topic == topic))
        return int(rows[0][0]) if rows else 0

    def _books(self, snapshot: Row[Any]) -> Books:
        table = schema.positions
        asked = select(table).where(table.c.bus_offset == snapshot.bus_offset)
        found = self._rows(asked.order_by(table.c.symbol, table.c.strategy))
        return Books(
            snapshot.account,
            snapshot.event_time_ns,
            _money(snapshot.cash_e8),
            _money(snapshot.equity_e8),
            tuple(_position(row) for row in found),
        )

    def _rows(self, asked: Select[Any]) -> Sequence[Row[Any]]:
        try:
            with self._engine.connect() as db:
                return db.execute(asked).all()
        except SQLAlchemyError as error:
            raise unusable(self._engine, error) from error


def _where(asked: Select[Any], table: Table, **wanted: str | None) -> Select[Any]:
    for name, value in wanted.items():
        if value is not None:
            asked = asked.where(table.c[name] == value)
    return asked


def _between(asked: Select[Any], table: Table, start_ns: int | None, end_ns: int | None) -> Select[Any]:
    if start_ns is not None:
        asked = asked.where(table.c.event_time_ns >= start_ns)
    if end_ns is not None:
        asked = asked.where(table.c.event_time_ns < end_ns)
    return asked


def _money(units: int) -> Decimal:
    return units / _MONEY


def _quantity(units: int) -> Decimal:
    return units / _QUANTITY


def _order(row: Row[Any]) -> Order:
    return Order(
        client_order_id=row.client_order_id,
        account=row.account,
        broker_order_id=row.broker_order_id,
        intent_ids=tuple(json.loads(row.intent_ids)),
        symbol=row.symbol,
        side=row.side,
        order_type=row.order_type,
        time_in_force=row.time_in_force,
        quantity=_quantity(row.quantity_e9),
        limit_price=_money(row.limit_price_e8) if row.limit_price_e8 else None,
        state=row.state,
        filled_quantity=_quantity(row.filled_quantity_e9),
        filled_notional=_money(row.filled_notional_e8),
        code=row.code,
        message=row.message,
        created_ns=row.created_ns,
        updated_ns=row.updated_ns,
    )


def _order_event(row: Row[Any]) -> OrderEvent:
    return OrderEvent(
        account=row.account,
        client_order_id=row.client_order_id,
        intent_ids=tuple(json.loads(row.intent_ids)),
        symbol=row.symbol,
        state=row.state,
        filled_quantity=_quantity(row.filled_quantity_e9),
        code=row.code,
        message=row.message,
        event_time_ns=row.event_time_ns,
    )


def _fill(row: Row[Any]) -> Fill:
    return Fill(
        account=row.account,
        execution_id=row.execution_id,
        strategy=row.strategy,
        client_order_id=row.client_order_id,
        symbol=row.symbol,
        side=row.side,
        quantity=_quantity(row.quantity_e9),
        price=_money(row.price_e8),
        fee=_money(row.fee_e8),
        event_time_ns=row.event_time_ns,
        internal=row.internal,
    )


def _intent(row: Row[Any]) -> Intent:
    return Intent(
        id=row.id,
        strategy=row.strategy,
        symbol=row.symbol,
        target_quantity=_quantity(row.target_quantity_e9),
        decision_time_ns=row.decision_time_ns,
        order_type=row.order_type,
        limit_price=_money(row.limit_price_e8) if row.limit_price_e8 else None,
        reference_price=_money(row.reference_price_e8),
        algorithm=row.algorithm,
    )


def _position(row: Row[Any]) -> Position:
    return Position(
        symbol=row.symbol,
        strategy=row.strategy,
        quantity=_quantity(row.quantity_e9),
        average_price=_money(row.average_price_e8),
        realized_pnl=_money(row.realized_pnl_e8),
        market_price=_money(row.market_price_e8),
    )


def _signal(row: Row[Any]) -> Signal:
    return Signal(
        id=row.id,
        strategy=row.strategy,
        symbol=row.symbol,
        event_time_ns=row.event_time_ns,
        decision_time_ns=row.decision_time_ns,
        prediction=row.prediction,
        confidence=row.confidence,
        strength=row.strength,
        horizon_bars=row.horizon_bars,
        model=row.model,
        model_version=row.model_version,
        reason=row.reason,
    )
