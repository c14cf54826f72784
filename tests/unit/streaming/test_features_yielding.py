"""The sink that gives way: the same pushes in the same order, at a lower priority."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

import pytest

from tradewind.streaming.features.feature_set import FeatureRow
from tradewind.streaming.features.yielding import YieldingSink


class Sink:
    def __init__(self) -> None:
        self.rows: list[FeatureRow] = []
        self.niceness: set[int] = set()

    def push(self, rows: Sequence[FeatureRow]) -> None:
        if not rows:
            raise ValueError("nothing to push")
        self.rows += rows
        self.niceness.add(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))


def test_it_pushes_in_order_and_more_politely_than_its_caller() -> None:
    mine = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    inner = Sink()
    sink = YieldingSink(inner)
    rows = [FeatureRow("SPY", number, number, (0.5,)) for number in range(5)]
    for row in rows:
        sink.push([row])
        assert inner.rows[-1] == row, "it returns when the rows are written, not before"
    sink.close()
    assert inner.rows == rows
    assert inner.niceness == {max(10, mine)}
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == mine


def test_its_errors_are_the_callers() -> None:
    sink = YieldingSink(Sink())
    with pytest.raises(ValueError, match="nothing to push"):
        sink.push([])
    sink.close()
