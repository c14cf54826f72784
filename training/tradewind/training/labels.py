"""What each decision led to: triple-barrier labels and forward returns. Core.

A decision on bar t is an order that fills at the open of bar t + 1, so every label starts there. Only bars that were
available at `until` exist for this module; a decision whose outcome was open at that time has no label.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tradewind.specs.training import ForwardReturnLabel, TripleBarrierLabel

Label = TripleBarrierLabel | ForwardReturnLabel

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

LABEL_SCHEMA: dict[str, type[pl.DataType]] = {
    "symbol": pl.String,
    "event_time": pl.Int64,
    "decision_time": pl.Int64,
    "label": pl.Float64,
    "log_return": pl.Float64,
    "t1": pl.Int64,
}


@dataclass(frozen=True)
class _Path:
    """One symbol's bars in time order. Prices in any one unit; times in ns."""

    event_time: Times
    available_time: Times
    open: Floats
    high: Floats
    low: Floats
    close: Floats

    def __len__(self) -> int:
        return len(self.open)


def make_labels(bars: pl.DataFrame, label: Label, until_ns: int) -> pl.DataFrame:
    """Labels of every decision whose outcome was known at `until_ns`.

    `bars` needs symbol, open_time, event_time, available_time (ns) and open, high, low, close. The answer has one row
    per labelled bar, sorted by decision_time and symbol:

    - event_time, decision_time: close of the bar, and when it could be known (the decision);
    - label: -1, 0 or 1 (triple barrier), or the log return (forward return);
    - log_return: what a long position from the next open made, in both cases;
    - t1: when the outcome was known, ns. The label overlaps every decision in [decision_time, t1].
    """
    known = bars.filter(pl.col("available_time") <= until_ns).sort("symbol", "open_time")
    parts = [
        _label_symbol(str(symbol), _to_path(frame), label)
        for (symbol,), frame in known.group_by("symbol", maintain_order=True)
    ]
    if not parts:
        return pl.DataFrame(schema=LABEL_SCHEMA)
    return pl.concat(parts).sort("decision_time", "symbol")


def _to_path(frame: pl.DataFrame) -> _Path:
    prices = {name: frame[name].cast(pl.Float64).to_numpy() for name in ("open", "high", "low", "close")}
    return _Path(
        event_time=frame["event_time"].to_numpy(),
        # A bar that came late makes all that follow it late: an outcome is known when its whole path is.
        available_time=np.maximum.accumulate(frame["available_time"].to_numpy()),
        **prices,
    )


def _label_symbol(symbol: str, path: _Path, label: Label) -> pl.DataFrame:
    if isinstance(label, TripleBarrierLabel):
        rows, values, returns, end = triple_barrier(path.open, path.high, path.low, path.close, label)
    else:
        rows, values, returns, end = forward_return(path.open, label)
    return pl.DataFrame(
        {
            "symbol": [symbol] * len(rows),
            "event_time": path.event_time[rows],
            "decision_time": path.available_time[rows],
            "label": values,
            "log_return": returns,
            "t1": path.available_time[end],
        },
        schema=LABEL_SCHEMA,
    )


def triple_barrier(
    open_: Floats, high: Floats, low: Floats, close: Floats, label: TripleBarrierLabel
) -> tuple[NDArray[np.intp], Floats, Floats, NDArray[np.intp]]:
    """Which barrier the path after each decision touches first (López de Prado 2018, section 3.4).

    Entry is the open of bar t + 1; the barriers lie `upper` and `lower` bar volatilities (known at t) away from it in
    log price; the vertical one is the close of bar t + horizon. Answers (rows, label, log return, end): decision bars,
    -1/0/1, return at the exit, bar of the exit. Rules where bars leave room:

    - an open beyond a barrier exits there and then, at the open: a gap is not filled at the barrier's price;
    - a bar whose range holds both barriers counts as the lower one: the pessimistic reading of a long position;
    - a decision whose vertical barrier lies past the last bar has no label, even if a barrier was touched: keeping only
      those that were would tilt the newest labels towards volatile paths.
    """
    rows = _decidable(len(open_), label.horizon_bars)
    sigma = bar_volatility(close, label.volatility_bars)
    rows = rows[np.isfinite(sigma[rows]) & (sigma[rows] > 0)]
    entry = open_[rows + 1]
    top = entry * np.exp(label.upper * sigma[rows])
    bottom = entry * np.exp(-label.lower * sigma[rows])

    value = np.zeros(len(rows))
    exit_price = close[rows + label.horizon_bars].copy()
    end = rows + label.horizon_bars
    inside = np.ones(len(rows), dtype=bool)
    for step in range(1, label.horizon_bars + 1):
        bar = rows + step
        gap_down = inside & (open_[bar] <= bottom)
        gap_up = inside & (open_[bar] >= top)
        down = inside & ~gap_up & (low[bar] <= bottom)
        up = inside & ~down & (high[bar] >= top)
        value[down], value[up] = -1.0, 1.0
        exit_price[down], exit_price[up] = bottom[down], top[up]
        exit_price[gap_down | gap_up] = open_[bar][gap_down | gap_up]
        end[down | up] = bar[down | up]
        inside &= ~(down | up)
    return rows, value, np.log(exit_price / entry), end


def forward_return(
    open_: Floats, label: ForwardReturnLabel
) -> tuple[NDArray[np.intp], Floats, Floats, NDArray[np.intp]]:
    """Log return from the open of bar t + 1 to the open `horizon_bars` later. Same answer as `triple_barrier`."""
    rows = _decidable(len(open_), label.horizon_bars + 1)
    end = rows + 1 + label.horizon_bars
    returns = np.log(open_[end] / open_[rows + 1])
    return rows, returns, returns, end


def bar_volatility(close: Floats, window: int) -> Floats:
    """Sample standard deviation of the last `window` log returns at each bar; NaN before there are as many."""
    out = np.full(len(close), np.nan)
    if len(close) > window:
        returns = np.diff(np.log(close))
        out[window:] = np.lib.stride_tricks.sliding_window_view(returns, window).std(axis=1, ddof=1)
    return out


def _decidable(bars: int, ahead: int) -> NDArray[np.intp]:
    """Bars that have at least `ahead` bars after them."""
    return np.arange(max(bars - ahead, 0), dtype=np.intp)
