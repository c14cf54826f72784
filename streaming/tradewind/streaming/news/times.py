"""Core: times as news sources write them, some of them wrong about their zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo


def published_ns(text: str, zone: str | None) -> int | None:
    """ISO 8601 text as ns UTC; None if it is no time.

    Args:
        zone: None: the offset counts, and a time without one is no time. A name: the wall time is of that zone,
            whatever offset is written (sources are known that write "Z" on Eastern times).
    """
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if zone is not None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
    if moment.tzinfo is None:
        return None
    return int(moment.replace(microsecond=0).timestamp()) * 10**9 + moment.microsecond * 1000
