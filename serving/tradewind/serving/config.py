"""Core: the configuration of the predictor."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tradewind.planning.legs import served_as
from tradewind.streaming.features.config import StoreConfig


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServedModel(_Model):
    """One registered model and the alias whose version is served."""

    name: str = Field(min_length=1, description="Registered model name.")
    alias: Literal["candidate", "champion", "challenger"] = Field(
        "candidate", description="Live serves champion, and challenger beside it; Paper candidate."
    )

    @property
    def served_as(self) -> str:
        """The name that requests ask for."""
        return served_as(self.name, self.alias)


class RayConfig(_Model):
    """The local Ray that the predictor starts for itself."""

    num_cpus: int = Field(2, gt=0, description="CPUs Ray may give away.")
    object_store_mb: int = Field(80, ge=76, description="Shared memory; 76 MB is the least Ray accepts.")
    include_dashboard: bool = False
    temp_dir: str | None = Field(
        None, description="Ray's session directory, at most 40 characters (sockets lie in it); none: one in /tmp."
    )


class PredictorConfig(_Model):
    """What a predictor is made with; which models it serves may change while it runs."""

    state_dir: str = Field(description="The models' artefacts are kept here; so is predictor.json.")
    tracking_uri: str = Field(description="MLflow tracking and registry.")
    repo: str | None = Field(None, description="Directory of the feature repository, for PredictEntities.")
    store: StoreConfig | None = Field(
        None, description="Where its registry and newest vectors lie instead; then no repo."
    )
    poll_seconds: float = Field(2.0, gt=0, description="How often the aliases are looked up.")


class ServedModels(_Model):
    """The models that a predictor serves: Ray Serve's `user_config`."""

    models: list[ServedModel] = Field(min_length=1)


class ServingConfig(PredictorConfig, ServedModels):
    """`python -m tradewind.serving --config FILE`."""

    host: str = Field("127.0.0.1", description="Host name or address under which clients reach this machine.")
    port: int = Field(0, ge=0, le=65_535, description="gRPC port; 0: any free one.")
    ray: RayConfig = RayConfig()
    startup_seconds: float = Field(120.0, gt=0, description="How long to wait for every model to be served.")

    def predictor(self) -> PredictorConfig:
        """What the replicas are made with."""
        return PredictorConfig.model_validate(self.model_dump(include=set(PredictorConfig.model_fields)))
