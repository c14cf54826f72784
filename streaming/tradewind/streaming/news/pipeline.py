"""Core: an unchecked item in, a checked item and its events out; or a reason; or nothing, if it came before."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import dataclass

from tradewind.streaming.news.entities import EntityLinker
from tradewind.streaming.news.items import RawItem
from tradewind.streaming.news.rules import MACRO, VERSION, classify
from tradewind.streaming.news.validation import validate_item
from tradewind.v1 import market_pb2

# Far more than any source lists at one time; an older item that comes again is also caught by its time.
_REMEMBERED = 200_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """Exactly one of: `news` (and its events), `reason` (not fit; the item goes to the dead letters), `duplicate`."""

    news: market_pb2.NewsItem | None = None
    events: tuple[market_pb2.Event, ...] = ()
    reason: str = ""
    duplicate: bool = False


class NewsPipeline:
    """Remembers the ids it has seen, so that an item offered again changes nothing."""

    def __init__(self, linker: EntityLinker) -> None:
        self._linker = linker
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()

    def remember(self, source: str, item_id: str) -> None:
        """Count an item as seen (after a restart: those on the bus)."""
        self._seen[source, item_id] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    def process(self, raw: RawItem, now: int) -> Outcome:
        """Judge one item as of `now` (ns UTC)."""
        item, reason = validate_item(raw, now)
        # An unfit item is remembered by what it says: polled again, it is the same dead letter.
        key = item.id if item is not None else _digest(raw.id or "", raw.headline, reason, raw.payload.hex())
        if (raw.source, key) in self._seen:
            return Outcome(duplicate=True)
        self.remember(raw.source, key)
        if item is None:
            return Outcome(reason=reason)
        return Outcome(news=item, events=self.events(item))

    def events(self, item: market_pb2.NewsItem) -> tuple[market_pb2.Event, ...]:
        """One event per linked symbol, or one for the whole market; none when it concerns nobody we know."""
        judged = classify(item)
        symbols = [MACRO] if judged.macro else self._linker.link(item)
        return tuple(
            market_pb2.Event(
                id=_digest(item.source, item.id, symbol),
                news_id=item.id,
                type=judged.type,
                symbol=symbol,
                event_time=item.event_time,
                available_time=item.available_time,
                impact=judged.impact,
                confidence=judged.confidence,
                classifier=VERSION,
            )
            for symbol in symbols
        )


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
