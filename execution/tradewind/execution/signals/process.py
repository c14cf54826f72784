"""The loop of a signal process. Shell: reads vectors, asks, publishes, then commits."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from itertools import groupby

from tradewind.bus import Bus, Outgoing, Record
from tradewind.execution.signals.backlog import Backlog, Item, newest
from tradewind.execution.signals.books import BookReader
from tradewind.execution.signals.config import SignalConfig
from tradewind.execution.signals.decisions import Decider, Decision
from tradewind.execution.signals.predictor import (
    PredictionRefusedError,
    PredictorClient,
    PredictorUnavailableError,
    predict_when_up,
)
from tradewind.native.features import feature_set_version
from tradewind.v1 import features_pb2

_BATCH = 4096


class SignalProcess:
    """One strategy's signals and intents."""

    def __init__(self, config: SignalConfig, bus: Bus, predictor: PredictorClient) -> None:
        self._config = config
        self._stop = threading.Event()
        self._bus = bus
        self._predictor = predictor
        self._predictor_lost = False  # its breaker is open: each batch makes one trial and waits for nothing
        self._decider = Decider(
            config.strategy, config.account, config.policy_generation, config.features, config.volatility_feature
        )
        self._version = feature_set_version(config.features)
        self._books = BookReader(bus, config.account, config.strategy.uid)
        self._symbols = set(config.strategy.spec.universe.symbols)

    def run(self, stop: threading.Event) -> None:
        """Until `stop` is set."""
        self._stop = stop
        subscription = self._bus.subscribe(["features"], self._config.group)
        backlog: Backlog | None = None
        last: Record | None = None
        try:
            while not stop.is_set():
                records = subscription.poll(_BATCH, 0.5)
                if records:
                    last = records[-1]
                    # Only now the topic is ours: another process of the group may have held it until here.
                    backlog = backlog or Backlog(self._bus.end_offset("features"))
                    current = backlog.take(self._own(records), last.offset + 1)
                elif backlog is not None and backlog.waits and subscription.lag().get("features") == 0:
                    current = backlog.rest()  # the log's last records can't be read
                else:
                    continue
                if self._config.positions_timeout_s is not None:  # lockstep goes no further than it is followed
                    superseded, current = newest(current)
                    self._publish(self._refuse(superseded, "superseded"))
                for event_time, group in groupby(current, key=lambda item: item[1].event_time):
                    self._publish(self._decide(event_time, list(group)))
                if last is not None and not backlog.waits:
                    subscription.commit(last)
        finally:
            subscription.close()

    def _own(self, records: Sequence[Record]) -> list[Item]:
        """The vectors of the strategy's feature set and symbols."""
        vectors = [(r.offset, r.message) for r in records if isinstance(r.message, features_pb2.FeatureVector)]
        name = self._config.feature_set
        return [(o, v) for o, v in vectors if v.feature_set == name and v.symbol in self._symbols]

    def _publish(self, decisions: Sequence[Decision]) -> None:
        self._bus.publish_many(
            [Outgoing("signals", d.signal.symbol, d.signal) for d in decisions]
            + [Outgoing("intents", self._config.account, d.intent) for d in decisions if d.intent is not None]
        )

    def _decide(self, event_time: int, items: list[Item]) -> list[Decision]:
        config = self._config
        vectors = [vector for _, vector in items]
        if any(v.feature_set_version != self._version for v in vectors):
            return self._refuse(items, "feature_set_version")
        if any(len(v.values) != len(config.features) or v.close <= 0 for v in vectors):
            return self._refuse(items, "malformed_vector")
        try:
            predictions = predict_when_up(
                self._predictor,
                config.served_model or config.strategy.model_name,
                self._version,
                vectors,
                0.0 if self._predictor_lost else config.positions_timeout_s,
                self._stop,
            )
        except PredictorUnavailableError:
            self._predictor_lost = True
            return self._refuse(items, "predictor_unavailable")
        except PredictionRefusedError as error:
            self._predictor_lost = False
            return self._refuse(items, f"refused: {error}")
        self._predictor_lost = False
        if any(p.alias != config.model_alias for p in predictions):
            return self._refuse(items, "model_alias")
        # Asked for last: the executor marks the books to the same bar while the predictor works.
        book = self._books.at(event_time, config.positions_timeout_s, self._stop)
        if book is None:
            return self._refuse(items, "stale_positions")
        return [
            self._decider.decide(v, offset, p, book, v.available_time if config.virtual_time else time.time_ns())
            for (offset, v), p in zip(items, predictions, strict=True)
        ]

    def _refuse(self, items: list[Item], reason: str) -> list[Decision]:
        return [self._decider.refuse(vector, offset, reason) for offset, vector in items]
