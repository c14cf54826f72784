"""Shell: live market data and news onto the bus, checked as they come."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable

import httpx

from tradewind.bus import Bus, Outgoing, Record
from tradewind.specs.base import duration_ns, interval_ns
from tradewind.streaming.datasets import DataError, SessionCalendar
from tradewind.streaming.feed.config import AlpacaConfig, FeedConfig
from tradewind.streaming.feed.errors import FeedError
from tradewind.streaming.feed.publisher import CONSUMER, Refused
from tradewind.streaming.feed.sequence import refused_bar, refused_item
from tradewind.streaming.news.alpaca import AlpacaNewsStream
from tradewind.streaming.news.configured import NewsConfig, load_companies, open_source
from tradewind.streaming.news.entities import EntityLinker
from tradewind.streaming.news.items import NewsSource, RawItem
from tradewind.streaming.news.pipeline import NewsPipeline
from tradewind.streaming.sources.aggregation import BarAggregator
from tradewind.streaming.sources.alpaca_stream import AlpacaStreamSource, StreamOptions
from tradewind.streaming.sources.base import MarketMessage, Unreadable
from tradewind.streaming.sources.connection import LinkState
from tradewind.streaming.sources.credentials import Credentials
from tradewind.streaming.validation import BarValidator
from tradewind.v1 import market_pb2

log = logging.getLogger(__name__)

# How much of a topic's end is read back at a start, to know what is there.
_TAIL = 20_000
_MINUTE_NS = 60 * 10**9


class Live:
    """One live feed, ready to run."""

    def __init__(
        self, config: FeedConfig, source: AlpacaConfig, bus: Bus, now: Callable[[], int] = time.time_ns
    ) -> None:
        self._bus = bus
        self._now = now
        self._source = source
        self._news_configs = [n for n in config.news if not (n.kind == "Alpaca" and source.news_url)]
        try:
            self._credentials = Credentials.from_environment()
            self._news = [(n, open_source(n, source.symbols)) for n in self._news_configs]
            self._pipeline = NewsPipeline(EntityLinker(load_companies(config.companies)))
            self._validator = BarValidator()
            self._market = AlpacaStreamSource(
                self._options(self._last_bars()), self._credentials, aggregator=self._aggregator(), now=now
            )
        except DataError as error:
            raise FeedError(str(error)) from None
        self._remember_news()

    async def run(self) -> None:
        """Run until cancelled.

        Raises:
            FeedError: a service refuses us for good.
        """
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pump_market())
                for config, source in self._news:
                    tasks.create_task(self._pump_news(config, source))
                if self._source.news_url:
                    tasks.create_task(self._pump_pushed_news(self._source.news_url))
        except* DataError as errors:
            raise FeedError(str(errors.exceptions[0])) from None

    def problem(self) -> str:
        """Why no market data come, or nothing. Any thread."""
        state = self._market.socket.link.state
        return "" if state is LinkState.LIVE else state.value

    def _options(self, last: dict[str, market_pb2.Bar]) -> StreamOptions:
        source = self._source
        return StreamOptions(
            symbols=source.symbols,
            interval=source.interval,
            feed=source.feed,
            url=source.url,
            data_url=source.data_url,
            ca_file=source.ca_file,
            quotes=source.quotes,
            trades=source.trades,
            resume_after={symbol: bar.event_time - _MINUTE_NS for symbol, bar in last.items()},
        )

    def _aggregator(self) -> BarAggregator | None:
        if interval_ns(self._source.interval) == _MINUTE_NS:
            return None
        year = time.gmtime(self._now() // 10**9).tm_year + 1
        return BarAggregator(self._source.interval, SessionCalendar.load(self._source.calendar, year))

    def _last_bars(self) -> dict[str, market_pb2.Bar]:
        """Each symbol's last bar on the bus: the source goes on behind it, so that none is published twice."""
        last: dict[str, market_pb2.Bar] = {}
        for record in self._tail("bars"):
            bar = record.message
            if isinstance(bar, market_pb2.Bar) and bar.interval == self._source.interval:
                last[bar.symbol] = bar
        return last

    def _remember_news(self) -> None:
        """Count what is on the bus as seen; publish events that a kill kept from following their item."""
        there = {record.message.id for record in self._tail("events") if isinstance(record.message, market_pb2.Event)}
        items = [r.message for r in self._tail("news") if isinstance(r.message, market_pb2.NewsItem)]
        for item in items:
            self._pipeline.remember(item.source, item.id)
        for item in items[-1:]:
            self._publish_events(event for event in self._pipeline.events(item) if event.id not in there)

    def _tail(self, topic: str) -> Iterable[Record]:
        return self._bus.read(topic, max(0, self._bus.end_offset(topic) - _TAIL))

    async def _pump_market(self) -> None:
        async for message in self._market.messages():
            self._take(message)

    def _take(self, message: MarketMessage | Unreadable) -> None:
        if isinstance(message, Unreadable):
            self._bury(Refused(message.topic, message.key, message.payload, message.payload_type, message.reason))
        elif isinstance(message, market_pb2.Bar):
            verdict = self._validator.check(message, self._now())
            if not verdict.valid:
                self._bury(refused_bar(message, verdict.reasons))
                return
            headers = {"flags": ",".join(verdict.flags)} if verdict.flags else {}
            self._bus.publish_many([Outgoing("bars", message.symbol, message, headers)])
        else:
            topic = "quotes" if isinstance(message, market_pb2.Quote) else "trades"
            self._bus.publish_many([Outgoing(topic, message.symbol, message)])

    async def _pump_news(self, config: NewsConfig, source: NewsSource) -> None:
        """Ask again and again. A service that fails for a while is a warning: the market goes on without it."""
        pause = duration_ns(config.poll) / 1e9
        while True:
            try:
                items = await asyncio.to_thread(source.poll, self._now())
            except (httpx.HTTPError, DataError) as error:
                log.warning("news %s: %s", source.name, " ".join(str(error).split()))
                items = []
            for item in items:
                self._take_item(item)
            await asyncio.sleep(pause)

    async def _pump_pushed_news(self, url: str) -> None:
        stream = AlpacaNewsStream(
            self._credentials, self._source.symbols, self._now, url=url, ca_file=self._source.ca_file
        )
        async for item in stream.items():
            if isinstance(item, RawItem):
                self._take_item(item)

    def _take_item(self, item: RawItem) -> None:
        outcome = self._pipeline.process(item, self._now())
        if outcome.reason:
            self._bury(refused_item(item, outcome.reason))
        elif outcome.news is not None:
            self._bus.publish("news", item.source, outcome.news)
            self._publish_events(outcome.events)

    def _publish_events(self, events: Iterable[market_pb2.Event]) -> None:
        outgoing = [Outgoing("events", event.symbol, event) for event in events]
        if outgoing:
            self._bus.publish_many(outgoing)

    def _bury(self, refused: Refused) -> None:
        log.warning("%s %s: %s", refused.topic, refused.key, refused.reason)
        self._bus.dead_letter(
            refused.topic, refused.key, refused.payload, refused.payload_type, refused.reason, CONSUMER
        )
