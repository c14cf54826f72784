"""Shell: the log in Kafka."""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tradewind.bus.dead_letters import DeadLetterOffice, dead_letter
from tradewind.bus.encoding import encode
from tradewind.bus.errors import BusAwayError, BusError
from tradewind.bus.interface import Bus, Start, Subscription
from tradewind.bus.kafka_security import KafkaSecurity, reach_s
from tradewind.bus.kafka_subscription import KafkaSubscription, raw_record
from tradewind.bus.record import Outgoing, Record
from tradewind.bus.topics import require_topic

log = logging.getLogger(__name__)

_REACH_S = 5.0
_AGAIN_S = 0.5
_CALL_S = 10.0
_DELIVERY_S = 15.0
_PUMP_S = 0.1
_READ_CHUNK = 1000
_COMPLAIN_S = 30.0
_COMMITS_LOOK_S = 0.003
_OUTAGE_LOOK_S = 0.2
# A leader that was just elected, as after a topic was made or a broker was lost, answers so for a moment; while there
# is none, the client says that it knows no such partition.
_SETTLING = frozenset(
    {
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.OFFSET_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
    }
)
# ... and so does a broker that has just become, or is no longer, the one that knows a group's offsets.
_MOVING = frozenset(
    {KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_LOAD_IN_PROGRESS, KafkaError.COORDINATOR_NOT_AVAILABLE}
)
# What is said of brokers that are away.
_AWAY = frozenset(
    {
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._MSG_TIMED_OUT,
        KafkaError._WAIT_COORD,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.BROKER_NOT_AVAILABLE,
    }
)
_QUIET = 2  # librdkafka's own lines below "critical" repeat, many times over, what we raise as one error


