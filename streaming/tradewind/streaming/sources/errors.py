"""Core: what can go wrong with a live source."""

from __future__ import annotations

from tradewind.streaming.datasets.errors import DataError


class SourceError(DataError):
    """A source refuses us for good; the message is one line that names the cause and the fix."""
