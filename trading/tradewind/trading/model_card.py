"""What a registered model says of itself: kept beside its weights, checked by whoever serves it. Core."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class GateResult(BaseModel):
    """One promotion gate: its figure beside its threshold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    verdict: Literal["pass", "fail", "inconclusive"]
    value: float | None
    threshold: float
    comparison: Literal[">=", "<="]


class ModelCard(BaseModel):
    """The artefact's own description (`card.json`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    task: Literal["classification", "regression"]
    feature_set: str
    feature_set_version: str
    features: list[str] = Field(min_length=1, description="Names, in the order of the model's inputs.")
    horizon_bars: int
    label: str = Field(description="Kind of label the model was fitted to.")
    prediction_scale: float = Field(
        gt=0, description="Regression: spread of the training labels, the unit of a prediction. Classification: 1."
    )
    gates: list[GateResult]
    gates_passed: bool
    trained_from: int = Field(description="First bar seen, ns UTC.")
    trained_until: int = Field(description="No bar after this was seen by training, search or selection, ns UTC.")
    rows: int
    seed: int
    parameters: dict[str, float | int | str | bool]
