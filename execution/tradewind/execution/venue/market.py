"""Core. Assets, bars, quotes and news as the venue receives and keeps them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tradewind.execution.venue.orders import is_pair, stable_id
from tradewind.execution.venue.rejections import Rejection, bad_field
from tradewind.execution.venue.times import SECOND

_INT64 = 2**63
_INTERVAL = re.compile(r"(\d{1,4})(Min|Hour|Day|m|h|d)")
_LONG = {"m": "Min", "h": "Hour", "d": "Day"}


@dataclass(slots=True)
class Asset:
    """A symbol the venue knows, with the last prices it has seen (1e-8; None before the first)."""

    symbol: str
    name: str = ""
    exchange: str = "NASDAQ"
    tradable: bool = True
    marginable: bool = True
    shortable: bool = True
    fractionable: bool = True
    last: int | None = None
    bid: int | None = None
    ask: int | None = None
    price_time: int = 0
    session_close: int | None = None
    lastday_close: int | None = None

    @property
    def id(self) -> str:
        return stable_id("asset", self.symbol)

    @property
    def is_crypto(self) -> bool:
        return is_pair(self.symbol)

    @property
    def asset_class(self) -> str:
        return "crypto" if self.is_crypto else "us_equity"

    @property
    def position_symbol(self) -> str:
        """How positions name it: a pair without its slash."""
        return self.symbol.replace("/", "")


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: prices 1e-8, volume in shares, times ns; `event_time` is its close, `interval` Alpaca's timeframe."""

    symbol: str
    open_time: int
    event_time: int
    open: int
    high: int
    low: int
    close: int
    volume: int
    vwap: int | None
    trade_count: int | None
    interval: str


@dataclass(frozen=True, slots=True)
class Quote:
    """Best bid and ask, prices 1e-8, sizes in shares, time ns."""

    symbol: str
    time: int
    bid: int
    ask: int
    bid_size: int
    ask_size: int


@dataclass(frozen=True, slots=True)
class News:
    """One article of the news API; times ns."""

    id: int
    headline: str
    summary: str
    author: str
    created_at: int
    updated_at: int
    url: str
    content: str
    symbols: tuple[str, ...]
    source: str


def interval_of(seconds: int) -> str:
    """Alpaca's timeframe for a bar that spans `seconds`; four hours and more is a trading day."""
    if seconds >= 4 * 3600:
        return "1Day"
    if seconds >= 3600 and seconds % 3600 == 0:
        return f"{seconds // 3600}Hour"
    return f"{max(1, seconds // 60)}Min"


def named_interval(text: str) -> str | None:
    """Alpaca's timeframe for its own names and the short ones ("1m", "15m", "1h", "1d"); None when it is neither."""
    match = _INTERVAL.fullmatch(text)
    if match is None or not int(match[1]):
        return None
    return f"{int(match[1])}{_LONG.get(match[2], match[2])}"


def _int(row: Mapping[str, object], where: str, name: str, *, least: int, default: int | None = None) -> int:
    value = row.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_field(f"{where}.{name} must be an integer")
    if not least <= value < _INT64:
        raise bad_field(f"{where}.{name} must be at least {least} and fit 64 bits: {value}")
    return value


def _text(row: Mapping[str, object], where: str, name: str, default: str | None = None) -> str:
    value = row.get(name, default)
    if not isinstance(value, str) or (default is None and not value):
        raise bad_field(f"{where}.{name} must be a string")
    return value


def _row(raw: object, where: str) -> Mapping[str, object]:
    if not isinstance(raw, dict):
        raise bad_field(f"{where} must be an object")
    return raw


def rows_of(body: Mapping[str, object], name: str) -> list[object]:
    """The list under `name`, empty when absent."""
    value = body.get(name, [])
    if not isinstance(value, list):
        raise bad_field(f"{name} must be a list")
    return value


