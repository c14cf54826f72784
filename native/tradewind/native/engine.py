"""Core: the order engine for Python: its configuration's keys, an engine in memory, and the journal as records.

All amounts are the wire's integers: money 1e-8, quantities 1e-9 shares, ratios in a record 1e-6, times ns since the
epoch, UTC. In the configuration money is a decimal string, a ratio a fraction in [0, 1], and null switches a limit off.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict, cast

from tradewind.native import _core
from tradewind.native._core import EngineConfigError, JournalError

__all__ = [
    "Engine",
    "EngineConfig",
    "EngineConfigError",
    "Input",
    "JournalError",
    "Limits",
    "Outputs",
    "Replay",
    "StrategyEntry",
    "SymbolEntry",
    "limit_names",
    "order_lifecycle_markdown",
    "read_journal",
    "reject_codes",
    "replay_journal",
]


class SymbolEntry(TypedDict):
    """A symbol that the account may trade."""

    symbol: str
    sector: NotRequired[str]  # "" = in no sector
    tradable: NotRequired[bool]
    shortable: NotRequired[bool]
    restricted: NotRequired[bool]  # on the restricted list: every order is refused
    max_sector_exposure_pct: NotRequired[float | None]  # own cap of its sector, in place of the general one
    price_increment: NotRequired[str]  # "0.01"
    quantity_increment: NotRequired[str]  # "1"; "0.000000001" for fractions


class StrategyEntry(TypedDict):
    """A strategy with a sub-book of its own. The smaller of the two budgets holds for its gross exposure."""

    uid: str
    capital_budget: NotRequired[str | None]
    capital_share: NotRequired[float | None]  # of equity; default 1
    order_ttl_ns: NotRequired[int]  # an older order is cancelled; 0 = never, absent: the engine's
    accept_fill: NotRequired[float]  # filled to this share when its time is up, an order counts as done
    rests_overnight: NotRequired[bool]  # decides on daily bars: its orders may wait for the next open
    leaving: NotRequired[Literal["keep", "cancel", "flatten"] | None]  # is being deleted: what becomes of what it has


class Limits(TypedDict):
    """Every limit of the risk gate. All are required: an absent limit is a refusal, null one that is off."""

    max_order_notional: str | None
    price_collar_pct: float | None  # of the last price, limit orders
    max_price_age_ns: int | None
    max_orders_per_minute: int | None
    max_trades_per_day: int | None  # orders sent
    max_position_pct: float | None  # of equity, per symbol
    max_positions: int | None
    max_gross_exposure_pct: float | None
    max_net_exposure_pct: float | None
    max_short_share_pct: float | None  # of the allowed gross exposure
    max_sector_exposure_pct: float | None
    daily_loss_pct: float | None  # from the day's highest equity
    weekly_loss_pct: float | None  # from the week's first equity
    monthly_loss_pct: float | None  # from the month's first equity
    drawdown_reduce_pct: float | None
    drawdown_reduce_factor: float | None
    drawdown_halve_pct: float | None
    drawdown_halve_factor: float | None
    drawdown_stop_pct: float | None  # kill switch and flatten
    max_consecutive_losses: int | None
    volatility_reduce_at: str | None  # points of the volatility index, "25"
    volatility_reduce_factor: float | None
    volatility_halt_at: str | None
    market_order_buffer_pct: float | None  # reserve of buying power above the last price
    max_position_notional: str | None  # per symbol
    max_turnover_pct: float | None  # traded and working since the day began, of equity
    trade_risk_pct: float | None  # at risk in one position, of equity
    trade_risk_hard_pct: float | None  # at risk in one position and lost in it already
    adverse_move_sigmas: float | None  # daily deviations that a position may lose; needed by the two above
    assumed_volatility: float | None  # annual, of a symbol without an estimate; null: such a symbol is refused
    max_estimate_age_ns: int | None
    max_group_exposure_pct: float | None  # per group of correlated symbols
    max_value_at_risk_pct: float | None  # 95 %, one day
    max_volatility_pct: float | None  # of the account, annual
    session_skip_first_ns: int | None  # no orders this long after the open; null, with the next: at any time
    session_skip_last_ns: int | None  # ... and before the close
    reentry_step: float | None  # of the drawdown ladder's cut, given back per profitable day
    rapid_decline_pct: float | None  # lost within five minutes: kill switch
    feed_lost_after_ns: int | None  # no bar for so long within a session: kill switch
    broker_lost_after_ns: int | None  # the broker's stream down for so long: kill switch
    cut_tolerance_pct: float | None  # of a limit; positions that prices take further past it are cut back to it
    gap_move_sigmas: float | None  # a stop-loss counts as no nearer than so many daily deviations
    extended_before_ns: int | None  # extended hours begin so long before the open, null: at the close before
    extended_after_ns: int | None  # ... and end so long after the close; both 0: orders for them are refused
    breaker_failures: int | None  # failed requests to the broker in a row after which new risk is refused
    breaker_pause_ns: int | None  # from then to the first trial; needed by the one above
    feed_silent_after_ns: int | None  # no bar for so long within a session: new risk is refused
    allow_short: bool
    volatility_required: NotRequired[bool]  # no index, no entries
    kill_on_daily_loss: NotRequired[bool]
    kill_flattens: NotRequired[bool]  # also when the feed or the broker is lost; default true


class OverrideEntry(TypedDict):
    """One limit for a while; it ends by itself at ``until``, ns UTC, by the engine's own time."""

    limit: str  # a key of `Limits`
    value: str | float | int | None
    until: int
    by: str
    reason: NotRequired[str]


