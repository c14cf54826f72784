"""Shell: the live order path of one account: the native engine, its journal and its link to the broker.

Amounts are the wire's integers: money in 1e-8, quantities in 1e-9 shares, times in ns since the epoch, UTC.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import astuple
from typing import Any, Literal, NamedTuple, get_args

from tradewind.native._core import Executor as _Executor
from tradewind.native._core import ExecutorError
from tradewind.native.algorithms import ExecutionPlan

__all__ = ["CONTROL_KINDS", "ControlKind", "EstimateRow", "Executor", "ExecutorError"]

ControlKind = Literal["halt", "resume", "pause", "flush", "shutdown", "started", "stopped", "lease lost", "lease held"]

CONTROL_KINDS: tuple[ControlKind | None, ...] = (None, *get_args(ControlKind))
"""By the number that a journal's control has."""


class EstimateRow(NamedTuple):
    """What the slow loop says of a symbol: its correlated group ("": none), daily returns at 2^-20, oldest first."""

    symbol: str
    group: str
    returns: list[int]


class Executor:
    """Owns the engine thread, the journal and the broker link.

    ``config`` is ``{"engine": {...}, "journal": {"directory", "sync"}, "broker": {"url", "key_id", "secret", ...},
    "threads": {"wait", "cpu", "clock"}}``. Optional in ``broker``: ``stream_url``, ``ca_file``, ``requests_per_minute``
    (0: no limit), ``cancel_reserve``, ``timeout_ms``, ``retry_ms``, ``connections``. Optional altogether: ``threads``;
    ``wait`` is ``"blocking"`` or ``"spinning"``, ``cpu`` pins the engine thread, ``clock`` is ``"wall"`` or
    ``"virtual"``. With the virtual clock each push must give ``now``; with the wall clock the time of arrival counts.

    Creating one opens and replays the journal; nothing is sent before :meth:`start`. Raises `ExecutorError` with one
    clear line: an unknown or missing key, a damaged journal, a broker that cannot be reached or refuses the keys.
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._native = _Executor(json.dumps(config))

    def start(self) -> None:
        """Connects, compares account, positions and orders with the books, and returns when intents are accepted."""
        self._native.start()

    def stop(self) -> None:
        """Ends the threads for good; the journal stays locked until this object is gone.

        Working orders stay at the broker, where the next executor finds them.
        """
        self._native.stop()

    def __enter__(self) -> Executor:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def push_bar(
        self,
        symbol: str,
        event_time: int,
        open: int,  # noqa: A002 - the field's name everywhere
        high: int,
        low: int,
        close: int,
        volume: int,
        *,
        context: bool = False,
        volatility_index: int = 0,
        now: int | None = None,
        offset: int = -1,
    ) -> None:
        """A bar; ``event_time`` is its close. ``context``: an index; ``volatility_index`` in points, 1e-8."""
        self._native.push_bar(
            symbol, event_time, open, high, low, close, volume, context, volatility_index, now=now, offset=offset
        )

    def push_intent(
        self,
        *,
        id: str,  # noqa: A002 - the field's name everywhere
        strategy: str,
        symbol: str,
        target: int,
        decision_time: int,
        valid_until: int,
        order_type: int = 1,
        time_in_force: int = 1,
        limit_price: int = 0,
        reference_price: int = 0,
        champion: bool = False,
        gates_passed: bool = False,
        model: str = "",
        model_version: str = "",
        stop_price: int = 0,
        trail_price: int = 0,
        trail_ratio: int = 0,
        extended_hours: bool = False,
        target_notional: int = 0,
        stop_loss: int = 0,
        take_profit: int = 0,
        plan: ExecutionPlan | None = None,
        now: int | None = None,
        offset: int = -1,
        flush: bool = False,
    ) -> None:
        """A strategy's target position. Enums are the numbers of ``tradewind.v1``.

        Intents are netted and sent at the next ``push_control("flush")``; ``flush=True`` adds that in the same breath.
        `plan` spreads the order over time; None sends it at once. Raises ValueError when a text is too long for its
        field.
        """
        self._native.push_intent(
            id=id,
            strategy=strategy,
            symbol=symbol,
            target=target,
            decision_time=decision_time,
            valid_until=valid_until,
            order_type=order_type,
            time_in_force=time_in_force,
            limit_price=limit_price,
            reference_price=reference_price,
            champion=champion,
            gates_passed=gates_passed,
            model=model,
            model_version=model_version,
            stop_price=stop_price,
            trail_price=trail_price,
            trail_ratio=trail_ratio,
            extended_hours=extended_hours,
            target_notional=target_notional,
            stop_loss=stop_loss,
            take_profit=take_profit,
            plan=astuple(plan) if plan is not None else (0,) * 7,
            now=now,
            offset=offset,
            flush=flush,
        )

    def push_estimates(self, rows: Sequence[EstimateRow], time: int, *, now: int | None = None) -> None:
        """One set of risk estimates as of ``time``, taken over as a whole; at most 64 returns, as many in each row.

        A symbol without a row has no estimate from then on. Raises ValueError when a text or list is too long.
        """
        self._native.push_estimates(list(rows), time, now=now)

    def push_session(self, open: int, close: int, next_open: int, *, now: int | None = None) -> None:  # noqa: A002
        """The exchange's session that has begun last, and when the next begins. What isn't covered is refused."""
        self._native.push_session(open, close, next_open, now=now)

    def push_control(
        self,
        kind: ControlKind,
        *,
        issued_by: str = "",
        reason: str = "",
        flatten: bool = False,
        now: int | None = None,
        offset: int = -1,
    ) -> None:
        """A command of the control topic, or ``"flush"``: the batch of intents is complete."""
        self._native.push_control(kind, issued_by, reason, flatten, now=now, offset=offset)

    def push_time(self, now: int | None = None) -> None:
        """Time has passed. With the wall clock the executor tells itself so once a second."""
        self._native.push_time(now)

    def extend_lease(self, until: int) -> None:
        """Orders may be written until CLOCK_BOOTTIME reads ``until`` ns; before the first call none, with ``lease``."""
        self._native.extend_lease(until)

    def wait_idle(self, timeout: float) -> bool:
        """True once all that was pushed is decided and every request answered; False after ``timeout`` seconds."""
        return self._native.wait_idle(timeout)

    def wait_stream(self, event_id: int, timeout: float) -> bool:
        """True once the broker's stream up to ``event_id`` is in the books, directly or by a later snapshot."""
        return self._native.wait_stream(event_id, timeout)

    def drain(self, after_sequence: int, max_records: int = 10_000) -> list[dict[str, Any]]:
        """Records of the journal after a sequence, in order; those of one sequence are never parted.

        Each has ``record`` (verdict, order, fill, position, account, risk, kill, alert), ``sequence``, and ``now``,
        ``topic`` and ``offset`` of the input that caused it, and the fields of ``engine/records.hpp``. A command
        (``record`` control: ``kind`` as in `CONTROL_KINDS`, issued_by, reason, flatten) and a configuration (``record``
        config: ``config``, JSON, in force from here on) stand among them. Ends with the first sequence that makes them
        ``max_records`` or more; a restart continues from the last one published.
        """
        return self._native.drain(after_sequence, max_records)

    def ready(self) -> bool:
        """The broker's stream is up and the books are reconciled."""
        return self._native.ready()

    def decision_hash(self) -> str:
        """SHA-256 over every decision so far."""
        return self._native.decision_hash()

    def stats(self) -> dict[str, Any]:
        """Counts, hashes, ``risk`` and ``account``, ``outstanding`` requests, ``broken_invariant`` ("" = none).

        ``remains``: of each strategy that is being deleted, how many symbols it has ``orders`` and ``positions`` in,
        and the code for which closing them was ``refused`` ("" = none). ``strategies``: of each, since it is
        configured, the ``intents`` that were decided, its ``trades`` (orders of which it got a fill), and the
        ``rejections`` by code: of intents, of slices, and of orders that the broker will not take."""
        return self._native.stats()

    def latencies(self) -> dict[str, dict[str, int]]:
        """ns per hop, of the requests that were answered: ``count``, ``p50``, ``p99``, ``p99.9``, ``max``.

        queue, decide, then encode or, for an order that found no connection free, wait; write; total of an intent's
        order; answer."""
        return self._native.latencies()

    def offsets(self) -> dict[str, int]:
        """The next offset to read of ``bars``, ``intents`` and ``control``, as the journal knows it."""
        return self._native.offsets()

    def positions(self) -> list[dict[str, Any]]:
        """Position records: the account's (``strategy`` "") and each strategy's."""
        return self._native.positions()

    def reconfigure(self, engine: Mapping[str, Any]) -> None:
        """Takes a new ``engine`` section at the next step; `ExecutorError`, and no change, when it cannot be."""
        self._native.reconfigure(json.dumps(engine))
