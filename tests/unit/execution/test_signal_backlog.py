"""What is decided on of vectors that were there before the process came."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tradewind.execution.signals.backlog import Backlog, Item, newest
from tradewind.v1.features_pb2 import FeatureVector

SYMBOLS = st.sampled_from(["AAPL", "IBM", "MSFT"])


@given(symbols=st.lists(SYMBOLS, max_size=30), end=st.integers(0, 30), cuts=st.sets(st.integers(0, 30)))
def test_however_it_is_read_the_newest_below_the_end_and_all_above_are_decided_on(
    symbols: list[str], end: int, cuts: set[int]
) -> None:
    items: list[Item] = [(offset, FeatureVector(symbol=symbol)) for offset, symbol in enumerate(symbols)]
    end = min(end, len(items))
    backlog, decided = Backlog(end), list[Item]()
    edges = [0, *sorted(c for c in cuts if 0 < c < len(items)), len(items)]
    for first, last in pairwise(edges):
        decided += backlog.take(items[first:last], last)
        assert backlog.waits is (0 < last < end)
    newest = {symbol: offset for offset, symbol in enumerate(symbols[:end])}
    assert [offset for offset, _ in decided] == sorted(newest.values()) + list(range(end, len(items)))


@given(st.lists(SYMBOLS, max_size=30))
def test_who_is_behind_decides_on_the_newest_of_each_symbol(symbols: list[str]) -> None:
    items: list[Item] = [(offset, FeatureVector(symbol=symbol)) for offset, symbol in enumerate(symbols)]
    superseded, decided = newest(items)
    assert [offset for offset, _ in decided] == sorted({symbol: at for at, symbol in enumerate(symbols)}.values())
    assert sorted(superseded + decided, key=lambda item: item[0]) == items
    assert superseded == sorted(superseded, key=lambda item: item[0])


def test_what_is_not_ours_at_the_end_holds_nothing_up() -> None:
    backlog = Backlog(3)
    assert backlog.take([(0, FeatureVector(symbol="IBM"))], 1) == []
    assert backlog.take([], 3) == [(0, FeatureVector(symbol="IBM"))]
    assert not backlog.waits


def test_records_that_can_not_be_read_hold_nothing_up() -> None:
    backlog = Backlog(3)
    backlog.take([(0, FeatureVector(symbol="IBM"))], 1)
    assert backlog.rest() == [(0, FeatureVector(symbol="IBM"))]
    assert not backlog.waits