class EngineConfig(TypedDict):
    """What an engine is built from. Unknown keys are refused by name."""

    account: str
    mode: NotRequired[Literal["paper", "live"]]  # live trades only champions whose gates have passed
    symbols: list[SymbolEntry]
    strategies: list[StrategyEntry]
    limits: Limits
    overrides: NotRequired[list[OverrideEntry]]
    policy_generation: NotRequired[int]  # of the policy; stands in each verdict
    day_offset_ns: NotRequired[int]  # a trading day begins at 00:00 UTC plus this; default 5 h
    order_ttl_ns: NotRequired[int]  # 0 = orders do not time out
    stuck_after_ns: NotRequired[int]  # silence of an order in transition after which it is looked up; 0 = never
    retry_after_ns: NotRequired[int]
    cash_tolerance: NotRequired[str]  # smaller differences to the broker's cash are rounding
    max_orders: NotRequired[int]
    max_intents: NotRequired[int]
    reconcile_every_ns: NotRequired[int]  # compare with the broker this often; 0 = at the start and after gaps only


class Input(TypedDict):
    """One input of the engine: ``body`` has the fields of messages.hpp by name; the rest keeps its default."""

    input: Literal["time", "bar", "intent", "broker", "control", "estimate", "session"]
    now: int
    topic: NotRequired[int]  # 1 bars, 2 intents, 3 control: where `offset` counts
    offset: NotRequired[int]
    body: NotRequired[dict[str, Any]]


class Outputs(TypedDict):
    """What one input led to. ``record`` is its kind: verdict, order, fill, position, account, risk, kill, alert."""

    requests: list[dict[str, Any]]
    records: list[dict[str, Any]]


class Replay(TypedDict):
    """What replaying a journal arrived at."""

    inputs: int
    last_sequence: int
    decision_hash: str
    state_hash: str
    counts: NotRequired[dict[str, Any]]
    account: NotRequired[dict[str, int]]
    config: NotRequired[str]


