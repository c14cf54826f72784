"""Core: the one error of the data side."""

from __future__ import annotations


class DataError(Exception):
    """Data cannot be used; the message is one line that names the file, row or field, and the fix."""
