"""Core: an item as a source found it, before anyone has checked it, and the interface of a source."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class RawItem:
    """A news item, unchecked.

    Attributes:
        source: "calendar:fomc", "edgar", "rss:NAME", "alpaca".
        id: stable within the source; None if it named none.
        published: ns UTC; None if absent or unreadable (then `problem` says so).
        received: when we had it, ns UTC; None if that is not known (history).
        payload: as it came, for the dead letters.
        payload_type: its media type.
        problem: what the source could not make sense of; names the field.
    """

    source: str
    id: str | None
    published: int | None
    received: int | None
    headline: str
    summary: str = ""
    url: str = ""
    symbols: tuple[str, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    payload: bytes = b""
    payload_type: str = "application/json"
    problem: str = ""


class NewsSource(ABC):
    """Where news come from.

    A polled source gives an item again and again as long as its service lists it; who processes the items drops those
    it knows.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """Written into each item's `source`."""

    @abstractmethod
    def poll(self, now: int) -> Sequence[RawItem]:
        """What the source has by `now` (ns UTC) and has not given at an earlier poll, oldest first."""

    @abstractmethod
    def items_between(self, start: int, end: int) -> Sequence[RawItem]:
        """Everything with start <= published <= end (ns UTC) that the source can still tell, oldest first."""
