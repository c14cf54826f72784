"""The native engine's features as training's feature source. Shell: loads the native library."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from tradewind.streaming.features.config import FeatureSetConfig
from tradewind.streaming.features.feature_set import FeatureSetError
from tradewind.training.dataset import FeatureSource
from tradewind.training.errors import TrainingError
from tradewind.v1.market_pb2 import Event


def native_source(config: FeatureSetConfig, volatility_feature: str) -> FeatureSource:
    """Features computed in batch by the objects that also compute them bar by bar.

    Raises TrainingError for a feature the engine does not know or a version it does not compute.
    """
    from tradewind.streaming.features.engine import native_feature_set
    from tradewind.streaming.features.history import compute_history

    try:
        feature_set = native_feature_set(config.name, config.names, config.interval, config.version)
    except FeatureSetError as error:
        raise TrainingError(str(error)) from None

    def compute(bars: pl.DataFrame, events: Sequence[Event]) -> pl.DataFrame:
        return compute_history(bars, events, feature_set.names, config.context_symbol)

    return FeatureSource(feature_set, compute, volatility_feature)
