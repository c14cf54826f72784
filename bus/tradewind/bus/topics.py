"""Core: the topics of the bus, and the one message type that each of them carries."""

from __future__ import annotations

from google.protobuf.message import Message

from tradewind.bus.errors import BusError
from tradewind.v1 import control_pb2, features_pb2, market_pb2, trading_pb2

DEAD_SUFFIX = ".dead"

_MESSAGE_TYPES: dict[str, type[Message]] = {
    "bars": market_pb2.Bar,
    "quotes": market_pb2.Quote,
    "trades": market_pb2.Trade,
    "news": market_pb2.NewsItem,
    "events": market_pb2.Event,
    "features": features_pb2.FeatureVector,
    "signals": trading_pb2.Signal,
    "intents": trading_pb2.OrderIntent,
    "orders": trading_pb2.OrderUpdate,
    "fills": trading_pb2.Fill,
    "positions": trading_pb2.PositionSnapshot,
    "risk": trading_pb2.RiskState,
    "control": control_pb2.ControlMessage,
    "audit": trading_pb2.AuditRecord,
}

TOPICS: tuple[str, ...] = tuple(_MESSAGE_TYPES)
"""The topics with a meaning of their own, in the order data flows through the house."""

ALL_TOPICS: tuple[str, ...] = TOPICS + tuple(topic + DEAD_SUFFIX for topic in TOPICS)
"""`TOPICS` and the dead-letter twin of each."""


def is_dead(topic: str) -> bool:
    """Whether `topic` is a dead-letter twin."""
    return topic.endswith(DEAD_SUFFIX)


def dead_topic(topic: str) -> str:
    """The topic that holds the dead letters of `topic`; a twin has no twin of its own."""
    require_topic(topic)
    if is_dead(topic):
        raise BusError(f"topic {topic}: dead letters have no dead letters of their own; name the topic they came from")
    return topic + DEAD_SUFFIX


def message_type(topic: str) -> type[Message]:
    """The protobuf class of every record in `topic`."""
    require_topic(topic)
    return market_pb2.DeadLetter if is_dead(topic) else _MESSAGE_TYPES[topic]


def require_topic(topic: str) -> None:
    """Refuse a name that is not a topic.

    Raises:
        BusError: naming the topic, with those that exist.
    """
    if topic.removesuffix(DEAD_SUFFIX) not in _MESSAGE_TYPES:
        raise BusError(
            f"topic {topic!r} does not exist: use one of {', '.join(TOPICS)} (or its twin NAME{DEAD_SUFFIX})"
        )
