"""What predictions would have traded, reckoned by hand."""

from __future__ import annotations

import numpy as np
import pytest

from tradewind.specs.strategy import SignalRules, Sizing
from tradewind.training.market import Market
from tradewind.training.simulation import simulate

DAY = 86_400 * 10**9
RULES = SignalRules(threshold=0.1, full_strength_at=0.1)
SIZING = Sizing(method="PercentEquity", max_position_pct=0.5, min_position_pct=0.0, rebalance_threshold=1.0)


def _market(opens: list[list[float]], closes: list[list[float]]) -> Market:
    """Rows are bars, columns symbols; 0 = no bar."""
    fixed = [np.round(np.array(table) * 1e8).astype(np.int64) for table in (opens, closes)]
    return Market(np.arange(len(opens)) * DAY, tuple("ABCD"[: len(opens[0])]), *fixed)


def _run(market: Market, predictions: list[list[float]], cost_bps: float = 0.0, rules=RULES, sizing=SIZING, **span):
    table = np.array(predictions, dtype=float)
    last = span.get("last", len(market.times) - 2)
    volatility = np.array(span.get("volatility", np.full(table.shape, 0.2)))
    return simulate(table, np.abs(table), volatility, market, span.get("first", 0), last, rules, sizing, cost_bps)


def test_a_decision_fills_at_the_next_open_and_earns_from_there():
    market = _market([[100], [110], [120]], [[100], [115], [126]])
    result = _run(market, [[1.0], [1.0], [np.nan]])
    # half of the capital at 100 is 50,000 shares; bought at 110, marked at 115, then held (target differs by less
    # than all of it)
    shares = 50_000
    first = 10e6 + shares * (115 - 110)
    assert result.returns[0] == pytest.approx(first / 10e6 - 1, abs=1e-12)
    assert result.returns[1] == pytest.approx((first + shares * (126 - 115)) / first - 1, abs=1e-12)
    assert result.turnover[0] == pytest.approx(shares * 110 / 10e6)
    assert result.trades.tolist() == pytest.approx([shares * (126 - 110) / 10e6])


def test_short_earns_when_price_falls_and_costs_are_paid_on_each_fill():
    market = _market([[100], [100], [80], [80]], [[100], [80], [80], [80]])
    result = _run(market, [[-1.0], [0.0], [0.0], [0.0]], cost_bps=10)
    shares = 50_000
    cost_in, cost_out = shares * 100 * 0.001, shares * 80 * 0.001
    assert result.trades.tolist() == pytest.approx([(shares * 20 - cost_in - cost_out) / 10e6])
    assert np.prod(1 + result.returns) - 1 == pytest.approx((shares * 20 - cost_in - cost_out) / 10e6)


def test_a_reversal_is_one_trade_closed_and_another_opened():
    market = _market([[100], [100], [100], [90]], [[100], [100], [100], [90]])
    result = _run(market, [[1.0], [-1.0], [-1.0], [np.nan]])
    assert result.trades.tolist() == pytest.approx([0.0, 50_000 * 10 / 10e6])


def test_without_a_prediction_the_position_is_closed():
    market = _market([[100], [100], [100], [100]], [[100], [100], [100], [50]])
    assert _run(market, [[1.0], [np.nan], [np.nan], [np.nan]]).returns[-1] == 0.0
    # the twin: with one it is held, and loses
    assert _run(market, [[1.0], [1.0], [1.0], [np.nan]]).returns[-1] == pytest.approx(-0.25)


def test_a_symbol_without_a_bar_keeps_its_order_and_its_mark():
    market = _market([[100, 100], [100, 0], [100, 100], [100, 100]], [[100, 100], [100, 0], [100, 120], [100, 120]])
    result = _run(market, [[np.nan, 1.0], [np.nan, np.nan], [np.nan, 1.0], [np.nan, np.nan]])
    # decided at row 0, no bar at row 1, filled at the open of row 2
    assert result.returns.tolist() == pytest.approx([0.0, 50_000 * 20 / 10e6, 0.0])


def test_volatility_scales_the_position_and_its_absence_forbids_it():
    market = _market([[100], [100]], [[100], [110]])
    target = Sizing(method="VolatilityTarget", target_volatility=0.1, max_position_pct=0.5, min_position_pct=0.0)
    half = _run(market, [[1.0], [np.nan]], sizing=target, volatility=[[0.2], [0.2]])
    assert half.returns[0] == pytest.approx(0.25 * 0.10)
    assert _run(market, [[1.0], [np.nan]], sizing=target, volatility=[[np.nan], [0.2]]).returns[0] == 0.0


def test_rules_of_the_strategy_apply():
    market = _market([[100], [100]], [[100], [110]])
    short_only = RULES.model_copy(update={"direction": "ShortOnly"})
    inverted = RULES.model_copy(update={"invert": True})
    assert _run(market, [[1.0], [np.nan]]).returns[0] == pytest.approx(0.05)
    assert _run(market, [[1.0], [np.nan]], rules=short_only).returns[0] == 0.0
    assert _run(market, [[1.0], [np.nan]], rules=inverted).returns[0] == pytest.approx(-0.05)
    assert _run(market, [[0.05], [np.nan]]).returns[0] == 0.0  # below the threshold


def test_a_small_change_of_target_is_not_traded():
    market = _market([[100], [100], [100]], [[100], [104], [104]])
    steady = SIZING.model_copy(update={"rebalance_threshold": 0.2})
    nervous = SIZING.model_copy(update={"rebalance_threshold": 0.0})
    predictions = [[1.0], [1.0], [np.nan]]
    assert _run(market, predictions, sizing=steady).turnover[1] == 0.0
    assert _run(market, predictions, sizing=nervous).turnover[1] > 0.0


def test_later_prices_and_predictions_do_not_change_earlier_returns():
    rng = np.random.default_rng(3)
    prices = 100 * np.exp(np.cumsum(rng.standard_normal((60, 3)) * 0.02, axis=0))
    predictions = rng.standard_normal((60, 3))
    honest = _run(_market(prices.tolist(), prices.tolist()), predictions.tolist(), cost_bps=5)
    prices[41:] *= 3
    predictions[41:] *= -1
    other = _run(_market(prices.tolist(), prices.tolist()), predictions.tolist(), cost_bps=5)
    # row i is the return from bar i to bar i + 1
    assert np.array_equal(honest.returns[:40], other.returns[:40])
    assert honest.returns[40] != other.returns[40]


def test_a_span_needs_a_bar_after_it():
    market = _market([[100], [100]], [[100], [100]])
    with pytest.raises(ValueError, match="need a bar after them"):
        _run(market, [[1.0], [1.0]], last=1)
