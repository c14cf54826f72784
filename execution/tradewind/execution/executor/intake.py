"""Puts bars, intents and commands into the native engine. Shell."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Collection, Mapping
from time import time_ns
from typing import Literal

from google.protobuf.message import Message

from tradewind.execution.executor.config import ExecutorConfig
from tradewind.execution.executor.control import refusal
from tradewind.execution.executor.estimates import RiskEstimates
from tradewind.execution.executor.sessions import ExchangeCalendar, Session
from tradewind.execution.executor.volatility import VolatilityIndex
from tradewind.native.algorithms import PPM, ExecutionPlan
from tradewind.native.executor import ControlKind, Executor
from tradewind.v1 import control_pb2, market_pb2, trading_pb2

_ACTIONS: dict[int, ControlKind] = {
    control_pb2.CONTROL_ACTION_HALT: "halt",
    control_pb2.CONTROL_ACTION_RESUME: "resume",
    control_pb2.CONTROL_ACTION_PAUSE: "pause",
}

_NAME_BYTES = 200  # room for a person's name or reason in the journal

Bury = Callable[[str, str, Message, str], None]
"""Puts a record (topic, key, message) with the dead letters, for a reason."""


def _plan(intent: trading_pb2.OrderIntent) -> ExecutionPlan | None:
    if not intent.HasField("plan"):
        return None
    plan = intent.plan
    return ExecutionPlan(
        plan.algorithm,
        plan.duration,
        plan.interval,
        round(intent.urgency * PPM),
        plan.participation,
        plan.jitter,
        plan.risk_rate,
    )


class Intake:
    """Each method takes one record of the bus at the present time.

    A record with a text that the journal has no room for goes to the dead letters: it can be neither decided nor
    recorded, and must not end the process, which would only read it again.

    On the wall clock the engine reads the time itself. Otherwise time is what `advance` has been told, and never goes
    back.
    """

    def __init__(
        self,
        executor: Executor,
        account: str,
        volatility: VolatilityIndex,
        estimates: RiskEstimates,
        calendar: ExchangeCalendar,
        bury: Bury,
        *,
        wall: bool,
        canaries: Mapping[str, str] | None = None,
    ) -> None:
        self._canaries = canaries or {}
        self._executor = executor
        self._estimates = estimates
        self._account = account
        self._volatility = volatility
        self._calendar = calendar
        self._session: Session | None = None
        self._bury = bury
        self._wall = wall
        self._time = 1

    def advance(self, time: int) -> None:
        """Recorded time (ns UTC) has reached `time`."""
        self._time = max(self._time, time)
        self.keep_session()

    def keep_session(self) -> None:
        """Tells the engine of a session as soon as it has begun; what it hasn't been told it refuses."""
        now = time_ns() if self._wall else self._time
        if self._session is not None and now < self._session.next_open:
            return
        session = self._calendar.at(now)
        if session is not None:
            self._session = session
            self._executor.push_session(session.open, session.close, session.next_open, now=self._now)

    @property
    def _now(self) -> int | None:
        return None if self._wall else self._time

    def time_passed(self) -> None:
        """Tells the engine the time, so that what depends on it happens without another input."""
        self._executor.push_time(self._now)

    def read_index(self) -> None:
        """Has the volatility index at hand for the bars that come. Raises BusError."""
        self._volatility.read()

    def bar(self, bar: market_pb2.Bar, offset: int) -> None:
        """A bar, with the volatility index beside the market's own."""
        self._estimates.bar(bar)
        try:
            self._executor.push_bar(
                bar.symbol,
                bar.event_time,
                bar.open,
                bar.high,
                bar.low,
                bar.close,
                bar.volume,
                context=bar.context,
                volatility_index=self._volatility.before(bar.event_time) if bar.context else 0,
                now=self._now,
                offset=offset,
            )
        except ValueError as problem:
            self._bury("bars", bar.symbol, bar, str(problem))

    def bars_done(self) -> None:
        """The bars of a time are complete: what they say of risk goes before the orders they lead to."""
        self._estimates.publish(self._now)

    def intent(self, intent: trading_pb2.OrderIntent, offset: int) -> None:
        """An intent of this account; those of others are not ours to judge."""
        if intent.account != self._account:
            return
        try:
            self._executor.push_intent(
                id=intent.id,
                strategy=intent.strategy,
                symbol=intent.symbol,
                target=intent.target_quantity,
                decision_time=intent.decision_time,
                valid_until=intent.valid_until,
                order_type=_known(trading_pb2.OrderType.values(), intent.order_type),
                time_in_force=_known(trading_pb2.TimeInForce.values(), intent.time_in_force),
                limit_price=intent.limit_price,
                reference_price=intent.reference_price,
                champion=self._may_trade_live(intent),
                gates_passed=intent.gates_passed,
                model=intent.model,
                model_version=intent.model_version,
                stop_price=intent.stop_price,
                trail_price=intent.trail_price,
                trail_ratio=intent.trail_ratio,
                extended_hours=intent.extended_hours,
                target_notional=intent.target_notional,
                stop_loss=intent.stop_loss,
                take_profit=intent.take_profit,
                plan=_plan(intent),
                now=self._now,
                offset=offset,
            )
        except ValueError as problem:
            self._bury("intents", intent.account, intent, str(problem))

    def _may_trade_live(self, intent: trading_pb2.OrderIntent) -> bool:
        """Whether a live account takes intents of this model: of the champion, and of a canary in its one version."""
        if intent.model_alias == "challenger":
            return bool(intent.model_version) and self._canaries.get(intent.strategy) == intent.model_version
        return intent.model_alias == "champion"

    def flush(self) -> None:
        """The batch is complete: net it and send."""
        self._executor.push_control("flush", now=self._now)

    def calendar_of(self, name: str) -> ExchangeCalendar:
        """The calendar in use if it has this name. Raises ProcessError when there is no such calendar."""
        return self._calendar if self._calendar.name == name else ExchangeCalendar(name)

    def follow(self, config: ExecutorConfig, calendar: ExchangeCalendar) -> None:
        """Another policy: its symbols, look-back, calendar and canaries."""
        self._canaries = config.canaries
        self._estimates.follow([entry["symbol"] for entry in config.engine["symbols"]], config.estimates)
        if calendar is not self._calendar:
            self._calendar, self._session = calendar, None

    def halt(self, issued_by: str, reason: str, *, flatten: bool) -> None:
        """The kill switch, by a policy or a trigger."""
        self._executor.push_control("halt", issued_by=issued_by, reason=reason, flatten=flatten, now=self._now)

    def resume(self, issued_by: str, reason: str) -> None:
        """Releases the switch in the name of a person."""
        self._executor.push_control("resume", issued_by=issued_by, reason=reason, now=self._now)

    def note(self, kind: Literal["started", "stopped"], reason: str = "") -> None:
        """Puts on record that this process took the account up, or laid it down."""
        by = f"{socket.gethostname()}:{os.getpid()}"
        self._executor.push_control(kind, issued_by=by, reason=reason, now=self._now)

    def command(self, command: control_pb2.ControlCommand, offset: int) -> str:
        """A halt, resume or pause; empty when taken, else why not."""
        problem = refusal(command, self._account)
        if not problem:
            self._executor.push_control(
                _ACTIONS[command.action],
                issued_by=_cut(command.issued_by),
                reason=_cut(command.reason),
                flatten=command.flatten,
                now=self._now,
                offset=offset,
            )
        return problem


def _known(numbers: Collection[int], value: int) -> int:
    """Protobuf passes on numbers that the enumeration has no name for: as unspecified, the engine refuses them."""
    return value if value in numbers else 0


def _cut(text: str) -> str:
    """A command is obeyed however long its words are."""
    return text.encode()[:_NAME_BYTES].decode(errors="ignore")
