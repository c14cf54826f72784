"""Core: what goes into the bus and what comes out of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from google.protobuf.message import Message

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to be published.

    Attributes:
        topic: one of `tradewind.bus.topics.ALL_TOPICS`.
        key: the symbol (market topics) or the account (order topics).
        message: of the topic's own type.
        headers: trace context and the like; the name `schema` belongs to the bus.
    """

    topic: str
    key: str
    message: Message
    headers: Mapping[str, str] = field(default_factory=lambda: NO_HEADERS)


@dataclass(frozen=True, slots=True)
class Record:
    """A message as it stands in the log.

    Attributes:
        partition: always 0 in this version: a topic is one ordered sequence.
        offset: position in the topic, contiguous from 0.
        message: parsed, of the topic's type.
        headers: as published, and `schema`, the full protobuf name of the message.
        timestamp_ns: when the bus took it, ns since the epoch, UTC (Kafka keeps whole milliseconds).
    """

    topic: str
    partition: int
    offset: int
    key: str
    message: Message
    headers: Mapping[str, str]
    timestamp_ns: int


@dataclass(frozen=True, slots=True)
class RawRecord:
    """A record as its log keeps it, before anybody tried to read it. Fields as in `Record`."""

    topic: str
    offset: int
    key: str
    payload: bytes
    headers: Mapping[str, str]
    timestamp_ns: int
