"""The `Strategy` document: what to watch, what to learn, when to trade, how much. Core."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from tradewind.specs.base import (
    BarInterval,
    Document,
    Duration,
    Fraction,
    Name,
    PositiveFraction,
    SpecModel,
    Ticker,
    duration_ns,
    later,
    null_as,
)
from tradewind.specs.training import Training

MAX_SLICES = 1000  # of one order


class Universe(SpecModel):
    """Which symbols are traded, and what gives them market context."""

    symbols: list[Ticker] = Field(min_length=1, max_length=2000, description="Symbols to trade.")
    context: Annotated[Ticker | None, null_as("")] = Field(
        "^GSPC", description="Market index: an input of context features, never traded. Empty or null: none."
    )

    @field_validator("symbols")
    @classmethod
    def _unique(cls, symbols: list[str]) -> list[str]:
        twice = sorted({s for s in symbols if symbols.count(s) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} is listed twice: name each symbol once")
        return symbols

    @model_validator(mode="after")
    def _context_is_not_traded(self) -> Universe:
        if self.context in self.symbols:
            raise ValueError(f"context {self.context} is also in symbols: an index can't be traded, remove it from one")
        return self


class NewsSource(SpecModel):
    """One source of news."""

    kind: Literal["Calendar", "Edgar", "Rss", "Alpaca"] = Field(description="Where the news come from.")
    name: Name = Field(description="Name of the source; part of each item's id.")
    path: str = Field(
        "", description="Calendar: a YAML file of dated facts. Edgar: a file of submissions, or empty for the service."
    )
    url: str = Field("", description="Rss: the feed's address.")
    poll: Duration = Field("60s", description="How often a polled source is asked.")


class Features(SpecModel):
    """Which features the model sees."""

    names: list[str] = Field(
        default_factory=list,
        description="Feature names, {category}_{indicator}_{window}_{aggregation}; empty: the default set.",
    )
    max_warm_up_bars: int | None = Field(
        None,
        ge=1,
        description="Leaves out default features that need more bars, so that a young listing is traded sooner.",
    )
    max_age: Duration = Field("5d", description="An older vector is not traded on (FeaturesFresh).")


class SignalRules(SpecModel):
    """From a prediction to a direction and a strength."""

    threshold: Fraction = Field(0.05, description="Predictions weaker than this are flat.")
    min_confidence: Fraction = Field(0.0, description="Less confident predictions are flat.")
    direction: Literal["LongShort", "LongOnly", "ShortOnly"] = Field("LongShort", description="Directions allowed.")
    full_strength_at: PositiveFraction = Field(0.30, description="Prediction at which strength reaches 1.")
    invert: bool = Field(False, description="Trade against the model (a contrarian twin, or a test of netting).")


class Sizing(SpecModel):
    """From a strength to a target position, as a share of the strategy's capital."""

    method: Literal["PercentEquity", "VolatilityTarget"] = Field(
        "VolatilityTarget",
        description="PercentEquity: strength × maxPositionPct. VolatilityTarget: also scaled by risk.",
    )
    target_volatility: PositiveFraction = Field(
        0.15, description="Annual volatility aimed at by each position at full size."
    )
    volatility_bars: int = Field(20, ge=5, le=500, description="Window of the realised volatility, in bars.")
    max_position_pct: PositiveFraction = Field(0.05, description="Largest position, as a share of the capital.")
    min_position_pct: Fraction = Field(0.01, description="Smaller targets are flat.")
    rebalance_threshold: Fraction = Field(
        0.20, description="A position is left alone while the target differs by less than this share of it."
    )
    fractional: bool = Field(
        False, description="Targets are fractions of a share, to 1e-9; Day orders only, no shorts."
    )
    kelly_fraction: Fraction = later(0.25, description="Fraction of the Kelly bet.")


class Bracket(SpecModel):
    """Protection of a position, held by the engine: whichever level is reached first closes it at the market."""

    stop_loss: PositiveFraction | None = Field(None, description="Stop-loss, as a share of the entry's price.")
    take_profit: PositiveFraction | None = Field(None, description="Take-profit, as a share of the entry's price.")
    stop_loss_atr: float | None = Field(None, gt=0, le=100, description="Stop-loss, in average true ranges.")
    take_profit_atr: float | None = Field(None, gt=0, le=100, description="Take-profit, in average true ranges.")

    @model_validator(mode="after")
    def _one_way(self) -> Bracket:
        for share, multiple in (("stop_loss", "stop_loss_atr"), ("take_profit", "take_profit_atr")):
            if getattr(self, share) is not None and getattr(self, multiple) is not None:
                raise ValueError(f"{share} and {multiple} are both given: give one of the two")
        return self


