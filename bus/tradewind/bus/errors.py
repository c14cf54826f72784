"""Core: what can go wrong with a bus, as one family of errors."""

from __future__ import annotations


class BusError(Exception):
    """The bus cannot do what was asked; the message is one line that names the cause and the fix."""


class BusAwayError(BusError):
    """The bus does not answer now, and may again: what was asked is not known to be done."""


class UnreadableRecordError(BusError):
    """A record's bytes are not what its topic promises; the message says why, in one line."""
