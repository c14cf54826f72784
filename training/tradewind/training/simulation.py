"""What a model's predictions would have traded: decided on bar t, filled at the open of bar t + 1. Core.

Each decision goes through the very functions the signal process calls (`decide_signal`, `target_share`,
`target_quantity`, `keeps_position`), one decision at a time, so a model is judged by the positions it would hold. What
is left out: the account's risk limits, partial fills, and limit orders that stay unfilled.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tradewind.specs.strategy import SignalRules, Sizing
from tradewind.trading.signals import decide_signal
from tradewind.trading.sizing import MONEY_SCALE, QUANTITY_SCALE, keeps_position, target_quantity, target_share
from tradewind.training.market import Market

# Large enough that whole shares don't matter: gates judge the model, not the size of an account.
START_CAPITAL = 10_000_000 * MONEY_SCALE

_COST_SCALE = 10**8  # cost_bps at 1e-4 bps, as a share of the notional


@dataclass(frozen=True)
class Simulation:
    """Outcome of a simulated span.

    returns: change of equity from each bar's close to the next, after costs; element i is the return of the bar after
    decision time i. turnover: traded notional over equity, same shape. trades: profit of each round trip after costs,
    as a share of the start capital; a trade still open at the end counts at its mark.
    """

    returns: NDArray[np.float64]
    turnover: NDArray[np.float64]
    trades: NDArray[np.float64]


@dataclass
class _Position:
    """One symbol: quantity in 1e-9 shares, last price, money that went in and out since it was last flat."""

    quantity: int = 0
    mark: int = 0
    target: int = 0
    flow: int = 0


@dataclass
class _Book:
    """Cash in 1e-8 currency units and one position per symbol."""

    cost_rate: int
    positions: list[_Position]
    cash: int = START_CAPITAL
    traded: int = 0
    closed: list[int] = field(default_factory=list)

    def equity(self) -> int:
        return self.cash + sum(_notional(p.quantity, p.mark) for p in self.positions)

    def fill_target(self, position: _Position, price: int) -> None:
        """Trade to the target at `price`; a reversal is a close and an open."""
        if position.quantity and position.target and (position.quantity > 0) != (position.target > 0):
            self._trade(position, -position.quantity, price)
        if position.target != position.quantity:
            self._trade(position, position.target - position.quantity, price)

    def _trade(self, position: _Position, quantity: int, price: int) -> None:
        notional = _notional(quantity, price)
        paid = notional + abs(notional) * self.cost_rate // _COST_SCALE
        self.cash -= paid
        position.flow -= paid
        position.quantity += quantity
        self.traded += abs(notional)
        if position.quantity == 0:
            self.closed.append(position.flow)
            position.flow = 0


def simulate(
    predictions: NDArray[np.float64],
    confidences: NDArray[np.float64],
    annual_volatility: NDArray[np.float64],
    market: Market,
    first: int,
    last: int,
    rules: SignalRules,
    sizing: Sizing,
    cost_bps: float,
) -> Simulation:
    """Trade the decisions of grid rows [first, last] and mark the book until the bar after the last.

    predictions, confidences, annual_volatility: shape (T, S) of the market grid, NaN where there was no prediction
    (which is flat).
    `cost_bps` is paid on the notional of every fill. Raises ValueError when there is no bar after `last`.
    """
    if not 0 <= first <= last < len(market.times) - 1:
        raise ValueError(f"rows [{first}, {last}] need a bar after them in a grid of {len(market.times)}")
    book = _Book(round(cost_bps * 10**4), [_Position() for _ in market.symbols])
    opens, closes = market.opens.tolist(), market.closes.tolist()
    returns, turnover = np.zeros(last - first + 1), np.zeros(last - first + 1)
    _mark(book, closes[first])
    for row in range(first, last + 1):
        equity = book.equity()
        for column, position in enumerate(book.positions):
            if closes[row][column]:
                position.target = _target(
                    predictions[row, column],
                    confidences[row, column],
                    float(annual_volatility[row, column]),
                    position,
                    equity,
                    rules,
                    sizing,
                )
        book.traded = 0
        for column, position in enumerate(book.positions):
            if opens[row + 1][column]:
                book.fill_target(position, opens[row + 1][column])
        _mark(book, closes[row + 1])
        if equity > 0:
            returns[row - first] = book.equity() / equity - 1.0
            turnover[row - first] = book.traded / equity
    still_open = [p.flow + _notional(p.quantity, p.mark) for p in book.positions if p.quantity]
    return Simulation(returns, turnover, np.array(book.closed + still_open, dtype=float) / START_CAPITAL)


def _target(
    prediction: float,
    confidence: float,
    annual_volatility: float,
    position: _Position,
    equity: int,
    rules: SignalRules,
    sizing: Sizing,
) -> int:
    decision = decide_signal(prediction, confidence, rules, warm=bool(np.isfinite(prediction)), fresh=True)
    share = target_share(decision.strength, annual_volatility, sizing)
    wanted = target_quantity(share, equity, position.mark)
    return position.quantity if keeps_position(position.quantity, wanted, sizing.rebalance_threshold) else wanted


def _mark(book: _Book, closes: list[int]) -> None:
    for position, close in zip(book.positions, closes, strict=True):
        if close:
            position.mark = close


def _notional(quantity: int, price: int) -> int:
    return quantity * price // QUANTITY_SCALE
