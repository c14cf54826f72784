"""Configuration of a signal process."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from tradewind.specs import Strategy


class SignalConfig(BaseModel):
    """What `python -m tradewind.execution.signals --config FILE` reads."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bus: str = Field(description="Bus URL.")
    group: str = Field(description="Consumer group on the features topic.")
    account: str = Field(description="RiskPolicy whose account the strategy trades on.")
    policy_generation: int = 1
    strategy: Strategy
    predictor: str = Field(
        description="HOST:PORT of the predictor, or the file:///… path of the predictor.json it writes."
    )
    predictor_ca_file: str | None = Field(
        None, description="CA certificate that signed the predictor's, whose name is HOST then; null: plain text."
    )
    served_model: str | None = Field(
        None, description="Name under which the predictor serves the model; null: the model's own."
    )
    model_alias: str = Field("candidate", description="Predictions of a model under another alias are not traded on.")
    volatility_feature: str = Field(description="Feature that sizing takes as annual volatility.")
    features: list[str] = Field(description="Names, in the order of the vectors.")
    feature_set: str = Field(description="Name of the feature set; vectors of others are not ours.")
    positions_timeout_s: float | None = Field(
        None, description="How long to wait for a position snapshot as new as the vector; null (lockstep): for ever."
    )
    virtual_time: bool = Field(
        False, description="A data set is replayed, at whatever speed: a vector is as old as it says, not as the clock."
    )
    predict_timeout_s: float = 5.0
    probes_port: int | None = Field(
        None, ge=0, le=65_535, description="Serves /metrics, /livez and /readyz; 0 takes a free port; null: none."
    )
