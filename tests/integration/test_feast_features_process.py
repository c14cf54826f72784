"""The features process as it runs: history, kills, Feast, bad input."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from tradewind.bus import FileBus
from tradewind.streaming.datasets import write_dataset
from tradewind.streaming.datasets.store import BAR_SCHEMA
from tradewind.streaming.features.engine import native_feature_set
from tradewind.streaming.features.history import compute_history, in_stream_order
from tradewind.streaming.features.repository import FeatureRepository
from tradewind.v1.features_pb2 import FeatureVector
from tradewind.v1.market_pb2 import Event

DAY = 86_400_000_000_000
INDEX = "^GSPC"
NAMES = ["tech_rsi_14_raw", "event_any_count_5"]
SET = native_feature_set("daily", NAMES, "1d")
DAYS, HISTORY = 60, 30


def market() -> pl.DataFrame:
    rng = np.random.default_rng(1)
    rows = []
    for symbol in (INDEX, "AAPL", "IBM"):
        for day in range(1, DAYS + 1):
            close = int(rng.uniform(90, 110) * 1e8)
            rows.append(
                {
                    "symbol": symbol, "interval": "1d", "open_time": (day - 1) * DAY, "event_time": day * DAY,
                    "available_time": day * DAY, "open": close, "high": close + 10, "low": close - 10, "close": close,
                    "volume": 1_000, "vwap": None, "trade_count": None, "context": symbol == INDEX,
                }
            )  # fmt: skip
    return pl.DataFrame(rows, schema=BAR_SCHEMA)


def event(day: int) -> Event:
    return Event(id=f"e{day}", symbol="*", type="rate_decision", available_time=day * DAY, impact=0.5)


def configure(root: Path, **changes: Any) -> Path:
    content = {
        "bus": f"file://{root / 'bus.db'}",
        "state_dir": str(root / "state"),
        "feature_set": {"name": "daily", "names": NAMES, "interval": "1d", "context_symbol": INDEX},
        "poll_records": 10,
    } | changes
    (root / "features.json").write_text(json.dumps(content))
    return root / "features.json"


def start(config: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tradewind.streaming.features", "--config", str(config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_killed_at_random_topic_and_feast_hold_the_history_once(tmp_path: Path) -> None:
    bars = market()
    write_dataset(tmp_path / "data", bars, name="t", interval="1d", stamps="close", adjustment="forward", source="test")
    events = [event(day) for day in range(5, DAYS, 9)]
    old = pl.DataFrame(
        [
            {"id": e.id, "symbol": e.symbol, "type": e.type, "available_time": e.available_time, "impact": e.impact}
            for e in events
            if e.available_time <= HISTORY * DAY
        ]
    )
    old.write_parquet(tmp_path / "events.parquet")
    history = {"dataset": str(tmp_path / "data"), "events": str(tmp_path / "events.parquet"), "until": HISTORY * DAY}
    config = configure(tmp_path, history=history, feature_set={
        "name": "daily", "names": NAMES, "interval": "1d", "context_symbol": INDEX, "version": SET.version,
    })  # fmt: skip
    rng = random.Random(4)
    with FileBus(tmp_path / "bus.db") as bus:
        for each in events:
            if each.available_time > HISTORY * DAY:
                bus.publish("events", "*", each)
        live = [bar for bar in in_stream_order(bars) if bar.event_time > HISTORY * DAY]
        for kill in range(3):
            process = start(config)
            assert process.stdout is not None
            assert json.loads(process.stdout.readline()) == {"ready": True, "feature_set_version": SET.version}
            for bar in live[kill * 30 : (kill + 1) * 30]:
                bus.publish("bars", bar.symbol, bar)
            goal = bus.end_offset("bars") - (0 if kill == 2 else rng.randrange(1, 25))
            assert bus.wait_committed({("features", "bars"): goal}, 120)
            if kill < 2:
                process.kill()
            else:
                assert bus.wait_committed({("features", "events"): bus.end_offset("events")}, 120)
                process.terminate()
            _, errors = process.communicate(timeout=120)
        assert (process.returncode, errors) == (0, "")
        vectors = [record.message for record in bus.read("features")]
    expected = compute_history(bars, events, NAMES, INDEX).filter(pl.col("event_time") > HISTORY * DAY)
    found = sorted(
        (v.event_time, v.symbol, v.available_time, *v.values) for v in vectors if isinstance(v, FeatureVector)
    )
    assert found == list(expected.select("event_time", "symbol", "available_time", *NAMES).iter_rows())
    repository = FeatureRepository.open(tmp_path / "state", SET)
    offline = repository.historical(expected.select("symbol", pl.col("available_time").alias("time")))
    assert offline.select(NAMES).equals(expected.select(NAMES))
    newest = expected.filter(pl.col("event_time") == DAYS * DAY)
    online = repository.online(newest["symbol"].to_list())
    assert [v and v.values for v in online] == list(newest.select(NAMES).iter_rows())
    assert not any(math.isnan(value) for row in newest.select(NAMES).iter_rows() for value in row)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"polls": 1}, "features.json: polls: Extra inputs are not permitted"),
        ({"bus": "nowhere"}, "bus 'nowhere' is not an address"),
        ({"feature_set": {"name": "daily", "names": ["tech_rsy_14_raw"], "interval": "1d", "context_symbol": None}},
         "feature_set.names: "),
        ({"feature_set": {"name": "daily", "names": NAMES, "interval": "1d", "context_symbol": None,
                          "version": "0" * 16}},
         f"this engine computes {SET.version}"),
        ({"history": {"dataset": "/nowhere", "until": 1}}, "/nowhere/dataset.json: missing"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_status_2(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    process = start(configure(tmp_path, **change))
    output, errors = process.communicate(timeout=120)
    assert (process.returncode, output) == (2, "")
    (line,) = errors.splitlines()
    assert message in line