class KafkaBus(Bus):
    """A log in Kafka: acks=all, idempotent producer, offsets committed by hand, topics of one partition made on demand.

    Args:
        bootstrap: "HOST:PORT", or several with commas.
        prefix: put before topic and group names with a dot, so that several logs can share a Kafka.
        environment: says who we are to Kafka (`KafkaSecurity.of`); None: this process's.
        outage_s: how long, at the least, brokers that went away are waited for: some ten seconds otherwise. Who has
            nothing else to look after does better to wait than to end and start again.

    Raises:
        BusError: nobody answers at `bootstrap` within a few seconds, or we are not let in.
    """

    def __init__(
        self, bootstrap: str, prefix: str = "", environment: Mapping[str, str] | None = None, outage_s: float = 0
    ) -> None:
        self.bootstrap = bootstrap
        self.delivery_s = max(_DELIVERY_S, outage_s)
        self._outage_s = outage_s
        self.security = KafkaSecurity.of(os.environ if environment is None else environment)
        patience = reach_s(os.environ if environment is None else environment)
        self._not_let_in = ""
        self._prefix = f"{prefix}." if prefix else ""
        self._complained = -_COMPLAIN_S
        self._admin = AdminClient(self._config())
        self._identity = f"kafka:{self._reach(patience)}:{prefix}"
        self._observer = Consumer(self._config() | {"group.id": f"{self._prefix}observer"})
        self._producer = Producer(
            self._config()
            | {
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 0,
                "delivery.timeout.ms": int(self.delivery_s * 1000),
            }
        )
        self._publishing = threading.Lock()
        self._asking = threading.Lock()
        self._askers: dict[str, Consumer] = {}
        self._known_topics: set[str] = set()
        self._closed = threading.Event()
        self._pump = threading.Thread(target=self._serve_deliveries, name="bus-deliveries", daemon=True)
        self._pump.start()
        self.office = DeadLetterOffice(self)

    @property
    def identity(self) -> str:
        return self._identity

    @property
    def admin(self) -> AdminClient:
        """For who administers this Kafka."""
        return self._admin

    def publish_many(self, messages: Sequence[Outgoing]) -> list[int]:
        rows = [(outgoing, *encode(outgoing)) for outgoing in messages]
        batch = _Batch(len(rows))
        for topic in {outgoing.topic for outgoing in messages}:
            self.require_kafka_topic(topic, "write")
        with self._publishing:  # batches of several threads do not interleave
            for index, (outgoing, payload, headers) in enumerate(rows):
                self._produce(outgoing, payload, headers, batch.delivery(index))
        return batch.wait(self)

    def flush(self) -> None:
        if self._producer.flush(_DELIVERY_S) > 0:
            raise self.unreachable("did not take what was published")

    def subscribe(
        self,
        topics: Sequence[str],
        group: str,
        *,
        start: Start = "committed",
        evict: bool = False,  # noqa: ARG002 - Kafka's sessions do it
    ) -> Subscription:
        for topic in topics:
            self.require_kafka_topic(topic, "read")
        return KafkaSubscription(self, topics, group, start)

    def read(self, topic: str, start: int = 0, end: int | None = None) -> Iterator[Record]:
        first, present_end = self.bounds(topic)
        end = present_end if end is None else min(end, present_end)
        if start < first and start < end:
            raise BusError(
                f"topic {topic} begins at offset {first}, {start} was asked for: Kafka's retention removed it"
            )
        return self._read(topic, start, end)

    def _read(self, topic: str, start: int, end: int) -> Iterator[Record]:
        if start >= end:
            return
        reader = Consumer(self.consumer_config(f"read-{uuid.uuid4()}"))
        try:
            reader.assign([TopicPartition(self.kafka_topic(topic), 0, start)])
            heard = time.monotonic()
            while start < end:
                for message in reader.consume(min(_READ_CHUNK, end - start), 0.1):
                    if message.error():
                        if refused := self.security.refusal(message.error(), f"read topic {message.topic() or topic}"):
                            raise refused
                        continue
                    if message.offset() >= end:
                        continue
                    heard = time.monotonic()
                    start = message.offset() + 1
                    record = self.office.read(raw_record(topic, message), "read")
                    if record is not None:
                        yield record
                if time.monotonic() - heard > self.delivery_s:
                    raise self.unreachable(f"stopped answering while topic {topic} was read")
        finally:
            reader.close()

    def end_offset(self, topic: str) -> int:
        return self.bounds(topic)[1]

    def bounds(self, topic: str) -> tuple[int, int]:
        """The offset of the first record that Kafka still keeps, and the offset that the next one will get."""
        self.require_kafka_topic(topic)
        began = time.monotonic()
        while True:
            try:
                first, end = self._observer.get_watermark_offsets(TopicPartition(self.kafka_topic(topic), 0), _CALL_S)
                return int(first), int(end)
            except KafkaException as error:
                cause = error.args[0]
                if refused := self.security.refusal(cause, f"ask where topic {topic} ends"):
                    raise refused from error
                pause_s = self.patience_s(cause, began)
                if pause_s is None:
                    raise self.failure(cause, f"does not say where topic {topic} ends") from error
            with suppress(KafkaException):  # it would look for a new leader in five minutes
                self._observer.list_topics(self.kafka_topic(topic), _REACH_S)
            time.sleep(pause_s)

    def committed(self, group: str, topic: str) -> int:
        self.require_kafka_topic(topic)
        return self.stored(self._asker(group), group, topic) or 0

    def stored(self, consumer: Any, group: str, topic: str) -> int | None:
        """What `committed` says, asked through a consumer of the group; None when it never committed."""
        partition = TopicPartition(self.kafka_topic(topic), 0)
        began = time.monotonic()
        while True:
            try:
                found = consumer.committed([partition], _CALL_S)[0]
            except KafkaException as error:
                cause = error.args[0]
            else:
                if found.error is None:
                    return int(found.offset) if found.offset >= 0 else None
                cause = found.error
            pause_s = self.patience_s(cause, began)
            if pause_s is None:
                raise self.failure(cause, f"does not say how far group {group} is")
            time.sleep(pause_s)

    def unreachable(self, what: str) -> BusAwayError:
        """For who asked something of brokers that are away, or do not let us in."""
        if self._not_let_in:
            fix = "correct KAFKA_SASL_USERNAME, KAFKA_SASL_PASSWORD, KAFKA_CA_FILE or the name in its certificate"
            return BusAwayError(f"Kafka at {self.bootstrap} {self._not_let_in}: {fix}")
        return BusAwayError(f"Kafka at {self.bootstrap} {what}: start it, or correct the address of the bus")

    def failure(self, error: KafkaError, what: str) -> BusError:
        """For who asked something and was answered with `error` for as long as there was patience."""
        if self.may_pass(error):
            return self.unreachable(f"{what} ({error.str()})")
        return BusError(f"Kafka at {self.bootstrap} {what}: {error.str()}")

    def patience_s(self, error: KafkaError, since: float) -> float | None:
        """Seconds until one asks again who has been answered with `error` since then; None: one has asked enough."""
        waited = time.monotonic() - since
        if error.code() in _MOVING | _SETTLING and waited <= _CALL_S:
            return _COMMITS_LOOK_S
        if self.may_pass(error) and waited < self._outage_s:
            return _OUTAGE_LOOK_S
        return None

    def may_pass(self, error: KafkaError) -> bool:
        """Whether it is said of brokers that are away or just back, and not of what was asked."""
        # A broker that has just come back may not know its users yet.
        return error.code() in _AWAY | _MOVING | _SETTLING or bool(self.security.not_let_in(error))

    def _asker(self, group: str) -> Consumer:
        """A consumer that asks for the group's offsets and never joins it.

        Not the admin client: while Kafka looks for the group's coordinator, as after its restart, librdkafka's call
        for the offsets of other groups ends the process (its issue 5040).
        """
        with self._asking:
            if group not in self._askers:
                self._askers[group] = Consumer(self.consumer_config(group))
            return self._askers[group]

    def wait_committed(self, goals: Mapping[tuple[str, str], int], timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        while any(self.committed(group, topic) < offset for (group, topic), offset in goals.items()):
            if time.monotonic() >= deadline:
                return False
            time.sleep(_COMMITS_LOOK_S)  # Kafka tells nobody about commits
        return True

    def dead_letter(self, topic: str, key: str, payload: bytes, payload_type: str, reason: str, consumer: str) -> int:
        return self.publish_many([dead_letter(topic, key, payload, payload_type, reason, consumer)])[0]

    def reach(self) -> None:
        self._reach()

    def close(self) -> None:
        if self._closed.is_set():
            return
        try:
            self.flush()
        finally:
            self._closed.set()
            self._pump.join()
            self._observer.close()
            for asker in self._askers.values():
                asker.close()

    def kafka_topic(self, topic: str) -> str:
        """The topic's name in Kafka."""
        return f"{self._prefix}{topic}"

    def kafka_group(self, group: str) -> str:
        """The group's name in Kafka."""
        return f"{self._prefix}{group}"

    def consumer_config(self, group: str) -> dict[str, Any]:
        """The settings of a consumer of this log."""
        return self._config() | {
            "group.id": self.kafka_group(group),
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            # Where to begin is decided by the subscription. This setting then speaks only when Kafka has deleted what
            # we were to read next: to continue elsewhere without a word would lose records.
            "auto.offset.reset": "error",
            # All topics go to the member whose name sorts first. Names begin with the time of joining, so a newcomer
            # waits, with nothing, until the present reader has gone.
            "partition.assignment.strategy": "range",
            "client.id": f"{time.time_ns()}-{group}",
            "session.timeout.ms": 6000,  # the least that brokers allow: how long a killed consumer blocks its group
            "heartbeat.interval.ms": 1000,
        }

    def require_kafka_topic(self, topic: str, purpose: str = "see") -> None:
        """Make the topic in Kafka if it is not there; refuse one that is not a single sequence, or not for us."""
        require_topic(topic)
        if self._closed.is_set():
            raise BusError(f"the bus at {self.bootstrap} is closed: open it again")
        if topic in self._known_topics:
            return
        name = self.kafka_topic(topic)
        partitions = self._partitions(name, purpose) or self._create_topic(name)
        if partitions != 1:
            raise BusError(f"Kafka topic {name} has {partitions} partitions: make it anew with 1, order is by offset")
        self._known_topics.add(topic)

    def _create_topic(self, name: str) -> int:
        try:
            self._admin.create_topics([NewTopic(name, num_partitions=1)])[name].result(_CALL_S)
        except KafkaException as error:
            cause = error.args[0]
            if refused := self.security.refusal(cause, f"make topic {name}, which is not there"):
                raise refused from error
            if cause.code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise self.failure(cause, f"does not make topic {name}") from error
        except TimeoutError as error:
            raise self.unreachable(f"does not make topic {name}") from error
        deadline = time.monotonic() + _CALL_S
        while (partitions := self._partitions(name)) == 0:  # the answer precedes the news of it
            if time.monotonic() > deadline:
                raise self.unreachable(f"made topic {name} but has no leader for it")
            time.sleep(_COMMITS_LOOK_S)
        return partitions

    def _partitions(self, name: str, purpose: str = "see") -> int:
        """How many partitions with a leader the topic has; 0 when it is not there."""
        try:
            found = self._admin.list_topics(name, _CALL_S).topics.get(name)
        except KafkaException as error:
            raise self.unreachable(f"does not list topic {name}") from error
        if found is None:
            return 0
        if found.error is not None:
            if refused := self.security.refusal(found.error, f"{purpose} topic {name}"):
                raise refused
            return 0
        return sum(partition.leader >= 0 for partition in found.partitions.values())

    def _produce(self, outgoing: Outgoing, payload: bytes, headers: Mapping[str, str], delivered: Any) -> None:
        values = [(name, value.encode()) for name, value in headers.items()]
        deadline = time.monotonic() + self.delivery_s
        while True:
            try:
                topic = self.kafka_topic(outgoing.topic)
                self._producer.produce(
                    topic, payload, outgoing.key.encode(), partition=0, headers=values, on_delivery=delivered
                )
                return
            except BufferError as error:
                if time.monotonic() > deadline:
                    raise self.unreachable("takes records more slowly than they are published") from error
                self._producer.poll(_COMMITS_LOOK_S)
            except KafkaException as error:
                cause = error.args[0]
                refused = self.security.refusal(cause, f"write topic {topic}")
                raise refused or BusError(f"Kafka topic {topic} refused a record: {cause.str()}") from error

    def _serve_deliveries(self) -> None:
        while not self._closed.is_set():
            self._producer.poll(_PUMP_S)

    def _config(self) -> dict[str, Any]:
        return {
            **self.security.settings,
            "bootstrap.servers": self.bootstrap,
            "socket.nagle.disable": True,
            "reconnect.backoff.max.ms": 1000,  # librdkafka's is 10 s: a broker that is back would be left alone for it
            "log_level": _QUIET,
            "error_cb": self._complain,
        }

    def _complain(self, error: KafkaError) -> None:
        """One line for an outage, and again while it lasts: clients of one log fail together, many times a second."""
        self._not_let_in = self.security.not_let_in(error) or self._not_let_in
        if time.monotonic() - self._complained >= _COMPLAIN_S:
            self._complained = time.monotonic()
            log.warning("Kafka at %s: %s", self.bootstrap, error.str())

    def _reach(self, patience: float = 0.0) -> str:
        """The cluster's id. A broker that starts is not there yet, or knows no users: it is asked for `patience` s."""
        deadline = time.monotonic() + patience
        while True:
            self._not_let_in = ""
            try:
                return str(self._admin.list_topics(timeout=_REACH_S).cluster_id)
            except KafkaException as error:
                self._complained = time.monotonic()  # what is raised says it
                self._admin.poll(0)  # why, it tells `_complain`
                if time.monotonic() >= deadline:
                    raise self.unreachable("is not reachable") from error
            time.sleep(_AGAIN_S)


class _Batch:
    """The deliveries of one `publish_many`: who waits, and for what."""

    def __init__(self, size: int) -> None:
        self._offsets = [-1] * size
        self._left = size
        self._errors: list[tuple[KafkaError, str]] = []
        self._change = threading.Condition()

    def delivery(self, index: int) -> Any:
        """The callback of message `index`."""

        def delivered(error: Any, message: Any) -> None:
            with self._change:
                self._left -= 1
                if error is None:
                    self._offsets[index] = message.offset()
                else:
                    self._errors.append((error, message.topic()))
                self._change.notify_all()

        return delivered

    def wait(self, bus: KafkaBus) -> list[int]:
        """The offsets, once all are in the log."""
        with self._change:
            # The producer gives up by itself; the surplus is for its report to arrive.
            in_time = self._change.wait_for(lambda: self._left == 0, timeout=bus.delivery_s + _DELIVERY_S)
        if not in_time or self._errors:
            for error, topic in self._errors:
                if refused := bus.security.refusal(error, f"write topic {topic}"):
                    raise refused
            reason = self._errors[0][0].str() if self._errors else "no answer"
            lost = len(self._errors) + self._left
            away = all(bus.may_pass(error) for error, _ in self._errors)
            raise (BusAwayError if away else BusError)(
                f"Kafka at {bus.bootstrap} did not take {lost} of {len(self._offsets)} messages ({reason}): "
                "see that it is up, and publish them again"
            )
        return self._offsets
