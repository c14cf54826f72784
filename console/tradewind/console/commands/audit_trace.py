"""A traced order in words and as JSON. Core."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from tradewind.execution.audit.trace import Decision, Trace
from tradewind.v1 import trading_pb2

_MONEY, _SHARES = Decimal(10**8), Decimal(10**9)


def as_dict(trace: Trace) -> dict[str, Any]:
    """The whole chain; amounts are the wire's integers, as text."""
    return {
        "account": trace.account,
        "client_order_id": trace.client_order_id,
        "order": _dict(trace.order),
        "fills": [_dict(fill) for fill in trace.fills],
        "decisions": [
            {
                "intent": _dict(d.intent),
                "verdict": d.verdict,
                "signal": _dict(d.signal),
                "features": _dict(d.features),
                "bar": _dict(d.bar),
                "policy": None if d.policy is None else {k: d.policy[k] for k in ("policy_generation", "sha256")},
            }
            for d in trace.decisions
        ],
    }


def _dict(message: Message | None) -> dict[str, Any] | None:
    return None if message is None else MessageToDict(message, preserving_proto_field_name=True)


def lines(trace: Trace) -> Iterator[str]:
    """From the fill back to the bar, a line each."""
    for fill in trace.fills:
        inside = ", crossed inside the account" if fill.internal else ""
        yield (
            f"fill      {_side(fill.side)} {_shares(fill.quantity)} {fill.symbol} at {_money(fill.price)} for "
            f"{fill.strategy}, {_time(fill.event_time)}, execution {fill.execution_id}{inside}"
        )
    order = trace.order
    state = trading_pb2.OrderState.Name(order.state).removeprefix("ORDER_STATE_")
    yield (
        f"order     {_side(order.side)} {_shares(order.quantity)} {order.symbol}, {state}, {trace.client_order_id} "
        f"(broker's {order.broker_order_id or 'unknown'}), account {trace.account}"
    )
    for decision in trace.decisions:
        yield from _decision(decision)


def _decision(d: Decision) -> Iterator[str]:
    if d.verdict is not None:
        policy = (
            f", policy generation {d.policy['policy_generation']} (sha256 {d.policy['sha256'][:16]})"
            if d.policy
            else ""
        )
        yield f"verdict   {d.verdict['code']} {d.verdict['message']}".rstrip() + policy
    if d.intent is None:
        yield "intent    not on the bus"
        return
    yield (
        f"intent    {d.intent.id}: {d.intent.strategy} wants {_shares(d.intent.target_quantity)} {d.intent.symbol}, "
        f"decided {_time(d.intent.decision_time)} at {_money(d.intent.reference_price)}"
    )
    yield f"model     {d.intent.model} version {d.intent.model_version} ({d.intent.model_alias})"
    if d.signal is None:
        yield "signal    not on the bus"
        return
    yield (
        f"signal    {d.signal.id}: prediction {d.signal.prediction:+.6f}, confidence {d.signal.confidence:.3f}, "
        f"strength {d.signal.strength:+.3f}"
    )
    if d.features is None:
        yield "features  not on the bus"
        return
    yield (
        f"features  {len(d.features.values)} values of set {d.features.feature_set_version}, offset "
        f"{d.signal.feature_offset}, {_time(d.features.event_time)}"
    )
    if d.bar is None:
        yield "bar       not on the bus"
        return
    yield (
        f"bar       {d.bar.symbol} {d.bar.interval} closed {_time(d.bar.event_time)} at {_money(d.bar.close)}, offset "
        f"{d.features.bar_offset}, from {d.bar.source}"
    )


def _side(side: int) -> str:
    return "buy" if side == trading_pb2.SIDE_BUY else "sell"


def _money(raw: int) -> str:
    return f"{(raw / _MONEY).normalize():f}"


def _shares(raw: int) -> str:
    return f"{(raw / _SHARES).normalize():f}"


def _time(ns: int) -> str:
    return datetime.fromtimestamp(ns // 10**9, UTC).strftime("%Y-%m-%d %H:%M:%S") + " UTC"
