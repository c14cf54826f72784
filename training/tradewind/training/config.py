"""Configuration of a training process. Core."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tradewind.specs import Strategy
from tradewind.streaming.features.config import FeatureSetConfig, StoreConfig
from tradewind.streaming.news.configured import NewsConfig


class RayConfig(BaseModel):
    """The Ray that training works on."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    address: Literal["auto"] | None = Field(
        None, description="auto: the cluster this process runs in, as a Ray job does; null: one that it starts itself."
    )

    num_cpus: int | None = Field(
        None, ge=1, description="CPUs it uses; null: those of this machine or of the cluster's nodes, at most 16."
    )
    fit_workers: Literal[0, 1] = Field(
        1, description="1: the final fit runs in a Ray Train worker; 0: in this process (Ray Train's local mode)."
    )
    object_store_mb: int = Field(100, ge=80, description="Shared memory of its own Ray, MiB (Ray needs 75).")


class TrainingRequest(BaseModel):
    """Who asked for a training: noted on the version that comes of it, so that it isn't asked for again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(min_length=1, max_length=64, pattern="^[0-9a-z]+$", description="What the model depends on.")
    until: int = Field(description="Until when it was to learn, ns UTC.")


class TrainingConfig(BaseModel):
    """What `python -m tradewind.training --config FILE` reads."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    strategy: Strategy
    dataset: Path = Field(description="Data set directory.")
    state_dir: Path = Field(description="Where the model registry lies (mlflow.db, mlruns/), without tracking_uri.")
    tracking_uri: str | None = Field(
        None, description="MLflow's server, which keeps runs, versions and artefacts: http(s)://HOST:PORT."
    )
    feature_dir: Path = Field(
        description="Where the feature repository lies; on a Ray cluster, a directory that all its nodes share."
    )
    store: StoreConfig | None = Field(
        None, description="Registry and newest vectors of the feature repository; null: files in feature_dir."
    )
    feature_set: FeatureSetConfig
    volatility_feature: str = Field(description="Feature that sizing takes as annual volatility.")
    until: int = Field(description="No bar after this is seen, ns UTC; training.until, if earlier, goes before it.")
    news: list[NewsConfig] = Field(
        default_factory=list, description="The strategy's news sources, as the feed has them."
    )
    companies: Path | None = Field(None, description="YAML of symbol: [names]; default the package's own.")
    ray: RayConfig = Field(default_factory=RayConfig)
    request: TrainingRequest | None = Field(None, description="Noted on the version; null: nobody looks for it.")
    force: bool = Field(False, description="Train even if the registry has a model of exactly this training.")
