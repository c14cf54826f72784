"""What holds for every indicator on any bars: warm-up, no look-ahead, bounds, scale."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.native.indicators import Indicator, specifications

Floats = npt.NDArray[np.float64]
Columns = tuple[Floats, Floats, Floats, Floats, Floats]
DAY = 86_400_000_000_000
NAMES = sorted(specifications())
# name, output: inclusive range on any bars
BOUNDS = {
    ("rsi", "value"): (0, 100),
    ("stochastic", "k"): (0, 100),
    ("stochastic", "d"): (0, 100),
    ("stochastic_rsi", "k"): (0, 100),
    ("williams_r", "value"): (-100, 0),
    ("ultimate_oscillator", "value"): (0, 100),
    ("mfi", "value"): (0, 100),
    ("adx", "adx"): (0, 100),
    ("aroon", "up"): (0, 100),
    ("aroon", "oscillator"): (-100, 100),
    ("tsi", "value"): (-100, 100),
    ("chaikin_money_flow", "value"): (-1, 1),
    ("close_location_value", "value"): (-1, 1),
    ("donchian", "position"): (0, 1),
    ("rolling_quantile", "rank"): (0, 1),
    ("drawdown", "value"): (-1, 0),
    ("regression", "r2"): (0, 1),
    ("autocorrelation", "value"): (-1, 1),
    ("beta", "correlation"): (-1, 1),
    ("kama", "efficiency"): (0, 1),
}
# Indicators whose leading outputs are in units of price, and how many: those scale with it.
PRICE_UNITS = {
    "sma": 1,
    "ema": 1,
    "kama": 1,
    "hma": 1,
    "vwma": 1,
    "atr": 1,
    "momentum": 1,
    "macd": 3,
    "donchian": 3,
    "supertrend": 1,
    "pivot_points": 5,
}
PURE_NUMBERS = {
    "rsi",
    "natr",
    "cci",
    "ppo",
    "adx",
    "aroon",
    "mfi",
    "yang_zhang",
    "return_moments",
    "tail_risk",
    "gap",
    "vortex",
}


def bars_from(moves: list[tuple[float, float, float, float, int]]) -> Columns:
    """open, high, low, close, volume from (overnight move, session move, wick up, wick down, volume) per bar."""
    table = np.array(moves, dtype=np.float64)
    close = 50.0 * np.exp(np.cumsum(table[:, 0] + table[:, 1]))
    open_ = close / np.exp(table[:, 1])
    high = np.maximum(open_, close) * (1 + table[:, 2])
    low = np.minimum(open_, close) * (1 - table[:, 3])
    return open_, high, low, close, table[:, 4]


def walk(seed: int, bars: int) -> Columns:
    rng = np.random.default_rng(seed)
    moves = rng.normal(0, 0.01, (bars, 2))
    wicks = rng.exponential(0.004, (bars, 2))
    volume = rng.integers(1, 10**7, bars)
    rows = [(a, b, min(c, 0.5), min(d, 0.5), int(v)) for (a, b), (c, d), v in zip(moves, wicks, volume, strict=True)]
    return bars_from(rows)


def evaluate(name: str, columns: Columns, seed: int = 0) -> Floats:
    bars = len(columns[0])
    market = 1000 * np.exp(np.cumsum(np.random.default_rng(seed + 77).normal(0, 0.01, bars)))
    return Indicator(name).batch(*columns, 10**18 + DAY * np.arange(bars), market)


share = st.floats(0, 0.2)
move = st.floats(-0.2, 0.2) | st.just(0.0)
# Up to 25 drawn bars, repeated: long enough for every warm-up, small enough to shrink.
bar_lists = st.lists(st.tuples(move, move, share, share, st.integers(0, 10**9)), min_size=1, max_size=25).map(
    lambda motif: (motif * 150)[:150]
)


@pytest.mark.parametrize("name", NAMES)
def test_nan_before_warm_up_and_numbers_from_then_on(name: str) -> None:
    values = evaluate(name, walk(5, 300))
    complete = np.asarray(~np.isnan(values).any(axis=1))
    warm_up = Indicator(name).warm_up
    assert not complete[: warm_up - 1].any()
    assert complete[warm_up - 1 :].all()


@pytest.mark.parametrize("name", NAMES)
def test_flat_market_without_volume_gives_numbers(name: str) -> None:
    # 0 / 0 has a neutral answer everywhere: a halted symbol must not poison the vector.
    flat = np.full(300, 12.34)
    values = Indicator(name).batch(flat, flat, flat, flat, np.zeros(300), 10**18 + DAY * np.arange(300), flat)
    assert np.isfinite(values[Indicator(name).warm_up - 1 :]).all()


@pytest.mark.parametrize("name", NAMES)
def test_later_bars_change_nothing_before_them(name: str) -> None:
    columns, cut = walk(6, 300), 200
    bend = np.where(np.arange(300) < cut, 1.0, 3.0)
    open_, high, low, close, volume = columns
    bent = (open_ * bend, high * bend, low * bend, close * bend, volume * bend)
    before, after = evaluate(name, columns), evaluate(name, bent)
    assert np.array_equal(before[:cut].view(np.uint64), after[:cut].view(np.uint64))


@settings(max_examples=25)
@given(bar_lists)
def test_bounds_hold_on_any_bars(moves: list[tuple[float, float, float, float, int]]) -> None:
    columns = bars_from(moves)
    for (name, output), (low, high) in BOUNDS.items():
        column = evaluate(name, columns)[:, Indicator(name).outputs.index(output)]
        values = column[~np.isnan(column)]
        assert len(values) > 0
        slack = 1e-9 * max(abs(low), abs(high))
        assert values.min() >= low - slack, (name, output)
        assert values.max() <= high + slack, (name, output)


@settings(max_examples=15)
@given(st.integers(0, 2**31), st.sampled_from([0.125, 4.0, 1024.0]))
def test_prices_times_a_power_of_two(seed: int, factor: float) -> None:
    # A power of two is exact, so levels scale and pure numbers stay, to the last bit but for the logarithms'.
    open_, high, low, close, volume = walk(seed, 150)
    scaled = (open_ * factor, high * factor, low * factor, close * factor, volume)
    plain = (open_, high, low, close, volume)
    for name, outputs in PRICE_UNITS.items():
        levels = evaluate(name, plain)[:, :outputs]
        np.testing.assert_array_equal(evaluate(name, scaled)[:, :outputs], levels * factor, err_msg=name)
    for name in sorted(PURE_NUMBERS):
        np.testing.assert_allclose(evaluate(name, scaled), evaluate(name, plain), rtol=1e-9, atol=1e-12, err_msg=name)


@settings(max_examples=25)
@given(bar_lists)
def test_bands_are_ordered_and_averages_stay_inside_the_range(
    moves: list[tuple[float, float, float, float, int]],
) -> None:
    columns = bars_from(moves)
    high, low = columns[1], columns[2]
    for name in ("bollinger", "keltner", "donchian"):
        upper, middle, lower = evaluate(name, columns)[60:, :3].T
        assert (upper >= middle).all()
        assert (middle >= lower).all()
    for name in ("sma", "ema", "wma", "vwma", "kama", "rolling_vwap"):
        value = evaluate(name, columns)[60:, 0]
        assert (value <= high.max() * (1 + 1e-12)).all(), name
        assert (value >= low.min() * (1 - 1e-12)).all(), name


def test_rsi_rises_with_the_last_close() -> None:
    columns = walk(9, 60)
    values = []
    for factor in (0.9, 0.99, 1.0, 1.01, 1.1):
        close = columns[3].copy()
        close[-1] *= factor
        values.append(float(Indicator("rsi").batch(columns[0], columns[1], columns[2], close)[-1, 0]))
    assert values == sorted(values)
    assert values[0] < values[-1]


def test_a_bar_without_the_market_is_passed_over() -> None:
    open_, high, low, close, volume = walk(11, 120)
    market = walk(12, 120)[3].copy()
    market[70] = np.nan
    whole = Indicator("beta").batch(open_, high, low, close, volume, market=market)
    keep = np.arange(120) != 70
    without = Indicator("beta").batch(open_[keep], high[keep], low[keep], close[keep], market=market[keep])
    np.testing.assert_array_equal(whole[keep], without)
    np.testing.assert_array_equal(whole[70], whole[69])


def test_the_documentation_has_a_true_row_for_each_indicator() -> None:
    page = Path(__file__).parents[3] / "docs" / "indicators.md"
    rows = [line.split(" | ") for line in page.read_text().splitlines() if line.startswith("| `")]
    documented = {row[0].strip("| `"): row[1:4] for row in rows if row[0].strip("| `") in specifications()}
    assert sorted(documented) == NAMES
    for name, (parameters, outputs, warm_up) in documented.items():
        specification = specifications()[name]
        presets = ", ".join(f"{each.name} = {each.preset:.10g}" for each in specification.parameters)
        assert [parameters, outputs] == [presets or "—", ", ".join(specification.outputs)], name
        assert int(warm_up) == Indicator(name).warm_up, name
