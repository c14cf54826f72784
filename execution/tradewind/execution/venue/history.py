"""Core. The market-data REST API over bars and news the shell has fetched: aggregation, pages and JSON shapes."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from tradewind.execution.venue.market import Asset, Bar, News
from tradewind.execution.venue.matching import Terms, slipped
from tradewind.execution.venue.money import divide_half_even, price_number
from tradewind.execution.venue.queries import NEW_YORK
from tradewind.execution.venue.rejections import bad_data_request
from tradewind.execution.venue.times import SECOND, from_rfc3339, to_rfc3339, utc
from tradewind.execution.venue.wire import Json

_TIMEFRAME = re.compile(r"(\d+)(Min|T|Hour|H|Day|D|Week|W|Month|M)")
_UNITS = {"T": "Min", "H": "Hour", "D": "Day", "W": "Week", "M": "Month"}


def canonical_timeframe(text: str) -> str:
    """Alpaca's long form ("1Min"). Raises Rejection (400)."""
    match = _TIMEFRAME.fullmatch(text)
    if match is None or not int(match[1]):
        raise bad_data_request(f"invalid timeframe: {text}")
    return f"{int(match[1])}{_UNITS.get(match[2], match[2])}"


def _span(timeframe: str) -> tuple[int, str]:
    match = _TIMEFRAME.fullmatch(timeframe)
    assert match is not None
    return int(match[1]), _UNITS.get(match[2], match[2])


def _rank(timeframe: str) -> int:
    count, unit = _span(timeframe)
    return count * {"Min": 60, "Hour": 3600, "Day": 86_400, "Week": 604_800, "Month": 2_592_000}[unit]


def source_interval(kept: Iterable[str], wanted: str) -> str | None:
    """Of the intervals kept for a symbol, the one to answer `wanted` from: itself, or the coarsest finer one."""
    finer = [interval for interval in kept if _rank(interval) <= _rank(wanted)]
    return max(finer, key=_rank) if finer else None


def _bucket(bar: Bar, timeframe: str) -> int:
    count, unit = _span(timeframe)
    if unit in ("Min", "Hour"):
        width = count * (60 if unit == "Min" else 3600) * SECOND
        return bar.open_time - bar.open_time % width
    day = utc(bar.open_time).astimezone(NEW_YORK).date()
    if unit == "Week":
        day -= dt.timedelta(days=day.weekday())
    elif unit == "Month":
        month = day.year * 12 + day.month - 1
        month -= month % count
        day = dt.date(month // 12, month % 12 + 1, 1)
    return int(dt.datetime.combine(day, dt.time(), NEW_YORK).timestamp()) * SECOND


def aggregate(bars: Iterable[Bar], timeframe: str) -> list[Bar]:
    """Bars of one symbol in time order, merged into windows of `timeframe` (days and longer in New York time)."""
    merged: dict[int, list[Bar]] = {}
    for bar in bars:
        merged.setdefault(_bucket(bar, timeframe), []).append(bar)
    return [_merge(start, parts, timeframe) for start, parts in sorted(merged.items())]


def _merge(start: int, parts: list[Bar], timeframe: str) -> Bar:
    volume = sum(bar.volume for bar in parts)
    priced = [bar for bar in parts if bar.vwap is not None]
    weight = sum(bar.volume for bar in priced)
    counted = [bar.trade_count for bar in parts if bar.trade_count is not None]
    return replace(
        parts[0],
        open_time=start,
        event_time=parts[-1].event_time,
        high=max(bar.high for bar in parts),
        low=min(bar.low for bar in parts),
        close=parts[-1].close,
        volume=volume,
        vwap=divide_half_even(sum((bar.vwap or 0) * bar.volume for bar in priced), weight) if weight else None,
        trade_count=sum(counted) if len(counted) == len(parts) else None,
        interval=timeframe,
    )


def bar_json(bar: Bar) -> Json:
    """A bar of the data REST API; `t` is its open, `vw` its close when no vwap is known."""
    return {
        "t": to_rfc3339(bar.open_time),
        "o": price_number(bar.open),
        "h": price_number(bar.high),
        "l": price_number(bar.low),
        "c": price_number(bar.close),
        "v": bar.volume,
        "n": bar.trade_count or 0,
        "vw": price_number(bar.vwap if bar.vwap is not None else bar.close),
    }


def trade_json(asset: Asset) -> Json | None:
    """The last trade, made up from the last price."""
    if asset.last is None:
        return None
    return {
        "t": to_rfc3339(asset.price_time),
        "x": "V",
        "p": price_number(asset.last),
        "s": 100,
        "c": ["@"],
        "i": asset.price_time // SECOND,
        "z": "C",
    }


def quote_json(asset: Asset, terms: Terms) -> Json | None:
    """The last quote, or one made up from the last price and the slippage."""
    if asset.last is None:
        return None
    bid = asset.bid if asset.bid is not None else slipped(asset.last, -1, terms)
    ask = asset.ask if asset.ask is not None else slipped(asset.last, 1, terms)
    return {
        "t": to_rfc3339(asset.price_time),
        "ax": "V",
        "ap": price_number(ask),
        "as": 100,
        "bx": "V",
        "bp": price_number(bid),
        "bs": 100,
        "c": ["R"],
        "z": "C",
    }


def news_json(news: News, with_content: bool) -> Json:
    return {
        "id": news.id,
        "headline": news.headline,
        "author": news.author,
        "created_at": to_rfc3339(news.created_at),
        "updated_at": to_rfc3339(news.updated_at),
        "summary": news.summary,
        "content": news.content if with_content else "",
        "url": news.url,
        "images": [],
        "symbols": list(news.symbols),
        "source": news.source,
    }


def moment(query: Mapping[str, str], name: str) -> int | None:
    """A time of the query. Raises Rejection (400)."""
    if name not in query:
        return None
    try:
        return from_rfc3339(query[name])
    except ValueError as error:
        raise bad_data_request(f"invalid {name}: {error}") from error


def page_size(query: Mapping[str, str], default: int, most: int) -> int:
    text = query.get("limit", str(default))
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise bad_data_request(f"invalid limit: {text} (1 to {most})")
    return int(text)


def page_of(count: int, query: Mapping[str, str], size: int) -> tuple[range, str | None]:
    """The rows of one page out of `count`, and the token of the next (None at the end)."""
    start = 0
    token = query.get("page_token")
    if token:
        try:
            start = int(base64.urlsafe_b64decode(token.encode()).decode())
        except (ValueError, binascii.Error) as error:
            raise bad_data_request("invalid page_token") from error
        if not 0 <= start <= count:
            raise bad_data_request("invalid page_token")
    stop = min(start + size, count)
    following = base64.urlsafe_b64encode(str(stop).encode()).decode() if stop < count else None
    return range(start, stop), following


def within(time: int, start: int | None, end: int | None) -> bool:
    return (start is None or time >= start) and (end is None or time <= end)
