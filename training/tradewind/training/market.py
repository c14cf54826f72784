"""Bars of the traded symbols as one grid of times × symbols: what simulated decisions fill and are marked at. Core."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tradewind.training.performance import periods_per_year


@dataclass(frozen=True)
class Market:
    """Prices by bar time and symbol.

    times: decision times (when a bar could be known), ns, ascending, length T. opens, closes: 1e-8 currency units,
    shape (T, S), 0 where a symbol has no bar.
    """

    times: NDArray[np.int64]
    symbols: tuple[str, ...]
    opens: NDArray[np.int64]
    closes: NDArray[np.int64]

    @property
    def periods_per_year(self) -> float:
        """Bars per year."""
        return periods_per_year(self.times)

    def at(self, times: NDArray[np.int64]) -> NDArray[np.intp]:
        """Grid rows of `times`; raises ValueError when one of them is not a bar time."""
        rows = np.searchsorted(self.times, times)
        if np.any(rows >= len(self.times)) or np.any(self.times[np.minimum(rows, len(self.times) - 1)] != times):
            raise ValueError("a decision time is not a bar time of the market grid")
        return rows


def make_market(bars: pl.DataFrame, symbols: tuple[str, ...]) -> Market:
    """The grid of `symbols`' bars (columns symbol, open_time, available_time, open, close); others are left out."""
    traded = bars.filter(pl.col("symbol").is_in(list(symbols))).sort("symbol", "open_time")
    times = np.unique(traded["available_time"].to_numpy())
    shape = (len(times), len(symbols))
    opens, closes = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for column, symbol in enumerate(symbols):
        own = traded.filter(pl.col("symbol") == symbol)
        rows = np.searchsorted(times, own["available_time"].to_numpy())
        opens[rows, column] = own["open"].to_numpy()
        closes[rows, column] = own["close"].to_numpy()
    return Market(times, symbols, opens, closes)
