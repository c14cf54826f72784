"""Core: messages to bytes and back, refusing whatever the topic does not promise."""

from __future__ import annotations

from google.protobuf.message import DecodeError, Message

from tradewind.bus.errors import BusError, UnreadableRecordError
from tradewind.bus.record import Outgoing, RawRecord, Record
from tradewind.bus.topics import message_type

SCHEMA_HEADER = "schema"


def encode(outgoing: Outgoing) -> tuple[bytes, dict[str, str]]:
    """The payload and the headers to write for `outgoing`.

    The encoding is deterministic (map fields are sorted), so that the same message is the same bytes everywhere.

    Raises:
        BusError: the topic does not exist or carries another type, or the caller set the header `schema`.
    """
    expected = message_type(outgoing.topic)
    if type(outgoing.message) is not expected:
        raise BusError(
            f"topic {outgoing.topic} carries {expected.DESCRIPTOR.full_name}, not {_type_name(outgoing.message)}: "
            "publish it on its own topic"
        )
    if SCHEMA_HEADER in outgoing.headers:
        raise BusError(f"header {SCHEMA_HEADER!r} is written by the bus: leave it out of the headers")
    payload = outgoing.message.SerializeToString(deterministic=True)
    return payload, {**outgoing.headers, SCHEMA_HEADER: expected.DESCRIPTOR.full_name}


def decode(raw: RawRecord) -> Record:
    """`raw`, parsed.

    The schema is compared before parsing: protobuf reads the bytes of one type as another without complaint.

    Raises:
        UnreadableRecordError: with the reason, in one line.
    """
    expected = message_type(raw.topic)
    name = expected.DESCRIPTOR.full_name
    schema = raw.headers.get(SCHEMA_HEADER)
    if schema is None:
        raise UnreadableRecordError(f"header {SCHEMA_HEADER!r} is missing: expected {name}")
    if schema != name:
        raise UnreadableRecordError(f"header {SCHEMA_HEADER!r} is {schema!r}: expected {name}")
    try:
        message = expected.FromString(raw.payload)
    except DecodeError as error:
        reason = " ".join(str(error).split())
        raise UnreadableRecordError(f"payload of {len(raw.payload)} bytes is not a {name}: {reason}") from None
    return Record(raw.topic, 0, raw.offset, raw.key, message, raw.headers, raw.timestamp_ns)


def _type_name(message: object) -> str:
    return message.DESCRIPTOR.full_name if isinstance(message, Message) else type(message).__name__
