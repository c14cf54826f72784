"""Features of training and of serving, bit for bit, on whole data sets: the demo's, with its news, and minute bars.

Training computes a table in one batch; serving sees records of a bus, read in batches of its own size by a process that
is stopped and started again. TRADEWIND_SHARED_DATA names a directory with recorded minute bars
(us_1min_eqker_2019.parquet), which are then a case of their own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tradewind.bus import FileBus, Outgoing
from tradewind.console.demo import build_demo_dataset
from tradewind.console.demo.dataset import MARKET
from tradewind.native.features import DEFAULT_FEATURES
from tradewind.streaming.datasets import SessionCalendar, import_bars, read_dataset
from tradewind.streaming.datasets.store import BAR_SCHEMA
from tradewind.streaming.features import FeatureRow
from tradewind.streaming.features.engine import NativeVectorEngine, native_feature_set
from tradewind.streaming.features.history import compute_history, in_stream_order
from tradewind.streaming.features.process import FeatureProcess
from tradewind.streaming.features.stream import FeatureStream
from tradewind.streaming.news.configured import NewsConfig, recorded_events
from tradewind.v1.features_pb2 import FeatureVector
from tradewind.v1.market_pb2 import Bar, Event

NAMES = [*DEFAULT_FEATURES, "vol_historical_20_annual"]
FOMC = Path(__file__).parents[2] / "examples" / "fomc.yaml"
MINUTE = 60_000_000_000
RECORDED = "us_1min_eqker_2019.parquet"
RESTARTS = 3


@dataclass(frozen=True)
class Market:
    """A data set with what is known about it."""

    bars: pl.DataFrame
    events: list[Event]
    interval: str
    context: str


def demo_market(directory: Path) -> Market:
    """Five companies and the S&P 500, daily, thirteen years, with the Federal Reserve's decisions."""
    build_demo_dataset(directory)
    dataset = read_dataset(directory)
    events = recorded_events([NewsConfig(kind="Calendar", name="fomc", path=str(FOMC))], dataset)
    return Market(dataset.bars, events, "1d", MARKET)


def synthetic_minutes(_: Path) -> Market:
    """Three sessions of minutes around a weekend; minutes are missing, the index's too, and it is known late."""
    rng = np.random.default_rng(17)
    calendar = SessionCalendar.load("XNYS", 2024)
    first = int(np.searchsorted(calendar.days, np.datetime64("2024-03-07")))
    closes = np.concatenate([calendar.slot_closes(first + day, MINUTE) for day in range(3)])
    rows = []
    for number, symbol in enumerate(("^IDX", "AAA", "BBB", "CCC", "DDD")):
        here = closes[200 * (symbol == "DDD") :][rng.random(len(closes) - 200 * (symbol == "DDD")) > 0.03 * number]
        prices = 50.0 * np.exp(np.cumsum(rng.normal(0, 0.001, len(here))))
        for time, price in zip(here.tolist(), prices, strict=True):
            low, high = sorted(price * np.exp(rng.normal(0, 0.0005, 2)))
            fixed = [int(p * 1e8) for p in (low, max(high, price), min(low, price), price)]
            known = time + int(rng.integers(0, 2_000)) * 1_000_000
            rows.append(
                (symbol, "1m", time - MINUTE, time, known, *fixed, int(rng.integers(0, 10**6)), symbol == "^IDX")
            )
    columns = ["symbol", "interval", "open_time", "event_time", "available_time", "open", "high", "low", "close"]
    bars = pl.DataFrame(rows, schema=[*columns, "volume", "context"], orient="row")
    times = rng.choice(closes, 40, replace=False) + rng.integers(-MINUTE, MINUTE, 40)
    events = [
        Event(id=f"e{n}", symbol=("*", "AAA", "BBB")[n % 3], type="rate_decision", available_time=int(t), impact=i)
        for n, (t, i) in enumerate(zip(times, rng.uniform(-1, 1, 40), strict=True))
    ]
    return Market(bars, events, "1m", "^IDX")


