"""The events of a strategy's news sources, as a training run knows them. Shell: reads calendars and filings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from tradewind.streaming.datasets.store import Dataset
from tradewind.streaming.news.configured import NewsConfig, recorded_events
from tradewind.training.history import EventSource
from tradewind.v1.market_pb2 import Event


def news_events(sources: Sequence[NewsConfig], companies: Path | None) -> EventSource:
    """An event source that reads what was recorded of `sources`, by the rules and names that the stream uses."""

    def events(dataset: Dataset, until: int) -> Iterable[Event]:
        return recorded_events(sources, dataset, until=until, companies=companies)

    return events
