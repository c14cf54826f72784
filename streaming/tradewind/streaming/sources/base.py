"""Core: the interface every source of market data keeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tradewind.v1 import market_pb2

MarketMessage = market_pb2.Bar | market_pb2.Quote | market_pb2.Trade


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record of the source that is not what it should be.

    Attributes:
        topic: where it would have gone.
        key: its symbol, as far as that can be told.
        payload: as it came.
        payload_type: its media type.
        reason: one line that names the field.
    """

    topic: str
    key: str
    payload: bytes
    payload_type: str
    reason: str


class MarketSource(ABC):
    """Bars, quotes and trades, in the order in which they could be known."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Written into each message's `source`: "replay:demo", "alpaca:iex"."""

    @abstractmethod
    def messages(self) -> AsyncIterator[MarketMessage | Unreadable]:
        """Everything, until the data ends (replay) or the task is cancelled (live).

        Raises:
            SourceError: the source refuses us for good.
        """
