"""Core. The market-data WebSocket's messages and the subscriptions of one connection.

Alpaca's Go client reads the message type from the first key of each map, so `T` comes first in every one of them;
times are nanoseconds here and become a msgpack timestamp or RFC 3339 text at the encoder.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgpack

from tradewind.execution.venue.market import Bar, News, Quote
from tradewind.execution.venue.money import price_number
from tradewind.execution.venue.orders import is_pair
from tradewind.execution.venue.times import to_rfc3339

Message = dict[str, object]
STOCK_CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "statuses", "lulds")
FOLLOWERS = ("corrections", "cancelErrors")
CRYPTO_CHANNELS = ("trades", "quotes", "bars", "updatedBars", "dailyBars", "orderbooks")
NEWS_CHANNELS = ("news",)


@dataclass(frozen=True, slots=True)
class Instant:
    """A time inside a message, in ns, encoded as the connection's format asks."""

    time: int


def success(text: str) -> Message:
    return {"T": "success", "msg": text}


def error(code: int, text: str) -> Message:
    return {"T": "error", "code": code, "msg": text}


def bar_message(bar: Bar, kind: str) -> Message:
    """`kind` "b" on the bars channel, "d" on dailyBars."""
    return {
        "T": kind,
        "S": bar.symbol,
        "o": price_number(bar.open),
        "h": price_number(bar.high),
        "l": price_number(bar.low),
        "c": price_number(bar.close),
        "v": bar.volume,
        "t": Instant(bar.open_time),
        "n": bar.trade_count or 0,
        "vw": price_number(bar.vwap if bar.vwap is not None else bar.close),
    }


def quote_message(quote: Quote) -> Message:
    """A pair's quote names no exchanges and no conditions."""
    if is_pair(quote.symbol):
        return {
            "T": "q",
            "S": quote.symbol,
            "bp": price_number(quote.bid),
            "bs": quote.bid_size,
            "ap": price_number(quote.ask),
            "as": quote.ask_size,
            "t": Instant(quote.time),
        }
    return {
        "T": "q",
        "S": quote.symbol,
        "bx": "V",
        "bp": price_number(quote.bid),
        "bs": quote.bid_size,
        "ax": "V",
        "ap": price_number(quote.ask),
        "as": quote.ask_size,
        "c": ["R"],
        "t": Instant(quote.time),
        "z": "C",
    }


def news_message(news: News) -> Message:
    return {
        "T": "n",
        "id": news.id,
        "headline": news.headline,
        "summary": news.summary,
        "author": news.author,
        "created_at": Instant(news.created_at),
        "updated_at": Instant(news.updated_at),
        "url": news.url,
        "content": news.content,
        "symbols": list(news.symbols),
        "source": news.source,
    }


def _pack(value: object) -> msgpack.Timestamp:
    if isinstance(value, Instant):
        return msgpack.Timestamp.from_unix_nano(value.time)
    raise TypeError(type(value).__name__)


def _print(value: object) -> str:
    if isinstance(value, Instant):
        return to_rfc3339(value.time)
    raise TypeError(type(value).__name__)


def encode(messages: list[Message], *, packed: bool) -> bytes | str:
    """An array of messages as one msgpack (bytes) or JSON (text) frame."""
    if packed:
        frame: bytes = msgpack.packb(messages, default=_pack)
        return frame
    return json.dumps(messages, default=_print, separators=(",", ":"))


@dataclass(slots=True)
class Subscriptions:
    """Which symbols one connection follows on each channel; "*" is all of them."""

    channels: tuple[str, ...]
    symbols: dict[str, list[str]] = field(default_factory=dict)

    def change(self, request: Mapping[str, object], *, add: bool) -> bool:
        """Apply a subscribe or unsubscribe; False when a channel does not belong to this feed or is not a list.

        Alpaca's Go client names the channels of all feeds each time, the foreign ones empty (null): those are ignored.
        """
        wanted = {name: value for name, value in request.items() if name != "action" and value not in (None, [])}
        for name, value in wanted.items():
            known = name in self.channels or (name in FOLLOWERS and "lulds" in self.channels)
            if not known or not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                return False
        for name, value in wanted.items():
            if name in FOLLOWERS:
                continue
            kept = self.symbols.setdefault(name, [])
            assert isinstance(value, list)
            for symbol in value:
                if add and symbol not in kept:
                    kept.append(symbol)
                elif not add and symbol in kept:
                    kept.remove(symbol)
        return True

    def message(self) -> Message:
        """The full set, as the answer to each change; corrections and cancel errors follow the trades of shares."""
        body: Message = {"T": "subscription"}
        for name in self.channels:
            body[name] = list(self.symbols.get(name, []))
        if "lulds" in self.channels:
            for name in FOLLOWERS:
                body[name] = list(self.symbols.get("trades", []))
        return body

    def wants(self, channel: str, symbols: tuple[str, ...]) -> bool:
        kept = self.symbols.get(channel, [])
        return "*" in kept or any(symbol in kept for symbol in symbols)
