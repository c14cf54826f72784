"""The slow loop: daily returns of the bars that pass, and from them what the risk gate goes by. Shell.

One set per change: after the last bar of a bar time, each symbol's returns over the look-back and the group it moves
with. The executor journals the set, so that a replay sees the same figures.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tradewind.bus import Bus
from tradewind.execution.executor.config import EstimateRules
from tradewind.native.executor import EstimateRow, Executor
from tradewind.trading.risk_measures import aligned_returns, correlated_groups
from tradewind.v1 import market_pb2

_DAY = 86_400 * 10**9
_DAY_BEGINS = 5 * 3600 * 10**9  # UTC; where the engine's day begins, between two sessions of New York
_UNIT = 1 << 20  # a return of 1 in the engine's integers
_REBUILD = 200_000  # records of the bars topic that a restart looks back over


@dataclass
class RiskEstimates:
    """Closes per symbol and day; a bar of any interval moves its day's close."""

    executor: Executor
    symbols: Sequence[str]
    rules: EstimateRules
    _closes: dict[str, dict[int, float]] = field(default_factory=dict)
    _days: list[int] = field(default_factory=list)
    _time: int = 0
    _changed: bool = False

    def __post_init__(self) -> None:
        self.symbols = sorted(self.symbols)
        self._closes = {symbol: {} for symbol in self.symbols}

    def bar(self, bar: market_pb2.Bar) -> None:
        """Takes one bar; those of symbols that aren't traded only move time."""
        if bar.symbol not in self._closes or bar.context or bar.close <= 0:
            return
        day = (bar.event_time - 1 - _DAY_BEGINS) // _DAY
        if day not in self._days:
            insort(self._days, day)
            for old in self._days[: -(self.rules.days + 1)]:
                for closes in self._closes.values():
                    closes.pop(old, None)
            del self._days[: -(self.rules.days + 1)]
        if day in self._days:
            self._closes[bar.symbol][day] = float(bar.close)
        self._time = max(self._time, bar.event_time)
        self._changed = True

    def follow(self, symbols: Sequence[str], rules: EstimateRules) -> None:
        """Another policy: closes of symbols that stay are kept."""
        self.symbols, self.rules = sorted(symbols), rules
        self._closes = {symbol: self._closes.get(symbol, {}) for symbol in self.symbols}
        self._changed = True

    def rebuild(self, bus: Bus, end: int) -> None:
        """Takes the bars before offset `end`, as a restart must: the journal has the sets, not the closes."""
        for record in bus.read("bars", max(0, end - _REBUILD), end):
            if isinstance(record.message, market_pb2.Bar):
                self.bar(record.message)

    def publish(self, now: int | None) -> None:
        """Gives the engine a new set when bars came since the last one and the days suffice."""
        if not self._changed:
            return
        self._changed = False
        rows = self.rows()
        if rows:
            self.executor.push_estimates(rows, self._time, now=now)

    def rows(self) -> list[EstimateRow]:
        """One row per symbol with at least `min_days` returns of its own; none before."""
        known = [s for s in self.symbols if len(self._closes[s]) > self.rules.min_days]
        if not known:
            return []
        returns = aligned_returns([self._closes[s] for s in known], self._days)
        groups = correlated_groups(returns, self.rules.pair_correlation)
        sizes = [groups.count(group) for group in groups]
        scaled = np.clip(np.rint(returns * _UNIT), -2 * _UNIT, 2 * _UNIT).astype(int)
        return [
            EstimateRow(symbol, known[groups[i]] if sizes[i] > 1 else "", scaled[:, i].tolist())
            for i, symbol in enumerate(known)
        ]