def parse_bar(raw: object, where: str) -> Bar:
    """A bar of `/sim/advance` or `/sim/history`. Raises Rejection naming the field."""
    row = _row(raw, where)
    symbol = _text(row, where, "symbol")
    where = f"{where} ({symbol})"
    prices = {name: _int(row, where, name, least=1) for name in ("open", "high", "low", "close")}
    if prices["high"] < max(prices.values()) or prices["low"] > min(prices.values()):
        raise bad_field(f"{where}: high and low must enclose open and close")
    opened = _int(row, where, "open_time", least=0)
    closed = _int(row, where, "event_time", least=0)
    if closed <= opened:
        raise bad_field(f"{where}.event_time must be after open_time")
    vwap = _int(row, where, "vwap", least=1) if row.get("vwap") is not None else None
    count = _int(row, where, "trade_count", least=0) if row.get("trade_count") is not None else None
    given = row.get("interval")
    interval = interval_of((closed - opened) // SECOND) if given is None else named_interval(str(given))
    if interval is None:
        raise bad_field(f"{where}.interval must be like 1Min, 1Hour or 1Day: {given}")
    return Bar(
        symbol=symbol,
        open_time=opened,
        event_time=closed,
        volume=_int(row, where, "volume", least=0),
        vwap=vwap,
        trade_count=count,
        interval=interval,
        **prices,
    )


def parse_quote(raw: object, where: str) -> Quote:
    """A quote of `/sim/quotes`. Raises Rejection naming the field."""
    row = _row(raw, where)
    quote = Quote(
        symbol=_text(row, where, "symbol"),
        time=_int(row, where, "time", least=0),
        bid=_int(row, where, "bid_price", least=1),
        ask=_int(row, where, "ask_price", least=1),
        bid_size=_int(row, where, "bid_size", least=0, default=100),
        ask_size=_int(row, where, "ask_size", least=0, default=100),
    )
    if quote.bid > quote.ask:
        raise bad_field(f"{where}.bid_price must not be above ask_price")
    return quote


def parse_news(raw: object, where: str) -> News:
    """An article of `/sim/news` or `/sim/history`. Raises Rejection naming the field."""
    row = _row(raw, where)
    symbols = row.get("symbols", [])
    if not isinstance(symbols, list) or not all(isinstance(symbol, str) for symbol in symbols):
        raise bad_field(f"{where}.symbols must be a list of strings")
    created = _int(row, where, "created_at", least=0)
    return News(
        id=_int(row, where, "id", least=0),
        headline=_text(row, where, "headline"),
        summary=_text(row, where, "summary", ""),
        author=_text(row, where, "author", ""),
        created_at=created,
        updated_at=_int(row, where, "updated_at", least=0, default=created),
        url=_text(row, where, "url", ""),
        content=_text(row, where, "content", ""),
        symbols=tuple(symbols),
        source=_text(row, where, "source", "tradewind"),
    )


def new_asset(symbol: str, *, tradable: bool = True) -> Asset:
    """An asset of which only the symbol is known; pairs cannot be sold short or on margin."""
    if is_pair(symbol):
        return Asset(symbol, symbol, exchange="CRYPTO", tradable=tradable, marginable=False, shortable=False)
    return Asset(symbol, symbol, tradable=tradable)


def parse_asset(raw: object, where: str) -> Asset:
    """An asset of `/sim/assets`: a bare symbol or an object. Raises Rejection naming the field."""
    if isinstance(raw, str) and raw:
        return new_asset(raw)
    row = _row(raw, where)
    asset = new_asset(_text(row, where, "symbol"))
    for name in ("tradable", "marginable", "shortable", "fractionable"):
        value = row.get(name, getattr(asset, name))
        if not isinstance(value, bool):
            raise bad_field(f"{where}.{name} must be true or false")
        if value and asset.is_crypto and name in ("marginable", "shortable"):
            raise bad_field(f"{where}.{name} must be false for a pair")
        setattr(asset, name, value)
    asset.name = _text(row, where, "name", asset.symbol)
    asset.exchange = _text(row, where, "exchange", asset.exchange)
    return asset


def unknown_asset(symbol: str) -> Rejection:
    return Rejection(422, 42210000, f'asset "{symbol}" not found')
