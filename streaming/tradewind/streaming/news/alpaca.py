"""Shell: Alpaca's news, asked for over REST or pushed over the stream."""

from __future__ import annotations

import html
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tradewind.streaming.news.items import NewsSource, RawItem
from tradewind.streaming.sources.alpaca_rest import DATA_URL, AlpacaData
from tradewind.streaming.sources.alpaca_socket import AlpacaSocket, Idle, Subscribed
from tradewind.streaming.sources.alpaca_wire import FieldError, time_ns
from tradewind.streaming.sources.credentials import Credentials

SOURCE = "alpaca"
STREAM_URL = "wss://stream.data.alpaca.markets/v1beta1/news"
# The first poll looks this far back; later ones from the last article on, with an overlap for late corrections.
_FIRST_LOOK_NS = 3600 * 10**9
_OVERLAP_NS = 60 * 10**9


class AlpacaNewsSource(NewsSource):
    """Articles about some symbols (all, if none are named)."""

    def __init__(
        self,
        credentials: Credentials,
        symbols: Sequence[str] = (),
        *,
        base_url: str = DATA_URL,
        ca_file: Path | str | None = None,
    ) -> None:
        self._client: Callable[[], AlpacaData] = partial(AlpacaData, base_url, credentials, ca_file=ca_file)
        self._symbols = list(symbols)
        self._since: int | None = None
        self._given: set[str] = set()

    @property
    def name(self) -> str:
        return SOURCE

    def poll(self, now: int) -> Sequence[RawItem]:
        start = now - _FIRST_LOOK_NS if self._since is None else self._since - _OVERLAP_NS
        items = self._fetch(start, now, received=now)
        fresh = [item for item in items if (item.id or item.problem) not in self._given]
        self._given = {item.id or item.problem for item in items}
        self._since = now
        return fresh

    def items_between(self, start: int, end: int) -> Sequence[RawItem]:
        return self._fetch(start, end, received=None)

    def _fetch(self, start: int, end: int, received: int | None) -> list[RawItem]:
        with self._client() as client:
            return [raw_item(article, SOURCE, received) for article in client.news(self._symbols, start, end)]


class AlpacaNewsStream:
    """The same articles as they are pushed."""

    def __init__(
        self,
        credentials: Credentials,
        symbols: Sequence[str],
        now: Callable[[], int],
        *,
        url: str = STREAM_URL,
        ca_file: Path | str | None = None,
    ) -> None:
        self._now = now
        self.socket = AlpacaSocket(url, credentials, {"news": list(symbols) or ["*"]}, ca_file=ca_file)

    async def items(self) -> AsyncIterator[RawItem | Subscribed]:
        """Articles, and `Subscribed` after each (re)connection: the moment to poll for what was missed."""
        async for frame in self.socket.frames():
            if isinstance(frame, Subscribed):
                yield frame
            elif not isinstance(frame, Idle) and frame.get("T") in ("n", "unreadable"):
                yield raw_item(frame, SOURCE, self._now())


def raw_item(article: Mapping[str, Any], source: str, received: int | None) -> RawItem:
    """An article of REST or stream. An update has the same id and is dropped: what moved prices was the first."""
    problem, published = "", None
    if article.get("T") == "unreadable":
        problem = "frame: neither msgpack nor JSON"
    else:
        try:
            published = time_ns(article.get("created_at"), "created_at")
        except FieldError as error:
            problem = str(error)
    symbols = article.get("symbols")
    return RawItem(
        source=source,
        id=None if article.get("id") is None else str(article["id"]),
        published=published,
        received=received,
        headline=html.unescape(str(article.get("headline") or "")),
        summary=html.unescape(str(article.get("summary") or "")),
        url=str(article.get("url") or ""),
        symbols=tuple(str(symbol) for symbol in symbols) if isinstance(symbols, list) else (),
        facts={"publisher": str(article["source"])} if article.get("source") else {},
        payload=json.dumps(dict(article), default=str).encode(),
        problem=problem,
    )
