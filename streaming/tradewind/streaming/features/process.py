"""Shell: bars and events from the bus, through the feature stream, to Feast and the `features` topic.

Order of writes per read: the `features` topic, Feast (online, then offline), the commit. A process that is killed in
between computes the same vectors again: those already on the topic are not published a second time, and Feast takes
them again without effect.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from tradewind.bus import Bus, Outgoing, Record
from tradewind.streaming.features.feature_set import FeatureRow, FeatureSet
from tradewind.streaming.features.stream import FeatureStream, Vector
from tradewind.v1.features_pb2 import FeatureVector
from tradewind.v1.market_pb2 import Bar, Event

BARS, EVENTS, FEATURES = "bars", "events", "features"
_TAIL = 1_000  # records of the features topic looked at first; doubled until far enough back
_DRAIN_SECONDS = 60.0


class FeatureSink(Protocol):
    """The part of the feature repository this process uses."""

    def push(self, rows: Sequence[FeatureRow]) -> None:
        """Write vectors online and offline."""


class FeatureProcessError(Exception):
    """The process cannot go on; the message is one line with the cause and the fix."""


class FeatureProcess:
    """One group's consumer. `restore` once, then `step` until told to stop."""

    def __init__(
        self,
        bus: Bus,
        group: str,
        feature_set: FeatureSet,
        stream: FeatureStream,
        sink: FeatureSink,
        *,
        poll_records: int = 500,
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._bus = bus
        self._group = group
        self._set = feature_set
        self._stream = stream
        self._sink = sink
        self._poll_records = poll_records
        self._clock = clock
        self._bars_done = 0  # everything on the bars topic before it has been through the stream
        self._events_done = 0
        self._committed = {BARS: 0, EVENTS: 0}
        self._published: set[int] = set()  # bar offsets whose vectors are on the topic though not committed
        self._subscription = bus.subscribe([BARS, EVENTS], group)

    def restore(self, history_bars: Sequence[Bar] = (), history_events: Sequence[Event] = ()) -> None:
        """Rebuild the stream's state: history first, then what this group has already committed on the bus.

        history_bars: by event_time, the context first within one time.
        """
        for event in history_events:
            self._stream.accept_event(event)
        self._events_done = self._bus.committed(self._group, EVENTS)
        for record in self._bus.read(EVENTS, 0, self._events_done):
            self._stream.accept_event(_as(record, Event))
        for bar in history_bars:
            self._stream.accept_bar(bar, -1, 0)
        self._stream.expire_all()
        self._bars_done = self._bus.committed(self._group, BARS)
        for record in self._bus.read(BARS, 0, self._bars_done):
            self._stream.accept_bar(_as(record, Bar), record.offset, 0)
        # What was committed had been released, with the context or without it.
        self._stream.expire_all()
        self._stream.take_refused()  # their dead letters were written the first time
        self._published = self._published_since(self._bars_done)
        self._committed = {BARS: self._bars_done, EVENTS: self._events_done}

    def _published_since(self, bar_offset: int) -> set[int]:
        """Offsets of bars from `bar_offset` on whose vectors (of this set) the topic already holds."""
        end = self._bus.end_offset(FEATURES)
        span = _TAIL
        while True:
            start = max(0, end - span)
            found = [
                vector.bar_offset
                for record in self._bus.read(FEATURES, start, end)
                if (vector := _as(record, FeatureVector)).feature_set_version == self._set.version
                and vector.interval == self._set.interval
            ]
            if start == 0 or any(offset < bar_offset for offset in found):
                return {offset for offset in found if offset >= bar_offset}
            span *= 2

    def step(self, timeout: float = 1.0) -> int:
        """Read once, publish what that completes, commit. Returns the number of vectors published."""
        bars = self._receive(self._subscription.poll(self._poll_records, self._wait(timeout)))
        if bars:
            bars += self._drain_events(self._bus.end_offset(EVENTS))
        vectors: list[Vector] = []
        for record in bars:
            vectors += self._catch_up(record.offset)
            vectors += self._stream.accept_bar(_as(record, Bar), record.offset, self._clock())
            self._bars_done = max(self._bars_done, record.offset + 1)
        vectors += self._stream.expire(self._clock())
        published = self._write(vectors)
        self._bury()
        self._commit()
        return published

    def _wait(self, timeout: float) -> float:
        deadline = self._stream.next_deadline()
        return timeout if deadline is None else max(0.0, min(timeout, (deadline - self._clock()) / 1e9))

    def _receive(self, records: Sequence[Record]) -> list[Record]:
        """Take the events in; hand back the bars."""
        for record in records:
            if record.topic == EVENTS:
                self._catch_up_events(record.offset)
                self._stream.accept_event(_as(record, Event))
                self._events_done = record.offset + 1
        return [record for record in records if record.topic == BARS]

    def _catch_up(self, offset: int) -> list[Vector]:
        """Take bars into the state that a predecessor, still running during `restore`, has published and committed.

        Returns the vectors of bars of our own that had been waiting. (A gap can also be a record that nobody can read.)
        """
        vectors: list[Vector] = []
        if offset > self._bars_done:
            for missed in self._bus.read(BARS, self._bars_done, offset):
                vectors += self._stream.accept_bar(_as(missed, Bar), missed.offset, 0)
        return [vector for vector in vectors if vector.bar_offset < self._bars_done]

    def _catch_up_events(self, offset: int) -> None:
        """Likewise for events."""
        if offset > self._events_done:
            for missed in self._bus.read(EVENTS, self._events_done, offset):
                self._stream.accept_event(_as(missed, Event))
            self._events_done = offset

    def _drain_events(self, end: int) -> list[Record]:
        """Read on until every event published before the bars at hand is in the stream.

        The feed publishes the events of a time before its bars, and the bus orders records within a topic only.
        Returns the bars that came along; the events that belong before those may not be here yet, which is why the
        loop then takes the end of the topic anew.
        """
        more: list[Record] = []
        deadline = time.monotonic() + _DRAIN_SECONDS
        while self._events_done < end and self._events_position() < end:
            bars = self._receive(self._subscription.poll(self._poll_records, 0.05))
            if bars:
                more += bars
                end = self._bus.end_offset(EVENTS)
            if time.monotonic() > deadline:
                raise FeatureProcessError(
                    f"topic {EVENTS}: read up to {self._events_done} of {end} in {_DRAIN_SECONDS:.0f} s; "
                    f"is another process reading as group {self._group}?"
                )
        return more

    def _events_position(self) -> int:
        self._commit_done(EVENTS, self._events_done)
        # An unreadable event goes to the dead letters unseen; the bus counts it as done.
        self._catch_up_events(self._bus.committed(self._group, EVENTS))
        return self._events_done

    def _commit_done(self, topic: str, offset: int) -> None:
        if offset > self._committed[topic]:
            self._subscription.commit({topic: offset})
            self._committed[topic] = offset

    def _write(self, vectors: list[Vector]) -> int:
        fresh = [vector for vector in vectors if vector.bar_offset not in self._published]
        self._published.difference_update(vector.bar_offset for vector in vectors)
        # The topic first: whoever trades on it must not wait for the store. What a crash leaves between the two is
        # pushed after the restart, because nothing is committed before both; a row pushed twice changes nothing.
        if fresh:
            self._bus.publish_many([Outgoing(FEATURES, v.symbol, self._message(v)) for v in fresh])
        if vectors:
            self._sink.push([FeatureRow(v.symbol, v.event_time, v.available_time, v.values) for v in vectors])
        return len(fresh)

    def _message(self, vector: Vector) -> FeatureVector:
        return FeatureVector(
            symbol=vector.symbol,
            event_time=vector.event_time,
            available_time=vector.available_time,
            feature_set=self._set.name,
            feature_set_version=self._set.version,
            values=vector.values,
            bar_offset=vector.bar_offset,
            interval=self._set.interval,
            close=vector.close,
            warm=all(value == value for value in vector.values),
        )

    def _bury(self) -> None:
        for refused in self._stream.take_refused():
            bar = refused.bar
            self._bus.dead_letter(
                BARS, bar.symbol, bar.SerializeToString(), bar.DESCRIPTOR.full_name, refused.reason, self._group
            )

    def _commit(self) -> None:
        self._commit_done(EVENTS, self._events_done)
        waiting = self._stream.first_waiting()
        self._commit_done(BARS, self._bars_done if waiting is None else min(waiting, self._bars_done))

    def close(self) -> None:
        """Give the topics back to the group."""
        self._subscription.close()


_M = TypeVar("_M")


def _as(record: Record, kind: type[_M]) -> _M:
    message = record.message
    assert isinstance(message, kind), f"topic {record.topic} carries {type(message).__name__}"
    return message
