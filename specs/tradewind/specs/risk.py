"""The `RiskPolicy` document: an account, its limits and who may trade on it. Core.

Defaults are design decisions (docs/decisions); shares are fractions of equity unless a field says otherwise.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, ValidationError, model_validator

from tradewind.specs.base import (
    Document,
    Duration,
    Fraction,
    MoneyText,
    Name,
    PositiveFraction,
    SpecModel,
    Ticker,
    null_as,
)


class LossLimits(SpecModel):
    """How much may be lost before new risk is refused."""

    daily: PositiveFraction = Field(0.02, description="From the day's highest equity.")
    weekly: PositiveFraction = Field(0.05, description="From the equity at the start of the week.")
    monthly: PositiveFraction = Field(0.10, description="From the equity at the start of the month.")
    per_trade: PositiveFraction = Field(0.004, description="Equity at risk in one position: its adverse move.")
    per_trade_hard: PositiveFraction = Field(
        0.01, description="Equity at risk in one position and lost in it already; no override may pass this."
    )
    adverse_move: float = Field(
        2.0, gt=0, le=10, description="Adverse move of a position without a stop, in its daily standard deviations."
    )
    gap_move: float = Field(
        0.5, ge=0, le=10, description="A stop-loss counts as no nearer than this many daily standard deviations: a gap."
    )
    consecutive: int = Field(3, ge=1, le=100, description="Losing trades in a row that pause the rest of the session.")

    @model_validator(mode="after")
    def _hard_is_harder(self) -> LossLimits:
        if self.per_trade > self.per_trade_hard:
            raise ValueError(f"perTrade ({self.per_trade}) must not be above perTradeHard ({self.per_trade_hard})")
        return self


class DrawdownStep(SpecModel):
    """One rung of the ladder."""

    at: PositiveFraction = Field(description="Drawdown from the highest equity.")
    size: Fraction = Field(description="Factor on position sizes; 0 flattens and trips the kill switch.")


class PositionLimits(SpecModel):
    """Per position."""

    max_share: PositiveFraction = Field(0.05, description="Largest position.")
    max_count: int = Field(20, ge=1, le=2000, description="Simultaneous positions.")
    max_notional: MoneyText | None = Field(None, description="Largest position in currency; null: no such limit.")


class ExposureLimits(SpecModel):
    """Across positions."""

    gross: float = Field(1.0, gt=0, le=4, description="Long plus short.")
    net: float = Field(1.0, gt=0, le=4, description="Absolute value of long minus short.")
    short_share_of_gross: Fraction = Field(0.5, description="Short exposure as a share of gross.")
    sector: PositiveFraction = Field(0.25, description="Per sector.")
    sectors: dict[str, PositiveFraction] = Field(
        default_factory=dict, description="Own caps of single sectors, each in place of `sector`."
    )
    sector_of: dict[Ticker, str] = Field(
        default_factory=dict, description="Sector of each symbol; a symbol without one is in no sector."
    )
    correlated_group: PositiveFraction = Field(0.30, description="Per group of correlated symbols.")
    pair_correlation: PositiveFraction = Field(0.80, description="Correlation from which two symbols are one group.")

    @model_validator(mode="after")
    def _known_sectors(self) -> ExposureLimits:
        unknown = sorted(set(self.sectors) - set(self.sector_of.values()))
        if unknown:
            raise ValueError(f"sectors.{unknown[0]}: no symbol of sectorOf is in this sector; correct its name")
        return self


class OrderLimits(SpecModel):
    """Per order."""

    max_notional: MoneyText = Field("25000", description="Fat-finger limit on one order.")
    price_collar: PositiveFraction = Field(0.10, description="A limit price may be this far from the last price.")
    max_price_age: Duration = Field("7d", description="An older price is no price (R-17-06).")
    per_minute: int = Field(120, ge=1, le=10000, description="Orders per minute.")
    trades_per_day: int = Field(100, ge=1, description="Orders per trading day.")
    turnover_per_day: float | None = Field(
        None, gt=0, le=100, description="Notional traded and working per day, as a multiple of equity; null: no limit."
    )


class VolatilityLimits(SpecModel):
    """When markets are wild."""

    index_halve_at: float = Field(
        25.0, gt=0, description="Volatility index (percent) from which exposure limits are halved."
    )
    index_halt_at: float = Field(35.0, gt=0, description="Volatility index from which new risk is refused.")
    index_feature: str = Field(
        "ctx_realvol_21_annual", description="Feature that serves as the volatility index, as a fraction."
    )
    var95: PositiveFraction = Field(0.03, description="Portfolio value at risk, 95%, one day.")
    portfolio: PositiveFraction = Field(0.25, description="Annual portfolio volatility.")
    look_back_days: int = Field(
        63, ge=20, le=64, description="Trading days whose returns estimate volatility, value at risk and correlations."
    )
    min_days: int = Field(20, ge=2, le=64, description="Daily returns a symbol needs for an estimate of its own.")
    assumed: Annotated[float | None, null_as(0)] = Field(
        0.50,
        gt=0,
        le=10,
        description="Annual volatility assumed of a symbol without an estimate, which is taken to move against all "
        "others; 0 or null: orders in it are refused.",
    )
    max_estimate_age: Duration = Field("5d", description="Older estimates are none: new risk is refused.")

    @model_validator(mode="after")
    def _ordered(self) -> VolatilityLimits:
        if self.index_halve_at >= self.index_halt_at:
            raise ValueError(f"indexHalveAt ({self.index_halve_at}) must be below indexHaltAt ({self.index_halt_at})")
        if self.min_days > self.look_back_days:
            raise ValueError(f"minDays ({self.min_days}) must not be above lookBackDays ({self.look_back_days})")
        return self


class SessionLimits(SpecModel):
    """When orders may be sent. What decides on daily bars may send after the close, too: it waits for the next open."""

    calendar: str = Field("XNYS", description="Exchange calendar.")
    skip_first: Duration = Field("5m", description="No orders this long after the open.")
    skip_last: Duration = Field("5m", description="No orders this long before the close.")
    extended_hours: bool = Field(
        False, description="Orders that ask for it may be sent, and trade, before the open and after the close."
    )


class BreachLimits(SpecModel):
    """What happens when prices, not orders, take a position or an exposure past its limit."""

    action: Literal["Alert", "Cut"] = Field(
        "Cut", description="Both refuse what would go further; Cut also brings positions back to the limit."
    )
    tolerance: Fraction = Field(
        0.20, description="Cut only what is further past its limit than this share of it; a cut goes back to the limit."
    )


class BreakerLimits(SpecModel):
    """When new risk is refused because something outside does not answer."""

    failures: int = Field(5, ge=1, le=1000, description="Failed requests to the broker in a row that open its breaker.")
    pause: Duration = Field(
        "5s",
        description="From then to the first trial, at most 1h; twice as long after each that fails, up to 32 times.",
    )
    feed_silence: Duration = Field(
        "1m", description="Silence of the data feed, beyond one bar and within a session, that opens its breaker."
    )


class Limits(SpecModel):
    """Everything the risk gate checks."""

    loss: LossLimits = Field(default_factory=LossLimits)
    drawdown: list[DrawdownStep] = Field(
        default_factory=lambda: [
            DrawdownStep(at=0.05, size=0.75),
            DrawdownStep(at=0.10, size=0.50),
            DrawdownStep(at=0.15, size=0.0),
        ],
        min_length=3,
        max_length=3,
        description="Drawdown ladder: two rungs shrink positions, the third (size 0) flattens and trips the switch.",
    )
    reentry_step: PositiveFraction = Field(0.25, description="Share of the cut given back per profitable day.")
    position: PositionLimits = Field(default_factory=PositionLimits)
    exposure: ExposureLimits = Field(default_factory=ExposureLimits)
    order: OrderLimits = Field(default_factory=OrderLimits)
    volatility: VolatilityLimits = Field(default_factory=VolatilityLimits)
    session: SessionLimits = Field(default_factory=SessionLimits)
    breach: BreachLimits = Field(default_factory=BreachLimits)
    breaker: BreakerLimits = Field(default_factory=BreakerLimits)
    restricted: list[Ticker] = Field(
        default_factory=list, description="No orders in these; only the kill switch closes them."
    )
    shorting: bool = Field(True, description="Whether short positions are allowed.")

    @model_validator(mode="after")
    def _ladder(self) -> Limits:
        steps = self.drawdown
        for lower, upper in pairwise(steps):
            if not (lower.at < upper.at and lower.size > upper.size):
                raise ValueError(
                    f"drawdown steps must deepen and shrink: {lower.at}→{lower.size} then {upper.at}→{upper.size}"
                )
        if steps[-1].size != 0:
            raise ValueError(f"drawdown: the last step must have size 0 (flatten), not {steps[-1].size}")
        return self


class KillSwitch(SpecModel):
    """The latch that stops everything."""

    engaged: bool = Field(False, description="True: refuse, cancel and, if flatten, close every position.")
    flatten: bool = Field(
        True, description="Close positions, too, when engaged or when the feed or the broker is lost; losses always do."
    )
    released_by: str = Field(
        "", max_length=100, description="Person who releases a latched switch, when changed in a running policy."
    )
    rapid_decline: PositiveFraction = Field(0.02, description="Loss within five minutes that trips the switch.")
    feed_lost_after: Duration = Field(
        "2m", description="Silence of the data feed, beyond one bar and within a session, that trips the switch."
    )
    broker_lost_after: Duration = Field(
        "5m", description="Outage of the broker's stream that trips the switch, unless the market is closed."
    )

    @model_validator(mode="after")
    def _one_or_the_other(self) -> KillSwitch:
        if self.engaged and self.released_by:
            raise ValueError(f"engaged and releasedBy ({self.released_by}) contradict each other: remove one")
        return self


class Override(SpecModel):
    """A temporary change of one limit."""

    limit: str = Field(description="Dotted path of the limit below spec.limits, e.g. position.maxShare.")
    value: float = Field(description="What the limit is instead; maxNotional: in currency.")
    until: AwareDatetime = Field(description="The override ends by itself at this time, which names its zone.")
    by: str = Field(min_length=1, max_length=48, description="Person who asked.")
    reason: str = Field(min_length=1, max_length=90, description="Why, for the audit.")


class Broker(SpecModel):
    """Where orders go.

    Keys come from the environment (APCA_API_KEY_ID, APCA_API_SECRET_KEY) or a Secret, never from here.
    """

    kind: Literal["Alpaca"] = Field("Alpaca", description="Whose protocol orders are sent in.")
    url: str = Field(
        "", description="Trading REST base; empty: APCA_API_BASE_URL, or Alpaca's address for the account."
    )
    requests_per_minute: int = Field(200, ge=1, description="Alpaca's budget per key; a reserve is kept for cancels.")
    request_timeout: Duration = Field("5s", description="An answer that takes longer is looked up.")
    connections: int = Field(
        8, ge=1, le=32, description="Connections kept open; each carries one request at a time, the rest queue."
    )


class ExecutorRuntime(SpecModel):
    """How the executor runs."""

    sync: Literal["None", "Batch", "Always"] = Field(
        "None", description="Journal durability against power loss; SIGKILL is always safe."
    )
    wait: Literal["Blocking", "Spinning"] = Field("Blocking", description="How the engine thread waits.")
    cpu: int | None = Field(None, ge=0, description="CPU the engine thread is pinned to, local runs.")
    pinning: Literal["Required", "Preferred", "None"] = Field(
        "Preferred",
        description="CPUs of its own for the executor (CPUPinned). Required: not ready without; None: not asked for.",
    )
    lease: Duration = Field(
        "15s",
        description="No order leaves this long after the executor last said that it lives; then another may start.",
    )
    reconcile: Duration = Field(
        "5m", description="Account, positions and orders are compared with the broker's this often, and after each gap."
    )


class RiskPolicySpec(SpecModel):
    """An account and its rules."""

    account: Literal["paper", "live"] = Field(
        "paper", description="Which of Alpaca's accounts; authoritative over a strategy's mode."
    )
    strategies: list[Name] = Field(min_length=1, description="Strategies allowed to bind to this account.")
    broker: Broker = Field(default_factory=Broker)
    limits: Limits = Field(default_factory=Limits)
    kill_switch: KillSwitch = Field(default_factory=KillSwitch)
    overrides: list[Override] = Field(
        default_factory=list, max_length=32, description="Temporary overrides of single limits."
    )
    execution: ExecutorRuntime = Field(default_factory=ExecutorRuntime)
    on_delete: Literal["Refuse", "Wait"] = Field(
        "Refuse",
        description="When it is deleted and a Strategy trades under it. Refuse: it stays. Wait: it goes with the last.",
    )

    @model_validator(mode="after")
    def _overrides_fit(self) -> RiskPolicySpec:
        for override in self.overrides:
            overridden(self.limits, override)
        return self


def overridden(limits: Limits, override: Override) -> Limits:
    """`limits` with one of them changed. Raises ValueError naming a path that is no number or can't be this one."""
    values: dict[str, Any] = limits.model_dump(by_alias=True)
    inner: Any = values
    *parents, last = override.limit.split(".")
    for parent in parents:
        inner = inner.get(parent) if isinstance(inner, dict) else None
    old = inner.get(last) if isinstance(inner, dict) else None
    if isinstance(old, bool) or not (isinstance(old, int | float) or last == "maxNotional"):
        raise ValueError(f"overrides: {override.limit} is not a number of spec.limits, e.g. position.maxShare")
    text = last == "maxNotional"
    whole = isinstance(old, int) and override.value == int(override.value)
    inner[last] = (
        format(Decimal(str(override.value)), "f") if text else int(override.value) if whole else override.value
    )
    try:
        return Limits.model_validate(values)
    except ValidationError as error:
        raise ValueError(f"overrides: {override.limit}: {error.errors()[0]['msg']}") from None


class RiskPolicy(Document):
    """An account, its limits and the strategies that may trade on it."""

    kind: Literal["RiskPolicy"] = "RiskPolicy"
    spec: RiskPolicySpec
