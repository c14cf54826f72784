"""Core: the one interface to a log of messages; Kafka and the file-backed log both keep it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Literal, Self

from google.protobuf.message import Message

from tradewind.bus.errors import BusError
from tradewind.bus.record import NO_HEADERS, Outgoing, Record

Start = Literal["committed", "earliest", "latest"] | Mapping[str, int]
"""Where a subscription begins: where its group left off (the beginning if it never committed), the beginning, the end
as of the subscription, or, by topic, the next offset to read (for consumers that keep offsets in their own store)."""

DEFAULT_POLL_RECORDS = 500


class _Closing(ABC):
    @abstractmethod
    def close(self) -> None:
        """Let go of everything held. Closing twice is harmless."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Subscription(_Closing):
    """A group's reading of some topics. One thread at a time.

    At most one subscription of a group reads a topic; a second one gets nothing from it until the first is closed or
    its process is gone. Records read but not committed are read again by whoever comes next.
    """

    @abstractmethod
    def poll(self, max_records: int = DEFAULT_POLL_RECORDS, timeout: float = 1.0) -> list[Record]:
        """The next records, in order of offset within each topic; no order is promised between topics.

        Returns as soon as there is at least one record, or empty after `timeout` seconds. Records that cannot be read
        go to the dead letters of their topic and do not appear.
        """

    @abstractmethod
    def commit(self, done: Record | Mapping[str, int]) -> None:
        """Never give this group these records again.

        Returns when that is in the log; from Kafka that takes this member for dead at the moment, before it is.

        Args:
            done: a record (it and everything before it in its topic), or by topic the next offset to read. Committing
                less than what is committed changes nothing.

        Raises:
            BusError: a topic that this subscription does not read (subscribe to it, and poll), or an offset beyond the
                end of the topic.
        """

    @abstractmethod
    def lag(self) -> dict[str, int]:
        """How many records of each topic that this subscription holds are published and not read yet.

        As far as is known here: asking costs little and waits for nobody.
        """


class Bus(_Closing):
    """A log of messages by topic. A topic is one ordered sequence: offsets count from 0 without gaps.

    Safe to share between threads. Every method raises `BusError` with one clear line.
    """

    @property
    @abstractmethod
    def identity(self) -> str:
        """Names this log and no other: a store that keeps offsets of its own can tell that they belong to it."""

    @abstractmethod
    def publish_many(self, messages: Sequence[Outgoing]) -> list[int]:
        """Append all, in order; returns their offsets once they are in the log.

        On the file-backed log this is one transaction: all or none. On Kafka it is one batch: a prefix may have been
        written when it fails.
        """

    def publish(self, topic: str, key: str, message: Message, *, headers: Mapping[str, str] | None = None) -> int:
        """Append one message; returns its offset once it is in the log."""
        return self.publish_many([Outgoing(topic, key, message, headers or NO_HEADERS)])[0]

    @abstractmethod
    def flush(self) -> None:
        """Wait until everything published by any thread of this process is in the log."""

    @abstractmethod
    def subscribe(
        self, topics: Sequence[str], group: str, *, start: Start = "committed", evict: bool = False
    ) -> Subscription:
        """Read `topics` as `group`. A subscription to `latest` misses nothing published after this call returns.

        Args:
            evict: take the topics from a process of the group that holds them and does not answer. Only for a caller
                who knows by other means (a lease) that it may not act any more. Kafka does so by itself once a consumer
                has been silent for its session.
        """

    @abstractmethod
    def read(self, topic: str, start: int = 0, end: int | None = None) -> Iterator[Record]:
        """Records of `topic` with start <= offset < end, without a group; `end` defaults to the present end.

        Used to rebuild state. Unreadable records go to the dead letters and do not appear.
        """

    @abstractmethod
    def end_offset(self, topic: str) -> int:
        """The offset that the next record of `topic` will get; 0 when it is empty."""

    @abstractmethod
    def committed(self, group: str, topic: str) -> int:
        """The next offset that `group` has to read in `topic`; 0 when it never committed."""

    @abstractmethod
    def wait_committed(self, goals: Mapping[tuple[str, str], int], timeout: float) -> bool:
        """Wait until every (group, topic) has committed at least its offset; False after `timeout` seconds."""

    @abstractmethod
    def reach(self) -> None:
        """Return when the log answers; raise BusError when it does not, within a few seconds."""

    def require_end(self, group: str, topic: str, offset: int) -> None:
        """Refuse to let `group` commit what is not in the log."""
        end = self.end_offset(topic)
        if offset > end:
            raise BusError(f"topic {topic} ends at offset {end}: group {group} cannot commit {offset}")

    @abstractmethod
    def dead_letter(self, topic: str, key: str, payload: bytes, payload_type: str, reason: str, consumer: str) -> int:
        """Put a record that failed its consumer's checks with the dead letters of `topic`; returns its offset there.

        Args:
            payload: the record as it came.
            payload_type: full protobuf name, or the media type of a raw record.
            reason: one line: the field and what is wrong with it.
            consumer: who refused it.
        """
