"""Core: news as rows of a data set, and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import polars as pl

from tradewind.streaming.datasets.store import NEWS_SCHEMA
from tradewind.streaming.news.items import RawItem
from tradewind.v1 import market_pb2


def news_frame(items: Iterable[market_pb2.NewsItem]) -> pl.DataFrame:
    """Rows of `news.parquet`."""
    rows = [
        {
            "id": item.id,
            "source": item.source,
            "event_time": item.event_time,
            "available_time": item.available_time,
            "headline": item.headline,
            "summary": item.summary,
            "url": item.url,
            "symbols": list(item.symbols),
            "facts": [{"key": key, "value": item.facts[key]} for key in sorted(item.facts)],
        }
        for item in items
    ]
    return pl.DataFrame(rows, schema=NEWS_SCHEMA)


def stored_items(news: pl.DataFrame) -> Iterator[RawItem]:
    """Items of a data set, to be checked like any other."""
    for row in news.iter_rows(named=True):
        yield RawItem(
            source=row["source"],
            id=row["id"],
            published=row["event_time"],
            received=row["available_time"],
            headline=row["headline"],
            summary=row["summary"],
            url=row["url"],
            symbols=tuple(row["symbols"]),
            facts={fact["key"]: fact["value"] for fact in row["facts"]},
            payload=row["headline"].encode(),
            payload_type="text/plain",
        )
