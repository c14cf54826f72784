"""Core: feature vectors from bars and events, bar by bar for serving and from arrays for training.

Both ways run the same C++ objects on the same integers, so they give the same bits. A feature's name is
`{category}_{indicator}_{window}_{aggregation}`; `docs/indicators.md` lists the families. `FeatureError` (a ValueError)
names the feature, bar or event that cannot be used, in one line.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt

from tradewind.native import _core

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FeatureError = _core.features.FeatureError

# What a set without names of its own holds: daily bars, each feature free of the price's scale.
DEFAULT_FEATURES: Final[tuple[str, ...]] = tuple(_core.features.default_features())
DEFAULT_CONTEXT_SYMBOL: Final = "^GSPC"


@dataclass(frozen=True)
class BarArrays:
    """Bars of one symbol as int64 columns of equal length, oldest first.

    time: close of the bar, ns since the epoch (UTC), strictly increasing. Prices: 1e-8 currency units. volume: whole
    units. Other types are refused: a float column would be a price that went through a double.
    """

    time: Integers
    open: Integers
    high: Integers
    low: Integers
    close: Integers
    volume: Integers

    @classmethod
    def empty(cls) -> BarArrays:
        """No bars: the context of a feature set that reads none."""
        return cls(*(np.empty(0, dtype=np.int64) for _ in fields(cls)))

    def columns(self) -> list[Integers]:
        """The columns in the engine's order, each contiguous."""
        columns = []
        for each in fields(self):
            column = np.asarray(getattr(self, each.name))
            if column.dtype != np.int64:
                raise FeatureError(f"column '{each.name}' must be int64, not {column.dtype}")
            columns.append(np.ascontiguousarray(column))
        return columns


@dataclass(frozen=True)
class EventInput:
    """An event of a symbol ('*' = the whole market): known from `available_time` (ns, UTC), impact signed."""

    symbol: str
    type: str
    available_time: int
    impact: float


class FeatureEngine:
    """The stream: holds the state of every symbol and returns a vector per bar.

    Rebuild it after a restart by feeding it the bars again from the first. Raises FeatureError for an unknown name.
    """

    def __init__(self, names: Sequence[str] = DEFAULT_FEATURES, context_symbol: str = DEFAULT_CONTEXT_SYMBOL) -> None:
        self._native = _core.features.FeatureEngine(list(names), context_symbol)
        self.names: Final = tuple(names)
        self.context_symbol: Final = context_symbol
        self.version: Final = feature_set_version(names)

    @property
    def warm_up(self) -> int:
        """Bars, of a symbol and of the context, after which no value is NaN."""
        return self._native.warm_up

    def update_context(self, time: int, open: int, high: int, low: int, close: int, volume: int) -> None:  # noqa: A002
        """Take the market context's bar; of one time it must come before the symbols' bars."""
        self._native.update_context(time, open, high, low, close, volume)

    def update_event(self, event: EventInput) -> None:
        """Take an event, before its time if need be: bars that closed before `available_time` do not see it.

        To agree with the batch it must come before the first bar at or after `available_time`.
        """
        self._native.update_event(event.symbol, event.type, event.available_time, event.impact)

    def update(self, symbol: str, time: int, open: int, high: int, low: int, close: int, volume: int) -> Floats:  # noqa: A002
        """The vector of this bar, shape [features] in the order of `names`; NaN = not warm yet.

        Prices are int64 at 1e-8. Raises FeatureError for a bar that is not later than the symbol's last, and for one
        with a high below its low, a price of 0 or a negative volume; the state then is as before.
        """
        return self._native.update(symbol, time, open, high, low, close, volume)


def compute_batch(
    names: Sequence[str],
    symbol_arrays: BarArrays,
    context_arrays: BarArrays | None = None,
    events: Iterable[EventInput] = (),
    *,
    symbol: str = "symbol",
    context_symbol: str = DEFAULT_CONTEXT_SYMBOL,
) -> Floats:
    """The vectors of one symbol's bars, shape [bars, features]: what a new FeatureEngine gives when fed in time order.

    `symbol` says whose events count, beside those of the whole market. Runs without the GIL. Raises FeatureError.
    """
    known = [(each.symbol, each.type, each.available_time, each.impact) for each in events]
    context = context_arrays if context_arrays is not None else BarArrays.empty()
    return _core.features.compute_batch(
        list(names), context_symbol, symbol, symbol_arrays.columns(), context.columns(), known
    )


def feature_set_version(names: Sequence[str]) -> str:
    """16 hexadecimal digits: a SHA-256 over the ordered names, their parameters and arithmetic versions.

    The same on every machine; a model is bound to the one it was trained with. Raises FeatureError.
    """
    return _core.features.feature_set_version(list(names))


def describe_feature(name: str) -> str:
    """One line: whose bars, indicator, arithmetic version, parameters, output and form. Raises FeatureError."""
    return _core.features.describe_feature(name)


@cache
def known_features() -> tuple[str, ...]:
    """Every family of features, by name with its usual window."""
    return tuple(_core.features.known_features())
