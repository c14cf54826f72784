"""Identity of an intent: the same decision has the same id, however often it is emitted. Core."""

from __future__ import annotations

import hashlib


def intent_id(strategy: str, symbol: str, decision_time: int, ordinal: int) -> str:
    """32 hex digits from strategy UID, symbol, decision time (ns) and ordinal. Stable across processes and machines."""
    text = "\x1f".join((strategy, symbol, str(decision_time), str(ordinal)))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
