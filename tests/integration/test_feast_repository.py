"""The feature repository through Feast itself: joins, pushes, restarts and a second process."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradewind.streaming.features import FeatureRow, FeatureSet, FeatureSetError
from tradewind.streaming.features.repository import FeatureRepository

NAMES = ("tech_rsi_14_raw", "tech_sma_20_ratio", "event_impact_5_sum")
SET = FeatureSet("daily", NAMES, "0123456789abcdef", "1d")
SECOND = 1_000_000_000


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[FeatureRepository]:
    repository = FeatureRepository.open(tmp_path, SET)
    yield repository
    repository.close()


def row(symbol: str, event: int, available: int, x: float) -> FeatureRow:
    return FeatureRow(symbol, event * SECOND, available * SECOND, (x, x + 1, math.nan))


def entities(*keys: tuple[str, int]) -> pl.DataFrame:
    return pl.DataFrame(
        {"symbol": [s for s, _ in keys], "time": [t * SECOND for _, t in keys], "label": range(len(keys))}
    )


def test_history_is_joined_as_of_the_time_it_was_known(repository: FeatureRepository) -> None:
    repository.write_batch(
        pl.DataFrame(
            {
                "symbol": ["A", "A", "A", "B"],
                "event_time": [10 * SECOND, 20 * SECOND, 10 * SECOND, 10 * SECOND],
                "available_time": [11 * SECOND, 21 * SECOND, 40 * SECOND, 10 * SECOND],
                **{name: [1.0, 2.0, 9.0, math.nan] for name in NAMES},
            }
        )
    )
    found = repository.historical(entities(("A", 21), ("A", 20), ("A", 10), ("B", 12), ("Z", 50)))
    assert found.columns == ["symbol", "time", "label", *NAMES]
    assert found[NAMES[0]].to_list()[:3] == [2.0, 1.0, None]
    assert math.isnan(found[NAMES[0]][3])
    assert found[NAMES[0]][4] is None


PUSHES = st.lists(st.tuples(st.sampled_from("AB"), st.integers(1, 9), st.integers(0, 5), st.floats(-9, 9)), max_size=12)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pushes=PUSHES)
def test_online_is_offline_now_whatever_the_order_of_arrival(
    tmp_path_factory: pytest.TempPathFactory, pushes: list[tuple[str, int, int, float]]
) -> None:
    repository = FeatureRepository.open(tmp_path_factory.mktemp("repo"), SET)
    for symbol, event, delay, x in pushes:
        repository.push([row(symbol, event, event + delay, x)])
    offline = repository.historical(entities(("A", 100), ("B", 100)))
    for index, online in enumerate(repository.online(["A", "B"])):
        stored = [offline[name][index] for name in NAMES]
        if online is None:
            assert stored == [None, None, None]
        else:
            assert list(online.values[:2]) == stored[:2]
            assert math.isnan(online.values[2])
            assert math.isnan(stored[2])
            assert online.event_time == max(e for s, e, _, _ in pushes if s == online.symbol) * SECOND


def test_an_older_event_pushed_later_changes_nothing_online(repository: FeatureRepository) -> None:
    repository.push([row("A", 20, 21, 2.0)])
    before = repository.online(["A"])
    repository.push([row("A", 10, 99, 7.0)])
    assert str(repository.online(["A"])) == str(before)
    repository.push([row("A", 20, 30, 3.0)])  # a revision of the newest event counts
    (revised,) = repository.online(["A"])
    assert revised is not None
    assert revised.values[0] == 3.0


def test_values_come_back_bit_for_bit(repository: FeatureRepository) -> None:
    awkward = (0.1 + 0.2, -0.0, 5e-324)
    repository.push([FeatureRow("A", SECOND, SECOND, awkward)])
    (online,) = repository.online(["A"])
    assert online is not None
    offline = repository.historical(entities(("A", 2))).row(0)[3:]
    assert [v.hex() for v in online.values] == [v.hex() for v in awkward] == [v.hex() for v in offline]


def test_a_second_process_reads_what_was_pushed(repository: FeatureRepository, tmp_path: Path) -> None:
    repository.push([row("A", 1, 1, 5.0), row("B", 1, 1, 6.0)])
    code = (
        "import sys, json\n"
        "from tradewind.streaming.features import FeatureSet\n"
        "from tradewind.streaming.features.repository import FeatureRepository\n"
        f"r = FeatureRepository.open(sys.argv[1], FeatureSet('daily', {NAMES!r}, '{SET.version}', '1d'))\n"
        "print(json.dumps([v and v.values[0] for v in r.online(['B', 'Z', 'A'])]))\n"
    )
    answer = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert json.loads(answer.stdout) == [6.0, None, 5.0]
    assert answer.stderr == ""


def test_another_version_is_another_table(repository: FeatureRepository, tmp_path: Path) -> None:
    repository.push([row("A", 1, 1, 5.0)])
    other = FeatureRepository.open(tmp_path, FeatureSet("daily", NAMES, "fedcba9876543210", "1d"))
    assert other.online(["A"]) == [None]
    with pytest.raises(FeatureSetError, match="other features or another version"):
        FeatureRepository.open(tmp_path, FeatureSet("daily", NAMES[:2], SET.version, "1d"))


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (FeatureRow("A", SECOND, SECOND, (1.0,)), "vector of A: 1 values, but daily_01234567 has 3"),
        (FeatureRow("A", SECOND + 1, SECOND, (1.0, 1.0, 1.0)), "not a whole microsecond"),
    ],
)
def test_a_bad_vector_is_refused_by_name(repository: FeatureRepository, bad: FeatureRow, message: str) -> None:
    with pytest.raises(FeatureSetError, match=message):
        repository.push([row("B", 1, 1, 1.0), bad])
    assert repository.online(["B"]) == [None]


def test_time_to_live_hides_stale_history(tmp_path: Path) -> None:
    from datetime import timedelta

    repository = FeatureRepository.open(tmp_path, FeatureSet("daily", NAMES, SET.version, "1d", timedelta(seconds=5)))
    repository.push([row("A", 10, 10, 1.0)])
    assert repository.historical(entities(("A", 15), ("A", 16)))[NAMES[0]].to_list() == [1.0, None]