class Engine:
    """A deterministic engine in this process; with ``journal``, every step is written there before it is answered.

    Raises `EngineConfigError` for a configuration, `JournalError` for a journal that it refuses, in one clear line.
    """

    def __init__(
        self,
        config: EngineConfig | Mapping[str, Any],
        *,
        journal: Path | None = None,
        sync: Literal["none", "batch", "always"] = "none",
    ) -> None:
        self._native = _core.Engine(json.dumps(config), None if journal is None else str(journal), sync)

    def step(self, message: Input) -> Outputs:
        """One input in, all that it leads to out. Raises `ValueError` naming a key that is unknown or mistyped."""
        return cast(Outputs, self._native.step(cast(dict[str, Any], message)))

    def reconfigure(self, config: EngineConfig | Mapping[str, Any]) -> None:
        """Other limits, symbols or strategies from the next step on; books are carried over by name."""
        self._native.reconfigure(json.dumps(config))

    def positions(self) -> list[dict[str, Any]]:
        """Each (strategy, symbol) and, under strategy "", the account's position that is or was held."""
        return self._native.positions()

    def check_order(self, symbol: str, quantity: int, limit_price: int = 0) -> dict[str, Any]:
        """What the risk gate would say to this order now; nothing is sent.

        ``quantity`` is signed, a ``limit_price`` of 0 makes it a market order. ``code`` is OK or the reject code, with
        ``value``, ``limit``, ``passes`` (what would have passed) and ``message``.
        """
        return self._native.check_order(symbol, quantity, limit_price)

    def open_orders(self) -> list[dict[str, Any]]:
        """The latest record of each order that has not ended."""
        return self._native.open_orders()

    def account(self) -> dict[str, int]:
        """Cash, equity and buying power."""
        return self._native.account()

    def risk(self) -> dict[str, Any]:
        """Kill switch, drawdown, size factor, exposures."""
        return self._native.risk()

    def counts(self) -> dict[str, Any]:
        """Inputs, intents, accepted, rejected, orders, fills, and rejections by code."""
        return self._native.counts()

    def next_offset(self, topic: int) -> int:
        """The first offset of the topic that the engine has not seen."""
        return self._native.next_offset(topic)

    def check_invariants(self) -> str:
        """Empty, or the first invariant that does not hold."""
        return self._native.check_invariants()

    @property
    def decision_hash(self) -> str:
        """SHA-256 over every decision so far: no wall times, no broker ids."""
        return self._native.decision_hash

    @property
    def state_hash(self) -> str:
        """SHA-256 over books, wishes and orders."""
        return self._native.state_hash

    @property
    def ready(self) -> bool:
        """The link is up and the account reconciled."""
        return self._native.ready

    @property
    def kill_switch(self) -> bool:
        """Latched."""
        return self._native.kill_switch

    @property
    def pending_requests(self) -> int:
        """Sent and not answered; 0 = the link is idle."""
        return self._native.pending_requests

    @property
    def working_orders(self) -> int:
        """Orders that have not ended."""
        return self._native.working_orders

    @property
    def last_sequence(self) -> int:
        """Of the journal; 0 without one."""
        return self._native.last_sequence


def read_journal(path: Path, after: int = 0) -> Iterator[dict[str, Any]]:
    """The records after a sequence: ``sequence``, ``input`` and the keys of `Outputs`, or ``sequence`` and ``config``.

    Ends at the end of the file or at a torn tail. Raises `JournalError` on any other damage.
    """
    return _core.read_journal(str(path), after)


def replay_journal(path: Path) -> Replay:
    """Feeds a journal to a fresh engine. Raises `JournalError` naming the first record that is answered differently."""
    return cast(Replay, _core.replay_journal(str(path)))


def reject_codes() -> dict[str, str]:
    """Every reject code and what it means."""
    return dict(_core.reject_codes())


def limit_names() -> list[str]:
    """Every key of `Limits` that may be null."""
    return _core.limit_names()


def order_lifecycle_markdown() -> str:
    """The order lifecycle as a Markdown table: state and event give the next state."""
    return _core.order_lifecycle_markdown()
