"""Core: technical indicators, one object per series, fed bar by bar or from arrays.

The objects are C++; `docs/indicators.md` lists names, parameters, outputs, warm-ups and sources.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from tradewind.native import _core

Floats = npt.NDArray[np.float64]
Times = npt.NDArray[np.int64]

IndicatorError = _core.indicators.IndicatorError


@dataclass(frozen=True)
class Parameter:
    """A parameter's name, preset and inclusive range; `whole` ones are counts of bars."""

    name: str
    preset: float
    minimum: float
    maximum: float
    whole: bool


@dataclass(frozen=True)
class Specification:
    """What an indicator takes and gives. `arithmetic_version` rises only when its golden values change."""

    name: str
    arithmetic_version: int
    parameters: tuple[Parameter, ...]
    outputs: tuple[str, ...]


@cache
def specifications() -> dict[str, Specification]:
    """Every indicator by name, in alphabetical order."""
    return {
        name: Specification(name, version, tuple(Parameter(*each) for each in parameters), tuple(outputs))
        for name, version, parameters, outputs in _core.indicators.specifications()
    }


class Indicator:
    """One indicator over one series. Outputs are NaN until warm.

    >>> rsi = Indicator("rsi", window=14)
    >>> rsi.outputs
    ('value',)

    Raises IndicatorError for an unknown name or parameter, or a parameter out of its range.
    """

    def __init__(self, name: str, **parameters: float) -> None:
        self._native = _core.indicators.Indicator(name, parameters)
        self.specification = specifications()[name]

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs, in the order of `update` and of `batch`'s columns."""
        return self.specification.outputs

    @property
    def warm_up(self) -> int:
        """Bars after which every output is a number."""
        return self._native.warm_up

    def update(
        self,
        open: float,  # noqa: A002 - the field's word
        high: float,
        low: float,
        close: float,
        volume: float = 0.0,
        time: int = 0,
        market: float = np.nan,
    ) -> Floats:
        """Take the next bar and return the outputs that belong to it, shape [outputs].

        `time` is the bar's close in ns since the epoch (UTC); `market` the close of the market context at that time,
        which only indicators of two series read.
        """
        return self._native.update(open, high, low, close, volume, time, market)

    def batch(
        self,
        open: npt.ArrayLike,  # noqa: A002 - the field's word
        high: npt.ArrayLike,
        low: npt.ArrayLike,
        close: npt.ArrayLike,
        volume: npt.ArrayLike | None = None,
        time: npt.ArrayLike | None = None,
        market: npt.ArrayLike | None = None,
    ) -> Floats:
        """`update` for each row of equally long columns, going on from the object's state; shape [bars, outputs].

        Runs without the GIL: do not feed one object from two threads.
        """
        rows = np.shape(close)
        columns: Sequence[Floats] = [
            np.ascontiguousarray(np.full(rows, preset) if column is None else column, dtype=np.float64)
            for column, preset in (
                (open, np.nan),
                (high, np.nan),
                (low, np.nan),
                (close, np.nan),
                (volume, 0.0),
                (market, np.nan),
            )
        ]
        times: Times = np.ascontiguousarray(np.zeros(rows) if time is None else time, dtype=np.int64)
        return self._native.batch(columns, times)
