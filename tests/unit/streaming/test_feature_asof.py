"""The point-in-time join against the definition, row by row."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.streaming.features.asof import asof_join, deduplicated, latest

Row = tuple[str, int, int, float]
ROWS = st.lists(
    st.tuples(st.sampled_from("AB"), st.integers(0, 12), st.integers(-4, 16), st.floats(-1e6, 1e6)), max_size=40
)
ENTITIES = st.lists(st.tuples(st.sampled_from("ABC"), st.integers(-2, 20)), min_size=1, max_size=25)


def frame(rows: list[Row]) -> pl.DataFrame:
    schema = {"symbol": pl.String, "event_timestamp": pl.Int64, "created_timestamp": pl.Int64, "x": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def entity_frame(entities: list[tuple[str, int]]) -> pl.DataFrame:
    return pl.DataFrame(entities, schema={"symbol": pl.String, "event_timestamp": pl.Int64}, orient="row")


def known_value(rows: list[Row], symbol: str, time: int, ttl: int) -> float | None:
    """The definition, written as a search through all rows."""
    best: tuple[int, int, int] | None = None
    value: float | None = None
    for position, (of, event, created, x) in enumerate(rows):
        if of != symbol or event > time or created > time:
            continue
        if best is None or (event, created, position) > best:
            best, value = (event, created, position), x
    if best is not None and ttl and best[0] < time - ttl:
        return None
    return value


@settings(max_examples=200)
@given(ROWS, ENTITIES, st.sampled_from([0, 3]))
def test_join_is_what_a_search_through_all_rows_finds(
    rows: list[Row], entities: list[tuple[str, int]], ttl: int
) -> None:
    joined = asof_join(entity_frame(entities), frame(rows), ["x"], ttl)
    assert joined["x"].to_list() == [known_value(rows, symbol, time, ttl) for symbol, time in entities]


def test_a_revision_counts_from_when_it_was_created() -> None:
    rows = frame([("A", 10, 11, 1.0), ("A", 10, 30, 2.0), ("A", 20, 21, 3.0)])
    joined = asof_join(entity_frame([("A", t) for t in (10, 11, 20, 21, 35)]), rows, ["x"])
    # At 35 the revision of event 10 is known too, but event 20 is later.
    assert joined["x"].to_list() == [None, 1.0, 1.0, 3.0, 3.0]


def test_a_feature_that_is_not_warm_stays_nan_and_is_not_taken_for_missing() -> None:
    joined = asof_join(entity_frame([("A", 5), ("B", 5)]), frame([("A", 1, 1, math.nan)]), ["x"])
    assert joined["x"].is_nan().to_list() == [True, None]


@pytest.mark.parametrize("rows_per_symbol", [200, 400])
def test_intermediate_tables_grow_with_rows_not_with_pairs(
    rows_per_symbol: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The largest table any step makes has at most one row per input row (a join by pairs makes n²/2)."""
    largest = 0
    for name in ("sort", "join_asof", "join", "unique", "with_columns", "select"):
        original = getattr(pl.DataFrame, name)

        def counted(self: pl.DataFrame, *args: object, _original: object = original, **kwargs: object) -> pl.DataFrame:
            nonlocal largest
            result: pl.DataFrame = _original(self, *args, **kwargs)  # type: ignore[operator]
            largest = max(largest, len(result))
            return result

        monkeypatch.setattr(pl.DataFrame, name, counted)
    rows = [(symbol, t, t + 1, float(t)) for t in range(rows_per_symbol) for symbol in "ABCDE"]
    asof_join(entity_frame([(symbol, t) for symbol, t, _, _ in rows]), frame(rows), ["x"])
    assert largest == len(rows)


def test_latest_and_deduplicated_take_the_last_written_of_equals() -> None:
    rows = frame([("A", 1, 2, 1.0), ("A", 1, 2, 9.0), ("A", 0, 50, 3.0), ("B", 4, 4, 4.0)])
    assert latest(rows)["x"].to_list() == [9.0, 4.0]
    assert deduplicated(rows)["x"].to_list() == [9.0, 3.0, 4.0]
