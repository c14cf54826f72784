"""The training panel: one row per decision, features and outcome side by side. Core."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Panel:
    """Rows sorted by decision time, then symbol.

    features: shape (rows, features), in feature-set order, no NaN. label: -1/0/1 or a log return. log_return: what a
    long position made. t1: when the outcome was known, ns. weight: average uniqueness of the label. annual_volatility:
    the feature that sizes positions, as the signal process reads it. symbol: index into `symbols`.
    """

    symbols: tuple[str, ...]
    feature_names: tuple[str, ...]
    symbol: NDArray[np.int64]
    decision_time: NDArray[np.int64]
    t1: NDArray[np.int64]
    features: NDArray[np.float64]
    label: NDArray[np.float64]
    log_return: NDArray[np.float64]
    weight: NDArray[np.float64]
    annual_volatility: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.decision_time)
