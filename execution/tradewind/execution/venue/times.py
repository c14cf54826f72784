"""Core. Instants as integer nanoseconds since the Unix epoch, UTC, and their RFC 3339 text."""

from __future__ import annotations

import datetime as dt
import re

SECOND = 10**9
MICROSECOND = 1_000
DAY = 86_400 * SECOND
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)(?:[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)?)?")


def to_rfc3339(time: int) -> str:
    """RFC 3339 with as many fractional digits as the instant has (Alpaca writes up to nine)."""
    seconds, rest = divmod(time, SECOND)
    text = (_EPOCH + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{rest:09d}".rstrip("0") + "Z" if rest else f"{text}Z"


def from_rfc3339(text: str) -> int:
    """The instant of a date or a date and time; without an offset it is UTC. Raises ValueError."""
    match = _RFC3339.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not an RFC 3339 time: {text}")
    day, clock, fraction, offset = match.groups()
    zone = "+00:00" if offset is None or offset in "Zz" else offset
    moment = dt.datetime.fromisoformat(f"{day}T{clock or '00:00:00'}{zone}")
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + int((fraction or "").ljust(9, "0"))


def utc(time: int) -> dt.datetime:
    """The instant as an aware datetime, cut to microseconds."""
    return _EPOCH + dt.timedelta(microseconds=time // MICROSECOND)
