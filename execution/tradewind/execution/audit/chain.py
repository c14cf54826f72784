"""The audit chain: each record holds the hash of the one before. Core, but `last_link` reads the bus."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tradewind.bus import Bus
from tradewind.execution.audit.rows import KINDS, event_time, payload
from tradewind.v1 import trading_pb2

GENESIS = bytes(32)
_LOOK_BACK = 64

Damage = Literal["altered", "missing", "reordered", "truncated head", "truncated tail"]


class Chain:
    """The end of an account's chain: turns the journal's rows into its next links.

    The links are a function of the journal alone, so that the same journal gives the same chain on any machine.
    """

    def __init__(self, account: str, last: trading_pb2.AuditRecord | None = None) -> None:
        self._account = account
        self._sequence = last.sequence if last is not None else 0
        self._hash = last.hash if last is not None else GENESIS
        self._time = last.event_time if last is not None else 0
        self.position = position(last) if last is not None else (0, 0)
        """Journal entry, and place among its audited rows, of the newest link."""

    def link(self, row: Mapping[str, Any]) -> trading_pb2.AuditRecord | None:
        """The next link, or None for a row that is not audited or is in the chain already."""
        kind = KINDS.get(row["record"])
        if kind is None:
            return None
        entry, index = self._place(int(row["sequence"]))
        if (entry, index) <= self.position:
            return None
        self.position = (entry, index)
        self._time = event_time(row, self._time)
        self._sequence += 1
        record = trading_pb2.AuditRecord(
            account=self._account,
            sequence=self._sequence,
            event_time=self._time,
            kind=kind,
            payload=payload(row, index),
            previous_hash=self._hash,
        )
        record.hash = self._hash = digest(record)
        return record

    _entry = 0
    _seen = 0

    def _place(self, entry: int) -> tuple[int, int]:
        self._seen = self._seen + 1 if entry == self._entry else 1
        self._entry = entry
        return entry, self._seen


def digest(record: trading_pb2.AuditRecord) -> bytes:
    """SHA-256 over all of a record but its own hash; texts and bytes with their lengths, integers as 8 bytes."""
    texts = (record.account.encode(), record.kind.encode(), record.payload)
    parts = [record.previous_hash, _eight(record.sequence), _eight(record.event_time)]
    for text in texts:
        parts += [_eight(len(text)), text]
    return hashlib.sha256(b"".join(parts)).digest()


def _eight(value: int) -> bytes:
    return value.to_bytes(8, "big", signed=True)


def position(record: trading_pb2.AuditRecord) -> tuple[int, int]:
    """Journal entry, and place in it, that a link was made from."""
    fields = json.loads(record.payload)
    return int(fields["sequence"]), int(fields["index"])


def last_link(bus: Bus, account: str) -> trading_pb2.AuditRecord | None:
    """The account's newest link on the bus. Reads back further and further: other accounts share the topic."""
    end = bus.end_offset("audit")
    span = _LOOK_BACK
    while True:
        start = max(0, end - span)
        found = None
        for record in bus.read("audit", start, end):
            assert isinstance(record.message, trading_pb2.AuditRecord)
            message = record.message
            if message.account == account and (found is None or message.sequence > found.sequence):
                found = message
        if found is not None or start == 0:
            return found
        span *= 8


@dataclass(frozen=True)
class Break:
    """The first record at which a chain does not hold."""

    sequence: int
    damage: Damage
    text: str


@dataclass(frozen=True)
class Verification:
    """What became of checking one account's chain."""

    account: str
    records: int
    last_hash: str
    first_break: Break | None


def verify(account: str, links: Iterable[trading_pb2.AuditRecord]) -> Verification:
    """Checks a chain from its first record on; stops at the first that does not hold.

    The same record again counts for nothing: a process that died while it published published it twice.
    """
    hashes: list[bytes] = []
    remaining = iter(links)
    for record in remaining:
        if record.sequence <= len(hashes) and record.sequence > 0 and hashes[record.sequence - 1] == digest(record):
            continue
        found = _broken(record, hashes)
        if found is not None and found.damage in ("missing", "truncated head"):
            moved = any(later.sequence == found.sequence for later in remaining)
            text = f"record {found.sequence} stands behind record {record.sequence}"
            found = Break(found.sequence, "reordered", text) if moved else found
        if found is not None:
            return Verification(account, len(hashes), hashes[-1].hex() if hashes else "", found)
        hashes.append(record.hash)
    return Verification(account, len(hashes), hashes[-1].hex() if hashes else "", None)


def _broken(record: trading_pb2.AuditRecord, hashes: list[bytes]) -> Break | None:
    expected = len(hashes) + 1
    if digest(record) != record.hash:
        return Break(expected, "altered", f"record {expected} is not what its hash was made from")
    if record.sequence < expected:
        return Break(record.sequence, "reordered", f"record {record.sequence} stands where {expected} belongs")
    if record.sequence > expected:
        where: Damage = "missing" if hashes else "truncated head"
        return Break(expected, where, f"records {expected} to {record.sequence - 1} are not there")
    if record.previous_hash != (hashes[-1] if hashes else GENESIS):
        return Break(expected, "altered", f"record {expected} does not follow from the one before: one was made anew")
    return None


def compare(links: Iterable[trading_pb2.AuditRecord], account: str, rows: Iterable[Mapping[str, Any]]) -> Break | None:
    """The first difference between a chain and the one that its journal makes, or None.

    Finds what a chain cannot show of itself: records cut off its end, and a chain made anew from some record on.
    """
    chain = Chain(account)
    remaining = _unrepeated(links)
    for row in rows:
        expected = chain.link(row)
        if expected is None:
            continue
        given = next(remaining, None)
        if given is None:
            return Break(
                expected.sequence,
                "truncated tail",
                f"the journal goes on with record {expected.sequence} ({expected.kind})",
            )
        if given.hash != expected.hash:
            return Break(expected.sequence, "altered", f"record {expected.sequence} is not the journal's")
    extra = next(remaining, None)
    if extra is not None:
        return Break(extra.sequence, "altered", f"record {extra.sequence} is not in the journal")
    return None


def _unrepeated(links: Iterable[trading_pb2.AuditRecord]) -> Iterator[trading_pb2.AuditRecord]:
    highest = 0
    for record in links:
        if record.sequence > highest:
            highest = record.sequence
            yield record
