"""The loops of an executor: in lockstep with the replay clock, or as records come. Shell."""

from __future__ import annotations

import sys
import threading
import time

from tradewind.bus import Bus, BusAwayError, Record, Subscription
from tradewind.execution.executor.intake import Intake
from tradewind.execution.executor.messages import intent_order
from tradewind.execution.executor.policy import PolicyFile
from tradewind.execution.executor.publisher import Publisher
from tradewind.execution.process import ProcessError, StoppedError
from tradewind.native.executor import Executor
from tradewind.v1 import control_pb2, market_pb2, trading_pb2

TOPICS = ("bars", "intents", "control")
_WAIT_S = 0.5
_BROKER_S = 60.0
_ALERT_S = 60.0
_ANSWERS_S = 120.0


class LockstepLoop:
    """Does what the ticks say and commits when it is done; between ticks nothing moves."""

    def __init__(
        self, executor: Executor, intake: Intake, publisher: Publisher, policy: PolicyFile, bus: Bus, group: str
    ) -> None:
        self._executor = executor
        self._policy = policy
        self._intake = intake
        self._publisher = publisher
        self._subscription: Subscription = bus.subscribe(list(TOPICS), group, evict=True)
        self._bars: list[tuple[int, market_pb2.Bar]] = []
        self._intents: list[tuple[int, trading_pb2.OrderIntent]] = []
        self._controls: list[tuple[int, control_pb2.ControlMessage]] = []
        self._next = {topic: bus.committed(group, topic) for topic in TOPICS}
        # The journal knows what the engine has seen; what it has, it must not see again.
        self._first_new_bar = executor.offsets()["bars"]

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        self._publisher.publish(None)
        try:
            while not stop.is_set():
                self._policy.look()
                if not self._controls:
                    self._poll()
                    continue
                offset, message = self._controls.pop(0)
                if message.WhichOneof("body") == "tick":
                    self._tick(message.tick, stop)
                else:
                    self._intake.command(message.command, offset)
                    self._settle()
                self._commit({"control": offset + 1})
        finally:
            self._subscription.close()

    def _poll(self) -> None:
        for record in self._subscription.poll(4096, _WAIT_S):
            self._next[record.topic] = record.offset + 1
            message = record.message
            if isinstance(message, market_pb2.Bar):
                self._bars.append((record.offset, message))
            elif isinstance(message, trading_pb2.OrderIntent):
                self._intents.append((record.offset, message))
            elif isinstance(message, control_pb2.ControlMessage):
                self._controls.append((record.offset, message))

    def _tick(self, tick: control_pb2.ClockTick, stop: threading.Event) -> None:
        self._intake.advance(tick.time)
        if tick.phase == control_pb2.CLOCK_PHASE_MARKET:
            self._market(tick, stop)
        elif tick.phase == control_pb2.CLOCK_PHASE_DECIDE:
            self._decide(tick, stop)

    def _market(self, tick: control_pb2.ClockTick, stop: threading.Event) -> None:
        """What the venue filled comes before the bars that filled it; then the books are marked to the new closes."""
        if not self._executor.wait_stream(tick.venue_event_id, _BROKER_S):
            raise ProcessError(
                f"the venue's stream has not reached event {tick.venue_event_id} after {_BROKER_S:.0f} s"
            )
        self._have("bars", tick.bars_end, stop)
        self._intake.read_index()
        while self._bars and self._bars[0][0] < tick.bars_end:
            offset, bar = self._bars.pop(0)
            if offset >= self._first_new_bar:
                self._intake.bar(bar, offset)
                self._publisher.send_letters()
        self._intake.bars_done()
        self._intake.time_passed()
        self._settle()
        self._publisher.publish(tick.time)
        self._commit({"bars": tick.bars_end})

    def _decide(self, tick: control_pb2.ClockTick, stop: threading.Event) -> None:
        """The step's intents, sorted: it must not matter which strategy's process published first."""
        self._have("intents", tick.intents_end, stop)
        batch = [(o, i) for o, i in self._intents if o < tick.intents_end]
        self._intents = [(o, i) for o, i in self._intents if o >= tick.intents_end]
        for offset, intent in sorted(batch, key=lambda item: intent_order(item[1])):
            self._intake.intent(intent, offset)
            self._publisher.send_letters()
        self._intake.flush()
        self._settle()
        self._publisher.publish(None)
        self._commit({"intents": tick.intents_end})

    def _commit(self, offsets: dict[str, int]) -> None:
        self._publisher.guard()
        self._subscription.commit(offsets)

    def _have(self, topic: str, end: int, stop: threading.Event) -> None:
        while self._next[topic] < end:
            if stop.is_set():
                raise StoppedError
            self._poll()

    def _settle(self) -> None:
        if not self._executor.wait_idle(_BROKER_S):
            raise ProcessError(f"the broker has not answered for {_BROKER_S:.0f} s")


