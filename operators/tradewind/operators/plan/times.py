"""Times as Kubernetes writes them. Core."""

from __future__ import annotations

from datetime import UTC, datetime


def parsed(text: str) -> datetime:
    """The time of a text such as 2026-11-21T10:00:00Z."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
