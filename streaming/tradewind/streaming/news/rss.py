"""Shell: an RSS or Atom feed as a news source, fetched only when it has changed."""

from __future__ import annotations

import calendar
import html
import re
from collections.abc import Sequence
from typing import Any

import feedparser
import httpx

from tradewind.streaming.datasets.errors import DataError
from tradewind.streaming.news.items import NewsSource, RawItem
from tradewind.streaming.news.times import published_ns

_TAG = re.compile(r"<[^>]+>")
_LARGEST = 8 * 2**20


class RssSource(NewsSource):
    """A feed; polite: If-None-Match and If-Modified-Since save fetching what we have.

    Args:
        zone: None if the feed's times are right, else the zone its wall times are really in.
    """

    def __init__(self, name: str, url: str, *, zone: str | None = None, user_agent: str = "tradewind") -> None:
        if not url:
            raise DataError(f"news {name}: url is not set; give the feed's address")
        self._name = f"rss:{name}"
        self._url = url
        self._zone = zone
        self._client = httpx.Client(timeout=20.0, follow_redirects=True, headers={"User-Agent": user_agent})
        self._validators: dict[str, str] = {}
        self._given: set[str] = set()
        self._items: list[RawItem] = []

    @property
    def name(self) -> str:
        return self._name

    def poll(self, now: int) -> Sequence[RawItem]:
        response = self._client.get(self._url, headers=self._validators)
        if response.status_code == httpx.codes.NOT_MODIFIED:
            return []
        response.raise_for_status()
        items = parse_feed(self._name, response.content, now, self._zone)
        self._remember_version(response)
        fresh = [item for item in items if _key(item) not in self._given]
        # Only what the feed still lists can come again.
        self._given = {_key(item) for item in items}
        self._items.extend(fresh)
        return fresh

    def items_between(self, start: int, end: int) -> Sequence[RawItem]:
        return [item for item in self._items if item.published is not None and start <= item.published <= end]

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _remember_version(self, response: httpx.Response) -> None:
        pairs = (("ETag", "If-None-Match"), ("Last-Modified", "If-Modified-Since"))
        self._validators = {ask: response.headers[tell] for tell, ask in pairs if tell in response.headers}


def _key(item: RawItem) -> str:
    return item.id or f"{item.headline}\x1f{item.problem}"


def parse_feed(source: str, content: bytes, received: int, zone: str | None = None) -> list[RawItem]:
    """Items of a feed, oldest first. A feed that is no feed is one item with a problem."""
    if len(content) > _LARGEST:
        return [
            _broken(source, content[:1000], received, f"feed: {len(content)} bytes are over the limit of {_LARGEST}")
        ]
    feed = feedparser.parse(content)
    if not feed.entries and (feed.bozo or not feed.version):
        reason = " ".join(str(feed.get("bozo_exception", "neither RSS nor Atom")).split())
        return [_broken(source, content, received, f"feed: not readable ({reason})")]
    items = [_item(source, entry, received, zone) for entry in feed.entries]
    return sorted(items, key=lambda item: (item.published or 0, item.id or ""))


def _broken(source: str, content: bytes, received: int, problem: str) -> RawItem:
    return RawItem(source, None, None, received, "", payload=content, payload_type="application/xml", problem=problem)


def _item(source: str, entry: Any, received: int, zone: str | None) -> RawItem:
    published, problem = _time(entry, zone)
    return RawItem(
        source=source,
        id=entry.get("id") or entry.get("link"),
        published=published,
        received=received,
        headline=_text(entry.get("title", "")),
        summary=_text(entry.get("summary", "")),
        url=entry.get("link", ""),
        symbols=(),
        payload=repr(dict(entry)).encode("utf-8", "backslashreplace"),
        payload_type="text/plain",
        problem=problem,
    )


def _time(entry: Any, zone: str | None) -> tuple[int | None, str]:
    for field in ("published", "updated"):
        parsed, text = entry.get(f"{field}_parsed"), entry.get(field)
        if parsed is None:
            continue
        seconds = calendar.timegm(parsed)
        if zone is None:
            return seconds * 10**9, ""
        # feedparser has applied the written offset: take it back, and read the wall time in the true zone.
        wall = seconds + _written_offset(str(text))
        stamp = "{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}".format(*_gmtime(wall))
        return published_ns(stamp, zone), ""
    given = entry.get("published") or entry.get("updated")
    return None, f"published: not a time: {given!r}" if given else "published: missing"


def _gmtime(seconds: int) -> tuple[int, ...]:
    import time

    return tuple(time.gmtime(seconds)[:6])


def _written_offset(text: str) -> int:
    match = re.search(r"([+-])(\d{2}):?(\d{2})$", text.strip())
    if match is None:
        return 0
    seconds = int(match[2]) * 3600 + int(match[3]) * 60
    return -seconds if match[1] == "-" else seconds


def _text(markup: str) -> str:
    return " ".join(html.unescape(_TAG.sub(" ", markup)).split())
