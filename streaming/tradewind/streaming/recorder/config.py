"""Core: what the recorder's process is told."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class RecorderConfig(BaseModel):
    """The recorder's settings, as read from its JSON file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bus: str = Field(description="address of the bus: file:///path or kafka://HOST:PORT")
    sql: str = Field(description="SQLAlchemy address of the database: sqlite:////path or postgresql+psycopg://...")
    group: str = Field(default="recorder", min_length=1, description="the recorder's name on the bus")
    probes_port: int | None = Field(
        default=None, ge=0, le=65535, description="serves /metrics, /livez and /readyz; 0 takes a free port"
    )
    bars: bool = Field(default=False, description="also record every bar")
