"""Shell: puts what nobody can read with the dead letters, and says so once."""

from __future__ import annotations

import logging
import time

from tradewind.bus.encoding import SCHEMA_HEADER, decode
from tradewind.bus.errors import UnreadableRecordError
from tradewind.bus.interface import Bus
from tradewind.bus.record import Outgoing, RawRecord, Record
from tradewind.bus.topics import dead_topic, is_dead
from tradewind.v1 import market_pb2

log = logging.getLogger(__name__)

ORIGIN_HEADER = "origin-offset"
"""Offset of the dead record on its own topic. Two letters of one consumer with the same origin are the same record,
read again after a restart."""

_OPAQUE = "application/octet-stream"


class DeadLetterOffice:
    """Reads records for their consumers; one per bus object, so a record is buried once per process and consumer."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._buried: set[tuple[str, int, str]] = set()

    def read(self, raw: RawRecord, consumer: str) -> Record | None:
        """`raw` parsed; or None, and the record is with the dead letters of its topic."""
        try:
            return decode(raw)
        except UnreadableRecordError as error:
            self._bury(raw, str(error), consumer)
            return None

    def _bury(self, raw: RawRecord, reason: str, consumer: str) -> None:
        origin = (raw.topic, raw.offset, consumer)
        if origin in self._buried:
            return
        log.error("%s offset %d for %s: %s", raw.topic, raw.offset, consumer, reason)
        if not is_dead(raw.topic):  # an unreadable dead letter stays where it is: burying it again would never end
            schema = raw.headers.get(SCHEMA_HEADER, _OPAQUE)
            letter = dead_letter(raw.topic, raw.key, raw.payload, schema, reason, consumer)
            headers = {name: value for name, value in raw.headers.items() if name != SCHEMA_HEADER}
            headers[ORIGIN_HEADER] = str(raw.offset)
            self._bus.publish_many([Outgoing(letter.topic, letter.key, letter.message, headers)])
        self._buried.add(origin)


def dead_letter(topic: str, key: str, payload: bytes, payload_type: str, reason: str, consumer: str) -> Outgoing:
    """The dead letter of a record of `topic`, ready to publish on its twin."""
    letter = market_pb2.DeadLetter(
        topic=topic,
        key=key,
        reason=" ".join(reason.split()),
        payload=payload,
        payload_type=payload_type,
        seen_time=time.time_ns(),
        consumer=consumer,
    )
    return Outgoing(dead_topic(topic), key, letter)
