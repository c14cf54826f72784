"""Shell: replays a data set, in lockstep or at a recorded speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import numpy as np

from tradewind.bus import Bus
from tradewind.streaming.datasets import Dataset, SessionCalendar, read_dataset
from tradewind.streaming.datasets.errors import DataError
from tradewind.streaming.datasets.store import BARS, NEWS
from tradewind.streaming.feed.config import FeedConfig, ReplayConfig
from tradewind.streaming.feed.errors import FeedError, StoppedError
from tradewind.streaming.feed.lockstep import CLOCK_KEY, Lockstep, Report, last_tick, publish_step
from tradewind.streaming.feed.publisher import RunPublisher
from tradewind.streaming.feed.sequence import StepRecords, sequence
from tradewind.streaming.feed.state import RunState
from tradewind.streaming.feed.venue import Venue
from tradewind.streaming.news.configured import known_at, load_companies, recorded_items
from tradewind.streaming.news.entities import EntityLinker
from tradewind.streaming.news.items import RawItem
from tradewind.streaming.news.pipeline import NewsPipeline
from tradewind.streaming.sources.replay import ReplaySource, pause_s
from tradewind.streaming.validation import BarValidator
from tradewind.v1 import control_pb2
from tradewind.v1.control_pb2 import CLOCK_PHASE_END, ClockTick

_NAP_S = 0.2


class Replaying:
    """One replay, ready to run: everything that can be refused has been looked at."""

    def __init__(self, config: FeedConfig, source: ReplayConfig) -> None:
        try:
            dataset = read_dataset(source.dataset)
            self._dataset = dataset if source.symbols is None else dataset.of(source.symbols)
            self._items = [item for item in recorded_items(config.news, self._dataset) if _within(item, source)]
            self._linker = EntityLinker(load_companies(config.companies))
            self._calendar = _calendar(self._dataset)
        except DataError as error:
            raise FeedError(str(error)) from None
        self._config = config
        self._source = source
        self._replay = ReplaySource(self._dataset, start=source.start, end=source.end)
        self.total = self._replay.step_count
        if self.total == 0:
            raise FeedError(f"source.start: {source.dataset} has no bar in that time; choose another start and end")

    def run(self, bus: Bus, report: Report, stopped: Callable[[], bool]) -> None:
        """Replay to the end.

        Raises:
            FeedError, StoppedError, BusError.
        """
        config = self._config
        with RunState(config.state_dir) as state:
            base = state.base(config.run, bus, self._fingerprint())
            publisher = RunPublisher(bus, base)
            last = last_tick(bus, config.run, base.ends["control"])
            venue = Venue(config.venue, config.stall_seconds, stopped) if config.venue is not None else None
            try:
                if self._source.speed == "max":
                    clock = Lockstep(
                        bus,
                        config.run,
                        tuple(config.consumers),
                        tuple(config.executors),
                        config.stall_seconds,
                        lambda step: self._advance(venue, step),
                        report,
                        stopped,
                    )
                    clock.play(self._steps(), publisher, last)
                else:
                    self._paced(bus, publisher, venue, last, report, stopped)
            finally:
                if venue is not None:
                    venue.close()

    def _steps(self) -> Iterator[StepRecords]:
        return sequence(self._replay.steps(), self._items, BarValidator(), NewsPipeline(self._linker))

    def _advance(self, venue: Venue | None, step: StepRecords) -> int:
        if venue is None:
            return 0
        ends = self._dataset.manifest.interval == "1d" or _is_close(self._calendar, step.time)
        return venue.advance(step.time, step.tradable, ends)

    def _paced(
        self,
        bus: Bus,
        publisher: RunPublisher,
        venue: Venue | None,
        last: ClockTick | None,
        report: Report,
        stopped: Callable[[], bool],
    ) -> None:
        """At a multiple of recorded speed; steps that are on the bus already are passed over without a pause."""
        before: StepRecords | None = None
        for step in self._steps():
            there = publisher.has("bars", len(step.bars))
            if before is not None and not there:
                _sleep(pause_s(step.time - before.time, self._source.speed, self._source.max_gap_s), stopped)
            if not there:
                self._advance(venue, step)
            publish_step(publisher, step)
            before = step
            report(step.number, step.time)
        if before is not None and (last is None or last.phase != CLOCK_PHASE_END):
            tick = ClockTick(
                run=self._config.run,
                step=before.number,
                phase=CLOCK_PHASE_END,
                time=before.time,
                bars_end=publisher.end("bars"),
            )
            bus.publish("control", CLOCK_KEY, control_pb2.ControlMessage(tick=tick))

    def _fingerprint(self) -> str:
        """What a resumed run must have in common with the one that was cut off."""
        parts = self._dataset.manifest.parts
        data = [parts[name].sha256 for name in (BARS, NEWS) if name in parts]
        return ":".join([*data, str(self._source.start), str(self._source.end), *(self._source.symbols or ())])


def _within(item: RawItem, source: ReplayConfig) -> bool:
    at = known_at(item)
    return (source.start is None or at >= source.start) and (source.end is None or at <= source.end)


def _calendar(dataset: Dataset) -> SessionCalendar:
    last = dataset.manifest.last_time or 0
    return SessionCalendar.load(dataset.manifest.calendar, time.gmtime(last // 10**9).tm_year)


def _is_close(calendar: SessionCalendar, at: int) -> bool:
    index = int(np.searchsorted(calendar.closes, at))
    return index < len(calendar.closes) and int(calendar.closes[index]) == at


def _sleep(seconds: float, stopped: Callable[[], bool]) -> None:
    """Sleep, but not through a request to stop."""
    until = time.monotonic() + seconds
    while not stopped():
        left = until - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, _NAP_S))
    raise StoppedError
