"""Forward adjustment knows no future, and its returns are the vendor's total returns."""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import polars as pl
import pytest
from bokeh_sampledata import stocks
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.streaming.datasets import DataError, forward_adjust
from tradewind.streaming.datasets.adjustment import find_actions
from tradewind.streaming.datasets.fixedpoint import fixed_series

SCALE = 10**8


def bars_of(closes: list[int], volumes: list[int] | None = None) -> pl.DataFrame:
    volume = volumes or [1000] * len(closes)
    return pl.DataFrame({"open": closes, "high": closes, "low": closes, "close": closes, "volume": volume})


def company(name: str) -> tuple[pl.DataFrame, list[str], list[date]]:
    data = getattr(stocks, name)
    frame = pl.DataFrame(
        {column: fixed_series(pl.Series(column, data[column])) for column in ("open", "high", "low", "close")}
        | {"volume": data["volume"]}
    )
    return frame, [repr(value) for value in data["adj_close"]], [date.fromisoformat(day) for day in data["date"]]


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[int], list[str], dict[int, tuple[str, Fraction]]]:
    """Raw closes in cents, the actions, and a vendor's backward-adjusted closes printed to 6 to 12 decimals."""
    count = draw(st.integers(3, 30))
    closes = [draw(st.integers(2_000, 50_000)) * SCALE // 100 for _ in range(count)]
    days = draw(st.lists(st.integers(1, count - 1), unique=True, max_size=4))
    actions: dict[int, tuple[str, Fraction]] = {}
    for day in days:
        if draw(st.booleans()):
            actions[day] = ("split", draw(st.sampled_from([Fraction(2), Fraction(3), Fraction(3, 2), Fraction(1, 10)])))
        else:
            cents = draw(st.integers(5, 200))
            dividend = Fraction(cents, 100)
            actions[day] = ("dividend", 1 / (1 - dividend / Fraction(closes[day - 1], SCALE)))
    decimals = draw(st.integers(6, 12))
    factor, adjusted = Fraction(1), []
    for day in reversed(range(count)):
        value = Fraction(closes[day], SCALE) / factor
        scaled = round(value * 10**decimals)
        adjusted.append(format(Decimal(scaled).scaleb(-decimals), "f"))
        factor *= actions[day][1] if day in actions else 1
    return closes, adjusted[::-1], actions


@given(histories())
@settings(max_examples=60)
def test_every_action_is_found_on_its_day(case: tuple[list[int], list[str], dict[int, tuple[str, Fraction]]]) -> None:
    closes, adjusted, actions = case
    found = {a.row: a for a in find_actions(closes, adjusted)}
    assert sorted(found) == sorted(actions)
    for day, (kind, factor) in actions.items():
        assert found[day].kind == kind
        assert abs(found[day].factor - factor) <= factor * (found[day].error + Fraction(1, 10**8))


@given(histories(), st.data())
@settings(max_examples=60)
def test_no_value_knows_a_later_row(
    case: tuple[list[int], list[str], dict[int, tuple[str, Fraction]]], data: st.DataObject
) -> None:
    closes, adjusted, _ = case
    cut = data.draw(st.integers(1, len(closes)))
    whole = forward_adjust(bars_of(closes), adjusted).bars
    part = forward_adjust(bars_of(closes[:cut]), adjusted[:cut]).bars
    assert part.equals(whole.head(cut))


def test_a_split_moves_what_follows_and_nothing_before() -> None:
    bars = bars_of([100 * SCALE, 102 * SCALE, 51 * SCALE, 52 * SCALE], [10, 10, 20, 30])
    result = forward_adjust(bars, ["50.00", "51.00", "51.00", "52.00"])
    assert result.bars["close"].to_list() == [100 * SCALE, 102 * SCALE, 102 * SCALE, 104 * SCALE]
    assert result.bars["volume"].to_list() == [10, 10, 10, 15]


def test_a_dividend_leaves_volume_alone() -> None:
    bars = bars_of([100 * SCALE, 99 * SCALE], [10, 20])
    result = forward_adjust(bars, ["99.00000", "99.00000"])
    assert [a.kind for a in result.actions] == ["dividend"]
    assert result.bars["volume"].to_list() == [10, 20]
    # c/(c - D) = 100/99 on what is now worth 99: no return on the ex-date, to the factor's eight decimals.
    assert abs(result.bars["close"][1] - 100 * SCALE) <= 100


def test_rounding_to_cents_is_not_an_action() -> None:
    # The same ratio 0.123456789 throughout, printed to cents: the ratio of the printed values wanders by 0.3 %.
    closes = [(20_00 + 37 * day) * SCALE // 100 for day in range(200)]
    cents = Decimal("0.01")
    ratio = Decimal("0.123456789")
    adjusted = [str((Decimal(c) / SCALE * ratio).quantize(cents, rounding=ROUND_HALF_EVEN)) for c in closes]
    assert find_actions(closes, adjusted) == []


def test_all_days_since_the_last_action_bear_witness() -> None:
    # Printed to cents, a close of 10 hides a dividend of 0.03 % and a close of 1000 does not: the day between them must
    # not make us forget what the first one told.
    closes = [1000 * SCALE, 10 * SCALE, 1000 * SCALE]
    (action,) = find_actions(closes, ["999.70", "10.00", "1000.00"])
    assert (action.row, action.kind) == (2, "dividend")
    assert float(action.factor) == pytest.approx(1.0003, abs=1e-5)


def test_apples_splits_and_dividends_are_found() -> None:
    bars, adjusted, days = company("AAPL")
    found = [(days[a.row], a.kind) for a in forward_adjust(bars, adjusted).actions]
    # Apple Inc., investor relations: 2:1 on 2000-06-21 and 2005-02-28; dividends again from August 2012 on.
    assert found == [
        (date(2000, 6, 21), "split"),
        (date(2005, 2, 28), "split"),
        (date(2012, 8, 9), "dividend"),
        (date(2012, 11, 7), "dividend"),
        (date(2013, 2, 7), "dividend"),
    ]


def test_microsofts_special_dividend_is_no_split() -> None:
    bars, adjusted, days = company("MSFT")
    found = {days[a.row]: a for a in forward_adjust(bars, adjusted).actions}
    special = found[date(2004, 11, 15)]  # 3 dollars and the quarter's 8 cents
    before = Fraction(bars["close"][days.index(date(2004, 11, 12))], SCALE)
    assert special.kind == "dividend"
    assert float(before * (1 - 1 / special.factor)) == pytest.approx(3.08, abs=0.06)
    assert found[date(2003, 2, 18)].factor == 2


@pytest.mark.parametrize("name", ["AAPL", "GOOG", "IBM", "MSFT"])
def test_forward_returns_are_the_vendors_returns(name: str) -> None:
    bars, adjusted, _ = company(name)
    forward = [Fraction(v) for v in forward_adjust(bars, adjusted).bars["close"]]
    vendor = [Fraction(text) for text in adjusted]
    gaps = [abs(forward[i] / forward[i - 1] - vendor[i] / vendor[i - 1]) for i in range(1, len(forward))]
    # A factor is kept to 1e-8 and prices to 1e-8 of a dollar; returns can be off by little more than that.
    assert max(gaps) < Fraction(2, 10**8)


@pytest.mark.parametrize(
    ("adjusted", "reason"),
    [(["1.00", "x"], "row 2: 'x'"), (["1.00", "0"], "row 2: .*above 0"), (["1.0000", "0.9500"], "row 2: falls")],
)
def test_what_no_action_explains_is_refused(adjusted: list[str], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        forward_adjust(bars_of([SCALE, SCALE]), adjusted)
