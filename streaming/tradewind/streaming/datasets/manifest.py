"""Core: what a data set says about itself in `dataset.json`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from tradewind.specs.base import BarInterval

Count = Annotated[int, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Part(BaseModel):
    """One file of a data set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: Count = Field(description="Rows of the table.")
    sha256: Sha256 = Field(description="Of the file's bytes.")


class Manifest(BaseModel):
    """The manifest of a data set."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    name: str = Field(min_length=1, description="Shown to people and written into each bar's source as replay:NAME.")
    interval: BarInterval
    symbols: list[str] = Field(description="Symbols that can be traded, sorted.")
    context: list[str] = Field(default_factory=list, description="Symbols that are inputs only, sorted.")
    calendar: str = Field("XNYS", description="Exchange calendar, as `exchange_calendars` names it.")
    stamps: Literal["open", "close", "session"] = Field(
        description="What the source's time stamps meant; in the data set both times are always there."
    )
    adjustment: Literal["raw", "forward", "vendor"] = Field(
        description="raw: as traded. forward: raw × factors in effect so far. vendor: as its vendor adjusted it."
    )
    source: str = Field(description="Where the bars came from.")
    licence: str = Field("", description="Under which terms, as far as known.")
    created_by: str = Field(description="Program and version that wrote it.")
    first_time: int | None = Field(None, description="Close of the first bar, ns since the epoch, UTC.")
    last_time: int | None = Field(None, description="Close of the last bar, ns since the epoch, UTC.")
    notes: list[str] = Field(default_factory=list, description="What was left out or corrected, one line each.")
    parts: dict[str, Part] = Field(description="File name to its rows and checksum.")
