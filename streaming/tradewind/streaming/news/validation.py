"""Core: from an unchecked item to a `NewsItem`, or the reason why not."""

from __future__ import annotations

import unicodedata

from tradewind.streaming.news.items import RawItem
from tradewind.v1 import market_pb2

MAX_ID = 512
MAX_HEADLINE = 1_000
MAX_SUMMARY = 20_000
MAX_URL = 4_000
MAX_SYMBOLS = 200
MAX_FACTS = 64
MAX_FACT = 4_000
MAX_PAYLOAD = 1_000_000
# Publishers' clocks run ahead of ours now and then; more than this is a wrong time zone or a wrong date.
FUTURE_NS = 5 * 60 * 10**9
EARLIEST = 315_532_800 * 10**9  # 1980-01-01


def validate_item(raw: RawItem, now: int) -> tuple[market_pb2.NewsItem | None, str]:
    """The item, or None and one line that names the field.

    `available_time` is the later of published and received: a receive time before the publication is a clock's error,
    and nobody knew the news before they were out.

    Args:
        now: ns UTC, the virtual time in a replay.
    """
    reason = _first_problem(raw, now)
    if reason or raw.published is None or raw.id is None:
        return None, reason
    return (
        market_pb2.NewsItem(
            id=raw.id,
            source=raw.source,
            event_time=raw.published,
            available_time=max(raw.published, raw.received or raw.published),
            headline=raw.headline.strip(),
            summary=raw.summary.strip(),
            url=raw.url.strip(),
            symbols=sorted(set(raw.symbols)),
            facts=raw.facts,
        ),
        "",
    )


def _first_problem(raw: RawItem, now: int) -> str:
    if raw.problem:
        return raw.problem
    if not raw.source:
        return "source: missing"
    if not raw.id:
        return "id: missing"
    return _time_problem(raw.published, now) or _text_problem(raw) or _size_problem(raw)


def _time_problem(published: int | None, now: int) -> str:
    if published is None:
        return "published: missing"
    if published < EARLIEST:
        return "published: before 1980"
    if published > now + FUTURE_NS:
        return "published: in the future; is the source's time zone right?"
    return ""


def _text_problem(raw: RawItem) -> str:
    if not raw.headline.strip():
        return "headline: empty"
    for name, text in (("id", raw.id or ""), ("headline", raw.headline), ("summary", raw.summary), ("url", raw.url)):
        if "\ufffd" in text or any(0xD800 <= ord(c) <= 0xDFFF for c in text):
            return f"{name}: not valid text (wrong encoding)"
        if any(unicodedata.category(c) == "Cc" and c not in "\t\n\r" for c in text):
            return f"{name}: control characters"
    return ""


def _size_problem(raw: RawItem) -> str:
    limits = (
        ("payload", len(raw.payload), MAX_PAYLOAD),
        ("id", len(raw.id or ""), MAX_ID),
        ("headline", len(raw.headline), MAX_HEADLINE),
        ("summary", len(raw.summary), MAX_SUMMARY),
        ("url", len(raw.url), MAX_URL),
        ("symbols", len(raw.symbols), MAX_SYMBOLS),
        ("facts", len(raw.facts), MAX_FACTS),
        ("facts", max((len(k) + len(v) for k, v in raw.facts.items()), default=0), MAX_FACT),
    )
    return next((f"{name}: {size} is over the limit of {most}" for name, size, most in limits if size > most), "")
