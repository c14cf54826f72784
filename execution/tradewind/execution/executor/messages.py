"""Between the bus's messages and the native engine's records. Core."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message

from tradewind.bus import Outgoing
from tradewind.v1 import trading_pb2

# By the native engine's numbers (ExitReason, RejectionCategory).
_EXITS = ("", "stop_loss", "take_profit", "limit_breach", "deleted")
BREAKERS = ("broker_rest", "broker_stream", "market_data", "estimates")
_BREAKER_STATES = ("closed", "open", "half_open")
_CATEGORIES = ("", "transient", "persistent", "manual")


def outgoing(record: Mapping[str, Any], account: str, named: Collection[str]) -> Outgoing | None:
    """The message that a journal record becomes; None for those that are told otherwise.

    Args:
        record: a row of the journal.
        account: whose journal it is.
        named: intents that the order records of the same entry name.
    """
    kind = record["record"]
    if kind == "verdict":
        return None if record["accepted"] and record["intent"] in named else _verdict(record, account)
    if kind == "order":
        return Outgoing("orders", account, _order(record, account))
    if kind == "fill":
        return Outgoing("fills", account, _fill(record, account))
    return None


def _verdict(record: Mapping[str, Any], account: str) -> Outgoing:
    # An order that works already for what the intent wants names it with its next change, unless a later intent takes
    # that order over before.
    works = f"order {record['order']} works for it already" if record["order"] else ""
    update = trading_pb2.OrderUpdate(
        account=account,
        client_order_id="",
        intent_ids=[record["intent"]],
        symbol=record["symbol"],
        state=trading_pb2.ORDER_STATE_UNSPECIFIED if record["accepted"] else trading_pb2.ORDER_STATE_REJECTED,
        code="" if record["code"] == "OK" else record["code"],
        message=record["message"] or works,
        event_time=record["time"],
        journal_sequence=record["sequence"],
    )
    return Outgoing("orders", account, update)


def _order(record: Mapping[str, Any], account: str) -> Message:
    return trading_pb2.OrderUpdate(
        account=account,
        client_order_id=record["client_order_id"],
        broker_order_id=record["broker_order_id"],
        intent_ids=record["intents"],
        symbol=record["symbol"],
        side=record["side"],
        order_type=record["order_type"],
        time_in_force=record["time_in_force"],
        quantity=record["quantity"],
        limit_price=record["limit_price"],
        state=record["state"],
        filled_quantity=record["filled"],
        filled_notional=record["filled_notional"],
        code="" if record["code"] == "OK" else record["code"],
        message=record["text"],
        event_time=record["time"],
        journal_sequence=record["sequence"],
        replaces=record["replaces"],
        stop_price=record["terms"]["stop_price"],
        trail_price=record["terms"]["trail_price"],
        trail_ratio=record["terms"]["trail_ratio"],
        extended_hours=record["terms"]["extended_hours"],
        exit=_EXITS[record["exit"]],
        category=_CATEGORIES[record["category"]],
    )


def _fill(record: Mapping[str, Any], account: str) -> Message:
    return trading_pb2.Fill(
        account=account,
        execution_id=record["execution_id"],
        client_order_id=record["client_order_id"],
        broker_order_id=record["broker_order_id"],
        symbol=record["symbol"],
        strategy=record["strategy"],
        side=record["side"],
        quantity=record["quantity"],
        price=record["price"],
        fee=record["fee"],
        event_time=record["time"],
        journal_sequence=record["sequence"],
        internal=record["internal"],
    )


def snapshot(
    account: str, time: int, positions: Sequence[Mapping[str, Any]], stats: Mapping[str, Any]
) -> trading_pb2.PositionSnapshot:
    """The account's books at `time`."""
    return trading_pb2.PositionSnapshot(
        account=account,
        event_time=time,
        positions=[
            trading_pb2.Position(
                symbol=p["symbol"],
                strategy=p["strategy"],
                quantity=p["quantity"],
                average_price=p["average_price"],
                realized_pnl=p["realized_pnl"],
                market_price=p["market_price"],
            )
            for p in positions
        ],
        cash=stats["account"]["cash"],
        equity=stats["account"]["equity"],
        journal_sequence=stats["last_sequence"],
    )


def risk_state(account: str, time: int, stats: Mapping[str, Any], policy_generation: int) -> trading_pb2.RiskState:
    """What the risk gate goes by at `time`."""
    risk = stats["risk"]
    return trading_pb2.RiskState(
        account=account,
        event_time=time,
        kill_switch=risk["kill_switch"],
        kill_reason=risk["kill_reason"],
        equity=risk["equity"],
        day_high_equity=risk["day_high_equity"],
        gross_exposure=risk["gross_exposure"],
        net_exposure=risk["net_exposure"],
        drawdown=risk["drawdown"] / 1e6,
        size_factor=risk["size_factor"] / 1e6,
        trades_today=risk["trades_today"],
        policy_generation=policy_generation,
        rejections=stats["rejections"],
        breakers={name: _BREAKER_STATES[risk[name]] for name in BREAKERS},
    )


def intent_order(intent: trading_pb2.OrderIntent) -> tuple[int, str, str, int]:
    """Sort key of a batch: the same whatever order the strategies' processes published in."""
    return (intent.decision_time, intent.strategy, intent.symbol, intent.ordinal)
