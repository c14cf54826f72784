"""Latency of each hop over the bus, from the times at which the log took the records. Shell (reads the bus)."""

from __future__ import annotations

import numpy as np

from tradewind.bus import Bus
from tradewind.console.report.data import HopLatency
from tradewind.v1 import features_pb2, market_pb2, trading_pb2


def bus_hops(bus: Bus) -> list[HopLatency]:
    """Bar on the bus → features → signal (prediction) and intent, each from the record before. Microseconds."""
    bars: dict[tuple[str, int], int] = {}
    for record in bus.read("bars"):
        assert isinstance(record.message, market_pb2.Bar)
        bars[(record.message.symbol, record.message.event_time)] = record.timestamp_ns
    features: dict[tuple[str, int], int] = {}
    for record in bus.read("features"):
        assert isinstance(record.message, features_pb2.FeatureVector)
        features.setdefault((record.message.symbol, record.message.event_time), record.timestamp_ns)
    signals: dict[tuple[str, int], int] = {}
    for record in bus.read("signals"):
        assert isinstance(record.message, trading_pb2.Signal)
        signals.setdefault((record.message.symbol, record.message.event_time), record.timestamp_ns)
    return [
        _hop("bar → features", [features[k] - bars[k] for k in features if k in bars]),
        _hop("features → prediction and signal", [signals[k] - features[k] for k in signals if k in features]),
        _hop("bar → signal", [signals[k] - bars[k] for k in signals if k in bars]),
    ]


def _hop(name: str, nanoseconds: list[int]) -> HopLatency:
    if not nanoseconds:
        return HopLatency(name, 0, 0.0, 0.0, 0.0)
    p50, p99, p999 = np.percentile(np.array(nanoseconds) / 1e3, [50, 99, 99.9])
    return HopLatency(name, len(nanoseconds), float(p50), float(p99), float(p999))
