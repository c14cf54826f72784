"""How a strategy's model is made: labels, splits, search, gates. Core."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from tradewind.specs.base import Fraction, PositiveFraction, SpecModel
from tradewind.specs.schedule import PATTERN

Schedule = Annotated[str, StringConstraints(pattern=PATTERN)]


class TripleBarrierLabel(SpecModel):
    """Which of three barriers a price touches first (López de Prado, Advances in Financial Machine Learning, 3.4)."""

    kind: Literal["TripleBarrier"] = "TripleBarrier"
    horizon_bars: int = Field(10, ge=1, le=500, description="The vertical barrier, in bars after the decision.")
    upper: float = Field(2.0, gt=0, le=20, description="Upper barrier, in units of the bar volatility at the decision.")
    lower: float = Field(2.0, gt=0, le=20, description="Lower barrier, in the same units.")
    volatility_bars: int = Field(20, ge=5, le=500, description="Window of the volatility estimate, in bars.")


class ForwardReturnLabel(SpecModel):
    """The log return from the next bar's open over a number of bars."""

    kind: Literal["ForwardReturn"] = "ForwardReturn"
    horizon_bars: int = Field(5, ge=1, le=500, description="Bars from the fill (next open) to the measured open.")


class WalkForward(SpecModel):
    """Purged walk-forward splits. Counts are trading bars (days for daily bars)."""

    train_bars: int = Field(252, ge=20, description="Length of each training window.")
    validation_bars: int = Field(63, ge=5, description="Length of each validation window.")
    step_bars: int = Field(21, ge=1, description="How far the windows move from one split to the next.")
    anchored: bool = Field(False, description="True: every training window starts at the first bar.")
    purge_bars: int | None = Field(
        None, ge=0, description="Bars dropped before validation; default: the label's horizon."
    )
    embargo: Fraction = Field(0.01, description="Share of all bars dropped after each validation window.")


class Search(SpecModel):
    """Hyper-parameter search by Ray Tune with Optuna's TPE sampler; seeded, one trial at a time."""

    trials: int = Field(20, ge=1, le=1000, description="Number of trials.")
    objective: Literal["Sharpe", "IC", "LogLoss"] = Field("Sharpe", description="What a trial maximises out of sample.")
    seed: int = Field(7, ge=0, description="Seed of sampler and models.")
    time_limit_seconds: int = Field(600, ge=1, description="The search ends after this long even with trials left.")


class Gates(SpecModel):
    """Promotion gates (R-05-69/70). A failed gate blocks Live; in Paper it is shown."""

    min_sharpe: float = Field(1.0, description="Out-of-sample Sharpe ratio, annualised, after costs.")
    max_drawdown: PositiveFraction = Field(0.10, description="Out-of-sample maximum drawdown.")
    min_trades: int = Field(100, ge=0, description="Out-of-sample trades.")
    min_win_rate: Fraction = Field(0.45, description="Share of winning trades.")
    max_pbo: Fraction = Field(0.5, description="Probability of backtest overfitting (Bailey et al. 2015, CSCV).")
    min_deflated_sharpe: Fraction = Field(0.95, description="Deflated Sharpe ratio (Bailey, López de Prado 2014).")
    min_ic: float = Field(0.01, description="Mean rank correlation of prediction and outcome.")
    max_is_oos_ratio: float = Field(2.0, gt=0, description="In-sample Sharpe over out-of-sample Sharpe.")


class Training(SpecModel):
    """From history to a registered model."""

    start: date | None = Field(None, description="First day of history used; default: the first there is.")
    until: date | None = Field(
        None,
        description="No bar after this day is seen by training, search or selection; default: the day trading starts.",
    )
    label: TripleBarrierLabel | ForwardReturnLabel = Field(
        default_factory=TripleBarrierLabel, discriminator="kind", description="What the model learns."
    )
    splits: WalkForward = Field(default_factory=WalkForward, description="Purged walk-forward splits.")
    model: Literal["LightGBM"] = Field("LightGBM", description="Model family.")
    search: Search = Field(default_factory=Search, description="Hyper-parameter search.")
    gates: Gates = Field(default_factory=Gates, description="Promotion gates.")
    cost_bps: float = Field(
        5.0, ge=0, le=200, description="Cost per unit of turnover in the gates' returns, basis points."
    )
    retrain: Schedule = Field(
        "", description="Cron schedule of retraining in UTC, five fields; empty: when what it depends on changes."
    )

    @model_validator(mode="after")
    def _ordered(self) -> Training:
        if self.start and self.until and self.start >= self.until:
            raise ValueError(f"start ({self.start}) must be before until ({self.until})")
        return self
