"""Transaction costs against the same figures worked out with pandas, and against Perold's identity."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.trading.transaction_costs import (
    Bar,
    Execution,
    Parent,
    Tape,
    fill_cost,
    parent_cost,
    summarise_costs,
)

MINUTE = 60 * 10**9
PRICES = st.floats(1, 1000)


@st.composite
def cases(draw: st.DrawFn) -> tuple[Parent, list[Bar]]:
    bars = []
    for i in range(draw(st.integers(1, 12))):
        a, b, c, d = sorted(draw(st.tuples(PRICES, PRICES, PRICES, PRICES)))
        own = draw(st.one_of(st.none(), st.just((a + d) / 2)))
        bars.append(Bar((i + 1) * MINUTE, b, d, a, c, draw(st.integers(0, 10**6)), own))
    times = sorted(draw(st.lists(st.integers(0, 13 * MINUTE), max_size=6)))
    fills = tuple(
        Execution(
            t, draw(st.integers(1, 1000)), draw(PRICES), draw(st.floats(0, 5)), draw(st.one_of(st.none(), PRICES))
        )
        for t in times
    )
    arrival = draw(st.integers(0, times[0] if times else 12 * MINUTE))
    filled = sum(f.quantity for f in fills)
    quantity = filled + draw(st.integers(0 if fills else 1, 1000))
    until = max(draw(st.integers(0, 14 * MINUTE)), times[-1] if times else arrival)
    side = draw(st.sampled_from([1, -1]))
    return Parent("p", "s", "SPY", "TWAP", side, quantity, draw(PRICES), arrival, until, fills), bars


@given(cases())
def test_parent_costs_are_what_pandas_says(case: tuple[Parent, list[Bar]]) -> None:
    parent, bars = case
    got = parent_cost(parent, Tape(bars))
    market = pd.DataFrame([vars(b) | {"price": b.price} for b in bars]).set_index("time")
    fills = pd.DataFrame([vars(f) for f in parent.executions], columns=["time", "quantity", "price", "fee"])
    before = market.loc[: parent.arrival, "close"]
    arrival = before.iloc[-1] if len(before) else parent.decision_price
    end = fills["time"].max() if len(fills) else parent.until
    window = market[(market.index > parent.arrival) & (market.index <= end)]
    if window.empty:
        window = market[market.index > parent.arrival].head(1)
    assert got.arrival == arrival
    assert got.twap == (pytest.approx(window["price"].mean()) if len(window) else None)
    traded = window["volume"].sum()
    assert got.vwap == (pytest.approx((window["price"] * window["volume"]).sum() / traded) if traded else None)
    filled = fills["quantity"].sum()
    assert got.fill_rate == pytest.approx(filled / parent.quantity)
    if len(fills):
        average = (fills["quantity"] * fills["price"]).sum() / filled
        assert got.average == pytest.approx(average)
        assert got.against_arrival == pytest.approx(parent.side * (average / arrival - 1) * 1e4, abs=1e-6)
        if got.twap is not None:
            assert got.against_twap == pytest.approx(parent.side * (average / got.twap - 1) * 1e4, abs=1e-6)
        if got.vwap is not None:
            assert got.against_vwap == pytest.approx(parent.side * (average / got.vwap - 1) * 1e4, abs=1e-6)
    else:
        assert got.average is got.against_arrival is got.against_vwap is None


@given(cases())
def test_the_parts_add_up_to_paper_minus_reality(case: tuple[Parent, list[Bar]]) -> None:
    """Perold: the paper portfolio trades all at the decision's price, the real one what it did at what it paid."""
    parent, bars = case
    got = parent_cost(parent, Tape(bars))
    closes = [b.close for b in bars if b.time <= parent.until]
    last = closes[-1] if closes else parent.decision_price
    paper = parent.side * parent.quantity * (last - parent.decision_price)
    real = sum(parent.side * f.quantity * (last - f.price) - f.fee for f in parent.executions)
    assert got.shortfall == pytest.approx(paper - real, abs=1e-6 * max(1.0, abs(paper)))


def flat(prices: list[float]) -> Tape:
    return Tape([Bar((i + 1) * MINUTE, p, p, p, p, 100) for i, p in enumerate(prices)])


def parent(side: int, *executions: Execution, quantity: float = 100, algorithm: str = "TWAP") -> Parent:
    return Parent("p", "s", "SPY", algorithm, side, quantity, 99.0, MINUTE, 5 * MINUTE, executions)


def test_a_worked_example() -> None:
    """Decided at 99, arrived at 100, bought 60 of 100 at 101 and 20 at 102; the price ended at 104."""
    tape = flat([100, 101, 102, 103, 104])
    bought = parent(1, Execution(2 * MINUTE, 60, 101.0, 0.5), Execution(3 * MINUTE, 20, 102.0, 0.25))
    cost = parent_cost(bought, tape)
    assert (cost.filled, cost.average, cost.fill_rate) == (80, 101.25, 0.8)
    assert (cost.twap, cost.vwap) == (101.5, 101.5)
    assert (cost.delay, cost.execution, cost.opportunity, cost.fees) == (80.0, 100.0, 100.0, 0.75)
    assert cost.against_arrival == pytest.approx(125.0)
    assert cost.against_vwap == pytest.approx(-0.25 / 101.5 * 1e4)


def test_a_fill_is_compared_with_arrival_limit_and_what_came_after() -> None:
    tape = flat([100, 101, 102, 103, 104])
    buy = Execution(2 * MINUTE, 10, 101.0, limit_price=101.5)
    cost = fill_cost(buy, parent(1, buy), tape, after_bars=2)
    assert cost.slippage == pytest.approx(100.0)
    assert cost.improvement == pytest.approx(0.5 / 101.5 * 1e4)
    assert cost.adverse_selection == pytest.approx(-2 / 101 * 1e4)
    sell = Execution(2 * MINUTE, 10, 101.0, limit_price=100.5)
    sold = fill_cost(sell, parent(-1, sell), tape, after_bars=2)
    assert sold.slippage == pytest.approx(-100.0)
    assert sold.improvement == pytest.approx(0.5 / 100.5 * 1e4)
    assert sold.adverse_selection == pytest.approx(2 / 101 * 1e4)
    last = Execution(5 * MINUTE, 1, 104.0)
    assert fill_cost(last, parent(1, last), tape).adverse_selection is None
    assert fill_cost(last, parent(1, last), tape).improvement is None


def test_summaries_weigh_by_what_was_traded() -> None:
    tape = flat([100, 101, 102, 103, 104])
    one = parent(1, Execution(2 * MINUTE, 90, 101.0))
    two = parent(1, Execution(3 * MINUTE, 10, 102.0))
    other = parent(-1, algorithm="none")
    rows = summarise_costs([parent_cost(p, tape) for p in (one, two, other)], {"SPY": tape})
    assert [(r.algorithm, r.parents, r.fills) for r in rows] == [("TWAP", 2, 2), ("none", 1, 0)]
    twap, none = rows
    assert twap.traded == 90 * 101 + 10 * 102
    assert twap.fill_rate == 0.5
    assert twap.against_arrival == pytest.approx((9090 * 100 + 1020 * 200) / 10110)
    assert (none.fill_rate, none.against_arrival, none.opportunity) == (0.0, None, -500.0)