def recorded_minutes(directory: Path) -> Market:
    """A week of 24 US symbols as recorded, stamped at the close in UTC; SPY is the context."""
    file = Path(os.environ["TRADEWIND_SHARED_DATA"]) / RECORDED
    import_bars(
        [file],
        directory,
        format="parquet",
        stamps="close",
        timezone="UTC",
        interval="1m",
        columns={"time": "ts_close_utc"},
        on_bad="set-aside",
        context=["SPY"],
    )
    return Market(read_dataset(directory).bars, [], "1m", "SPY")


MARKETS: list[Callable[[Path], Market]] = [demo_market, synthetic_minutes]
if os.environ.get("TRADEWIND_SHARED_DATA"):
    MARKETS.append(recorded_minutes)


class NoSink:
    def push(self, rows: Sequence[FeatureRow]) -> None:
        """The vectors are compared where strategies read them: on the topic."""


def served(market: Market, path: Path) -> dict[tuple[str, int], FeatureVector]:
    """What a features process publishes that is stopped and started again while the market goes on."""
    feature_set = native_feature_set("bits", NAMES, market.interval)
    feed: list[tuple[int, int, Bar | Event]] = [(event.available_time, 0, event) for event in market.events]
    feed += [(bar.event_time, 1, bar) for bar in in_stream_order(market.bars.select(*_columns(market.bars)))]
    feed.sort(key=lambda item: item[:2])
    cuts = [len(feed) * part // (RESTARTS + 1) for part in range(RESTARTS + 2)]
    with FileBus(path) as bus:
        for begin, end in pairwise(cuts):
            bus.publish_many(
                [Outgoing("bars" if isinstance(m, Bar) else "events", m.symbol, m) for _, _, m in feed[begin:end]]
            )
            stream = FeatureStream(NativeVectorEngine(NAMES, market.context), market.interval, market.context, 0)
            process = FeatureProcess(bus, "features", feature_set, stream, NoSink(), poll_records=333)
            process.restore()
            for _ in range(len(feed)):
                if bus.committed("features", "bars") == bus.end_offset("bars"):
                    break
                process.step(0.01)
            process.close()
        vectors = [record.message for record in bus.read("features")]
    found = {(v.symbol, v.event_time): v for v in vectors if isinstance(v, FeatureVector)}
    assert len(found) == len(vectors)
    return found


def _columns(bars: pl.DataFrame) -> list[str]:
    return [name for name in BAR_SCHEMA if name in bars.columns]


@pytest.mark.parametrize("build", MARKETS, ids=lambda build: build.__name__)
def test_batch_and_stream_are_the_same_bits(tmp_path: Path, build: Callable[[Path], Market]) -> None:
    market = build(tmp_path / "data")
    batch = compute_history(market.bars, market.events, NAMES, market.context)
    stream = served(market, tmp_path / "bus.db")
    own = market.bars.filter(~pl.col("context"))
    assert batch.height == len(stream) == own.height > 0
    assert batch["symbol"].n_unique() == own["symbol"].n_unique() > 1
    trained = batch.select(NAMES).to_numpy()
    keys = list(batch.select("symbol", "event_time").iter_rows())
    taken = np.array([stream[key].values for key in keys])
    assert trained.shape == taken.shape
    different = trained.view(np.uint64) != taken.view(np.uint64)
    cells = [
        (*keys[row], NAMES[column], trained[row, column], taken[row, column]) for row, column in np.argwhere(different)
    ]
    assert cells[:5] == []
    assert np.isfinite(trained).sum() > trained.size // 2  # numbers were compared, not gaps with gaps
    assert batch["available_time"].to_list() == [stream[key].available_time for key in keys]
    if market.events:  # news counts: without it, other bits
        silent = compute_history(market.bars, [], NAMES, market.context).select(NAMES).to_numpy()
        assert (silent.view(np.uint64) != trained.view(np.uint64)).any()
