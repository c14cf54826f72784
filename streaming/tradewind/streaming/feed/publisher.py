"""Shell: publishes a run's records exactly once, though the process may be killed between any two of them.

A replay is a fixed sequence, and the feed is the only writer of `bars`, `news` and `events`. So the n-th record of the
run on a topic belongs at offset base + n: what lies below the topic's end is there already and is passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from google.protobuf.message import Message

from tradewind.bus import Bus, Outgoing
from tradewind.streaming.feed.errors import FeedError
from tradewind.streaming.feed.state import RunBase
from tradewind.v1 import market_pb2

CONSUMER = "feed"


@dataclass(frozen=True, slots=True)
class Keyed:
    """A message, its key and its headers."""

    key: str
    message: Message
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """A record for the dead letters of `topic`."""

    topic: str
    key: str
    payload: bytes
    payload_type: str
    reason: str


class RunPublisher:
    """Publishes the run's sequence; call it with every record of the run, from the first, also after a restart."""

    def __init__(self, bus: Bus, base: RunBase) -> None:
        self._bus = bus
        self._next = dict(base.ends)
        self._there = {topic: bus.end_offset(topic) for topic in ("bars", "news", "events")}
        self._last_there: dict[str, Keyed] = {}
        self._buried = {
            (letter.topic, letter.payload)
            for topic in ("bars.dead", "news.dead")
            for letter in _letters(bus, topic, base.ends[topic])
        }

    def end(self, topic: str) -> int:
        """Where the run's next record on `topic` belongs."""
        return self._next[topic]

    def has(self, topic: str, count: int) -> bool:
        """Whether the run's next `count` records on `topic` were there when we began; none never were."""
        return count > 0 and self._next[topic] + count <= self._there[topic]

    def publish(self, topic: str, records: Sequence[Keyed]) -> None:
        """Append those of `records` that are not on the topic yet."""
        first = self._next[topic]
        self._next[topic] = first + len(records)
        passed = min(max(self._there[topic] - first, 0), len(records))
        if passed:
            self._last_there[topic] = records[passed - 1]
        fresh = records[passed:]
        if not fresh:
            return
        if topic in self._last_there:
            self._verify(topic, first + passed - 1, self._last_there.pop(topic))
        offsets = self._bus.publish_many([Outgoing(topic, r.key, r.message, _headers(r)) for r in fresh])
        if offsets[0] != first + passed:
            raise FeedError(f"bus topic {topic}: somebody else writes to it; give this run a bus of its own")

    def refuse(self, refused: Refused) -> None:
        """Put a record with the dead letters, unless it is there."""
        if (refused.topic, refused.payload) in self._buried:
            return
        self._buried.add((refused.topic, refused.payload))
        self._bus.dead_letter(
            refused.topic, refused.key, refused.payload, refused.payload_type, refused.reason, CONSUMER
        )

    def _verify(self, topic: str, offset: int, expected: Keyed) -> None:
        """The last record of the run that was there must be the one we would have put there."""
        found = next(iter(self._bus.read(topic, offset, offset + 1)), None)
        if found is None or found.message != expected.message:
            raise FeedError(f"bus topic {topic}: offset {offset} is not this run's; give this run a bus of its own")


def _letters(bus: Bus, topic: str, start: int) -> list[market_pb2.DeadLetter]:
    letters = [record.message for record in bus.read(topic, start)]
    return [letter for letter in letters if isinstance(letter, market_pb2.DeadLetter) and letter.consumer == CONSUMER]


def _headers(record: Keyed) -> dict[str, str]:
    return {"flags": ",".join(record.flags)} if record.flags else {}
