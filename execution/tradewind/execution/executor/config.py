"""Configuration of an executor process."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class BrokerConfig(BaseModel):
    """Where the broker is. Keys come from APCA_API_KEY_ID and APCA_API_SECRET_KEY."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(description="REST base, without /v2.")
    ca_file: str | None = Field(None, description="CA certificate of a simulated venue; null: the system's.")
    requests_per_minute: int | None = Field(200, description="Budget; null: none (simulated venue).")
    timeout_ms: int = 5000
    connections: int = Field(8, ge=1, le=32, description="Kept open; each carries one request at a time.")


class VolatilitySource(BaseModel):
    """The feature that serves as the volatility index."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    feature_set: str
    index: int = Field(ge=0, description="Position in the vector; the value is an annual volatility as a fraction.")


class EstimateRules(BaseModel):
    """How the slow loop estimates."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: int = Field(63, ge=2, le=64, description="Daily returns looked back over.")
    min_days: int = Field(20, ge=2, le=64, description="Returns of its own that a symbol needs.")
    pair_correlation: float = Field(0.80, gt=0, le=1, description="From here two symbols are in one group.")


class KillSwitchRules(BaseModel):
    """What the policy says of the kill switch itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    engaged: bool = False
    flatten: bool = True
    released_by: str = ""


class ExecutorConfig(BaseModel):
    """What `python -m tradewind.execution.executor --config FILE` reads."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bus: str
    group: str
    account: str = Field(description="Name of the RiskPolicy.")
    policy_generation: int = 1
    kill_switch: KillSwitchRules = Field(default_factory=KillSwitchRules, description="The policy's own latch.")
    clock: Literal["lockstep", "recorded", "wall"] = Field(
        description="lockstep: follow the replay clock's ticks. recorded: take records as they come, at their own "
        "times. wall: take records as they come, now."
    )
    state_dir: str = Field(description="Holds a folder with the account's journal, and the Control service's address.")
    control_port: int = 0
    probes_port: int | None = Field(
        None, ge=0, le=65_535, description="Serves /metrics, /livez and /readyz; 0 takes a free port; null: none."
    )
    sync: Literal["none", "batch", "always"] = "none"
    wait: Literal["blocking", "spinning"] = "blocking"
    cpu: int | None = None
    broker: BrokerConfig
    lease_s: float | None = Field(
        None, gt=0, le=3600, description="Lease of the account's one writer; null: the journal's lock is all there is."
    )
    engine: dict[str, Any] = Field(description="Configuration of the native engine.")
    canaries: dict[str, str] = Field(
        default_factory=dict,
        description="Strategies (by UID) whose challenger, in this version of its model, trades like a champion.",
    )

    @property
    def native_engine(self) -> dict[str, Any]:
        """The engine's configuration. In lockstep the stream is followed event by event: no gap could be found."""
        return self.engine | ({"reconcile_every_ns": 0} if self.clock == "lockstep" else {})

    volatility: VolatilitySource | None = Field(
        None, description="Where the volatility index comes from; null: nowhere."
    )
    calendar: str = Field("XNYS", description="Exchange calendar, as exchange_calendars names it.")
    estimates: EstimateRules = Field(default_factory=EstimateRules, description="The slow loop's look-back.")
