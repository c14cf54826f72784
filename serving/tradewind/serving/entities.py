"""Shell: the newest vectors of symbols, read from Feast's online store."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import grpc

from tradewind.serving.refusal import RequestRefusedError
from tradewind.streaming.features import FeatureSet, FeatureSetError
from tradewind.streaming.features.config import StoreConfig
from tradewind.trading.model_card import ModelCard
from tradewind.v1.prediction_pb2 import FeatureRow


class EntityFeatures:
    """Reads the feature repository in `directory` and `store`; one open view per feature-set version. Any thread."""

    def __init__(self, directory: str, store: StoreConfig | None = None) -> None:
        self._directory = directory
        self._store = store
        self._lock = threading.Lock()
        self._open: dict[str, Any] = {}

    def rows(self, card: ModelCard, symbols: Sequence[str]) -> list[FeatureRow]:
        """The newest vector of each symbol. Raises RequestRefusedError naming the symbol that has none."""
        try:
            found = self._repository(card).online(symbols)
        except FeatureSetError as error:  # the store does not answer
            raise RequestRefusedError(grpc.StatusCode.UNAVAILABLE, str(error)) from None
        rows = []
        for symbol, vector in zip(symbols, found, strict=True):
            if vector is None:
                raise RequestRefusedError(
                    grpc.StatusCode.NOT_FOUND,
                    f"symbol {symbol}: no vector of {card.feature_set} {card.feature_set_version} is online",
                )
            rows.append(FeatureRow(symbol=symbol, event_time=vector.event_time, values=vector.values))
        return rows

    def _repository(self, card: ModelCard) -> Any:
        # Feast takes seconds to import and is needed by this one call.
        from tradewind.streaming.features.repository import FeatureRepository

        with self._lock:
            if card.feature_set_version not in self._open:
                wanted = FeatureSet(card.feature_set, tuple(card.features), card.feature_set_version, "")
                try:
                    repository = FeatureRepository.open(self._directory, wanted, create=False, store=self._store)
                except FeatureSetError as error:
                    raise RequestRefusedError(grpc.StatusCode.FAILED_PRECONDITION, str(error)) from None
                self._open[card.feature_set_version] = repository
            return self._open[card.feature_set_version]
