"""Core: a replay as the sequence of records that its steps put on the bus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tradewind.streaming.feed.publisher import Keyed, Refused
from tradewind.streaming.news.configured import known_at
from tradewind.streaming.news.items import RawItem
from tradewind.streaming.news.pipeline import NewsPipeline
from tradewind.streaming.sources.replay import Step
from tradewind.streaming.validation import BarValidator
from tradewind.v1 import market_pb2


@dataclass(frozen=True, slots=True)
class StepRecords:
    """What one step publishes, in this order: news, events, bars."""

    number: int
    time: int
    bars: tuple[Keyed, ...]
    news: tuple[Keyed, ...]
    events: tuple[Keyed, ...]
    refused: tuple[Refused, ...]

    @property
    def tradable(self) -> list[market_pb2.Bar]:
        """Bars of what can be traded."""
        bars = [record.message for record in self.bars if isinstance(record.message, market_pb2.Bar)]
        return [bar for bar in bars if not bar.context]


def sequence(
    steps: Iterator[Step], items: Sequence[RawItem], validator: BarValidator, pipeline: NewsPipeline
) -> Iterator[StepRecords]:
    """The records of each step; a step brings the news that could be known by its time and were not before.

    Args:
        items: in the order they could be known.
    """
    pending = 0
    for step in steps:
        due = pending
        while due < len(items) and known_at(items[due]) <= step.time:
            due += 1
        news, events, unfit = _news(items[pending:due], pipeline)
        pending = due
        bars, odd = _bars(step, validator)
        yield StepRecords(step.number, step.time, bars, news, events, (*unfit, *odd))


def _bars(step: Step, validator: BarValidator) -> tuple[tuple[Keyed, ...], tuple[Refused, ...]]:
    good: list[Keyed] = []
    bad: list[Refused] = []
    for bar in step.bars:
        verdict = validator.check(bar, step.time)
        if verdict.valid:
            good.append(Keyed(bar.symbol, bar, verdict.flags))
        else:
            bad.append(refused_bar(bar, verdict.reasons))
    return tuple(good), tuple(bad)


def refused_bar(bar: market_pb2.Bar, reasons: Sequence[str]) -> Refused:
    """A bar that failed, with all its reasons."""
    payload = bar.SerializeToString(deterministic=True)
    return Refused("bars", bar.symbol, payload, bar.DESCRIPTOR.full_name, "; ".join(reasons))


def _news(
    items: Sequence[RawItem], pipeline: NewsPipeline
) -> tuple[tuple[Keyed, ...], tuple[Keyed, ...], tuple[Refused, ...]]:
    news: list[Keyed] = []
    events: list[Keyed] = []
    unfit: list[Refused] = []
    for item in items:
        outcome = pipeline.process(item, known_at(item))
        if outcome.news is not None:
            news.append(Keyed(item.source, outcome.news))
            events += [Keyed(event.symbol, event) for event in outcome.events]
        elif outcome.reason:
            unfit.append(refused_item(item, outcome.reason))
    return tuple(news), tuple(events), tuple(unfit)


def refused_item(item: RawItem, reason: str) -> Refused:
    """An item that failed."""
    return Refused("news", item.source, item.payload, item.payload_type, reason)
