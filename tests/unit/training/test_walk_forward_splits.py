"""Purged walk-forward splits: nothing of validation is in training, in any layout."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tradewind.specs.training import WalkForward
from tradewind.training.errors import LeakageError, TrainingError
from tradewind.training.splits import PurgedWalkForward, assert_no_leakage


def _panel(times: int, symbols: int, seed: int, longest: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a panel with holes (a symbol that lists late, missing bars) and labels of uneven length."""
    rng = np.random.default_rng(seed)
    rows = [
        (t * 100, t * 100 + 100 * int(rng.integers(1, longest + 1)))
        for t in range(times)
        for s in range(symbols)
        if s == 0 or (t > 10 * s and rng.random() > 0.1)
    ]
    table = np.array(rows)
    return table[:, 0], table[:, 1]


layouts = st.fixed_dictionaries(
    {
        "train_bars": st.integers(20, 60),
        "validation_bars": st.integers(5, 30),
        "step_bars": st.integers(1, 40),
        "anchored": st.booleans(),
        "purge_bars": st.none() | st.integers(0, 15),
        "embargo": st.floats(0.0, 0.05),
    }
)


@given(layout=layouts, seed=st.integers(0, 1000), symbols=st.integers(1, 4))
@settings(max_examples=80)
def test_no_layout_leaks_and_every_window_is_where_the_spec_says(layout, seed, symbols):
    t0, t1 = _panel(150, symbols, seed)
    spec = WalkForward(**layout)
    splitter = PurgedWalkForward(spec, t0, t1, horizon_bars=12)
    purge = 12 if spec.purge_bars is None else spec.purge_bars
    assume(spec.train_bars + spec.validation_bars + purge + math.ceil(spec.embargo * 150) <= 150)
    splits = list(splitter.split(t0))
    assert len(splits) == splitter.get_n_splits()
    for train, validation in splits:
        start, stop = t0[validation].min(), t0[validation].max()
        # no training label's interval touches the validation window's
        assert not np.any((t0[train] <= t1[validation].max()) & (t1[train] >= start))
        # whole bar times are on one side
        assert np.array_equal(validation, np.flatnonzero((t0 >= start) & (t0 <= stop)))
        assert (stop - start) // 100 + 1 == spec.validation_bars
        # purge and embargo: that many distinct times lie between the windows
        first_free = start - 100 * (purge + math.ceil(spec.embargo * 150))
        assert t0[train].max() < first_free
        window = np.flatnonzero(
            (t0 < first_free) & (t0 >= (0 if spec.anchored else first_free - 100 * spec.train_bars))
        )
        assert np.array_equal(train, window[t1[window] < start])
    assert splits[-1][1][-1] == len(t0) - 1, "the newest data is validated"
    starts = [t0[validation[0]] for _, validation in splits]
    assert np.all(np.diff(starts) == 100 * spec.step_bars)


def test_labels_longer_than_the_purge_are_dropped_all_the_same():
    t0 = np.arange(60) * 10
    t1 = t0 + 10
    t1[25] = 10_000  # one decision whose outcome stays open
    spec = WalkForward(train_bars=30, validation_bars=10, step_bars=20, purge_bars=0, embargo=0.0)
    trains = [train for train, _ in PurgedWalkForward(spec, t0, t1, 1).split(t0)]
    assert [len(train) for train in trains] == [28, 28]  # that one, and the one whose outcome comes with the first bar
    assert all(25 not in train for train in trains)


def test_embargo_widens_the_gap_by_its_share_of_all_times():
    t0 = np.arange(200)
    plain = PurgedWalkForward(WalkForward(train_bars=50, embargo=0.0), t0, t0 + 1, 10)
    wide = PurgedWalkForward(WalkForward(train_bars=50, embargo=0.05), t0, t0 + 1, 10)
    assert (plain.gap_bars, wide.gap_bars) == (10, 20)


def test_too_short_a_history_names_the_numbers():
    t0 = np.arange(100)
    splitter = PurgedWalkForward(WalkForward(train_bars=80, validation_bars=20), t0, t0 + 1, 10)
    with pytest.raises(TrainingError, match=r"training\.splits: 100 labelled bar times .* 80 .* gap 11 .* 20 = 111"):
        splitter.get_n_splits()


def test_a_panel_out_of_order_is_refused():
    with pytest.raises(LeakageError, match="not in time order"):
        PurgedWalkForward(WalkForward(), np.array([2, 1]), np.array([3, 3]), 1)


GOOD_T0 = np.arange(10)
GOOD_T1 = GOOD_T0 + 2


def test_the_check_accepts_a_clean_split():
    assert_no_leakage(np.arange(4), np.arange(6, 10), GOOD_T0, GOOD_T1)


@pytest.mark.parametrize(
    ("train", "validation", "reason"),
    [
        (np.arange(5), np.arange(6, 10), "1 training labels were not known"),
        (np.arange(7), np.arange(6, 10), "1 rows are in both"),
        (np.array([0, 1, 9]), np.arange(6, 9), "decided at or after"),
        (np.array([1, 0]), np.arange(6, 10), "training rows are not in time order"),
        (np.arange(2), np.array([7, 6]), "validation rows are not in time order"),
        (np.array([], dtype=int), np.arange(6, 10), "empty side"),
    ],
)
def test_the_check_finds_each_kind_of_leak(train, validation, reason):
    with pytest.raises(LeakageError, match=reason):
        assert_no_leakage(train, validation, GOOD_T0, GOOD_T1)
