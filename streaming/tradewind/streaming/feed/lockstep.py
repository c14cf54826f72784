"""Shell: the clock of a run in virtual time. One step per bar time, and nobody is left behind.

Per step t: the venue trades the bars of t; news, events and bars of t go on the bus, then the tick MARKET; when every
consumer has acknowledged all there is, the tick DECIDE; when the executors have acknowledged that, the next step. The
ticks on `control` are the clock's memory: a clock that was killed reads the last one and goes on behind it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from tradewind.bus import Bus
from tradewind.streaming.feed.config import Consumer
from tradewind.streaming.feed.errors import FeedError, StoppedError
from tradewind.streaming.feed.publisher import RunPublisher
from tradewind.streaming.feed.sequence import StepRecords
from tradewind.v1 import control_pb2
from tradewind.v1.control_pb2 import CLOCK_PHASE_DECIDE, CLOCK_PHASE_END, CLOCK_PHASE_MARKET, ClockTick

CLOCK_KEY = "clock"
_SLICE_S = 0.5

Advance = Callable[[StepRecords], int]
Report = Callable[[int, int], None]


@dataclass(frozen=True)
class Lockstep:
    """A clock.

    Attributes:
        advance: moves the venue to a step; returns its last event id.
        report: told the number and time of each step done.
        stopped: whether somebody asked us to stop.
    """

    bus: Bus
    run: str
    consumers: tuple[Consumer, ...]
    executors: tuple[str, ...]
    stall_s: float
    advance: Advance
    report: Report
    stopped: Callable[[], bool]

    def play(self, steps: Iterator[StepRecords], publisher: RunPublisher, last: ClockTick | None) -> None:
        """Play every step, from behind `last`, the last tick of this run on the bus.

        Raises:
            FeedError: a consumer stays behind for `stall_s` seconds.
            StoppedError: asked to stop.
        """
        number, now = 0, 0
        for step in steps:
            number, now = step.number, step.time
            done = _phase_done(last, step.number)
            self._market(step, publisher, done >= CLOCK_PHASE_MARKET)
            if done < CLOCK_PHASE_DECIDE:
                self._await_consumers()
                self._decide(step)
            elif last is not None and last.step == step.number and last.phase == CLOCK_PHASE_DECIDE:
                self._await_executors(last.intents_end)
            self.report(step.number, step.time)
        if last is None or last.phase != CLOCK_PHASE_END:
            self._tick(ClockTick(step=number, phase=CLOCK_PHASE_END, time=now, bars_end=publisher.end("bars")))

    def _market(self, step: StepRecords, publisher: RunPublisher, ticked: bool) -> None:
        event_id = 0 if ticked else self.advance(step)
        publish_step(publisher, step)
        if not ticked:
            self._tick(
                ClockTick(
                    step=step.number,
                    phase=CLOCK_PHASE_MARKET,
                    time=step.time,
                    venue_event_id=event_id,
                    bars_end=publisher.end("bars"),
                )
            )

    def _decide(self, step: StepRecords) -> None:
        intents = self.bus.end_offset("intents")
        self._tick(ClockTick(step=step.number, phase=CLOCK_PHASE_DECIDE, time=step.time, intents_end=intents))
        self._await_executors(intents)

    def _tick(self, tick: ClockTick) -> None:
        tick.run = self.run
        self.bus.publish("control", CLOCK_KEY, control_pb2.ControlMessage(tick=tick))

    def _await_consumers(self) -> None:
        """Wait until nobody has anything left to do.

        A consumer publishes before it acknowledges, perhaps to a topic that another one of them reads. So the ends are
        read again after everyone has reached them: if none has moved, nothing was published meanwhile, and all is done.
        """
        topics = sorted({consumer.topic for consumer in self.consumers})
        ends = {topic: self.bus.end_offset(topic) for topic in topics}
        while True:
            self._await({(c.group, c.topic): ends[c.topic] for c in self.consumers})
            again = {topic: self.bus.end_offset(topic) for topic in topics}
            if again == ends:
                return
            ends = again

    def _await_executors(self, intents_end: int) -> None:
        control = self.bus.end_offset("control")
        goals = {(group, "control"): control for group in self.executors}
        self._await(goals | {(group, "intents"): intents_end for group in self.executors})

    def _await(self, goals: Mapping[tuple[str, str], int]) -> None:
        if not goals:
            return
        reached: dict[tuple[str, str], int] = {}
        deadline = time.monotonic() + self.stall_s
        while not self.bus.wait_committed(goals, min(_SLICE_S, self.stall_s)):
            if self.stopped():
                raise StoppedError
            now_reached = self._reached(goals)
            if now_reached != reached:
                reached, deadline = now_reached, time.monotonic() + self.stall_s
            elif time.monotonic() >= deadline:
                behind = [
                    f"group {group} is at {reached[group, topic]} of {goal} on topic {topic}"
                    for (group, topic), goal in goals.items()
                    if reached[group, topic] < goal
                ]
                raise FeedError(
                    f"stalled: {'; '.join(behind)} for {self.stall_s:.0f} s; look at that process's log, start it again"
                )
        if self.stopped():
            raise StoppedError

    def _reached(self, goals: Mapping[tuple[str, str], int]) -> dict[tuple[str, str], int]:
        return {(group, topic): self.bus.committed(group, topic) for group, topic in goals}


def publish_step(publisher: RunPublisher, step: StepRecords) -> None:
    """News before what they mean, and both before the bars: whoever has seen the bar can have seen the event."""
    for refused in step.refused:
        publisher.refuse(refused)
    publisher.publish("news", step.news)
    publisher.publish("events", step.events)
    publisher.publish("bars", step.bars)


def _phase_done(last: ClockTick | None, number: int) -> int:
    """The last phase of step `number` that is on the bus, as far as `last` tells; 0 if none."""
    if last is None or last.step < number:
        return 0
    if last.step > number or last.phase == CLOCK_PHASE_END:
        return CLOCK_PHASE_DECIDE
    return last.phase


def last_tick(bus: Bus, run: str, start: int) -> ClockTick | None:
    """The last tick of `run` on the bus."""
    found = None
    for record in bus.read("control", start):
        message = record.message
        if isinstance(message, control_pb2.ControlMessage) and message.HasField("tick") and message.tick.run == run:
            found = message.tick
    return found
