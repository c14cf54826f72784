"""Times as Kubernetes writes them. Core."""

from __future__ import annotations

from datetime import UTC, datetime

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def parsed(text: str) -> datetime:
    """The time of a text such as 2026-11-21T10:00:00Z."""
    return datetime.strptime(text, _FORMAT).replace(tzinfo=UTC)


def written(time: datetime) -> str:
    """The text of a time in UTC, to the second."""
    return time.strftime(_FORMAT)
