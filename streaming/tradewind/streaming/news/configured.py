"""Shell: from a strategy's news sources to sources that can be asked, and to the events of a recorded time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Literal

import polars as pl
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from tradewind.specs.base import Duration
from tradewind.streaming.datasets.errors import DataError
from tradewind.streaming.datasets.store import NEWS, Dataset
from tradewind.streaming.news.alpaca import AlpacaNewsSource
from tradewind.streaming.news.calendar import CalendarSource, load_calendar
from tradewind.streaming.news.edgar import EdgarSource
from tradewind.streaming.news.entities import EntityLinker
from tradewind.streaming.news.items import NewsSource, RawItem
from tradewind.streaming.news.pipeline import NewsPipeline
from tradewind.streaming.news.rss import RssSource
from tradewind.streaming.news.storage import stored_items
from tradewind.streaming.sources.alpaca_rest import DATA_URL
from tradewind.streaming.sources.credentials import Credentials
from tradewind.v1 import market_pb2

_COMPANIES = TypeAdapter(dict[str, list[str]])

EVENT_SCHEMA: dict[str, pl.DataType] = {
    "id": pl.String(),
    "news_id": pl.String(),
    "type": pl.String(),
    "symbol": pl.String(),
    "event_time": pl.Int64(),
    "available_time": pl.Int64(),
    "impact": pl.Float64(),
    "confidence": pl.Float64(),
    "classifier": pl.String(),
}


class NewsConfig(BaseModel):
    """One news source, as a strategy names it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["Calendar", "Edgar", "Rss", "Alpaca"]
    name: str = Field(min_length=1)
    path: str = Field("", description="Calendar: YAML. Edgar: submissions JSON, folder of them, or Parquet.")
    url: str = Field("", description="Rss: the feed. Edgar: submissions JSON. Alpaca: base of the data REST.")
    poll: Duration = "60s"
    user_agent: str = Field("", description="Edgar by url: who asks, with an e-mail address.")
    zone: str | None = Field(None, description="Zone of the source's times where their written offset is not true.")
    ca_file: str | None = Field(None, description="Alpaca: certificate of a private venue.")


def load_companies(path: Path | str | None = None) -> dict[str, list[str]]:
    """Symbol to company names; the package's own list when no file is named.

    Raises:
        DataError: the file is missing or not of this form.
    """
    try:
        text = (files(__package__) / "companies.yaml").read_text() if path is None else Path(path).read_text()
        return _COMPANIES.validate_python(yaml.safe_load(text))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"companies: {path}: {reason}; write SYMBOL: [name, name]") from None


def open_source(config: NewsConfig, symbols: Sequence[str]) -> NewsSource:
    """The live source of `config`.

    Raises:
        DataError: naming the setting that is wrong or missing.
    """
    if config.kind == "Calendar":
        if not config.path:
            raise DataError(f"news {config.name}: path is not set; name the calendar's YAML file")
        return CalendarSource(load_calendar(config.path))
    if config.kind == "Edgar":
        urls = [config.url] if config.url else []
        return EdgarSource(config.path or None, urls, config.user_agent, config.zone)
    if config.kind == "Rss":
        return RssSource(config.name, config.url, zone=config.zone)
    credentials = Credentials.from_environment()
    return AlpacaNewsSource(credentials, symbols, base_url=config.url or DATA_URL, ca_file=config.ca_file)


def recorded_items(configs: Iterable[NewsConfig], dataset: Dataset) -> list[RawItem]:
    """What a replay can know: calendars and filings from their files, feeds and articles from the data set's news.

    Sorted by the time they could be known, then source and id.

    Raises:
        DataError: a source has neither a file nor items in the data set.
    """
    stored = list(stored_items(dataset.news))
    found: list[RawItem] = []
    for config in configs:
        if config.kind in ("Calendar", "Edgar") and config.path:
            found += open_source(config, ()).items_between(0, 2**63 - 1)
            continue
        source = {"Rss": f"rss:{config.name}", "Edgar": "edgar", "Alpaca": "alpaca"}.get(config.kind, "")
        found += [item for item in stored if item.source == source]
        if NEWS not in dataset.manifest.parts:
            raise DataError(
                f"news {config.name}: nothing recorded of {source or config.kind} in data set {dataset.manifest.name}; "
                "name a file, or pull a data set with news"
            )
    return sorted(found, key=lambda item: (known_at(item), item.source, item.id or ""))


def known_at(item: RawItem) -> int:
    """When an item could be known; one without any time is dealt with first."""
    return max(item.published or 0, item.received or 0)


def recorded_events(
    configs: Iterable[NewsConfig],
    dataset: Dataset,
    *,
    until: int | None = None,
    companies: Path | str | None = None,
) -> list[market_pb2.Event]:
    """The events of everything recorded that could be known up to `until` (ns UTC): what the stream would have made."""
    pipeline = NewsPipeline(EntityLinker(load_companies(companies)))
    events: list[market_pb2.Event] = []
    for item in recorded_items(configs, dataset):
        if until is None or known_at(item) <= until:
            events += pipeline.process(item, known_at(item)).events
    return events


def events_frame(events: Iterable[market_pb2.Event]) -> pl.DataFrame:
    """Events as a table, one row each."""
    rows = [{name: getattr(event, name) for name in EVENT_SCHEMA} for event in events]
    return pl.DataFrame(rows, schema=EVENT_SCHEMA)
