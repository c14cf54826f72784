"""Labels against a plain reading of the rules, one decision at a time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.specs.training import ForwardReturnLabel, TripleBarrierLabel
from tradewind.training.labels import bar_volatility, forward_return, make_labels, triple_barrier

DAY = 86_400 * 10**9


def _walk(seed: int, bars: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.standard_normal(bars) * 0.02))
    open_ = np.concatenate([[100.0], close[:-1]]) * np.exp(rng.standard_normal(bars) * 0.01)
    high = np.maximum(open_, close) * np.exp(np.abs(rng.standard_normal(bars)) * 0.01)
    low = np.minimum(open_, close) * np.exp(-np.abs(rng.standard_normal(bars)) * 0.01)
    return open_, high, low, close


def _one_label(t, open_, high, low, close, label):
    """The rules of the docstring, read aloud: (label, log return, bar of the exit)."""
    past = [math.log(close[i] / close[i - 1]) for i in range(t - label.volatility_bars + 1, t + 1)]
    mean = sum(past) / len(past)
    sigma = math.sqrt(sum((x - mean) ** 2 for x in past) / (len(past) - 1))
    entry = open_[t + 1]
    top, bottom = entry * math.exp(label.upper * sigma), entry * math.exp(-label.lower * sigma)
    for bar in range(t + 1, t + label.horizon_bars + 1):
        if open_[bar] >= top:
            return 1.0, math.log(open_[bar] / entry), bar
        if open_[bar] <= bottom:
            return -1.0, math.log(open_[bar] / entry), bar
        if low[bar] <= bottom:
            return -1.0, math.log(bottom / entry), bar
        if high[bar] >= top:
            return 1.0, math.log(top / entry), bar
    return 0.0, math.log(close[t + label.horizon_bars] / entry), t + label.horizon_bars


@given(
    seed=st.integers(0, 10_000),
    horizon=st.integers(1, 12),
    upper=st.floats(0.3, 3.0),
    lower=st.floats(0.3, 3.0),
)
@settings(max_examples=40)
def test_triple_barrier_is_the_rule_applied_to_each_decision(seed, horizon, upper, lower):
    label = TripleBarrierLabel(horizon_bars=horizon, upper=upper, lower=lower, volatility_bars=5)
    path = _walk(seed, 60)
    rows, values, returns, end = triple_barrier(*path, label)
    assert rows.tolist() == list(range(5, 60 - horizon))
    for i, t in enumerate(rows):
        value, log_return, exit_bar = _one_label(t, *path, label)
        assert (values[i], end[i]) == (value, exit_bar)
        assert returns[i] == pytest.approx(log_return, abs=1e-12)


def _flat_then(bars: list[tuple[float, float, float, float]]) -> tuple[Any, Any, Any, Any]:
    """Six closes that alternate 100, 101 (so that the volatility is known), then `bars` of open, high, low, close."""
    quiet = [(100.0, 101.0, 100.0, 100.0 + i % 2) for i in range(6)]
    table = np.array(quiet + bars)
    return table[:, 0].copy(), table[:, 1].copy(), table[:, 2].copy(), table[:, 3].copy()


LABEL = TripleBarrierLabel(horizon_bars=2, upper=2.0, lower=2.0, volatility_bars=5)
CALM = (100.0, 100.1, 99.9, 100.0)


def test_a_bar_that_holds_both_barriers_counts_as_the_lower_one():
    path = _flat_then([(100.0, 150.0, 50.0, 100.0), CALM])
    rows, values, returns, _ = triple_barrier(*path, LABEL)
    assert (rows[-1], values[-1]) == (5, -1.0)
    assert returns[-1] == pytest.approx(-2.0 * bar_volatility(path[3], 5)[5])


def test_a_gap_through_the_upper_barrier_exits_at_the_open_even_if_the_bar_then_falls_through_the_lower():
    path = _flat_then([CALM, (150.0, 151.0, 50.0, 60.0)])
    _, values, returns, _ = triple_barrier(*path, LABEL)
    assert values[-1] == 1.0
    assert returns[-1] == pytest.approx(math.log(1.5))


def test_entry_is_the_next_open_and_not_the_close_of_the_decision():
    path = _flat_then([(110.0, 110.1, 109.9, 110.0), (110.0, 110.1, 109.9, 110.05)])
    _, values, returns, _ = triple_barrier(*path, LABEL)
    assert values[-1] == 0.0  # from a close of 101 this would have been the upper barrier
    assert returns[-1] == pytest.approx(math.log(110.05 / 110.0))


def test_without_movement_there_is_no_volatility_and_no_label():
    still = np.full(30, 100.0)
    rows, *_ = triple_barrier(still, still, still, still, LABEL)
    assert len(rows) == 0


def test_forward_return_runs_from_next_open_to_the_open_after_the_horizon():
    open_ = np.array([10.0, 11.0, 12.0, 13.0, 14.0, 15.0])
    rows, values, returns, end = forward_return(open_, ForwardReturnLabel(horizon_bars=3))
    assert rows.tolist() == [0, 1]
    assert end.tolist() == [4, 5]
    assert values == pytest.approx([math.log(14 / 11), math.log(15 / 12)])
    assert returns == pytest.approx(values)


def _bars(bars: int, symbols: tuple[str, ...] = ("AAA", "BBB"), late: int | None = None) -> pl.DataFrame:
    frames = []
    for index, symbol in enumerate(symbols):
        open_, high, low, close = (np.round(x * 1e8).astype(np.int64) for x in _walk(index + 3, bars))
        time = np.arange(bars) * DAY
        available = time + 7 * 3600 * 10**9
        if late is not None:
            available[late] += 3 * DAY
        frames.append(
            pl.DataFrame(
                {"symbol": [symbol] * bars, "open_time": time, "event_time": time + 6 * 3600 * 10**9}
                | {"available_time": available, "open": open_, "high": high, "low": low, "close": close}
            )
        )
    return pl.concat(frames)


@pytest.mark.parametrize("label", [LABEL, ForwardReturnLabel(horizon_bars=3)])
def test_labels_do_not_change_when_bars_after_until_do(label):
    bars = _bars(60)
    until = 40 * DAY
    poisoned = bars.with_columns(
        [
            pl.when(pl.col("available_time") > until).then(1).otherwise(pl.col(c)).alias(c)
            for c in ("open", "low", "high")
        ]
    )
    honest = make_labels(bars, label, until)
    assert honest.equals(make_labels(poisoned, label, until))
    assert len(honest) > 40
    assert max(honest["t1"].to_list()) <= until
    # the twin: with a later `until` there are more, so the cut is what kept them out
    assert len(make_labels(bars, label, 45 * DAY)) == len(honest) + 10


def test_a_late_bar_delays_the_labels_whose_path_holds_it():
    label = ForwardReturnLabel(horizon_bars=2)
    on_time, late = make_labels(_bars(20), label, 10**20), make_labels(_bars(20, late=10), label, 10**20)
    delayed = on_time.join(late, on=["symbol", "event_time"]).filter(pl.col("t1") != pl.col("t1_right"))
    assert sorted(set((delayed["event_time"] // DAY).to_list())) == [7, 8, 9]


def test_rows_are_sorted_by_decision_and_carry_the_time_the_bar_was_known():
    labels = make_labels(_bars(30), LABEL, 10**20)
    assert labels.select("decision_time", "symbol").equals(
        labels.select("decision_time", "symbol").sort("decision_time", "symbol")
    )
    assert ((labels["decision_time"] - labels["event_time"]) == 3600 * 10**9).all()
    assert (labels["t1"] > labels["decision_time"]).all()


def test_no_bar_gives_an_empty_table_of_the_same_shape():
    empty = make_labels(_bars(30), LABEL, 0)
    assert len(empty) == 0
    assert empty.schema == make_labels(_bars(30), LABEL, 10**20).schema
