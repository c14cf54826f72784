"""Core: from bars and events, in the order of the bus, to feature vectors.

The vector of (symbol, t) sees the market context of t, so it waits for the context bar of t; when that does not come in
time it goes on with the last one. Times of waiting are an argument: nothing here reads a clock.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Protocol

from tradewind.v1.market_pb2 import Bar, Event


class VectorEngine(Protocol):
    """The native engine as the stream uses it: one object, many symbols."""

    def context(self, bar: Bar) -> None:
        """A bar of the market context. Bars come with rising event_time."""

    def event(self, event: Event) -> None:
        """An event, in any order; a bar that closed before its available_time does not see it."""

    def bar(self, bar: Bar) -> list[float]:
        """A bar of a symbol, with rising event_time per symbol; its vector, NaN = not yet warm.

        Raises ValueError for a bar that is none (high below low, a price of 0).
        """


@dataclass(frozen=True, slots=True)
class RefusedBar:
    """A bar that the engine did not take, with the reason."""

    bar: Bar
    reason: str


@dataclass(frozen=True, slots=True)
class Vector:
    """What one bar completed. bar_offset: the bar's place on the bus; close: its price, 1e-8."""

    symbol: str
    event_time: int
    available_time: int
    values: list[float]
    bar_offset: int
    close: int


class FeatureStream:
    """The state between two bars.

    interval: bars of any other are ignored. context_symbol: whose bars are the market context, None = no waiting.
    context_timeout: ns a bar waits for the context of its time; 0 = the feed puts the context first.
    """

    def __init__(self, engine: VectorEngine, interval: str, context_symbol: str | None, context_timeout: int) -> None:
        self._engine = engine
        self._interval = interval
        self._context_symbol = context_symbol
        self._timeout = context_timeout
        self._context_time = -(2**63)
        self._context_available = -(2**63)
        self._last: dict[str, int] = {}  # newest event_time per symbol
        self._waiting: list[tuple[int, int, int, Bar]] = []  # heap of (event_time, offset, deadline, bar)
        self._waits = context_symbol is not None and context_timeout > 0
        self._events: set[str] = set()  # an event published twice counts once
        self._refused: list[RefusedBar] = []

    def accept_event(self, event: Event) -> None:
        """An event, in any order of time."""
        if event.id not in self._events:
            self._events.add(event.id)
            self._engine.event(event)

    def accept_bar(self, bar: Bar, offset: int, now: int) -> list[Vector]:
        """A bar at `offset` of the bus, seen at `now` (ns of any steady clock); the vectors that it completes.

        A bar that is not newer than its symbol's last one (published twice, or late) completes none.
        """
        if bar.interval != self._interval:
            return []
        if bar.context:
            return self._accept_context(bar) if bar.symbol == self._context_symbol else []
        if self._waits and bar.event_time > self._context_time:
            heapq.heappush(self._waiting, (bar.event_time, offset, now + self._timeout, bar))
            return []
        # Nothing older may be left behind: vectors of a symbol leave in order of time.
        return [*self._release_before(bar.event_time), *self._complete(bar, offset)]

    def _accept_context(self, bar: Bar) -> list[Vector]:
        if bar.event_time <= self._context_time:
            return []
        # Whoever still waits for an earlier context will not get it: the context's bars come in order too.
        released = self._release_before(bar.event_time)
        try:
            self._engine.context(bar)
        except ValueError as error:
            self._refused.append(RefusedBar(bar, str(error)))
            return released
        self._context_time = bar.event_time
        self._context_available = max(self._context_available, bar.available_time)
        return [*released, *self._release_before(bar.event_time + 1)]

    def expire(self, now: int) -> list[Vector]:
        """The vectors of bars that have waited long enough, and of the earlier ones with them."""
        due = [event_time for event_time, _, deadline, _ in self._waiting if deadline <= now]
        return self._release_before(max(due) + 1) if due else []

    def expire_all(self) -> list[Vector]:
        """The vectors of all bars that wait."""
        return self._release_before(2**63)

    def take_refused(self) -> list[RefusedBar]:
        """The bars that the engine has not taken since the last call."""
        refused, self._refused = self._refused, []
        return refused

    def next_deadline(self) -> int | None:
        """When `expire` will next release something."""
        return min((deadline for _, _, deadline, _ in self._waiting), default=None)

    def first_waiting(self) -> int | None:
        """The lowest bus offset of the bars that wait: nothing from there on may be committed."""
        return min((offset for _, offset, _, _ in self._waiting), default=None)

    def _release_before(self, time: int) -> list[Vector]:
        vectors: list[Vector] = []
        while self._waiting and self._waiting[0][0] < time:
            _, offset, _, bar = heapq.heappop(self._waiting)
            vectors += self._complete(bar, offset)
        return vectors

    def _complete(self, bar: Bar, offset: int) -> list[Vector]:
        if bar.event_time <= self._last.get(bar.symbol, -(2**63)):
            return []
        try:
            values = self._engine.bar(bar)
        except ValueError as error:
            self._refused.append(RefusedBar(bar, str(error)))
            return []
        self._last[bar.symbol] = bar.event_time
        # A vector is known when the last of its inputs is.
        available = max(bar.available_time, self._context_available)
        return [Vector(bar.symbol, bar.event_time, available, values, offset, bar.close)]
