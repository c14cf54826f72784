"""Trades and figures of a report, against the fills' own arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.console.report.data import FillPoint
from tradewind.console.report.statistics import drawdowns, round_trips, sharpe

Q, M = 10**9, 10**8


def fill(time: int, shares: int, price: int, fee: int = 0) -> FillPoint:
    return FillPoint(time, "AAPL", "s", shares * Q, price * M, fee * M, False)


def test_a_position_turned_around_is_two_trades() -> None:
    trips = round_trips([fill(1, 100, 10), fill(2, -150, 12), fill(3, 50, 11)])
    assert [(t.opened, t.closed, t.quantity // Q, t.entry // M, t.exit // M, t.pnl // M) for t in trips] == [
        (1, 2, 100, 10, 12, 200),
        (2, 3, -50, 12, 11, 50),
    ]


def test_an_open_position_is_no_trade_yet() -> None:
    assert round_trips([fill(1, 100, 10), fill(2, -40, 12)]) == []


def test_fees_come_out_of_the_trade() -> None:
    (trip,) = round_trips([fill(1, -10, 20, fee=1), fill(2, 10, 15, fee=2)])
    assert (trip.pnl // M, trip.fees // M) == (47, 3)


@given(st.lists(st.tuples(st.integers(-50, 50).filter(bool), st.integers(1, 500)), min_size=1, max_size=30))
def test_when_flat_the_trades_add_up_to_the_cash(legs: list[tuple[int, int]]) -> None:
    fills = [fill(i, q, p) for i, (q, p) in enumerate(legs)]
    rest = -sum(q for q, _ in legs)
    if rest:
        fills.append(fill(len(fills), rest, 77))
    cash = -sum((Fraction(f.quantity, Q) * f.price for f in fills), Fraction(0))
    trips = round_trips(fills)
    assert abs(sum(t.pnl for t in trips) - cash) <= len(fills)  # each closing division rounds by less than one unit


def test_drawdown_and_sharpe_of_known_curves() -> None:
    values = np.array([100.0, 110.0, 99.0, 121.0])
    np.testing.assert_allclose(drawdowns(values), [0, 0, 0.1, 0])
    returns = np.array([0.1, -0.1, 121 / 99 - 1])
    assert sharpe(values) == pytest.approx(returns.mean() / returns.std(ddof=1) * math.sqrt(252))
    assert math.isnan(sharpe(np.array([1.0, 1.0, 1.0])))
