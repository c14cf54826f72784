"""The recorder: what happened on the bus, kept in SQL, exactly once; and the questions that can be asked of it."""

from tradewind.streaming.recorder.config import RecorderConfig
from tradewind.streaming.recorder.errors import RecorderError
from tradewind.streaming.recorder.repository import Repository

__all__ = ["RecorderConfig", "RecorderError", "Repository"]
