"""Transaction costs: what trading cost against the price of the decision, per fill and per parent order. Core.

Prices are floats in currency units and quantities floats in shares: figures to look at, nothing that is booked. Costs
are positive when they hurt, on both sides; basis points are of the benchmark's price.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

BPS = 1e4


@dataclass(frozen=True)
class Bar:
    """One bar of the market. `vwap` is its own where the source gives one, else (high + low + close) / 3."""

    time: int  # close, ns UTC
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float | None = None

    @property
    def price(self) -> float:
        """The price at which the bar's volume traded, as far as is known."""
        return self.vwap if self.vwap is not None else (self.high + self.low + self.close) / 3


@dataclass(frozen=True)
class Execution:
    """A fill of a parent order. `limit_price` is None for a market order."""

    time: int
    quantity: float  # positive
    price: float
    fee: float = 0.0
    limit_price: float | None = None


@dataclass(frozen=True)
class Parent:
    """A decision to trade: `quantity` (positive) on one side, worked until `until`.

    The decision was made at `decision_price`; the order reached the market at `arrival`.
    """

    id: str
    strategy: str
    symbol: str
    algorithm: str
    side: int  # +1 buys, -1 sells
    quantity: float
    decision_price: float
    arrival: int
    until: int
    executions: tuple[Execution, ...]


@dataclass(frozen=True)
class FillCost:
    """One fill, in basis points. None where there is nothing to compare with."""

    slippage: float | None  # against the arrival price: realised minus expected
    improvement: float | None  # better than the order's limit
    adverse_selection: float | None  # how far the price went against the fill within the next bars


@dataclass(frozen=True)
class ParentCost:
    """One parent order. Prices in currency units, slippages in basis points, the parts of the shortfall in currency."""

    parent: Parent
    filled: float
    average: float | None  # None: nothing was filled
    arrival: float
    twap: float | None
    vwap: float | None
    against_arrival: float | None
    against_twap: float | None
    against_vwap: float | None
    delay: float
    execution: float
    opportunity: float
    fees: float

    @property
    def fill_rate(self) -> float:
        """Share of the quantity that was filled."""
        return self.filled / self.parent.quantity if self.parent.quantity else 1.0

    @property
    def shortfall(self) -> float:
        """The paper portfolio's gain minus the real one's."""
        return self.delay + self.execution + self.opportunity + self.fees


class Tape:
    """The bars of one symbol, oldest first."""

    def __init__(self, bars: Sequence[Bar]) -> None:
        self._bars = list(bars)
        self._times = [bar.time for bar in self._bars]

    def close_at(self, time: int) -> float | None:
        """The last close at or before `time`."""
        index = bisect_right(self._times, time) - 1
        return self._bars[index].close if index >= 0 else None

    def close_after(self, time: int, bars: int) -> float | None:
        """The close of the `bars`-th bar that ends after `time`; None when there are fewer."""
        index = bisect_right(self._times, time) + bars - 1
        return self._bars[index].close if index < len(self._bars) else None

    def between(self, start: int, end: int) -> list[Bar]:
        """The bars that end in (start, end]; at least the first one after `start`, if there is one."""
        first = bisect_right(self._times, start)
        return self._bars[first : max(bisect_right(self._times, end), first + 1)]


def fill_cost(execution: Execution, parent: Parent, tape: Tape, after_bars: int = 5) -> FillCost:
    """Slippage against arrival, price improvement and adverse selection of one fill."""
    arrival = tape.close_at(parent.arrival)
    later = tape.close_after(execution.time, after_bars)
    limit = execution.limit_price
    return FillCost(
        slippage=_against(parent.side, execution.price, arrival),
        improvement=None if limit is None else _against(-parent.side, execution.price, limit),
        adverse_selection=None if later is None else -parent.side * (later - execution.price) / execution.price * BPS,
    )


