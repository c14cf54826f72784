"""From a fill or an order back to the bar it came from, over the topics of the bus. Shell (reads the bus)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from tradewind.bus import Bus, Record
from tradewind.v1 import features_pb2, market_pb2, trading_pb2


@dataclass
class Decision:
    """What stood behind one intent; None where the bus does not hold it (any more)."""

    intent: trading_pb2.OrderIntent | None
    verdict: dict[str, Any] | None
    signal: trading_pb2.Signal | None = None
    features: features_pb2.FeatureVector | None = None
    bar: market_pb2.Bar | None = None
    policy: dict[str, Any] | None = None


@dataclass
class Trace:
    """An order with its fills, and the decision behind each intent that was netted into it."""

    account: str
    client_order_id: str
    order: trading_pb2.OrderUpdate
    fills: list[trading_pb2.Fill]
    decisions: list[Decision] = field(default_factory=list)


def trace(bus: Bus, wanted: str) -> Trace | None:
    """The chain behind an execution id, a broker's order id or a client order id; None when no record bears it."""
    fills = [r.message for r in bus.read("fills") if isinstance(r.message, trading_pb2.Fill)]
    named = {f.client_order_id for f in fills if wanted in (f.execution_id, f.broker_order_id, f.client_order_id)}
    order = None
    for record in bus.read("orders"):
        update = record.message
        assert isinstance(update, trading_pb2.OrderUpdate)
        if update.client_order_id and (
            update.client_order_id in named or wanted in (update.client_order_id, update.broker_order_id)
        ):
            order = update
    if order is None:
        return None
    found = Trace(order.account, order.client_order_id, order, _once(fills, order.client_order_id))
    verdicts, policies = _judgements(bus, order.account, set(order.intent_ids))
    intents = {i.id: i for i in _messages(bus, "intents", trading_pb2.OrderIntent) if i.id in set(order.intent_ids)}
    for intent_id in order.intent_ids:
        decision = Decision(intents.get(intent_id), verdicts.get(intent_id))
        if decision.verdict is not None:
            earlier = [p for p in policies if p["sequence"] < decision.verdict["sequence"]]
            decision.policy = earlier[-1] if earlier else None
        found.decisions.append(decision)
    _add_signals(bus, found)
    return found


def _once(fills: list[trading_pb2.Fill], client_order_id: str) -> list[trading_pb2.Fill]:
    ours = (f for f in fills if f.client_order_id == client_order_id)
    return list({(f.execution_id, f.strategy, f.internal): f for f in ours}.values())


def _judgements(bus: Bus, account: str, intents: set[str]) -> tuple[dict[str, dict[str, Any]], list[dict[str, Any]]]:
    """From the audit: the first verdict on each intent, and every configuration in force."""
    verdicts: dict[str, dict[str, Any]] = {}
    policies: list[dict[str, Any]] = []
    for link in _messages(bus, "audit", trading_pb2.AuditRecord):
        if link.account != account or link.kind not in ("ORDER_VERDICT", "RISK_POLICY"):
            continue
        row = json.loads(link.payload)
        if link.kind == "RISK_POLICY":
            policies.append(row)
        elif row["intent"] in intents:
            verdicts.setdefault(row["intent"], row)
    return verdicts, policies


def _add_signals(bus: Bus, found: Trace) -> None:
    wanted = {d.intent.signal_id for d in found.decisions if d.intent is not None and d.intent.signal_id}
    signals = {s.id: s for s in _messages(bus, "signals", trading_pb2.Signal) if s.id in wanted}
    for decision in found.decisions:
        if decision.intent is None or decision.intent.signal_id not in signals:
            continue
        decision.signal = signals[decision.intent.signal_id]
        vector = _at(bus, "features", decision.signal.feature_offset)
        if not isinstance(vector, features_pb2.FeatureVector):
            continue
        decision.features = vector
        bar = _at(bus, "bars", vector.bar_offset)
        decision.bar = bar if isinstance(bar, market_pb2.Bar) else None


def _at(bus: Bus, topic: str, offset: int) -> Message | None:
    record: Record | None = next(iter(bus.read(topic, offset, offset + 1)), None)
    return record.message if record is not None else None


def _messages(bus: Bus, topic: str, kind: type[Any]) -> list[Any]:
    return [r.message for r in bus.read(topic) if isinstance(r.message, kind)]
