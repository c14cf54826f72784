"""From a reference price to the prices of an order and of its bracket."""

from __future__ import annotations

import math
from typing import Any

import pytest
from pydantic import ValidationError

from tradewind.specs.strategy import Bracket, Execution
from tradewind.trading.placement import BARS_PER_YEAR, Placement, bracket_prices, limit_offset_ppm, place

DOLLAR, CENT = 10**8, 10**6
UNKNOWN = math.nan


def execution(**fields: Any) -> Execution:
    return Execution.model_validate(fields)


def test_a_limit_lies_five_basis_points_beyond_the_reference() -> None:
    offset = limit_offset_ppm(execution(), UNKNOWN, UNKNOWN)
    assert offset == 500
    assert place(execution(), 100 * DOLLAR, offset, buy=True, opens=True) == Placement("Limit", 100 * DOLLAR + 5 * CENT)
    assert place(execution(), 100 * DOLLAR, offset, buy=False, opens=False).limit_price == 99 * DOLLAR + 95 * CENT


@pytest.mark.parametrize(
    ("volatility", "spread", "ppm"),
    [(0.01, UNKNOWN, 500), (0.05, UNKNOWN, 1000), (UNKNOWN, 0.004, 2000), (0.2, 0.004, 4000), (math.inf, 9.0, 100_000)],
)
def test_a_wide_or_fast_market_moves_the_limit_further(volatility: float, spread: float, ppm: int) -> None:
    assert limit_offset_ppm(execution(), volatility, spread) == ppm


def test_a_year_has_as_many_bars_as_its_sessions_hold() -> None:
    assert BARS_PER_YEAR["1d"] == 252
    assert BARS_PER_YEAR["1m"] == 252 * 390
    assert BARS_PER_YEAR["1h"] == 252 * 6.5


def test_stops_wait_in_the_direction_of_the_order() -> None:
    stop = execution(orderType="Stop", stopOffsetBps=100)
    assert place(stop, 100 * DOLLAR, 500, buy=True, opens=True) == Placement("Stop", stop_price=101 * DOLLAR)
    assert place(stop, 100 * DOLLAR, 500, buy=False, opens=True) == Placement("Stop", stop_price=99 * DOLLAR)
    both = place(execution(orderType="StopLimit", stopOffsetBps=100), 100 * DOLLAR, 1000, buy=True, opens=True)
    assert (both.stop_price, both.limit_price) == (101 * DOLLAR, 101 * DOLLAR + 11 * CENT)
    trailing = place(execution(orderType="TrailingStop", trail=0.03), 100 * DOLLAR, 500, buy=True, opens=True)
    assert trailing == Placement("TrailingStop", trail_ratio=30_000)


@pytest.mark.parametrize("order_type", ["Stop", "StopLimit", "TrailingStop"])
def test_an_exit_never_waits_for_the_market(order_type: str) -> None:
    placed = place(execution(orderType=order_type), 100 * DOLLAR, 500, buy=False, opens=False)
    assert placed == Placement("Limit", 99 * DOLLAR + 95 * CENT)


def test_a_bracket_is_shares_of_the_price_or_true_ranges() -> None:
    shares = Bracket.model_validate({"stopLoss": 0.02, "takeProfit": 0.05})
    assert bracket_prices(shares, 100 * DOLLAR, UNKNOWN, is_long=True) == (98 * DOLLAR, 105 * DOLLAR)
    assert bracket_prices(shares, 100 * DOLLAR, UNKNOWN, is_long=False) == (102 * DOLLAR, 95 * DOLLAR)
    ranges = Bracket.model_validate({"stopLossAtr": 2, "takeProfitAtr": 3})
    assert bracket_prices(ranges, 100 * DOLLAR, 0.015, is_long=True) == (97 * DOLLAR, 104 * DOLLAR + 50 * CENT)
    assert bracket_prices(Bracket(), 100 * DOLLAR, UNKNOWN, is_long=True) == (0, 0)


def test_no_true_range_no_position() -> None:
    with pytest.raises(ValueError, match="average true range"):
        bracket_prices(Bracket.model_validate({"stopLossAtr": 2}), 100 * DOLLAR, UNKNOWN, is_long=True)


@pytest.mark.parametrize(
    ("fields", "fix"),
    [
        ({"bracket": {"stopLoss": 0.1, "stopLossAtr": 2}}, "give one of the two"),
        ({"orderType": "Stop", "timeInForce": "Opg"}, "set timeInForce Day or Gtc"),
        ({"orderType": "TrailingStop", "timeInForce": "Ioc"}, "Day or Gtc only"),
        ({"orderType": "Market", "extendedHours": True}, "extendedHours needs orderType Limit"),
    ],
)
def test_what_the_broker_would_refuse_is_refused_in_the_document(fields: dict[str, Any], fix: str) -> None:
    with pytest.raises(ValidationError, match=fix):
        execution(**fields)
