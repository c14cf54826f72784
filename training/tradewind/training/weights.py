"""How much each label counts: labels that overlap share their evidence. Core."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def average_uniqueness(start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.float64]:
    """Average uniqueness of labels of one symbol (López de Prado 2018, section 4.2, equations 4.1 and 4.2).

    Label i lives in the half-open span of times (start_i, end_i]: its return begins with the bar after the decision.
    The times looked at are those at which some label ends or starts. A label that overlaps no other weighs 1; of n
    labels with the same span each weighs 1/n. Raises ValueError when a label ends before it starts.
    """
    if np.any(end <= start):
        raise ValueError("a label must end after its decision")
    grid = np.unique(np.concatenate([start, end]))
    first = np.searchsorted(grid, start, side="right")
    last = np.searchsorted(grid, end, side="right")
    change = np.zeros(len(grid) + 1)
    np.add.at(change, first, 1.0)
    np.add.at(change, last, -1.0)
    concurrent = np.cumsum(change)[:-1]
    share = np.divide(1.0, concurrent, out=np.zeros(len(grid)), where=concurrent > 0)
    total = np.concatenate([[0.0], np.cumsum(share)])
    uniqueness: NDArray[np.float64] = (total[last] - total[first]) / (last - first)
    return uniqueness
