"""The audit chain: each published record with the hash of the one before. Core, but `last_link` reads the bus."""

from __future__ import annotations

import hashlib

from tradewind.bus import Bus, Outgoing
from tradewind.v1 import trading_pb2

GENESIS = bytes(32)
_LOOK_BACK = 64


def link(previous: trading_pb2.AuditRecord | None, account: str, message: Outgoing) -> trading_pb2.AuditRecord:
    """The next link: SHA-256 over the previous hash, the kind and the record's bytes."""
    payload = message.message.SerializeToString(deterministic=True)
    before = previous.hash if previous is not None else GENESIS
    return trading_pb2.AuditRecord(
        account=account,
        sequence=previous.sequence + 1 if previous is not None else 1,
        event_time=message.message.event_time,  # type: ignore[attr-defined] # orders and fills both have it
        kind=message.topic,
        payload=payload,
        previous_hash=before,
        hash=hashlib.sha256(before + message.topic.encode() + payload).digest(),
    )


def last_link(bus: Bus, account: str) -> trading_pb2.AuditRecord | None:
    """The account's newest link on the bus. Reads back further and further: other accounts share the topic."""
    end = bus.end_offset("audit")
    span = _LOOK_BACK
    while True:
        start = max(0, end - span)
        found = None
        for record in bus.read("audit", start, end):
            assert isinstance(record.message, trading_pb2.AuditRecord)
            if record.message.account == account:
                found = record.message
        if found is not None or start == 0:
            return found
        span *= 8


def journal_sequence(record: trading_pb2.AuditRecord) -> int:
    """Sequence of the journal entry that the link's record was made from."""
    message = trading_pb2.Fill() if record.kind == "fills" else trading_pb2.OrderUpdate()
    message.ParseFromString(record.payload)
    return message.journal_sequence
