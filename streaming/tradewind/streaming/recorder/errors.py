"""Core: what can go wrong with the recorder."""

from __future__ import annotations


class RecorderError(Exception):
    """The recorder cannot go on; the message is one line that names the cause and the fix."""


class InvalidRecordError(Exception):
    """A record cannot be stored as it is: the field, and what is wrong with it, in one line."""
