"""Core: the native feature engine, fed with the bus' own messages."""

from __future__ import annotations

from collections.abc import Sequence

from tradewind.native import features as native
from tradewind.streaming.features.feature_set import FeatureSet, FeatureSetError
from tradewind.v1.market_pb2 import Bar, Event


class NativeVectorEngine:
    """`VectorEngine` of the native library: one object, many symbols."""

    def __init__(self, names: Sequence[str], context_symbol: str | None) -> None:
        try:
            self._engine = native.FeatureEngine(list(names), context_symbol or "")
        except ValueError as error:
            raise FeatureSetError(f"feature_set.names: {error}") from None

    def context(self, bar: Bar) -> None:
        """A bar of the market context."""
        self._engine.update_context(bar.event_time, bar.open, bar.high, bar.low, bar.close, bar.volume)

    def event(self, event: Event) -> None:
        """An event; held back until a bar that closes at or after its available_time."""
        self._engine.update_event(native_event(event))

    def bar(self, bar: Bar) -> list[float]:
        """The vector of this bar."""
        values = self._engine.update(bar.symbol, bar.event_time, bar.open, bar.high, bar.low, bar.close, bar.volume)
        vector: list[float] = values.tolist()
        return vector


def native_event(event: Event) -> native.EventInput:
    """An event as the native engine reads it."""
    return native.EventInput(event.symbol, event.type, event.available_time, event.impact)


def native_feature_set(
    name: str, names: Sequence[str], interval: str, expected_version: str | None = None
) -> FeatureSet:
    """The feature set at the version of this machine's engine.

    Raises FeatureSetError for a name the engine does not know, and when its version is not `expected_version`.
    """
    try:
        version = native.feature_set_version(list(names))
    except ValueError as error:
        raise FeatureSetError(f"feature_set.names: {error}") from None
    if expected_version is not None and expected_version != version:
        raise FeatureSetError(
            f"feature_set.version: {name} was planned as {expected_version}, this engine computes {version}; "
            "render the plan again, or run the engine that it was made for"
        )
    return FeatureSet(name, tuple(names), version, interval)