class Impact(SpecModel):
    """What trading does to the price: the parameters of Almgren and Chriss (ImplementationShortfall, Adaptive)."""

    risk_aversion: float = Field(1e-6, ge=0, le=1, description="Variance (USD²) against expected cost (USD), per USD.")
    daily_volatility: PositiveFraction | None = Field(
        None, description="Volatility of daily returns; null: the one that sizing uses."
    )
    temporary_bps: float = Field(
        10.0, gt=0, le=10_000, description="Price paid for trading at a rate of one million USD a day, basis points."
    )
    permanent_bps: float = Field(
        1.0, ge=0, le=10_000, description="Price moved for good by one million USD traded, basis points."
    )

    @model_validator(mode="after")
    def _trading_costs_something(self) -> Impact:
        # Over the longest slice, a day; otherwise no schedule is the best one (Almgren and Chriss 2000, section 1.5).
        eta = (self.temporary_bps - self.permanent_bps / 2) * 1e-10
        if eta <= 0:
            raise ValueError("temporaryBps must be more than half of permanentBps")
        if self.risk_aversion > 1e6 * eta:
            raise ValueError(
                f"riskAversion: at most {1e6 * eta:.1e} with these impacts; more trades all in the first slice"
            )
        return self


class Execution(SpecModel):
    """How intents become orders."""

    order_type: Literal["Market", "Limit", "Stop", "StopLimit", "TrailingStop"] = Field(
        "Limit", description="Order type of entries. Exits of the three kinds that wait are limit orders."
    )
    limit_offset_bps: float = Field(
        5.0, ge=0, le=1000, description="Limit price beyond the reference price, basis points."
    )
    limit_volatility_share: Fraction = Field(
        0.02, description="The limit is at least this share of one bar's volatility beyond it."
    )
    limit_spread_share: Fraction = Field(
        0.5, description="... and this share of the spread, where the feature set has one (micro_roll_spread)."
    )
    stop_offset_bps: float = Field(
        25.0, ge=0, le=1000, description="Stop, StopLimit: stop price beyond the reference price, basis points."
    )
    trail: PositiveFraction = Field(
        0.02, lt=1, description="TrailingStop: distance from the best price, as a share of it."
    )
    extended_hours: bool = Field(False, description="Limit orders also trade before and after the session.")
    bracket: Bracket = Field(default_factory=Bracket, description="Stop-loss and take-profit of each position.")
    timeout: Duration | None = Field(
        None,
        description="An order older than this is cancelled. null: 60s; with daily bars its time in force decides.",
    )
    accept_fill: PositiveFraction = Field(
        0.8, description="Filled to this share when its time is up, an order counts as done; else it is worked on."
    )
    time_in_force: Literal["Day", "Gtc", "Ioc", "Fok", "Opg", "Cls"] = Field("Day", description="Life of an order.")
    valid_for: Duration = Field("5d", description="An intent that arrives later than this is refused.")
    urgency: Fraction = Field(
        0.5,
        description="0 patient, 1 at once: for smart routing, and how soon an algorithm makes up for unfilled slices.",
    )
    algorithm: Literal["None", "Twap", "Vwap", "ImplementationShortfall", "Participation", "Adaptive", "Smart"] = Field(
        "None", description="How orders are spread over time; Smart chooses by size, urgency and market."
    )
    duration: Duration = Field("1h", description="Window of the algorithm, at most 1d and longer than a bar.")
    interval: Duration = Field("5m", description="Time from slice to slice.")
    participation: Fraction = Field(
        0.1, description="Largest share of the volume traded since the start; 0: no limit (not for Participation)."
    )
    jitter: float = Field(0.2, ge=0, le=0.5, description="Slices are late by up to this share of the interval.")
    impact: Impact = Field(default_factory=Impact)

    @model_validator(mode="after")
    def _schedule_makes_sense(self) -> Execution:
        if self.algorithm == "None":
            return self
        duration, interval = duration_ns(self.duration), duration_ns(self.interval)
        if not 0 < duration <= duration_ns("1d"):
            raise ValueError(f"duration {self.duration}: give more than 0 and at most 1d")
        if not 0 < interval <= duration:
            raise ValueError(f"interval {self.interval}: give more than 0 and at most the duration {self.duration}")
        if -(-duration // interval) > MAX_SLICES:
            raise ValueError(
                f"interval {self.interval}: at most {MAX_SLICES} slices fit in the duration {self.duration}"
            )
        if duration_ns(self.valid_for) < duration:
            raise ValueError(f"validFor {self.valid_for}: must be at least the duration {self.duration}")
        if self.algorithm == "Participation" and self.participation == 0:
            raise ValueError("participation: must be more than 0 for the algorithm Participation")
        return self

    @model_validator(mode="after")
    def _schedule_fits_the_orders(self) -> Execution:
        if self.algorithm == "None":
            return self
        waits = self.order_type not in ("Market", "Limit")
        for field, taken in (
            (f"orderType {self.order_type}", waits),
            ("extendedHours", self.extended_hours),
            ("bracket", self.bracket != Bracket()),
        ):
            if taken:
                raise ValueError(
                    f"algorithm {self.algorithm} works plain Market and Limit orders: not with {field}; "
                    f"set algorithm None or leave the other out"
                )
        return self

    @model_validator(mode="after")
    def _broker_takes_it(self) -> Execution:
        waits = self.order_type in ("Stop", "StopLimit", "TrailingStop")
        if waits and self.time_in_force in ("Opg", "Cls"):
            raise ValueError(f"orderType {self.order_type} can't be sent to an auction: set timeInForce Day or Gtc")
        if self.order_type == "TrailingStop" and self.time_in_force not in ("Day", "Gtc"):
            raise ValueError("orderType TrailingStop takes timeInForce Day or Gtc only")
        if self.extended_hours and (self.order_type != "Limit" or self.time_in_force not in ("Day", "Gtc")):
            raise ValueError("extendedHours needs orderType Limit and timeInForce Day or Gtc")
        return self


class Rollout(SpecModel):
    """How a new model reaches the money of a Live strategy in a cluster: as a shadow, a canary, then the champion."""

    shadow: Duration = Field("14d", description="As a shadow: signals without orders for this long.")
    canary_capital: PositiveFraction = Field(
        0.1, lt=1, description="As a canary: orders with this share of the strategy's capital."
    )
    min_paper_trades: int = Field(
        100, ge=0, description="Trades that a canary needs, with less than 1% errors, to become the champion."
    )
    confirm_live: bool = Field(False, description="Explicit confirmation of Live: without it no order is sent.")


class StrategySpec(SpecModel):
    """What a strategy is."""

    mode: Literal["DryRun", "Paper", "Live"] = Field(
        "Paper", description="DryRun sends nothing; Paper and Live share one path."
    )
    risk_policy: Name = Field(description="The RiskPolicy (account) this strategy binds to.")
    capital_share: PositiveFraction = Field(1.0, description="Share of the account's equity this strategy may use.")
    bars: BarInterval = Field("1d", description="Bar interval.")
    universe: Universe
    news: list[NewsSource] = Field(default_factory=list, description="News sources that feed event features.")
    features: Features = Field(default_factory=Features)
    model: Name | None = Field(None, description="Registered model to trade on; default: the strategy's own name.")
    training: Training = Field(default_factory=Training)
    signal: SignalRules = Field(default_factory=SignalRules)
    sizing: Sizing = Field(default_factory=Sizing)
    execution: Execution = Field(default_factory=Execution)
    rollout: Rollout = Field(default_factory=Rollout)
    flat_at_close: bool = later(
        False, description="Close every position before the session ends (intraday strategies)."
    )
    on_delete: Literal["Cancel", "Flatten", "Keep"] = Field(
        "Cancel",
        description="When it is deleted. Cancel: its orders are cancelled, its positions stay. Flatten: positions are "
        "closed at the market, too. Keep: orders work on.",
    )

    @model_validator(mode="after")
    def _broker_takes_it(self) -> StrategySpec:
        execution = self.execution
        if any("/" in symbol for symbol in self.universe.symbols):
            if execution.time_in_force not in ("Gtc", "Ioc"):
                raise ValueError("pairs trade round the clock: set execution.timeInForce to Gtc or Ioc")
            if execution.order_type not in ("Market", "Limit", "StopLimit"):
                raise ValueError("pairs take execution.orderType Market, Limit or StopLimit only")
            if self.signal.direction != "LongOnly":
                raise ValueError("pairs can't be sold short: set signal.direction to LongOnly")
        if self.sizing.fractional and (execution.time_in_force != "Day" or execution.order_type == "TrailingStop"):
            raise ValueError("fractions of a share take Day orders and no trailing stops: set execution to match")
        return self


class Strategy(Document):
    """A machine-learned trading strategy."""

    kind: Literal["Strategy"] = "Strategy"
    spec: StrategySpec

    @property
    def model_name(self) -> str:
        """Name under which the model is registered."""
        return self.spec.model or self.metadata.name
