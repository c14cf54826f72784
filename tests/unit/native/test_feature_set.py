"""Feature names, versions and the engine: stream and batch agree to the bit, events and context arrive in time."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.native.features import (
    DEFAULT_FEATURES,
    BarArrays,
    EventInput,
    FeatureEngine,
    FeatureError,
    compute_batch,
    describe_feature,
    feature_set_version,
    known_features,
)
from tradewind.native.indicators import Indicator, specifications

Floats = npt.NDArray[np.float64]
DAY = 86_400_000_000_000
START = 1_200_000_000_000_000_000
EVERYTHING = tuple(dict.fromkeys((*DEFAULT_FEATURES, *known_features())))


def fixed(prices: Floats) -> npt.NDArray[np.int64]:
    return np.round(prices * 1e8).astype(np.int64)


def make_bars(seed: int, bars: int, first: int = 0, price: float = 60.0) -> BarArrays:
    rng = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(rng.normal(0, 0.02, bars)))
    open_ = close * np.exp(rng.normal(0, 0.01, bars))
    high = np.maximum(open_, close) * (1 + rng.exponential(0.005, bars))
    low = np.minimum(open_, close) / (1 + rng.exponential(0.005, bars))
    time = START + DAY * np.arange(first, first + bars, dtype=np.int64)
    return BarArrays(time, fixed(open_), fixed(high), fixed(low), fixed(close), rng.integers(1, 10**8, bars))


def make_events(seed: int, bars: int, symbols: tuple[str, ...]) -> list[EventInput]:
    rng = np.random.default_rng(seed)
    types = ("rate_decision", "earnings")
    return [
        EventInput(
            symbols[int(rng.integers(len(symbols)))],
            types[int(rng.integers(2))],
            START + int(rng.integers(-5 * DAY, bars * DAY)),
            float(rng.uniform(-1, 1)),
        )
        for _ in range(bars // 8)
    ]


def row(bars: BarArrays, i: int) -> tuple[int, ...]:
    return tuple(int(getattr(bars, field.name)[i]) for field in dataclasses.fields(bars))


def cut(bars: BarArrays, end: int) -> BarArrays:
    return BarArrays(*(getattr(bars, field.name)[:end] for field in dataclasses.fields(bars)))


def same_bits(a: Floats, b: Floats) -> bool:
    return a.shape == b.shape and bool(np.array_equal(a.view(np.uint64), b.view(np.uint64)))


def stream(
    names: tuple[str, ...],
    symbols: dict[str, BarArrays],
    context: BarArrays,
    events: list[EventInput],
    restarts: frozenset[int] = frozenset(),
) -> dict[str, Floats]:
    """All series merged by time as the bus would bring them; a restart replays everything from the first bar."""
    merged: list[tuple[int, int, object]] = [(event.available_time, 0, event) for event in events]
    merged += [(int(t), 1, i) for i, t in enumerate(context.time)]
    for symbol, bars in symbols.items():
        merged += [(int(t), 2, (symbol, i)) for i, t in enumerate(bars.time)]
    merged.sort(key=lambda each: each[:2])
    out: dict[str, list[Floats]] = {symbol: [] for symbol in symbols}
    engine = FeatureEngine(names)

    def feed(entry: object) -> tuple[str, Floats] | None:
        if isinstance(entry, EventInput):
            engine.update_event(entry)
        elif isinstance(entry, int):
            engine.update_context(*row(context, entry))
        elif isinstance(entry, tuple):
            symbol, i = entry
            return symbol, engine.update(symbol, *row(symbols[symbol], i))
        return None

    for position, (_, _, entry) in enumerate(merged):
        if position in restarts:
            engine = FeatureEngine(names)
            for _, _, earlier in merged[:position]:
                feed(earlier)
        vector = feed(entry)
        if vector is not None:
            out[vector[0]].append(vector[1])
    return {symbol: np.array(rows) for symbol, rows in out.items()}


# ---- names and versions ------------------------------------------------------------------------------------------


def test_default_set_is_sized_and_ordered_without_repeats() -> None:
    assert 45 <= len(DEFAULT_FEATURES) <= 60
    assert len(set(DEFAULT_FEATURES)) == len(DEFAULT_FEATURES)
    assert FeatureEngine().names == DEFAULT_FEATURES


def test_families_reach_every_indicator() -> None:
    used = {describe_feature(name).split(": ")[1].split()[1] for name in known_features() if "event_" not in name}
    assert used == set(specifications())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tech_rsj_14_raw", "unknown feature 'tech_rsj_14_raw'; nearest: tech_rsi_14_raw"),
        ("tech_rsi_14_rav", "unknown feature 'tech_rsi_14_rav'; nearest: tech_rsi_14_raw"),
        ("rsi", "unknown feature 'rsi'; nearest: "),
        ("", "unknown feature ''"),
        ("tech_rsi_014_raw", "feature 'tech_rsi_014_raw': window '014' does not fit; as in tech_rsi_14_raw"),
        ("tech_rsi_14x3_raw", "window '14x3' does not fit"),
        ("micro_gap_5_raw", "window '5' does not fit; as in micro_gap_1_raw"),
        ("tech_macd_26x12x9_line", "feature 'tech_macd_26x12x9_line': macd: fast must be below slow"),
        ("tech_sma_1000000_ratio", "sma: window must be a whole number from 1 to 100000, not 1000000"),
        ("event_earnings_sum_5", "event features read event_{type}_{decay|count|since}_{days}"),
        ("event_earnings_decay_0", "must be days, a whole number from 1 to 1000"),
        ("event_decay_5", "event features read"),
    ],
)
def test_bad_names_are_named(name: str, message: str) -> None:
    with pytest.raises(FeatureError) as error:
        FeatureEngine([name])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_sets_need_names_and_each_once() -> None:
    with pytest.raises(FeatureError, match="at least one feature"):
        FeatureEngine([])
    with pytest.raises(FeatureError, match="'tech_rsi_14_raw' is named twice"):
        feature_set_version(["tech_rsi_14_raw", "tech_rsi_14_raw"])


def test_version_changes_with_any_name_parameter_or_order() -> None:
    base = ["tech_rsi_14_raw", "vol_natr_14_raw", "event_rate_decision_decay_5"]
    others = [
        base[:2],
        [*base, "micro_gap_1_raw"],
        [base[1], base[0], base[2]],
        ["tech_rsi_15_raw", *base[1:]],
        ["tech_rsi_14_raw", "vol_atr_14_ratio", base[2]],
        [*base[:2], "event_rate_decision_decay_6"],
        [*base[:2], "event_rate_decision_count_5"],
        [*base[:2], "event_earnings_decay_5"],
    ]
    versions = [feature_set_version(names) for names in (base, *others)]
    assert len(set(versions)) == len(versions)
    assert all(len(version) == 16 and int(version, 16) >= 0 for version in versions)


def test_version_covers_arithmetic_versions_and_preset_parameters() -> None:
    # What is hashed is the description: it must show what the name alone does not.
    line = describe_feature("vol_bollinger_20_percentb")
    version = specifications()["bollinger"].arithmetic_version
    assert line == f"vol_bollinger_20_percentb: own bollinger v{version} window=20 multiplier=2 percent_b raw"
    assert describe_feature("ctx_rsi_14_raw") == f"ctx_rsi_14_raw: context rsi v{version} window=14 value raw"


def test_version_is_the_same_in_another_process() -> None:
    code = "from tradewind.native.features import *; print(feature_set_version(DEFAULT_FEATURES))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.strip() == feature_set_version(DEFAULT_FEATURES)


# ---- stream and batch --------------------------------------------------------------------------------------------


def test_stream_and_batch_give_the_same_bits_with_restarts() -> None:
    context = make_bars(1, 260)
    symbols = {"AAPL": make_bars(2, 260), "FB": make_bars(3, 140, first=120)}
    events = make_events(4, 260, ("*", "AAPL", "FB"))
    rng = np.random.default_rng(5)
    restarts = frozenset(int(i) for i in rng.integers(1, 600, 4))
    live = stream(EVERYTHING, symbols, context, events, restarts)
    for symbol, bars in symbols.items():
        batch = compute_batch(EVERYTHING, bars, context, events, symbol=symbol)
        assert batch.shape == (len(bars.time), len(EVERYTHING))
        assert same_bits(live[symbol], batch)
        assert not np.isnan(batch[-1, EVERYTHING.index("tech_rsi_14_raw")])


@settings(max_examples=10)
@given(st.integers(0, 2**31), st.integers(1, 59))
def test_nothing_sees_later_bars_or_events(seed: int, end: int) -> None:
    bars, context = make_bars(seed, 60), make_bars(seed + 1, 60)
    events = make_events(seed + 2, 60, ("*", "symbol"))
    whole = compute_batch(EVERYTHING, bars, context, events)
    known = [event for event in events if event.available_time <= int(bars.time[end - 1])]
    part = compute_batch(EVERYTHING, cut(bars, end), cut(context, end), known)
    assert same_bits(whole[:end], part)


def test_warm_up_is_the_bar_from_which_all_default_features_are_numbers() -> None:
    bars, context = make_bars(7, 320), make_bars(8, 320)
    vectors = compute_batch(DEFAULT_FEATURES, bars, context)
    warm = np.asarray(~np.isnan(vectors).any(axis=1))
    assert warm.argmax() == FeatureEngine().warm_up - 1
    assert warm[FeatureEngine().warm_up :].all()


def test_default_features_do_not_depend_on_the_price_level_or_the_lot() -> None:
    bars, context = make_bars(9, 280), make_bars(10, 280)
    scaled = BarArrays(bars.time, bars.open * 50, bars.high * 50, bars.low * 50, bars.close * 50, bars.volume * 3)
    plain = compute_batch(DEFAULT_FEATURES, bars, context)[-60:]
    other = compute_batch(DEFAULT_FEATURES, scaled, context)[-60:]
    np.testing.assert_allclose(other, plain, rtol=1e-6, atol=1e-9)


def test_values_are_the_indicators_in_their_forms() -> None:
    bars, context = make_bars(11, 120), make_bars(12, 120)
    names = ["tech_sma_20_ratio", "tech_macd_12x26x9_line", "tech_rsi_14_raw", "ctx_rsi_14_raw", "cross_beta_60_market"]
    vector = compute_batch(names, bars, context)[-1]
    own = (bars.open / 1e8, bars.high / 1e8, bars.low / 1e8, bars.close / 1e8)
    market = (context.open / 1e8, context.high / 1e8, context.low / 1e8, context.close / 1e8)
    close = own[3][-1]
    expected = [
        close / Indicator("sma", window=20).batch(*own)[-1, 0] - 1,
        Indicator("macd").batch(*own)[-1, 0] / close,
        Indicator("rsi").batch(*own)[-1, 0],
        Indicator("rsi").batch(*market)[-1, 0],
        Indicator("beta").batch(own[0], own[1], own[2], own[3], market=market[3])[-1, 0],
    ]
    assert vector.tolist() == expected


def test_context_volatility_is_the_annualised_deviation_of_log_returns() -> None:
    bars, context = make_bars(13, 60), make_bars(14, 60)
    value = compute_batch(["ctx_realvol_21_annual"], bars, context)[:, 0]
    returns = np.diff(np.log(context.close / 1e8))
    assert np.isnan(value[:21]).all()
    assert value[40] == pytest.approx(returns[19:40].std(ddof=1) * np.sqrt(252), rel=1e-12)


# ---- context, symbols, events ------------------------------------------------------------------------------------


def test_symbols_do_not_mix() -> None:
    a, b, context = make_bars(15, 50), make_bars(16, 50, price=5.0), make_bars(17, 50)
    together = stream(("tech_sma_10_ratio", "stat_return_5_raw"), {"A": a, "B": b}, context, [])
    for symbol, bars in (("A", a), ("B", b)):
        assert same_bits(together[symbol], compute_batch(["tech_sma_10_ratio", "stat_return_5_raw"], bars))


def test_features_of_two_series_pass_over_a_bar_whose_context_is_missing() -> None:
    bars, context = make_bars(18, 90), make_bars(19, 90)
    gap = BarArrays(*(np.delete(getattr(context, field.name), 80) for field in dataclasses.fields(context)))
    value = compute_batch(["cross_beta_60_market"], bars, gap)[:, 0]
    assert value[80] == value[79]
    assert value[81] != value[80]


def decayed(events: list[EventInput], now: int, half_life: float) -> float:
    seen = [event for event in events if event.available_time <= now]
    return sum(event.impact * float(0.5 ** ((now - event.available_time) / DAY / half_life)) for event in seen)


@settings(max_examples=20)
@given(st.integers(0, 2**31))
def test_event_features_are_sums_over_what_was_known(seed: int) -> None:
    bars = make_bars(seed, 60)
    events = make_events(seed, 60, ("*", "symbol", "OTHER")) + make_events(seed + 1, 60, ("*", "symbol", "OTHER"))
    names = ["event_earnings_decay_5", "event_any_decay_5", "event_earnings_count_10", "event_earnings_since_30"]
    values = compute_batch(names, bars, events=events)
    mine = [event for event in events if event.symbol != "OTHER"]
    earnings = [event for event in mine if event.type == "earnings"]
    for i, now in enumerate(bars.time.tolist()):
        ages = [(now - event.available_time) / DAY for event in earnings if event.available_time <= now]
        expected = [
            decayed(earnings, now, 5),
            decayed(mine, now, 5),
            sum(age < 10 for age in ages),
            min([age / 30 for age in ages] + [1.0]),
        ]
        np.testing.assert_allclose(values[i], expected, rtol=1e-9, atol=1e-12)


def test_an_event_waits_for_the_bar_at_its_time() -> None:
    bars = make_bars(20, 6)
    event = EventInput("*", "rate_decision", int(bars.time[3]), 1.0)
    engine = FeatureEngine(["event_rate_decision_decay_1", "event_rate_decision_since_4"])
    engine.update_event(event)
    values = np.array([engine.update("A", *row(bars, i)) for i in range(6)])
    assert values[:, 0].tolist() == [0.0, 0.0, 0.0, 1.0, 0.5, 0.25]
    assert values[:, 1].tolist() == [1.0, 1.0, 1.0, 0.0, 0.25, 0.5]
    late = EventInput("*", "rate_decision", int(bars.time[3]) + 1, 1.0)
    assert compute_batch(["event_rate_decision_decay_1"], bars, events=[late])[3, 0] == 0.0


def test_order_of_arrival_does_not_change_a_bit() -> None:
    bars, events = make_bars(21, 80), make_events(22, 800, ("*", "symbol"))
    names = ["event_any_decay_3", "event_earnings_decay_20"]
    forward = compute_batch(names, bars, events=events)
    assert same_bits(forward, compute_batch(names, bars, events=events[::-1]))
    assert np.abs(forward).max() > 0


def test_bad_bars_and_events_are_refused_and_change_nothing() -> None:
    bars = make_bars(23, 30)
    engine, undisturbed = FeatureEngine(["stat_return_1_raw"]), FeatureEngine(["stat_return_1_raw"])
    for i in range(10):
        engine.update("A", *row(bars, i))
        undisturbed.update("A", *row(bars, i))
    time, open_, high, low, close, volume = row(bars, 10)
    cases = [
        ((row(bars, 9)), "not later than the last one"),
        ((time, open_, low, high, close, volume), "high is below open or close"),
        ((time, open_, high, high, close, volume), "low is above open or close"),
        ((time, open_, high, 0, close, volume), "low must be above 0"),
        ((time, open_, high, low, close, -1), "volume must not be negative"),
    ]
    for bad, message in cases:
        with pytest.raises(FeatureError, match=f"^bar of A at {bad[0]}: {message}"):
            engine.update("A", *bad)
    with pytest.raises(FeatureError, match="is the market context: its bars go to update_context"):
        engine.update("^GSPC", *row(bars, 10))
    with pytest.raises(FeatureError, match="impact must be a finite number"):
        engine.update_event(EventInput("*", "earnings", time, float("nan")))
    with pytest.raises(FeatureError, match="type must be a name other than 'any'"):
        engine.update_event(EventInput("*", "any", time, 1.0))
    assert same_bits(engine.update("A", *row(bars, 10)), undisturbed.update("A", *row(bars, 10)))


def test_columns_must_be_equal_int64() -> None:
    bars = make_bars(24, 5)
    in_float: npt.NDArray[Any] = bars.close / 1e8
    with pytest.raises(FeatureError, match="column 'close' must be int64, not float64"):
        compute_batch(["micro_gap_1_raw"], dataclasses.replace(bars, close=in_float))
    with pytest.raises(FeatureError, match="column 'volume' must have one dimension and the length of 'time'"):
        compute_batch(["micro_gap_1_raw"], dataclasses.replace(bars, volume=bars.volume[:-1]))


def test_fixed_point_prices_convert_as_correctly_rounded_quotients() -> None:
    # Raw prices above 2**53 and prices that are no dyadic fraction: one division, nothing else.
    prices = np.array([12_345_678_901, 12_345_678_902, 2**53 + 2, 2**53 + 4], dtype=np.int64)
    bars = BarArrays(START + DAY * np.arange(4), prices, prices, prices, prices, np.ones(4, dtype=np.int64))
    returns = compute_batch(["stat_return_1_raw"], bars)[1:, 0]
    floats = [int(price) / 10**8 for price in prices]
    assert returns.tolist() == [after / before - 1.0 for before, after in pairwise(floats)]
