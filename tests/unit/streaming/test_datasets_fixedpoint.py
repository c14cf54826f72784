"""Prices become integers exactly; the oracle is Python's Decimal."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.streaming.datasets.fixedpoint import fixed_series, fixed_text, whole_series


def oracle(text: str) -> int:
    return int(Decimal(text).quantize(Decimal("1e-8"), rounding=ROUND_HALF_EVEN) * 10**8)


@given(st.lists(st.decimals(min_value=-(10**9), max_value=10**9, places=8), min_size=1, max_size=20))
def test_text_is_exact(values: list[Decimal]) -> None:
    texts = [format(value, "f") for value in values]
    assert fixed_series(pl.Series(texts)).to_list() == [oracle(text) for text in texts]


@given(st.lists(st.floats(min_value=-1e9, max_value=1e9), min_size=1, max_size=20))
def test_a_float_is_its_shortest_text(values: list[float]) -> None:
    assert fixed_series(pl.Series(values, dtype=pl.Float64)).to_list() == [oracle(repr(value)) for value in values]


@given(st.integers(min_value=-(10**16), max_value=10**16))
def test_fixed_text_reads_back(value: int) -> None:
    assert oracle(fixed_text(value)) == value


@pytest.mark.parametrize("text", ["", "abc", "nan", "inf", "1e30", "--1", "1,5", "12345678901234"])
def test_what_is_no_price_is_null(text: str) -> None:
    assert fixed_series(pl.Series([text, "1.5"])).to_list() == [None, 150_000_000]


def test_more_than_eight_decimals_are_rounded_half_even() -> None:
    assert fixed_series(pl.Series(["0.000000005", "0.000000015", "1.5e1", "+2"])).to_list() == [
        0,
        2,
        15 * 10**8,
        2 * 10**8,
    ]


def test_floats_that_are_no_price_are_null() -> None:
    assert fixed_series(pl.Series([float("nan"), float("inf"), 1.0])).to_list() == [None, None, 10**8]


def test_volumes_are_whole() -> None:
    assert whole_series(pl.Series(["100", "100.0", "100.5", "x"])).to_list() == [100, 100, None, None]
    assert whole_series(pl.Series([100.0, 100.5, float("nan")])).to_list() == [100, None, None]
