"""Core: why a feed gives up."""

from __future__ import annotations


class FeedError(Exception):
    """The feed cannot go on; one line that names the cause and the fix."""


class StoppedError(Exception):
    """Asked to stop; what was begun can be taken up again."""
