"""The volatility index as the features topic has it. Shell."""

from __future__ import annotations

import math

from tradewind.bus import Bus
from tradewind.execution.executor.config import VolatilitySource
from tradewind.v1 import features_pb2

_POINTS = 100 * 10**8  # a fraction in percent points at 1e-8
_LOOK_BACK = 2000


class VolatilityIndex:
    """The newest value from before a given time: what the slower loop had said when the bar closed; read in advance.

    A bar's own vector may or may not be there when the bar is traded; the one before always is, so a restart sees the
    same value.
    """

    def __init__(self, bus: Bus, source: VolatilitySource | None) -> None:
        self._bus = bus
        self._source = source
        self._next = max(0, bus.end_offset("features") - _LOOK_BACK)
        self._values: list[tuple[int, int]] = []

    def before(self, time: int) -> int:
        """The index in points at 1e-8 (25 = 25 %), 0 when none is known. Times must not go back."""
        while len(self._values) > 1 and self._values[1][0] < time:
            self._values.pop(0)
        return self._values[0][1] if self._values and self._values[0][0] < time else 0

    def read(self) -> None:
        """Takes in what is on the topic now. Raises BusError."""
        if self._source is None:
            return
        end = self._bus.end_offset("features")
        if end <= self._next:
            return
        for record in self._bus.read("features", self._next, end):
            vector = record.message
            if not isinstance(vector, features_pb2.FeatureVector) or vector.feature_set != self._source.feature_set:
                continue
            value = vector.values[self._source.index]
            if math.isfinite(value) and (not self._values or vector.event_time > self._values[-1][0]):
                self._values.append((vector.event_time, round(value * _POINTS)))
        self._next = end
