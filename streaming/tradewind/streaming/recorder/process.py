"""Shell: the recorder: reads the bus, writes the database, and only then tells the bus that it has."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Sequence

from tradewind.bus import Bus, Probes, Record, Subscription, open_bus
from tradewind.bus.topics import is_dead
from tradewind.streaming.recorder.config import RecorderConfig
from tradewind.streaming.recorder.errors import RecorderError
from tradewind.streaming.recorder.metrics import Metrics
from tradewind.streaming.recorder.rows import recorded_topics
from tradewind.streaming.recorder.store import Refusal, Store

log = logging.getLogger(__name__)

_BATCH = 500
_POLL_S = 0.25


class Recorder:
    """Copies the bus to the database, from where the database says it left off."""

    def __init__(self, config: RecorderConfig, bus: Bus, store: Store, metrics: Metrics) -> None:
        self._group = config.group
        self._bus = bus
        self._store = store
        self._metrics = metrics
        topics = recorded_topics(bars=config.bars)
        self._require_same_log(topics)
        starts = {topic: store.next_offset(topic) for topic in topics}
        self._subscription: Subscription = bus.subscribe(topics, config.group, start=starts)

    def run(self, stop: threading.Event) -> None:
        """Record until `stop` is set."""
        print(json.dumps({"ready": True}), flush=True)  # noqa: T201 - whoever started the process waits for it
        try:
            while not stop.is_set():
                self.step(_POLL_S)
        finally:
            self.close()

    def close(self) -> None:
        """Leave the bus to the next recorder."""
        self._subscription.close()

    def step(self, timeout: float) -> int:
        """Record what comes within `timeout` seconds; returns how many records came."""
        records = self._subscription.poll(_BATCH, timeout)
        if records:
            self._store.write(records, self._bury)
            self._subscription.commit({record.topic: record.offset + 1 for record in records})
            self._measure(records)
        return len(records)

    def _require_same_log(self, topics: Sequence[str]) -> None:
        for topic in topics:
            recorded, end = self._store.next_offset(topic), self._bus.end_offset(topic)
            if recorded > end:
                raise RecorderError(
                    f"the database has topic {topic} up to offset {recorded}, but on the bus it ends at {end}: "
                    "records were lost from the bus; restore it, or begin with a new database"
                )

    def _bury(self, refusal: Refusal) -> None:
        record = refusal.record
        log.error("%s offset %d: %s", record.topic, record.offset, refusal.reason)
        self._metrics.refused.labels(record.topic).inc()
        if is_dead(record.topic):
            raise RecorderError(f"dead letter {record.topic} offset {record.offset} cannot be stored: {refusal.reason}")
        payload = record.message.SerializeToString(deterministic=True)
        kind = record.headers.get("schema", "")
        self._bus.dead_letter(record.topic, record.key, payload, kind, refusal.reason, self._group)

    def _measure(self, records: Sequence[Record]) -> None:
        now = time.time_ns()
        for record in records:
            self._metrics.records.labels(record.topic).inc()
            self._metrics.delay.observe(max(now - record.timestamp_ns, 0) / 1e9)


def run(config: RecorderConfig, probes: Probes) -> None:
    """The recorder's life, from its settings until `probes.stop` is set.

    Raises:
        RecorderError, BusError: one line that says what is wrong.
    """
    with probes.measured(open_bus(config.bus)) as bus:
        store = Store(config.sql, bus.identity)
        probes.upstream("database", store.problem)
        try:
            recorder = Recorder(config, bus, store, Metrics(probes.registry))
            log.info("recording %s as %s", config.bus, config.group)
            probes.begin()
            recorder.run(probes.stop)
        finally:
            store.close()
    log.info("stopped")
