"""Shell: a group's reading of the log in Kafka."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from tradewind.bus.errors import BusAwayError, BusError
from tradewind.bus.interface import DEFAULT_POLL_RECORDS, Start, Subscription
from tradewind.bus.progress import Progress
from tradewind.bus.record import RawRecord, Record

if TYPE_CHECKING:
    from tradewind.bus.kafka_bus import KafkaBus

log = logging.getLogger(__name__)

_OFFER_AGAIN_S = 1.0
# After an outage Kafka may have taken us for dead. The group takes us up again while we poll.
_NO_MEMBER = frozenset(
    {
        KafkaError.UNKNOWN_MEMBER_ID,
        KafkaError.ILLEGAL_GENERATION,
        KafkaError.REBALANCE_IN_PROGRESS,
        KafkaError._ASSIGNMENT_LOST,
    }
)
# What librdkafka reports through messages and heals by itself, besides what brokers that are away or just back say. Who
# has not polled for long is no member any more: see above.
_PASSING = frozenset({KafkaError._PARTITION_EOF, KafkaError.REBALANCE_IN_PROGRESS, KafkaError._MAX_POLL_EXCEEDED})


@dataclass
class _Place:
    """Where we are in a topic. Kept while the group has taken the topic away, because it may give it back."""

    next: int
    progress: Progress
    owed: int | None = None
    """A commit that Kafka has not taken yet."""


class KafkaSubscription(Subscription):
    """Reads through Kafka's consumer group: it gives each topic, being one partition, to one member of the group.

    Kafka takes who is silent for a while, as during its own outage, for dead. The group then takes us up again while we
    poll; each topic goes on behind the last record that we were given, unless another member has committed more.
    """

    def __init__(self, bus: KafkaBus, topics: Sequence[str], group: str, start: Start) -> None:
        self._bus = bus
        self._group = group
        self._start: Start = {topic: bus.end_offset(topic) for topic in topics} if start == "latest" else start
        self._names = {bus.kafka_topic(topic): topic for topic in topics}
        self._places: dict[str, _Place] = {}  # of every topic that was ever ours
        self._ours: set[str] = set()
        self._fetched: deque[Any] = deque()  # messages that were not looked at yet
        self._offered = 0.0
        self._given: list[Any] = []  # topics that the group gave us, while Kafka doesn't say where they begin
        self._consumer: Any = Consumer(bus.consumer_config(group))
        self._consumer.subscribe(list(self._names), on_assign=self._assigned, on_revoke=self._revoked)
        self._closed = False

    def poll(self, max_records: int = DEFAULT_POLL_RECORDS, timeout: float = 1.0) -> list[Record]:
        self._require_open()
        deadline = time.monotonic() + timeout
        if self._given:
            self._take_up(self._consumer, self._given)
        if time.monotonic() >= self._offered + _OFFER_AGAIN_S:
            self._offer()
        while True:
            records = self._take(max_records, max(deadline - time.monotonic(), 0.0))
            if records or time.monotonic() >= deadline:
                return records

    def commit(self, done: Record | Mapping[str, int]) -> None:
        self._require_open()
        offsets = {done.topic: done.offset + 1} if isinstance(done, Record) else done
        for topic in offsets:
            if topic not in self._places:
                raise BusError(
                    f"group {self._group} does not read topic {topic}: subscribe to it, and poll, to commit it"
                )
        for topic, offset in offsets.items():
            place = self._places[topic]
            if offset > place.next:  # read by other means, such as `Bus.read`
                self._bus.require_end(self._group, topic, offset)
                place.next = offset
                if topic in self._ours:
                    self._consumer.seek(self._partition(topic, offset))
        for topic, offset in offsets.items():
            self._owe(topic, self._places[topic].progress.commit(offset))
        self._settle()

    def lag(self) -> dict[str, int]:
        found = {}
        for topic in self._ours:
            _first, end = self._consumer.get_watermark_offsets(self._partition(topic, 0), cached=True)
            found[topic] = max(end - self._places[topic].next, 0)  # the end is negative while nothing was fetched
        return found

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._consumer.close()

    def _take(self, max_records: int, timeout: float) -> list[Record]:
        if not self._fetched:
            # Two calls, because `consume` alone waits for all that it may bring, not for the first.
            first = self._consumer.poll(timeout)
            if first is None:
                return []
            self._fetched.append(first)
            self._fetched.extend(self._consumer.consume(max_records - 1, 0) if max_records > 1 else [])
        records: list[Record] = []
        while self._fetched and len(records) < max_records:
            try:
                record = self._read(self._fetched[0])
            except BusAwayError as error:
                log.warning("%s", error)  # the next poll looks at the message again
                break
            self._fetched.popleft()
            if record is not None:
                records.append(record)
        return records

    def _read(self, message: Any) -> Record | None:
        if message.error() is not None:
            self._judge(message.error(), message.topic())
            return None
        topic = self._names[message.topic()]
        offset = message.offset()
        place = self._places[topic]
        if topic not in self._ours or offset < place.next:
            return None  # on its way since before the group took the topic away, or before we went on further along
        record = self._bus.office.read(raw_record(topic, message), self._group)
        place.next = offset + 1
        if record is None:
            self._owe(topic, place.progress.skip(offset))
            self._offer()
        return record

    def _judge(self, error: Any, name: str | None) -> None:
        if error.code() in _PASSING or self._bus.may_pass(error):
            log.warning("Kafka topic %s: %s", name, error.str())
        elif error.code() == KafkaError._AUTO_OFFSET_RESET:
            raise BusError(
                f"Kafka topic {name} no longer has what group {self._group} was to read next: "
                "raise its retention, and accept the gap with start='earliest'"
            )
        elif refused := self._bus.security.refusal(error, self._what(error, name)):
            raise refused
        else:
            raise BusError(f"Kafka topic {name} cannot be read: {error.str()}")

    def _what(self, error: Any, name: str | None) -> str:
        if error.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            return f"read as group {self._bus.kafka_group(self._group)}"
        return f"read topic {name}"

    def _owe(self, topic: str, offset: int | None) -> None:
        if offset is not None:
            self._places[topic].owed = offset

    def _settle(self) -> None:
        """Has Kafka take what is owed; while we are no member of the group, that is when it takes us up again."""
        began = time.monotonic()
        while (error := self._offer()) is not None and error.code() not in _NO_MEMBER:
            pause_s = self._bus.patience_s(error, began)
            if pause_s is None:
                raise self._bus.failure(error, f"did not take the commit of group {self._group}")
            time.sleep(pause_s)

    def _offer(self) -> Any:
        """Commits what is owed of our topics. Returns what Kafka has against it."""
        self._offered = time.monotonic()
        owed = {topic: place.owed for topic, place in self._places.items() if topic in self._ours}
        commits = [self._partition(topic, offset) for topic, offset in owed.items() if offset is not None]
        if not commits:
            return None
        try:
            answers = self._consumer.commit(offsets=commits, asynchronous=False)
            error = next((answer.error for answer in answers if answer.error is not None), None)
        except KafkaException as failed:
            error = failed.args[0]
        if error is None:
            for topic in owed:
                self._places[topic].owed = None
        return error

    def _assigned(self, consumer: Any, partitions: list[Any]) -> None:
        """The group gave us topics."""
        if not self._closed:  # Kafka may still answer a request to join while we leave
            self._take_up(consumer, partitions)

    def _take_up(self, consumer: Any, partitions: list[Any]) -> None:
        try:
            places = {partition.topic: self._begin(self._names[partition.topic]) for partition in partitions}
        except BusAwayError as error:
            log.warning("%s", error)
            self._given = partitions  # `poll` asks again
            consumer.assign([])
            return
        for partition in partitions:
            place = places[partition.topic]
            partition.offset = place.next
            self._places[self._names[partition.topic]] = place
        self._given = []
        self._ours = {self._names[partition.topic] for partition in partitions}
        consumer.assign(partitions)
        self._offer()

    def _begin(self, topic: str) -> _Place:
        """Where the group was left; where we were, if that is further; where `start` says the first time."""
        stored = self._bus.stored(self._consumer, self._group, topic)
        floor = stored or 0
        before = self._places.get(topic)
        if before is not None and before.next >= floor:
            before.progress.committed(floor)
            return _Place(before.next, before.progress, before.owed if (before.owed or 0) > floor else None)
        if before is None and isinstance(self._start, Mapping) and topic in self._start:
            begin = self._start[topic]
        elif stored is None or (before is None and self._start == "earliest"):
            begin = self._bus.bounds(topic)[0]
        else:
            begin = stored
        return _Place(begin, Progress(begin, floor))

    def _revoked(self, consumer: Any, partitions: list[Any]) -> None:  # noqa: ARG002 - all are, in this protocol
        self._ours = set()
        self._given = []
        consumer.unassign()

    def _partition(self, topic: str, offset: int) -> Any:
        return TopicPartition(self._bus.kafka_topic(topic), 0, offset)

    def _require_open(self) -> None:
        if self._closed:
            raise BusError(f"the subscription of group {self._group} is closed: subscribe again")


def raw_record(topic: str, message: Any) -> RawRecord:
    """A Kafka message in our words. Bytes that are no text are kept readable, for the dead letters."""
    headers = {name: _text(value) for name, value in message.headers() or []}
    _kind, milliseconds = message.timestamp()
    payload = message.value() or b""
    return RawRecord(topic, message.offset(), _text(message.key()), payload, headers, milliseconds * 1_000_000)


def _text(value: bytes | str | None) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else value.decode("utf-8", "backslashreplace")
