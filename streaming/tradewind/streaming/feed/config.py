"""Core: what a feed process is told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tradewind.specs.base import BarInterval
from tradewind.streaming.news.configured import NewsConfig
from tradewind.streaming.sources.alpaca_rest import DATA_URL


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ReplayConfig(_Model):
    """A data set, played again."""

    kind: Literal["replay"]
    dataset: Path = Field(description="Directory of the data set.")
    symbols: list[str] | None = Field(None, min_length=1, description="Whose bars; default: all of the data set's.")
    start: int | None = Field(None, description="First moment, ns UTC; news known earlier belong to the history.")
    end: int | None = Field(None, description="Last moment, ns UTC.")
    speed: Literal["max"] | Annotated[float, Field(gt=0)] = Field(
        "max",
        description="max: lockstep in virtual time. A number: that multiple of recorded speed, waiting for nobody.",
    )
    max_gap_s: float = Field(5.0, ge=0, description="Longest pause between two bars at a recorded speed, seconds.")


class AlpacaConfig(_Model):
    """Alpaca's live stream."""

    kind: Literal["alpaca"]
    symbols: list[str] = Field(min_length=1)
    interval: BarInterval = "1m"
    feed: Literal["iex", "sip"] = "iex"
    url: str | None = Field(None, description="Stream; default Alpaca's for the feed.")
    data_url: str = Field(DATA_URL, description="REST for gaps after a reconnection.")
    news_url: str | None = Field(None, description="News stream; default none: news are polled.")
    ca_file: Path | None = None
    quotes: bool = False
    trades: bool = False
    calendar: str = "XNYS"


class VenueConfig(_Model):
    """The simulated venue whose time we move."""

    url: str
    ca_file: Path | None = None


class Consumer(_Model):
    """A group that must have acknowledged a topic before a step goes on."""

    group: str
    topic: str


class FeedConfig(_Model):
    """Configuration of `python -m tradewind.streaming.feed`."""

    bus: str = Field(description="Address of the bus.")
    run: str = Field(min_length=1, description="Id of the run; written into every tick.")
    source: Annotated[ReplayConfig | AlpacaConfig, Field(discriminator="kind")]
    venue: VenueConfig | None = None
    news: list[NewsConfig] = Field(default_factory=list)
    companies: Path | None = Field(None, description="YAML of symbol: [names]; default the package's own.")
    consumers: list[Consumer] = Field(
        default_factory=list,
        description="Who must have acknowledged what before DECIDE. Groups that acknowledge `control` are the "
        "executors: a step ends when they have acknowledged DECIDE, and `intents` up to it.",
    )
    accounts: list[str] = Field(
        default_factory=list, description="Accounts that trade in the run; said in the ready line."
    )
    state_dir: Path = Field(description="Where the feed notes what the bus held when the run began.")
    stall_seconds: float = Field(
        600.0,
        gt=0,
        description="Without progress for so long, the run is given up. Longer than a predictor that died may take to "
        "be back.",
    )
    probes_port: int | None = Field(
        None, ge=0, le=65_535, description="Serves /metrics, /livez and /readyz; 0 takes a free port; null: none."
    )
    progress: bool = Field(True, description="Write progress as JSON lines on standard output.")

    @property
    def executors(self) -> list[str]:
        """Groups that follow the clock."""
        return sorted({consumer.group for consumer in self.consumers if consumer.topic == "control"})
