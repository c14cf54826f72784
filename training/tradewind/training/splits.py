"""Purged walk-forward splits, and the proof that a split leaks nothing. Core.

Windows are counted in distinct bar times, so a panel of many symbols moves as one: all of a time's rows are on the same
side of every boundary.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tradewind.specs.training import WalkForward
from tradewind.training.errors import LeakageError, TrainingError

Rows = NDArray[np.intp]
Times = NDArray[np.int64]


class PurgedWalkForward:
    """Train on a window, validate on the one after it, move on (a scikit-learn splitter).

    t0: decision time of each row, ns, ascending (rows of one time stand together). t1: when each row's label was known.

    Windows are laid out backwards from the newest time, so that the last validation window ends with the data. Between
    a training window and its validation window lie `purge_bars` (default: the label's horizon) and the embargo, a share
    of all times. López de Prado's embargo follows a validation window because his training data does (2018, section
    7.4.2); walk-forward trains only before, so the gap stands at the one boundary there is. Whatever the gap, a
    training row whose label was not known before the validation window starts is dropped.
    """

    def __init__(self, spec: WalkForward, t0: Times, t1: Times, horizon_bars: int) -> None:
        if len(t0) != len(t1):
            raise ValueError(f"t0 has {len(t0)} rows, t1 has {len(t1)}")
        if np.any(np.diff(t0) < 0):
            raise LeakageError("the panel is not in time order: sort it by decision time before splitting")
        self._spec = spec
        self._t0, self._t1 = t0, t1
        self._times = np.unique(t0)
        purge = horizon_bars if spec.purge_bars is None else spec.purge_bars
        self._gap = purge + math.ceil(spec.embargo * len(self._times))

    @property
    def gap_bars(self) -> int:
        """Distinct times left out between training and validation (purge plus embargo)."""
        return self._gap

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:  # noqa: ARG002, N803
        """Number of splits; raises TrainingError when the data is too short for one."""
        spare = len(self._times) - self._spec.train_bars - self._gap - self._spec.validation_bars
        if spare < 0:
            need = len(self._times) - spare
            raise TrainingError(
                f"training.splits: {len(self._times)} labelled bar times are too few for one split: trainBars "
                f"{self._spec.train_bars} + gap {self._gap} + validationBars {self._spec.validation_bars} = {need}; "
                "give more history or shorten the windows"
            )
        return spare // self._spec.step_bars + 1

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:  # noqa: ARG002, N803
        """(training rows, validation rows) of each split, oldest first. `X` must have as many rows as t0."""
        if len(X) != len(self._t0):
            raise ValueError(f"X has {len(X)} rows, the splitter was made for {len(self._t0)}")
        splits = self.get_n_splits()
        for index in range(splits):
            end = len(self._times) - (splits - 1 - index) * self._spec.step_bars
            validation_start = end - self._spec.validation_bars
            train_end = validation_start - self._gap
            train_start = 0 if self._spec.anchored else train_end - self._spec.train_bars
            train = self._rows(train_start, train_end)
            yield train[self._t1[train] < self._times[validation_start]], self._rows(validation_start, end)

    def _rows(self, start: int, end: int) -> Rows:
        """Rows whose decision time is one of the distinct times [start, end)."""
        first = np.searchsorted(self._t0, self._times[start], side="left")
        last = np.searchsorted(self._t0, self._times[end - 1], side="right")
        return np.arange(first, last, dtype=np.intp)


def assert_no_leakage(train: Rows, validation: Rows, t0: Times, t1: Times) -> None:
    """Raises LeakageError unless training is over, outcomes included, before validation starts (R-05-46)."""
    if len(train) == 0 or len(validation) == 0:
        raise LeakageError("a split has an empty side")
    shared = np.intersect1d(train, validation)
    if len(shared):
        raise LeakageError(f"{len(shared)} rows are in both training and validation")
    for name, rows in (("training", train), ("validation", validation)):
        if np.any(np.diff(t0[rows]) < 0):
            raise LeakageError(f"{name} rows are not in time order")
    start = t0[validation].min()
    late = int(np.sum(t0[train] >= start))
    if late:
        raise LeakageError(f"{late} training rows were decided at or after the start of validation")
    open_labels = int(np.sum(t1[train] >= start))
    if open_labels:
        raise LeakageError(f"{open_labels} training labels were not known before validation started")