class FreeLoop:
    """Takes records as they come. With recorded times, time is the newest that any record has named.

    While the bus is away the account's orders are still looked after: what the journal says is told, and what was
    taken is committed, when the bus answers again; the policy holds all the time.
    """

    def __init__(
        self,
        executor: Executor,
        intake: Intake,
        publisher: Publisher,
        policy: PolicyFile,
        bus: Bus,
        group: str,
        *,
        wall: bool,
    ) -> None:
        self._wall = wall
        self._policy = policy
        self._executor = executor
        self._intake = intake
        self._publisher = publisher
        self._subscription: Subscription = bus.subscribe(list(TOPICS), group, evict=True)
        self._bus = bus
        self._first_new = executor.offsets()
        self._held: list[Record] = []  # read, and not taken yet
        self._bar_time = 0
        self._books_time: int | None = None  # as of which the books are to be told
        self._taken: dict[str, int] = {}  # by topic, the next offset to commit
        self._away = False
        self._alerted = 0.0
        self._answers: float | None = None  # since when the bus answers, if not what it is asked

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        try:
            with self._policy.watched():
                self._tell()
                while not stop.is_set():
                    self._policy.look()
                    self._held = self._held or self._subscription.poll(4096, 0.05)
                    self._round()
        finally:
            self._subscription.close()

    def _round(self) -> None:
        ready = not self._publisher.owes_letters and self._index_is_read()
        with self._policy.lock:
            if self._wall:
                self._intake.keep_session()
            before = len(self._held)
            self._held = self._command(self._held)
            if self._held and ready:
                self._held = self._take(self._held)
            else:
                self._intake.bars_done()
        if len(self._held) < before:
            # What is committed is in the journal.
            self._executor.wait_idle(_BROKER_S)
            self._books_time = self._bar_time or None
        self._tell()

    def _index_is_read(self) -> bool:
        """Whether the volatility index is at hand for the bars that were read; if not, they wait."""
        bars = [record.message for record in self._held if isinstance(record.message, market_pb2.Bar)]
        if any(bar.context for bar in bars):
            try:
                self._intake.read_index()
            except BusAwayError as error:
                self._miss(error)
                return False
        return True

    def _tell(self) -> None:
        """What the journal says, the books with each bar, and what was taken; all of it later while the bus is away."""
        try:
            if self._away:
                since, self._answers = self._answers, None
                self._bus.reach()
                self._answers = since or time.monotonic()
            # Fills arrive between records too: the books are told when something happened.
            filled = self._publisher.publish(self._books_time)
            self._books_time = None
            if filled:
                self._time_passed()
            if self._taken:
                self._publisher.guard()
                self._subscription.commit(self._taken)
                self._taken = {}
        except BusAwayError as error:
            self._miss(error)
        else:
            if self._away and not self._held:
                self._away, self._answers = False, None
                print("the bus answers again; what happened meanwhile is told", file=sys.stderr)  # noqa: T201

    def _miss(self, error: BusAwayError) -> None:
        now = time.monotonic()
        if self._answers is not None and now > self._answers + _ANSWERS_S:
            raise error  # it is there: a new process may find what is missing, or says what it is
        if not self._away or now > self._alerted + _ALERT_S:
            self._away, self._alerted = True, now
            print(f"alert: {error}; orders are looked after without it", file=sys.stderr)  # noqa: T201
        self._time_passed()  # whether something was filled can't be asked here

    def _time_passed(self) -> None:
        # What a fill makes possible (the second leg of a position that changes sides) waits for no record.
        with self._policy.lock:
            self._intake.time_passed()

    def _command(self, records: list[Record]) -> list[Record]:
        """Obeys the commands among `records`, whatever the others wait for. Returns the others."""
        for record in records:
            message = record.message
            if isinstance(message, control_pb2.ControlMessage):
                if message.WhichOneof("body") == "command":
                    self._intake.command(message.command, record.offset)
                self._taken[record.topic] = record.offset + 1
        return [record for record in records if not isinstance(record.message, control_pb2.ControlMessage)]

    def _take(self, records: list[Record]) -> list[Record]:
        """Returns those that wait because one before them is to be buried first."""
        flush = bars = False
        count = 0
        for record in records:
            count += 1
            message = record.message
            self._taken[record.topic] = record.offset + 1
            if record.offset < self._first_new[record.topic]:
                continue
            if isinstance(message, market_pb2.Bar):
                self._bar_time = max(self._bar_time, message.event_time)
                self._intake.advance(message.event_time)
                self._intake.bar(message, record.offset)
                bars = True
            elif isinstance(message, trading_pb2.OrderIntent):
                self._intake.advance(message.decision_time)
                self._intake.intent(message, record.offset)
                flush = True
            if self._publisher.owes_letters:
                break
        if flush or bars:
            self._intake.bars_done()
        if flush:
            self._intake.flush()
        elif bars:
            self._intake.time_passed()  # slices that begin with these bars
        return records[count:]
