"""Core: Alpaca's bars, quotes, trades and news as our messages. REST (JSON) and stream (msgpack) share field names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from tradewind.specs.base import interval_ns
from tradewind.streaming.datasets.fixedpoint import fixed_from_float, fixed_from_text
from tradewind.v1 import market_pb2

TIMEFRAMES = {"1m": "1Min", "5m": "5Min", "15m": "15Min", "1h": "1Hour", "1d": "1Day"}


class FieldError(ValueError):
    """A message lacks a field or holds nonsense; names the field."""


class _Timestamp(Protocol):
    seconds: int
    nanoseconds: int


def time_ns(value: object, field: str) -> int:
    """RFC 3339 text, a msgpack timestamp, or a datetime, as ns UTC.

    Text keeps all nine digits, which `datetime` would cut to six.
    """
    if isinstance(value, str):
        return _text_ns(value, field)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise FieldError(f"{field}: time without a zone: {value}")
        return int(value.replace(microsecond=0).timestamp()) * 10**9 + value.microsecond * 1000
    if hasattr(value, "seconds") and hasattr(value, "nanoseconds"):
        stamp: _Timestamp = value
        return stamp.seconds * 10**9 + stamp.nanoseconds
    raise FieldError(f"{field}: not a time: {value!r}")


def _text_ns(text: str, field: str) -> int:
    head, dot, tail = text.partition(".")
    digits = ""
    if dot:
        end = next((i for i, c in enumerate(tail) if not c.isdigit()), len(tail))
        digits, head = tail[:end], head + tail[end:]
    try:
        moment = datetime.fromisoformat(head)
        nanos = int(digits.ljust(9, "0")[:9]) if digits else 0
    except ValueError:
        raise FieldError(f"{field}: not a time: {text!r}") from None
    if moment.tzinfo is None:
        raise FieldError(f"{field}: time without a zone: {text!r}")
    return int(moment.timestamp()) * 10**9 + nanos


def _need(message: Mapping[str, Any], field: str) -> Any:
    if field not in message:
        raise FieldError(f"{field}: missing")
    return message[field]


def price(message: Mapping[str, Any], field: str) -> int:
    """A price in 1e-8. JSON numbers arrive as their own text, msgpack's as binary floats."""
    value = _need(message, field)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise FieldError(f"{field}: not a price: {value!r}")
    fixed = fixed_from_float(value) if isinstance(value, float) else fixed_from_text(str(value))
    if fixed is None:
        raise FieldError(f"{field}: not a price: {value!r}")
    return fixed


def whole(message: Mapping[str, Any], field: str) -> int:
    """A whole number; Alpaca sends volumes as integers, some relays as 100.0."""
    value = _need(message, field)
    try:
        number = float(value) if isinstance(value, str) else value
        if isinstance(number, bool) or number != int(number):
            raise FieldError(f"{field}: not a whole number: {value!r}")
        return int(number)
    except (TypeError, ValueError, OverflowError):
        raise FieldError(f"{field}: not a whole number: {value!r}") from None


def bar_from(message: Mapping[str, Any], symbol: str, interval: str, source: str, received: int) -> market_pb2.Bar:
    """A bar; Alpaca stamps it with its open. `received` is when we had it (ns UTC); it can't precede the close."""
    opened = time_ns(_need(message, "t"), "t")
    closed = opened + interval_ns(interval)
    bar = market_pb2.Bar(
        symbol=symbol,
        interval=interval,
        open_time=opened,
        event_time=closed,
        available_time=max(closed, received),
        open=price(message, "o"),
        high=price(message, "h"),
        low=price(message, "l"),
        close=price(message, "c"),
        volume=whole(message, "v"),
        source=source,
    )
    if message.get("vw") is not None:
        bar.vwap = price(message, "vw")
    if message.get("n") is not None:
        bar.trade_count = whole(message, "n")
    return bar


def quote_from(message: Mapping[str, Any], source: str, received: int) -> market_pb2.Quote:
    """A quote of the stream; sizes are shares."""
    stamped = time_ns(_need(message, "t"), "t")
    return market_pb2.Quote(
        symbol=str(_need(message, "S")),
        event_time=stamped,
        available_time=max(stamped, received),
        bid_price=price(message, "bp"),
        bid_size=whole(message, "bs"),
        ask_price=price(message, "ap"),
        ask_size=whole(message, "as"),
        source=source,
    )


def trade_from(message: Mapping[str, Any], source: str, received: int) -> market_pb2.Trade:
    """A trade of the stream."""
    stamped = time_ns(_need(message, "t"), "t")
    return market_pb2.Trade(
        symbol=str(_need(message, "S")),
        event_time=stamped,
        available_time=max(stamped, received),
        price=price(message, "p"),
        size=whole(message, "s"),
        trade_id=whole(message, "i"),
        source=source,
    )
