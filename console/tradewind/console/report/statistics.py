"""Return, risk and trade figures of a run. Core."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tradewind.console.report.data import MONEY, QUANTITY, FillPoint, RunData

TRADING_DAYS = 252


@dataclass(frozen=True)
class RoundTrip:
    """A position from flat to flat (or turned) in one strategy's book. Money 1e-8, quantity signed 1e-9."""

    symbol: str
    strategy: str
    opened: int
    closed: int
    quantity: int
    entry: int
    exit: int
    pnl: int
    fees: int


@dataclass(frozen=True)
class Performance:
    """Figures of an equity curve; shares, not percent."""

    total_return: float
    annual_return: float
    annual_volatility: float
    sharpe: float
    max_drawdown: float
    benchmark_return: float
    benchmark_sharpe: float
    benchmark_drawdown: float
    exposure: float


def drawdowns(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share lost from the highest value so far, at each point (0 at a high)."""
    return 1.0 - values / np.maximum.accumulate(values)


def sharpe(values: NDArray[np.float64]) -> float:
    """Annualised mean ÷ standard deviation of daily simple returns, without a risk-free rate; NaN when undefined."""
    returns = np.diff(values) / values[:-1]
    if len(returns) < 2:
        return math.nan
    spread = float(returns.std(ddof=1))
    return float(returns.mean()) / spread * math.sqrt(TRADING_DAYS) if spread > 0 else math.nan


def daily_values(data: RunData) -> tuple[list[int], NDArray[np.float64]]:
    """The last equity of each UTC day, so that intraday runs are annualised like daily ones."""
    ordered = _last_of_day([(p.time, p.equity / MONEY) for p in data.equity])
    return [t for t, _ in ordered], np.array([e for _, e in ordered])


def _last_of_day(points: list[tuple[int, float]]) -> list[tuple[int, float]]:
    last = {time // (86_400 * 10**9): (time, value) for time, value in points}
    return [last[day] for day in sorted(last)]


def performance(data: RunData) -> Performance:
    """Figures of the run beside those of buy-and-hold."""
    _, values = daily_values(data)
    values = np.concatenate([[data.starting_equity / MONEY], values])
    bench = np.array([1.0, *(v for _, v in _last_of_day(data.benchmark))])
    years = max(len(values) - 1, 1) / TRADING_DAYS
    returns = np.diff(values) / values[:-1]
    total = float(values[-1] / values[0] - 1)
    gross = [p.gross / p.equity for p in data.equity if p.equity > 0]
    return Performance(
        total_return=total,
        annual_return=(1 + total) ** (1 / years) - 1 if total > -1 else -1.0,
        annual_volatility=float(returns.std(ddof=1)) * math.sqrt(TRADING_DAYS) if len(returns) > 1 else math.nan,
        sharpe=sharpe(values),
        max_drawdown=float(drawdowns(values).max()),
        benchmark_return=float(bench[-1] - 1),
        benchmark_sharpe=sharpe(bench),
        benchmark_drawdown=float(drawdowns(bench).max()),
        exposure=float(np.mean(gross)) if gross else 0.0,
    )


def round_trips(fills: list[FillPoint]) -> list[RoundTrip]:
    """Closed trades, by average cost, in the order they closed. An open rest is not a trade yet."""
    books: dict[tuple[str, str], list[FillPoint]] = defaultdict(list)
    for fill in fills:
        books[(fill.strategy, fill.symbol)].append(fill)
    trips: list[RoundTrip] = []
    for (strategy, symbol), own in books.items():
        trips.extend(_trips_of_book(strategy, symbol, own))
    return sorted(trips, key=lambda t: (t.closed, t.symbol, t.strategy))


def _trips_of_book(strategy: str, symbol: str, fills: list[FillPoint]) -> list[RoundTrip]:
    trips: list[RoundTrip] = []
    book = _OpenTrade()
    for fill in fills:
        rest = abs(fill.quantity)
        buys = fill.quantity > 0
        book.fees += fill.fee
        if book.held and buys != book.long:
            closed = min(rest, book.held)
            book.close(closed, fill.price)
            rest -= closed
            if book.held == 0:
                trips.append(book.finish(strategy, symbol, fill))
                book = _OpenTrade()
        if rest:
            book.add(rest, fill.price, buys, fill.time)
    return trips


@dataclass
class _OpenTrade:
    """A position since it was last flat. Shares are positive; `long` gives the side."""

    held: int = 0
    long: bool = True
    opened: int = 0
    cost: int = 0  # of what is held
    entered: int = 0
    entry_cost: int = 0
    peak: int = 0
    pnl: int = 0
    fees: int = 0

    def add(self, shares: int, price: int, long: bool, time: int) -> None:
        if self.held == 0:
            self.opened, self.long = time, long
        amount = shares * price // QUANTITY
        self.held += shares
        self.cost += amount
        self.entered += shares
        self.entry_cost += amount
        self.peak = max(self.peak, self.held)

    def close(self, shares: int, price: int) -> None:
        part = self.cost * shares // self.held
        gain = shares * price // QUANTITY - part
        self.pnl += gain if self.long else -gain
        self.cost -= part
        self.held -= shares

    def finish(self, strategy: str, symbol: str, last: FillPoint) -> RoundTrip:
        entry = self.entry_cost * QUANTITY // self.entered
        quantity = self.peak if self.long else -self.peak
        net = self.pnl - self.fees
        return RoundTrip(symbol, strategy, self.opened, last.time, quantity, entry, last.price, net, self.fees)
