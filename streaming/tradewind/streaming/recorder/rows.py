"""Core: records of the bus to rows of the tables, refusing what no table can hold."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from google.protobuf.message import Message
from sqlalchemy import Table

from tradewind.bus import Record
from tradewind.bus.topics import DEAD_SUFFIX, TOPICS, is_dead
from tradewind.streaming.recorder import schema
from tradewind.streaming.recorder.errors import InvalidRecordError
from tradewind.v1.control_pb2 import ControlAction, ControlMessage
from tradewind.v1.market_pb2 import Bar, DeadLetter, Event
from tradewind.v1.trading_pb2 import (
    Algorithm,
    Fill,
    OrderIntent,
    OrderState,
    OrderType,
    OrderUpdate,
    PositionSnapshot,
    RiskState,
    Side,
    Signal,
    TimeInForce,
)

Values = dict[str, Any]
_M = TypeVar("_M", bound=Message)
_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True, slots=True)
class Row:
    """A row to be written, and the record that it was made from."""

    table: Table
    values: Values
    record: Record


def recorded_topics(*, bars: bool) -> list[str]:
    """The topics that the recorder reads."""
    topics = [topic for topic in _ROWS if bars or topic != "bars"]
    return topics + [topic + DEAD_SUFFIX for topic in TOPICS]


def rows_of(record: Record) -> list[Row]:
    """The rows that `record` becomes; none for a tick of the clock.

    Raises:
        InvalidRecordError: naming the field.
    """
    make = _dead_letter if is_dead(record.topic) else _ROWS[record.topic]
    rows = [Row(table, values | {"bus_offset": record.offset}, record) for table, values in make(record)]
    for row in rows:
        _require_storable(row.values)
    return rows


_Made = list[tuple[Table, Values]]


def _order(record: Record) -> _Made:
    update = _message(record, OrderUpdate)
    _require(update, "account")
    event: Values = {
        "account": update.account,
        "client_order_id": update.client_order_id,
        "intent_ids": json.dumps(list(update.intent_ids)),
        "symbol": update.symbol,
        "state": _name(OrderState, "ORDER_STATE_", "state", update.state),
        "filled_quantity_e9": update.filled_quantity,
        "code": update.code,
        "message": update.message,
        "journal_sequence": update.journal_sequence,
    }
    made: _Made = [
        (schema.order_events, event | {"event_time_ns": update.event_time, "digest": _digest(update, "")})
    ]  # fmt: skip
    if update.client_order_id:
        made.append((schema.orders, event | _order_only(update)))
    return made


def _order_only(update: OrderUpdate) -> Values:
    return {
        "broker_order_id": update.broker_order_id,
        "side": _name(Side, "SIDE_", "side", update.side),
        "order_type": _name(OrderType, "ORDER_TYPE_", "order_type", update.order_type),
        "time_in_force": _name(TimeInForce, "TIME_IN_FORCE_", "time_in_force", update.time_in_force),
        "quantity_e9": update.quantity,
        "limit_price_e8": update.limit_price,
        "filled_notional_e8": update.filled_notional,
        "created_ns": update.event_time,
        "updated_ns": update.event_time,
    }


def _fill(record: Record) -> _Made:
    fill = _message(record, Fill)
    _require(fill, "account", "execution_id", "symbol")
    values: Values = {
        "account": fill.account,
        "execution_id": fill.execution_id,
        "strategy": fill.strategy,
        "client_order_id": fill.client_order_id,
        "broker_order_id": fill.broker_order_id,
        "symbol": fill.symbol,
        "side": _name(Side, "SIDE_", "side", fill.side),
        "quantity_e9": fill.quantity,
        "price_e8": fill.price,
        "fee_e8": fill.fee,
        "event_time_ns": fill.event_time,
        "internal": fill.internal,
        "journal_sequence": fill.journal_sequence,
        # An executor that was restarted may journal an execution anew: that is still the same execution.
        "digest": _digest(fill, "journal_sequence"),
    }
    return [(schema.fills, values)]


def _signal(record: Record) -> _Made:
    signal = _message(record, Signal)
    _require(signal, "id", "strategy", "symbol")
    values: Values = {
        "id": signal.id,
        "strategy": signal.strategy,
        "symbol": signal.symbol,
        "event_time_ns": signal.event_time,
        "decision_time_ns": signal.decision_time,
        "prediction": signal.prediction,
        "confidence": signal.confidence,
        "strength": signal.strength,
        "horizon_bars": signal.horizon_bars,
        "model": signal.model,
        "model_version": signal.model_version,
        "feature_set_version": signal.feature_set_version,
        "reason": signal.reason,
        "feature_offset": signal.feature_offset,
        "digest": _digest(signal, ""),
    }
    return [(schema.signals, values)]


def _intent(record: Record) -> _Made:
    intent = _message(record, OrderIntent)
    _require(intent, "id", "strategy", "account", "symbol")
    values: Values = {
        "id": intent.id,
        "strategy": intent.strategy,
        "account": intent.account,
        "symbol": intent.symbol,
        "target_quantity_e9": intent.target_quantity,
        "decision_time_ns": intent.decision_time,
        "valid_until_ns": intent.valid_until,
        "ordinal": intent.ordinal,
        "order_type": _name(OrderType, "ORDER_TYPE_", "order_type", intent.order_type),
        "time_in_force": _name(TimeInForce, "TIME_IN_FORCE_", "time_in_force", intent.time_in_force),
        "limit_price_e8": intent.limit_price,
        "reference_price_e8": intent.reference_price,
        "urgency": intent.urgency,
        "algorithm": _name(Algorithm, "ALGORITHM_", "plan.algorithm", intent.plan.algorithm)
        if intent.HasField("plan")
        else "",
        "duration_ns": intent.plan.duration,
        "interval_ns": intent.plan.interval,
        "participation_ppm": intent.plan.participation,
        "model": intent.model,
        "model_version": intent.model_version,
        "model_alias": intent.model_alias,
        "gates_passed": intent.gates_passed,
        "signal_id": intent.signal_id,
        "policy_generation": intent.policy_generation,
        "digest": _digest(intent, ""),
    }
    return [(schema.intents, values)]


def _positions(record: Record) -> _Made:
    snapshot = _message(record, PositionSnapshot)
    _require(snapshot, "account")
    books: Values = {
        "account": snapshot.account,
        "event_time_ns": snapshot.event_time,
        "cash_e8": snapshot.cash,
        "equity_e8": snapshot.equity,
        "journal_sequence": snapshot.journal_sequence,
    }
    made: _Made = [(schema.position_snapshots, books)]
    seen: set[tuple[str, str]] = set()
    for position in snapshot.positions:
        name = (position.symbol, position.strategy)
        if name in seen:
            raise InvalidRecordError(f"positions: {position.symbol} of strategy {position.strategy!r} is there twice")
        seen.add(name)
        values: Values = {
            "symbol": position.symbol,
            "strategy": position.strategy,
            "quantity_e9": position.quantity,
            "average_price_e8": position.average_price,
            "realized_pnl_e8": position.realized_pnl,
            "market_price_e8": position.market_price,
        }
        made.append((schema.positions, values))
    return made


def _risk(record: Record) -> _Made:
    risk = _message(record, RiskState)
    _require(risk, "account")
    values: Values = {
        "account": risk.account,
        "event_time_ns": risk.event_time,
        "kill_switch": risk.kill_switch,
        "kill_reason": risk.kill_reason,
        "equity_e8": risk.equity,
        "day_high_equity_e8": risk.day_high_equity,
        "gross_exposure_e8": risk.gross_exposure,
        "net_exposure_e8": risk.net_exposure,
        "drawdown": risk.drawdown,
        "size_factor": risk.size_factor,
        "trades_today": risk.trades_today,
        "policy_generation": risk.policy_generation,
        "rejections": json.dumps(dict(risk.rejections), sort_keys=True),
    }
    return [(schema.risk_states, values)]


def _event(record: Record) -> _Made:
    event = _message(record, Event)
    _require(event, "id", "symbol")
    values: Values = {
        "id": event.id,
        "news_id": event.news_id,
        "type": event.type,
        "symbol": event.symbol,
        "event_time_ns": event.event_time,
        "available_time_ns": event.available_time,
        "impact": event.impact,
        "confidence": event.confidence,
        "classifier": event.classifier,
        "digest": _digest(event, ""),
    }
    return [(schema.news_events, values)]


def _control(record: Record) -> _Made:
    message = _message(record, ControlMessage)
    if message.WhichOneof("body") != "command":
        return []
    command = message.command
    _require(command, "id")
    values: Values = {
        "id": command.id,
        "account": command.account,
        "action": _name(ControlAction, "CONTROL_ACTION_", "action", command.action),
        "issued_by": command.issued_by,
        "reason": command.reason,
        "issued_ns": command.issued_time,
        "flatten": command.flatten,
        "digest": _digest(command, ""),
    }
    return [(schema.control_commands, values)]


def _bar(record: Record) -> _Made:
    bar = _message(record, Bar)
    _require(bar, "symbol", "interval")
    values: Values = {
        "symbol": bar.symbol,
        "interval": bar.interval,
        "event_time_ns": bar.event_time,
        "source": bar.source,
        "available_time_ns": bar.available_time,
        "open_e8": bar.open,
        "high_e8": bar.high,
        "low_e8": bar.low,
        "close_e8": bar.close,
        "volume": bar.volume,
        "vwap_e8": bar.vwap if bar.HasField("vwap") else None,
        "trade_count": bar.trade_count if bar.HasField("trade_count") else None,
    }
    return [(schema.bars, values)]


def _dead_letter(record: Record) -> _Made:
    letter = _message(record, DeadLetter)
    values: Values = {
        "dead_topic": record.topic,
        "topic": letter.topic,
        "key": letter.key,
        "reason": letter.reason,
        "payload_type": letter.payload_type,
        "payload": letter.payload,
        "seen_ns": letter.seen_time,
        "consumer": letter.consumer,
    }
    # There is nowhere to send a dead letter that cannot be stored, so it is made storable.
    shown = {name: value.replace("\0", "\\0") if isinstance(value, str) else value for name, value in values.items()}
    return [(schema.dead_letters, shown)]


_ROWS: dict[str, Callable[[Record], _Made]] = {
    "signals": _signal,
    "intents": _intent,
    "orders": _order,
    "fills": _fill,
    "positions": _positions,
    "risk": _risk,
    "events": _event,
    "control": _control,
    "bars": _bar,
}


def _message(record: Record, kind: type[_M]) -> _M:
    if not isinstance(record.message, kind):
        raise InvalidRecordError(f"topic {record.topic} brought a {type(record.message).__name__}")
    return record.message


def _require(message: Message, *fields: str) -> None:
    for field in fields:
        if not getattr(message, field):
            raise InvalidRecordError(f"{field}: is empty")


def _name(enum: Any, prefix: str, field: str, number: int) -> str:
    try:
        return str(enum.Name(number)).removeprefix(prefix)
    except ValueError:
        raise InvalidRecordError(f"{field}: {number} is not a known value") from None


def _digest(message: Message, without: str) -> str:
    """SHA-256 of the message, not counting the field `without`."""
    if without:
        whole, message = message, type(message)()
        message.CopyFrom(whole)
        message.ClearField(without)
    return hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()


def _require_storable(values: Values) -> None:
    """Refuse what a database would change without a word (NaN becomes NULL) or choke on."""
    for field, value in values.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise InvalidRecordError(f"{field}: {value} is not a finite number")
        if isinstance(value, int) and value not in _INT64:
            raise InvalidRecordError(f"{field}: {value} does not fit 64 bits with a sign")
        if isinstance(value, str) and "\0" in value:
            raise InvalidRecordError(f"{field}: holds a NUL character")
