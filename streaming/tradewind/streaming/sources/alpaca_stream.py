"""Shell: Alpaca's live market data (IEX or SIP), with the gap after every reconnection filled over REST."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgpack

from tradewind.streaming.sources.aggregation import BarAggregator, LateBarError
from tradewind.streaming.sources.alpaca_rest import DATA_URL, AlpacaData
from tradewind.streaming.sources.alpaca_socket import AlpacaSocket, Idle, Subscribed
from tradewind.streaming.sources.alpaca_wire import FieldError, bar_from, quote_from, trade_from
from tradewind.streaming.sources.base import MarketMessage, MarketSource, Unreadable
from tradewind.streaming.sources.credentials import Credentials
from tradewind.v1 import market_pb2

STREAM_URL = "wss://stream.data.alpaca.markets/v2"
# A bar of minutes is closed when its last minute has come, or this long after its end when that minute had no trade.
_GRACE_NS = 10 * 10**9
_TOPICS = {"b": "bars", "q": "quotes", "t": "trades"}


@dataclass(frozen=True)
class StreamOptions:
    """What to subscribe to.

    Attributes:
        resume_after: per symbol the open time (ns UTC) of the last minute bar already had; filled from there at start.
    """

    symbols: Sequence[str]
    interval: str = "1m"
    feed: Literal["iex", "sip"] = "iex"
    url: str | None = None
    data_url: str = DATA_URL
    ca_file: Path | str | None = None
    quotes: bool = False
    trades: bool = False
    resume_after: Mapping[str, int] = field(default_factory=dict)


class AlpacaStreamSource(MarketSource):
    """Minute bars (and coarser ones made of them), quotes and trades, live."""

    def __init__(
        self,
        options: StreamOptions,
        credentials: Credentials,
        *,
        aggregator: BarAggregator | None = None,
        now: Callable[[], int] = time.time_ns,
        socket: AlpacaSocket | None = None,
    ) -> None:
        self._options = options
        self._credentials = credentials
        self._aggregator = aggregator
        self._now = now
        self._last_open = dict(options.resume_after)
        symbols = list(options.symbols)
        self.socket = socket or AlpacaSocket(
            options.url or f"{STREAM_URL}/{options.feed}",
            credentials,
            {
                "bars": symbols,
                "quotes": symbols if options.quotes else [],
                "trades": symbols if options.trades else [],
            },
            ca_file=options.ca_file,
        )

    @property
    def name(self) -> str:
        return f"alpaca:{self._options.feed}"

    async def messages(self) -> AsyncIterator[MarketMessage | Unreadable]:
        async for frame in self.socket.frames():
            if isinstance(frame, Subscribed):
                for row in await asyncio.to_thread(self._gap):
                    for message in self._bar(row["S"], row):
                        yield message
            elif isinstance(frame, Idle):
                if self._aggregator is not None:
                    for bar in self._aggregator.advance(self._now() - _GRACE_NS, available=self._now()):
                        yield bar
            else:
                for message in self._translate(frame):
                    yield message

    def _gap(self) -> list[dict[str, Any]]:
        """Complete minute bars after the last one had, in order of time."""
        if not self._last_open:
            return []
        now = self._now()
        rows: list[dict[str, Any]] = []
        with AlpacaData(self._options.data_url, self._credentials, ca_file=self._options.ca_file) as client:
            for symbol, last in sorted(self._last_open.items()):
                found = client.bars([symbol], "1m", last + 1, now - 60 * 10**9, feed=self._options.feed)
                rows.extend({**row, "S": symbol} for _, row in found)
        return sorted(rows, key=lambda row: (str(row.get("t")), row["S"]))

    def _translate(self, frame: dict[str, Any]) -> list[MarketMessage | Unreadable]:
        kind = frame.get("T")
        try:
            if kind == "b":
                return self._bar(str(frame.get("S") or ""), frame)
            if kind == "q":
                return [quote_from(frame, self.name, self._now())]
            if kind == "t":
                return [trade_from(frame, self.name, self._now())]
        except FieldError as error:
            return [_unreadable(_TOPICS[str(kind)], frame, str(error))]
        if kind == "unreadable":
            return [_unreadable("bars", frame, "frame: neither msgpack nor JSON")]
        return []

    def _bar(self, symbol: str, row: dict[str, Any]) -> list[MarketMessage | Unreadable]:
        if not symbol:
            return [_unreadable("bars", row, "S: missing")]
        try:
            bar = bar_from(row, symbol, "1m", self.name, self._now())
        except FieldError as error:
            return [_unreadable("bars", row, str(error))]
        # The stream and the fill overlap; whichever comes second is not news.
        if bar.open_time <= self._last_open.get(symbol, -1):
            return []
        self._last_open[symbol] = bar.open_time
        if self._aggregator is None:
            return [bar]
        try:
            return list[MarketMessage | Unreadable](self._aggregator.add(bar))
        except LateBarError as error:
            return [Unreadable("bars", symbol, bar.SerializeToString(deterministic=True), _BAR, str(error))]


_BAR = market_pb2.Bar.DESCRIPTOR.full_name


def _unreadable(topic: str, frame: dict[str, Any], reason: str) -> Unreadable:
    payload = frame["frame"] if frame.get("T") == "unreadable" else msgpack.packb(frame, default=str)
    data = payload.encode() if isinstance(payload, str) else bytes(payload)
    return Unreadable(topic, str(frame.get("S") or ""), data, "application/msgpack", reason)
