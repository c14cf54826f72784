"""What the operator is told by whoever installs it; the documents say the rest. Core."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tradewind.planning.pods import ClusterSite


class Part(BaseModel):
    """A part of the configuration: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Images(Part):
    """Images of the pods."""

    executor: str
    signals: str
    operator: str = Field(description="Runs beside each executor, too, where it follows the policy.")


class Resources(Part):
    """What pods ask for; requests are limits, so that they are Guaranteed."""

    executor_cpus: int = Field(1, ge=1, description="Whole CPUs of an executor, so that a static CPU manager pins it.")
    executor_memory: str = "512Mi"
    follower_cpu: str = Field("50m", description="A fraction, so that no CPU is pinned for what follows the policy.")
    follower_memory: str = "128Mi"
    signals_cpu: str = "100m"
    signals_memory: str = "512Mi"
    journal: str = Field("1Gi", description="Size of an executor's volume.")


class Services(Part):
    """Where an installation's shared services are."""

    bus: str = Field(description="Bus URL, e.g. kafka://kafka:9092.")
    predictor: str = Field(description="HOST:PORT of the predictor's gRPC service.")
    broker_url: str = Field("", description="REST base for policies that name none; empty: Alpaca's own.")


class Election(Part):
    """Who of several replicas works: the holder of a Lease."""

    lease_s: int = Field(15, ge=3, description="A holder that hasn't renewed for this long has lost it.")
    renew_s: int = Field(10, ge=2, description="A holder that can't renew for this long ends.")
    retry_s: int = Field(2, ge=1, description="Time between attempts.")

    @model_validator(mode="after")
    def _ordered(self) -> Election:
        if not 1.2 * self.retry_s < self.renew_s < self.lease_s:
            raise ValueError("retry_s × 1.2 must be below renew_s, and renew_s below lease_s")
        return self


class OperatorConfig(Part):
    """What `python -m tradewind.operators.run --config FILE` reads (JSON)."""

    namespace: str = Field(description="The namespace whose documents are looked after.")
    identity: str = Field(description="Name of this replica.")
    images: Images
    services: Services
    default_features: dict[str, int] = Field(
        description="Features of a strategy that names none: name → bars to be warm, in vector order."
    )
    resources: Resources = Field(default_factory=Resources)
    storage_class: str | None = Field(None, description="Of the journals' volumes; null: the cluster's default.")
    election: Election = Field(default_factory=Election)
    port: int = Field(9101, ge=0, le=65535, description="Serves /metrics, /livez and /readyz; 0 takes a free one.")
    control_port: int = Field(9102, ge=1, le=65535, description="Of an executor's Control service, within its pod.")
    resync_s: float = Field(300.0, gt=0, description="Every document is looked at again after this long.")
    audit_s: float = Field(30.0, gt=0, description="How often what the watches told is compared with the API server.")
    workers: int = Field(4, ge=1, le=64, description="Documents looked at at the same time.")

    def site(self) -> ClusterSite:
        """The part that planners need."""
        return ClusterSite(
            self.services.bus,
            self.services.predictor,
            self.services.broker_url,
            self.default_features,
            self.control_port,
        )

    def for_followers(self) -> dict[str, Any]:
        """The part that a follower in an executor's pod needs; what else changes doesn't concern it."""
        return self.model_dump(mode="json", include={"services", "default_features", "control_port"})
