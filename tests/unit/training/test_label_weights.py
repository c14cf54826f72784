"""Average uniqueness against counting concurrent labels bar by bar."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.training.weights import average_uniqueness


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), min_size=1, max_size=30))
@settings(max_examples=60)
def test_uniqueness_is_the_mean_share_over_the_bars_of_a_label(spans):
    start = np.array([s for s, _ in spans])
    end = np.array([s + n for s, n in spans])
    marks = sorted(set(start) | set(end))
    expected = []
    for s, e in zip(start, end, strict=True):
        shares = [1 / sum(a < t <= b for a, b in zip(start, end, strict=True)) for t in marks if s < t <= e]
        expected.append(sum(shares) / len(shares))
    assert average_uniqueness(start, end) == pytest.approx(expected)


def test_a_label_alone_counts_whole_and_equal_labels_share():
    assert average_uniqueness(np.array([0, 10]), np.array([5, 15])).tolist() == [1.0, 1.0]
    assert average_uniqueness(np.array([0, 0, 0, 0]), np.array([5, 5, 5, 5])) == pytest.approx([0.25] * 4)


def test_a_label_that_begins_where_another_ends_does_not_overlap_it():
    assert average_uniqueness(np.array([0, 5]), np.array([5, 9])).tolist() == [1.0, 1.0]


def test_a_label_that_ends_before_its_decision_is_refused():
    with pytest.raises(ValueError, match="must end after"):
        average_uniqueness(np.array([5]), np.array([5]))
