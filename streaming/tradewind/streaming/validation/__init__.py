"""What a bar must be before anything downstream may see it."""

from tradewind.streaming.validation.bars import BarValidator, Limits, Verdict

__all__ = ["BarValidator", "Limits", "Verdict"]
