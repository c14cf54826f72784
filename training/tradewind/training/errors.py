"""What can go wrong in training, in words a person can act on. Core."""

from __future__ import annotations


class TrainingError(ValueError):
    """Training cannot go on; the message is one line that names the field or file and the fix."""


class LeakageError(TrainingError):
    """A row of training data knows something of the future. Always a bug, never bad luck: training stops."""
