"""The strategy's view of its own positions, from the positions topic. Shell."""

from __future__ import annotations

import threading
import time

from tradewind.bus import Bus
from tradewind.execution.process import StoppedError
from tradewind.execution.signals.decisions import Book
from tradewind.v1 import trading_pb2

_LOOK_BACK = 5000  # snapshots re-read at start: one per bar and account, so far more than a restart needs


class BookReader:
    """Follows the account's snapshots and gives the first one at least as new as a bar."""

    def __init__(self, bus: Bus, account: str, strategy: str) -> None:
        self._bus = bus
        self._account = account
        self._strategy = strategy
        self._next = max(0, bus.end_offset("positions") - _LOOK_BACK)
        self._books: list[Book] = []

    def at(self, event_time: int, timeout_s: float | None, stop: threading.Event) -> Book | None:
        """The first snapshot with a time of `event_time` or later, or None when none arrives in time.

        Raises StoppedError once `stop` is set.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            self._read()
            # Vectors come in time order, so what is older than this one is not asked for again.
            while self._books and self._books[0].time < event_time:
                self._books.pop(0)
            if self._books:
                return self._books[0]
            if deadline is not None and time.monotonic() > deadline:
                return None
            if stop.wait(0.001):
                raise StoppedError

    def _read(self) -> None:
        end = self._bus.end_offset("positions")
        if end <= self._next:
            return
        for record in self._bus.read("positions", self._next, end):
            snapshot = record.message
            if isinstance(snapshot, trading_pb2.PositionSnapshot) and snapshot.account == self._account:
                own = {p.symbol: p.quantity for p in snapshot.positions if p.strategy == self._strategy}
                self._books.append(Book(snapshot.event_time, snapshot.equity, own))
        self._next = end
