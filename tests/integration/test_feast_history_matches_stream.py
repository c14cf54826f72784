"""Features of recorded bars (training) against the stream (serving): equal to the bit, restarts included."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tradewind.bus import FileBus
from tradewind.native.features import DEFAULT_FEATURES
from tradewind.streaming.features import FeatureRow, FeatureSetError
from tradewind.streaming.features.engine import NativeVectorEngine, native_feature_set
from tradewind.streaming.features.history import compute_history, in_stream_order
from tradewind.streaming.features.process import FeatureProcess
from tradewind.streaming.features.stream import FeatureStream
from tradewind.v1.features_pb2 import FeatureVector
from tradewind.v1.market_pb2 import Event

DAY = 86_400_000_000_000
INDEX = "^GSPC"
SET = native_feature_set("daily", DEFAULT_FEATURES, "1d")
DAYS = 320


class NoSink:
    def push(self, rows: Sequence[FeatureRow]) -> None:
        """Feast is not what this file is about."""


def market() -> pl.DataFrame:
    """Random walks; FB lists late, IBM misses some days, the index misses others and is known a minute late."""
    rng = np.random.default_rng(5)
    rows = []
    for symbol, first in ((INDEX, 0), ("AAPL", 0), ("IBM", 0), ("FB", 200)):
        close = 100.0
        for day in range(first, DAYS):
            close *= float(np.exp(rng.normal(0, 0.02)))
            if (symbol == "IBM" and day % 17 == 3) or (symbol == INDEX and day % 29 == 5):
                continue
            low, high = close * 0.99, close * 1.01
            prices = [int(value * 1e8) for value in (close * 1.001, high, low, close)]
            time = (day + 1) * DAY
            late = 60_000_000_000 if symbol == INDEX else 0
            volume = int(rng.integers(100_000, 1_000_000))
            rows.append((symbol, "1d", time - DAY, time, time + late, *prices, volume, symbol == INDEX))
    columns = ["symbol", "interval", "open_time", "event_time", "available_time", "open", "high", "low", "close"]
    return pl.DataFrame(rows, schema=[*columns, "volume", "context"], orient="row")


def events() -> list[Event]:
    rng = random.Random(3)
    return [
        Event(
            id=f"e{day}",
            symbol="*" if day % 2 else "AAPL",
            type="rate_decision",
            available_time=day * DAY + rng.choice([-1, 0, 1, DAY // 2]),
            impact=rng.uniform(-1, 1),
        )
        for day in range(10, DAYS, 11)
    ]


def key(symbol: str, event_time: int, available_time: int, values: Sequence[float]) -> tuple[str, int, int, bytes]:
    return symbol, event_time, available_time, np.array(values, dtype="<f8").tobytes()


@pytest.mark.parametrize("restarts", [0, 5])
def test_stream_and_history_agree_to_the_bit(tmp_path: Path, restarts: int) -> None:
    bars, news = market(), events()
    batch = compute_history(bars, news, SET.names, INDEX)
    expected = {key(row[0], row[1], row[2], row[3:]) for row in batch.iter_rows()}
    rng = random.Random(11)
    with FileBus(tmp_path / "bus.db") as bus:
        feed: list[tuple[int, int, str, object]] = [(e.available_time, 0, "events", e) for e in news]
        feed += [(b.event_time, i + 1, "bars", b) for i, b in enumerate(in_stream_order(bars))]
        feed.sort(key=lambda item: item[:2])
        cuts = sorted(rng.sample(range(len(feed)), restarts))
        for start, end in zip([0, *cuts], [*cuts, len(feed)], strict=True):
            for _, _, topic, message in feed[start:end]:
                bus.publish(topic, message.symbol, message)  # type: ignore[attr-defined, arg-type]
            stream = FeatureStream(NativeVectorEngine(SET.names, INDEX), "1d", INDEX, 0)
            process = FeatureProcess(bus, "features", SET, stream, NoSink())
            process.restore()
            while bus.committed("features", "bars") < bus.end_offset("bars"):
                process.step(0.01)
            process.close()
        vectors = [record.message for record in bus.read("features")]
    found = [key(v.symbol, v.event_time, v.available_time, v.values) for v in vectors if isinstance(v, FeatureVector)]
    assert len(found) == len(expected) == bars.filter(~pl.col("context")).height
    assert set(found) == expected
    assert any(v.warm for v in vectors if isinstance(v, FeatureVector))


def test_no_vector_changes_when_the_future_does() -> None:
    bars, news = market(), events()
    cut = 250 * DAY
    whole = compute_history(bars, news, SET.names, INDEX).filter(pl.col("event_time") <= cut)
    past = compute_history(
        bars.filter(pl.col("event_time") <= cut), [e for e in news if e.available_time <= cut], SET.names, INDEX
    )
    assert whole.height > 500
    assert whole.equals(past, null_equal=True)


def test_only_context_is_refused() -> None:
    with pytest.raises(FeatureSetError, match="every row is market context"):
        compute_history(market().filter(pl.col("context")), [], SET.names, INDEX)
