"""Shell: a group's reading of the log in Kafka."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from tradewind.bus.errors import BusError
from tradewind.bus.interface import DEFAULT_POLL_RECORDS, Start, Subscription
from tradewind.bus.progress import Progress
from tradewind.bus.record import RawRecord, Record

if TYPE_CHECKING:
    from tradewind.bus.kafka_bus import KafkaBus

log = logging.getLogger(__name__)

_CALL_S = 10.0
# What librdkafka reports through messages and heals by itself.
_PASSING = frozenset(
    {
        KafkaError._PARTITION_EOF,
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.REBALANCE_IN_PROGRESS,
    }
)


class KafkaSubscription(Subscription):
    """Reads through Kafka's consumer group: it gives each topic, being one partition, to one member of the group."""

    def __init__(self, bus: KafkaBus, topics: Sequence[str], group: str, start: Start) -> None:
        self._bus = bus
        self._group = group
        self._start: Start = {topic: bus.end_offset(topic) for topic in topics} if start == "latest" else start
        self._names = {bus.kafka_topic(topic): topic for topic in topics}
        self._begun: set[str] = set()  # topics that `start` has been applied to
        self._next: dict[str, int] = {}  # of the topics that the group gave us
        self._progress: dict[str, Progress] = {}
        self._consumer: Any = Consumer(bus.consumer_config(group))
        self._consumer.subscribe(list(self._names), on_assign=self._assigned, on_revoke=self._revoked)
        self._closed = False

    def poll(self, max_records: int = DEFAULT_POLL_RECORDS, timeout: float = 1.0) -> list[Record]:
        self._require_open()
        deadline = time.monotonic() + timeout
        while True:
            records = self._take(max_records, max(deadline - time.monotonic(), 0.0))
            if records or time.monotonic() >= deadline:
                return records

    def commit(self, done: Record | Mapping[str, int]) -> None:
        self._require_open()
        offsets = {done.topic: done.offset + 1} if isinstance(done, Record) else done
        for topic in offsets:
            if topic not in self._progress:
                raise BusError(
                    f"group {self._group} does not read topic {topic}: subscribe to it, and poll, to commit it"
                )
        for topic, offset in offsets.items():
            if offset > self._next[topic]:  # read by other means, such as `Bus.read`
                self._bus.require_end(self._group, topic, offset)
                self._next[topic] = offset
                self._consumer.seek(self._partition(topic, offset))
        commits = {topic: self._progress[topic].commit(offset) for topic, offset in offsets.items()}
        self._commit({topic: offset for topic, offset in commits.items() if offset is not None})

    def lag(self) -> dict[str, int]:
        ends = {
            topic: self._consumer.get_watermark_offsets(self._partition(topic, 0), cached=True)[1]
            for topic in self._next
        }
        # A negative end: nothing was fetched yet.
        return {topic: max(ends[topic] - offset, 0) for topic, offset in self._next.items()}

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._consumer.close()

    def _take(self, max_records: int, timeout: float) -> list[Record]:
        # Two calls, because `consume` alone waits for all that it may bring, not for the first.
        first = self._consumer.poll(timeout)
        if first is None:
            return []
        more = self._consumer.consume(max_records - 1, 0) if max_records > 1 else []
        records = [self._read(message) for message in [first, *more]]
        return [record for record in records if record is not None]

    def _read(self, message: Any) -> Record | None:
        if message.error() is not None:
            self._judge(message.error(), message.topic())
            return None
        topic = self._names[message.topic()]
        offset = message.offset()
        record = self._bus.office.read(raw_record(topic, message), self._group)
        self._next[topic] = offset + 1
        if record is None:
            skipped_to = self._progress[topic].skip(offset)
            if skipped_to is not None:
                self._commit({topic: skipped_to})
        return record

    def _judge(self, error: Any, name: str | None) -> None:
        if error.code() in _PASSING:
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

    def _commit(self, offsets: Mapping[str, int]) -> None:
        if not offsets:
            return
        partitions = [self._partition(topic, offset) for topic, offset in offsets.items()]
        try:
            answers = self._consumer.commit(offsets=partitions, asynchronous=False)
        except KafkaException as error:
            raise self._commit_failed(error.args[0]) from error
        for answer in answers:
            if answer.error is not None:
                raise self._commit_failed(answer.error)

    def _commit_failed(self, error: Any) -> BusError:
        return BusError(
            f"Kafka did not take the commit of group {self._group} ({error.str()}): "
            "restart this consumer, it will be given the records again"
        )

    def _assigned(self, consumer: Any, partitions: list[Any]) -> None:
        """The group gave us topics: begin each where it was left, or where `start` says on the first time."""
        if self._closed:  # Kafka may still answer a request to join while we leave
            return
        stored = {found.topic: found.offset for found in consumer.committed(partitions, _CALL_S)} if partitions else {}
        for partition in partitions:
            topic = self._names[partition.topic]
            partition.offset = self._begin(topic, stored[partition.topic])
            self._begun.add(topic)
            self._next[topic] = partition.offset
            self._progress[topic] = Progress(partition.offset, max(stored[partition.topic], 0))
        consumer.assign(partitions)

    def _begin(self, topic: str, stored: int) -> int:
        if isinstance(self._start, Mapping) and topic in self._start and topic not in self._begun:
            return self._start[topic]
        if stored < 0 or (self._start == "earliest" and topic not in self._begun):
            return self._bus.bounds(topic)[0]
        return stored

    def _revoked(self, consumer: Any, partitions: list[Any]) -> None:
        for partition in partitions:
            self._next.pop(self._names[partition.topic], None)
            self._progress.pop(self._names[partition.topic], None)
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
