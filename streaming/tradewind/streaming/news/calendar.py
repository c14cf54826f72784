"""Shell: a calendar of dated facts in YAML as a news source."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, field_validator

from tradewind.streaming.datasets.errors import DataError
from tradewind.streaming.datasets.sessions import wall_time_ns
from tradewind.streaming.news.items import NewsSource, RawItem

_CLOCK = re.compile(r"^([01]\d|2[0-3]):[0-5]\d$")
Clock = Annotated[str, StringConstraints(pattern=_CLOCK.pattern)]


class CalendarEntry(BaseModel):
    """One dated fact."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    date: date
    time: Clock = Field(description="When it was published, HH:MM in the calendar's time zone.")
    headline: str = Field(min_length=1)
    facts: dict[str, str] = Field(default_factory=dict)
    symbols: list[str] = Field(default_factory=list)
    url: str = ""


class Calendar(BaseModel):
    """A file of dated facts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    timezone: str = Field(description="IANA name, for every entry's time.")
    source: str = Field(min_length=1, description="Where the facts come from.")
    entries: list[CalendarEntry] = Field(min_length=1)

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError):
            raise ValueError("not an IANA time zone, e.g. America/New_York") from None
        return value

    @field_validator("entries")
    @classmethod
    def _in_order(cls, value: list[CalendarEntry]) -> list[CalendarEntry]:
        keys = [(entry.date, entry.time) for entry in value]
        for earlier, later in pairwise(keys):
            if later <= earlier:
                raise ValueError(
                    f"{later[0]} {later[1]} does not come after {earlier[0]} {earlier[1]}; put them in order"
                )
        return value


def load_calendar(path: Path | str) -> Calendar:
    """Read a calendar.

    Raises:
        DataError: naming the file and the field.
    """
    file = Path(path)
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(f"{file}: no such calendar; check the path of the news source") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{file}: not readable YAML ({' '.join(str(error).split())}); correct the file") from None
    try:
        return Calendar.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        raise DataError(f"{file}: {where}: {first['msg']}; correct the file") from None


class CalendarSource(NewsSource):
    """Entries of a calendar, each known from its time of publication on."""

    def __init__(self, calendar: Calendar) -> None:
        self._name = f"calendar:{calendar.name}"
        self._items = sorted((_item(self._name, calendar.timezone, e) for e in calendar.entries), key=_published)
        self._times = [_published(item) for item in self._items]
        self._given = 0

    @property
    def name(self) -> str:
        return self._name

    def poll(self, now: int) -> Sequence[RawItem]:
        due = bisect_right(self._times, now)
        fresh = self._items[self._given : due]
        self._given = max(self._given, due)
        return fresh

    def items_between(self, start: int, end: int) -> Sequence[RawItem]:
        return self._items[bisect_left(self._times, start) : bisect_right(self._times, end)]


def _published(item: RawItem) -> int:
    return item.published or 0


def _item(source: str, zone: str, entry: CalendarEntry) -> RawItem:
    return RawItem(
        source=source,
        id=f"{entry.date.isoformat()}T{entry.time}",
        published=wall_time_ns(entry.date, entry.time, zone),
        received=None,
        headline=entry.headline,
        url=entry.url,
        symbols=tuple(entry.symbols),
        facts=dict(entry.facts),
        payload=entry.model_dump_json().encode(),
    )