def parent_cost(parent: Parent, tape: Tape) -> ParentCost:
    """Benchmarks and implementation shortfall of one parent order.

    The shortfall (A. Perold, "The implementation shortfall: paper versus reality", Journal of Portfolio Management
    14(3), 1988) is split as by W. Wagner and M. Edwards, "Best execution", Financial Analysts Journal 49(1), 1993:

        delay        side * filled * (arrival - decision)
        execution    side * sum(quantity * (price - arrival))
        opportunity  side * (quantity - filled) * (last - decision)
        fees

    with `last` the close when the order ended. TWAP and VWAP are those of the bars from arrival to the last fill (of an
    order without fills: to its end).
    """
    side, fills = parent.side, parent.executions
    arrival = tape.close_at(parent.arrival)
    if arrival is None:
        arrival = parent.decision_price
    last = tape.close_at(parent.until)
    filled = math.fsum(f.quantity for f in fills)
    paid = math.fsum(f.quantity * f.price for f in fills)
    window = tape.between(parent.arrival, fills[-1].time if fills else parent.until)
    volume = math.fsum(b.volume for b in window)
    twap = math.fsum(b.price for b in window) / len(window) if window else None
    vwap = math.fsum(b.price * b.volume for b in window) / volume if volume > 0 else None
    average = paid / filled if filled > 0 else None
    missed = (last if last is not None else arrival) - parent.decision_price
    return ParentCost(
        parent=parent,
        filled=filled,
        average=average,
        arrival=arrival,
        twap=twap,
        vwap=vwap,
        against_arrival=_against(side, average, arrival),
        against_twap=_against(side, average, twap),
        against_vwap=_against(side, average, vwap),
        delay=side * filled * (arrival - parent.decision_price),
        execution=side * (paid - filled * arrival),
        opportunity=side * max(parent.quantity - filled, 0.0) * missed,
        fees=math.fsum(f.fee for f in fills),
    )


@dataclass(frozen=True)
class CostSummary:
    """All parent orders of one algorithm. Slippages are means weighted by what was traded, in basis points."""

    algorithm: str
    parents: int
    fills: int
    traded: float  # currency
    fill_rate: float
    against_arrival: float | None
    against_twap: float | None
    against_vwap: float | None
    improvement: float | None
    adverse_selection: float | None
    delay: float
    execution: float
    opportunity: float
    fees: float


def summarise_costs(costs: Sequence[ParentCost], tapes: dict[str, Tape], after_bars: int = 5) -> list[CostSummary]:
    """One row per algorithm, by name."""
    rows = []
    for algorithm in sorted({c.parent.algorithm for c in costs}):
        own = [c for c in costs if c.parent.algorithm == algorithm]
        fills = [
            (f.quantity * f.price, fill_cost(f, c.parent, tapes[c.parent.symbol], after_bars))
            for c in own
            for f in c.parent.executions
        ]
        traded = [c.filled * (c.average or 0.0) for c in own]
        wanted = math.fsum(c.parent.quantity * c.parent.decision_price for c in own)
        done = math.fsum(min(c.filled, c.parent.quantity) * c.parent.decision_price for c in own)
        rows.append(
            CostSummary(
                algorithm=algorithm,
                parents=len(own),
                fills=len(fills),
                traded=math.fsum(traded),
                fill_rate=done / wanted if wanted else 1.0,
                against_arrival=_mean([(w, c.against_arrival) for w, c in zip(traded, own, strict=True)]),
                against_twap=_mean([(w, c.against_twap) for w, c in zip(traded, own, strict=True)]),
                against_vwap=_mean([(w, c.against_vwap) for w, c in zip(traded, own, strict=True)]),
                improvement=_mean([(w, f.improvement) for w, f in fills]),
                adverse_selection=_mean([(w, f.adverse_selection) for w, f in fills]),
                delay=math.fsum(c.delay for c in own),
                execution=math.fsum(c.execution for c in own),
                opportunity=math.fsum(c.opportunity for c in own),
                fees=math.fsum(c.fees for c in own),
            )
        )
    return rows


def _against(side: int, price: float | None, benchmark: float | None) -> float | None:
    if price is None or benchmark is None or benchmark <= 0:
        return None
    return side * (price - benchmark) / benchmark * BPS


def _mean(weighted: Sequence[tuple[float, float | None]]) -> float | None:
    known = [(w, v) for w, v in weighted if v is not None]
    total = math.fsum(w for w, _ in known)
    return math.fsum(w * v for w, v in known) / total if total > 0 else None
