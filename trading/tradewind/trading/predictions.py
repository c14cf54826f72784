"""From a model's raw output to a prediction and a confidence. Core."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tradewind.trading.model_card import ModelCard


def to_predictions(raw: NDArray[np.float64], card: ModelCard) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Predictions in [-1, 1] and confidences in [0, 1] for each row.

    Classification: `raw` has shape (rows, 3), the probabilities of down, flat, up; the prediction is P(up) − P(down)
    and the confidence the largest probability. Regression: `raw` has shape (rows,), a log return; the prediction is
    tanh of the return in units of the training labels' spread, the confidence its absolute value.

    Raises ValueError when the shape does not fit the card.
    """
    if card.task == "classification":
        if raw.ndim != 2 or raw.shape[1] != 3:
            raise ValueError(f"model {card.name}: expected three class probabilities per row, got shape {raw.shape}")
        return raw[:, 2] - raw[:, 0], raw.max(axis=1)
    if raw.ndim != 1:
        raise ValueError(f"model {card.name}: expected one value per row, got shape {raw.shape}")
    prediction = np.tanh(raw / card.prediction_scale)
    return prediction, np.abs(prediction)
