"""Core: the configuration of the features process."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FeatureSetConfig(_Model):
    """Which features are computed, in order."""

    name: str = Field(description="Name of the set; part of its Feast view.")
    names: list[str] = Field(min_length=1, description="Features in vector order.")
    interval: str = Field(description="Bars that feed them: 1m, 15m, 1h, 1d.")
    context_symbol: str | None = Field(description="Symbol of the market context, whose bars feed context features.")
    version: str | None = Field(
        None, description="Version the plan was made for; the process refuses to start when the engine's differs."
    )


class HistoryConfig(_Model):
    """What the engine's state is built from before the bus begins."""

    dataset: str = Field(description="Data set directory (its bars.parquet is read).")
    events: str | None = Field(None, description="Parquet file of events, as the rules made them from the set's news.")
    until: int = Field(description="Bars that close, and events that are known, up to this time (ns UTC).")


class StoreConfig(_Model):
    """Where several machines keep the feature repository together; its part files stay in a directory they share.

    Passwords come from the environment: PGPASSWORD and REDIS_PASSWORD.
    """

    registry: str = Field(description="Feast's registry: postgresql+psycopg://USER@HOST/DATABASE.")
    online: str = Field(description="The newest vectors: redis://HOST:PORT/NUMBER, or rediss:// for TLS.")

    @field_validator("registry")
    @classmethod
    def _is_postgresql(cls, value: str) -> str:
        if not re.match(r"postgresql(\+psycopg)?://[^/]*/.", value):
            raise ValueError("is not postgresql+psycopg://USER@HOST/DATABASE")
        return _without_password(value, "PGPASSWORD")

    @field_validator("online")
    @classmethod
    def _is_redis(cls, value: str) -> str:
        if not re.match(r"rediss?://.", value):
            raise ValueError("is not redis://HOST:PORT/NUMBER")
        return _without_password(value, "REDIS_PASSWORD")


def _without_password(url: str, variable: str) -> str:
    if urlsplit(url).password is not None:
        raise ValueError(f"holds a password: set {variable} in the environment instead")
    return url


class FeaturesConfig(_Model):
    """`python -m tradewind.streaming.features --config FILE`."""

    bus: str = Field(description="file:///path or kafka://HOST:PORT.")
    group: str = Field("features", description="Consumer group.")
    state_dir: str = Field(description="Directory of the feature repository.")
    store: StoreConfig | None = Field(None, description="Its registry and newest vectors; null: files in state_dir.")
    feature_set: FeatureSetConfig
    history: HistoryConfig | None = None
    context_timeout_seconds: float = Field(
        0.0, ge=0, description="How long a bar waits for the context of its time; 0: the feed puts the context first."
    )
    probes_port: int | None = Field(
        None, ge=0, le=65_535, description="Serves /metrics, /livez and /readyz; 0 takes a free port; null: none."
    )
    poll_records: int = Field(500, gt=0, description="Records per read of the bus.")
