"""Shell: a bus that counts what passes through it, for Prometheus."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from tradewind.bus.interface import DEFAULT_POLL_RECORDS, Bus, Start, Subscription
from tradewind.bus.record import Outgoing, Record

_LAG_EVERY_S = 1.0


class BusMetrics:
    """The figures, by topic."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.read = Counter("tradewind_bus_records_read", "Records read.", ["topic"], registry=registry)
        self.written = Counter("tradewind_bus_records_written", "Records published.", ["topic"], registry=registry)
        self.lag = Gauge(
            "tradewind_bus_lag_records", "Records published and not read yet.", ["topic"], registry=registry
        )
        self.event = Gauge(
            "tradewind_bus_last_event_time_seconds",
            "Event time of the last record read (its time on the bus where it has none), Unix time.",
            ["topic"],
            registry=registry,
        )

    def count_read(self, record: Record) -> None:
        """`record` came."""
        self.read.labels(record.topic).inc()
        self.event.labels(record.topic).set((getattr(record.message, "event_time", 0) or record.timestamp_ns) / 1e9)


class MeasuredBus(Bus):
    """`bus`, counted. It closes with this."""

    def __init__(self, bus: Bus, metrics: BusMetrics) -> None:
        self._bus = bus
        self._metrics = metrics

    @property
    def identity(self) -> str:
        return self._bus.identity

    def publish_many(self, messages: Sequence[Outgoing]) -> list[int]:
        offsets = self._bus.publish_many(messages)
        for message in messages:
            self._metrics.written.labels(message.topic).inc()
        return offsets

    def flush(self) -> None:
        self._bus.flush()

    def subscribe(
        self, topics: Sequence[str], group: str, *, start: Start = "committed", evict: bool = False
    ) -> Subscription:
        return _MeasuredSubscription(self._bus.subscribe(topics, group, start=start, evict=evict), self._metrics)

    def read(self, topic: str, start: int = 0, end: int | None = None) -> Iterator[Record]:
        return self._counted(self._bus.read(topic, start, end))

    def end_offset(self, topic: str) -> int:
        return self._bus.end_offset(topic)

    def committed(self, group: str, topic: str) -> int:
        return self._bus.committed(group, topic)

    def wait_committed(self, goals: Mapping[tuple[str, str], int], timeout: float) -> bool:
        return self._bus.wait_committed(goals, timeout)

    def dead_letter(self, topic: str, key: str, payload: bytes, payload_type: str, reason: str, consumer: str) -> int:
        self._metrics.written.labels(f"{topic}.dead").inc()
        return self._bus.dead_letter(topic, key, payload, payload_type, reason, consumer)

    def reach(self) -> None:
        self._bus.reach()

    def close(self) -> None:
        self._bus.close()

    def _counted(self, records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            self._metrics.count_read(record)
            yield record


class _MeasuredSubscription(Subscription):
    def __init__(self, subscription: Subscription, metrics: BusMetrics) -> None:
        self._subscription = subscription
        self._metrics = metrics
        self._lag_due = 0.0

    def poll(self, max_records: int = DEFAULT_POLL_RECORDS, timeout: float = 1.0) -> list[Record]:
        records = self._subscription.poll(max_records, timeout)
        for record in records:
            self._metrics.count_read(record)
        if time.monotonic() >= self._lag_due:
            self._lag_due = time.monotonic() + _LAG_EVERY_S
            for topic, lag in self.lag().items():
                self._metrics.lag.labels(topic).set(lag)
        return records

    def commit(self, done: Record | Mapping[str, int]) -> None:
        self._subscription.commit(done)

    def lag(self) -> dict[str, int]:
        return self._subscription.lag()

    def close(self) -> None:
        self._subscription.close()
