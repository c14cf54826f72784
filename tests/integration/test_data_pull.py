"""The simulated venue as a data service and as the other end of the clock: pull, live stream, and a replay over TLS."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from tradewind.bus import open_bus
from tradewind.streaming.datasets import DataError, read_dataset, write_dataset
from tradewind.streaming.datasets.pulling import pull_bars_and_news
from tradewind.streaming.datasets.store import BAR_SCHEMA
from tradewind.streaming.feed.config import FeedConfig, ReplayConfig
from tradewind.streaming.feed.replaying import Replaying
from tradewind.streaming.news.alpaca import AlpacaNewsSource
from tradewind.streaming.sources.alpaca_stream import AlpacaStreamSource, StreamOptions
from tradewind.streaming.sources.credentials import Credentials
from tradewind.v1 import control_pb2, market_pb2

KEYS = Credentials("AKTEST", "not-a-real-secret")
MINUTE = 60 * 10**9
# Monday 2024-06-03 and the day after, 09:30 in New York.
OPENS = [int(datetime(2024, 6, day, 13, 30, tzinfo=UTC).timestamp()) * 10**9 for day in (3, 4)]
SESSION = 390


@dataclass
class Venue:
    url: str
    ca: str
    client: httpx.Client

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        response = self.client.post(self.url + path, json=body)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer


@pytest.fixture
def venue(tmp_path: Path) -> Iterator[Venue]:
    config = tmp_path / "venue.json"
    config.write_text(json.dumps({"state_dir": str(tmp_path / "venue"), "symbols": ["AAPL", "MSFT"]}))
    environment = {**os.environ, "APCA_API_KEY_ID": KEYS.key, "APCA_API_SECRET_KEY": KEYS.secret}
    command = [sys.executable, "-m", "tradewind.execution.venue", "--config", str(config)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        ready = json.loads(process.stdout.readline())
        with httpx.Client(headers=KEYS.headers(), verify=_trust(ready["ca"]), timeout=30) as client:
            yield Venue(ready["url"], ready["ca"], client)
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def _trust(ca: str) -> Any:
    import ssl

    return ssl.create_default_context(cafile=ca)


def minute(symbol: str, opened: int) -> dict[str, Any]:
    """A bar whose prices have up to eight decimals, so that a float on the way would show."""
    low = 10**10 + (opened // MINUTE * 7919) % 10**7 + len(symbol)
    return {
        "symbol": symbol,
        "open_time": opened,
        "event_time": opened + MINUTE,
        "open": low + 1,
        "high": low + 1_000_003,
        "low": low,
        "close": low + 777,
        "volume": opened // MINUTE % 1000,
        "vwap": low + 500,
        "trade_count": 5,
    }


def minutes() -> list[dict[str, Any]]:
    return [
        minute(symbol, opened + k * MINUTE) for opened in OPENS for k in range(SESSION) for symbol in ("AAPL", "MSFT")
    ]


def article(number: int) -> dict[str, Any]:
    at = OPENS[0] + number * MINUTE
    return {"id": number, "headline": f"Apple item {number}", "created_at": at, "symbols": ["AAPL"], "source": "wire"}


def test_what_the_venue_holds_is_what_is_pulled(venue: Venue, tmp_path: Path) -> None:
    venue.post("/sim/history", {"bars": minutes(), "news": [article(k) for k in range(1, 121)]})
    summary = pull_bars_and_news(
        tmp_path / "d",
        symbols=["AAPL", "MSFT"],
        interval="1m",
        start=OPENS[0],
        end=OPENS[1] + SESSION * MINUTE,
        base_url=venue.url,
        ca_file=venue.ca,
        credentials=KEYS,
    )
    assert (summary.bars, summary.news, summary.warnings) == (2 * 2 * SESSION, 120, [])
    mine = read_dataset(tmp_path / "d").bars
    fields = ["symbol", "open_time", "event_time", "open", "high", "low", "close", "volume", "vwap", "trade_count"]
    expected = pl.DataFrame(minutes()).sort("event_time", "symbol").select(fields)
    assert mine.select(fields).equals(expected)
    news = read_dataset(tmp_path / "d").news
    assert news["event_time"].to_list() == [OPENS[0] + k * MINUTE for k in range(1, 121)]


def test_daily_bars_are_sessions(venue: Venue, tmp_path: Path) -> None:
    venue.post("/sim/history", {"bars": minutes()})
    pull_bars_and_news(
        tmp_path / "d",
        symbols=["AAPL"],
        interval="1d",
        start=OPENS[0] - SESSION * MINUTE * 3,
        end=OPENS[1] + SESSION * MINUTE,
        base_url=venue.url,
        ca_file=venue.ca,
        credentials=KEYS,
    )
    rows = read_dataset(tmp_path / "d").bars.select("open_time", "event_time", "volume").rows()
    volumes = [
        sum(
            b["volume"]
            for b in minutes()
            if b["symbol"] == "AAPL" and b["open_time"] // (1440 * MINUTE) == o // (1440 * MINUTE)
        )
        for o in OPENS
    ]
    assert rows == [(o, o + SESSION * MINUTE, v) for o, v in zip(OPENS, volumes, strict=True)]


def test_wrong_credentials_are_one_line(venue: Venue, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="refused our key") as error:
        pull_bars_and_news(
            tmp_path / "d",
            symbols=["AAPL"],
            interval="1d",
            start=OPENS[0],
            end=OPENS[1],
            base_url=venue.url,
            ca_file=venue.ca,
            credentials=Credentials("AKTEST", "guess"),
        )
    assert "\n" not in str(error.value)
    assert not (tmp_path / "d").exists()


async def test_the_live_stream_and_its_gap(venue: Venue) -> None:
    """Two minutes are known before we connect; we had the first. The second comes over REST, the third live."""
    venue.post("/sim/history", {"bars": [minute("AAPL", OPENS[0] + k * MINUTE) for k in range(2)]})
    options = StreamOptions(
        ["AAPL"],
        url=venue.url.replace("https", "wss") + "/v2/iex",
        data_url=venue.url,
        ca_file=venue.ca,
        resume_after={"AAPL": OPENS[0]},
    )
    source = AlpacaStreamSource(options, KEYS, now=lambda: OPENS[0] + SESSION * MINUTE)
    found: list[Any] = []
    async with asyncio.timeout(60):
        async for message in source.messages():
            found.append(message)
            if len(found) == 1:
                last = minute("AAPL", OPENS[0] + 2 * MINUTE)
                body = {"time": last["event_time"], "bars": [last]}
                await asyncio.to_thread(venue.post, "/sim/advance", body)
            if len(found) == 2:
                break
    for bar, k in zip(found, (1, 2), strict=True):
        given = minute("AAPL", OPENS[0] + k * MINUTE)
        assert isinstance(bar, market_pb2.Bar)
        assert {name: getattr(bar, name) for name in given} == given


def test_news_are_polled_once(venue: Venue) -> None:
    venue.post("/sim/history", {"news": [article(k) for k in range(1, 4)]})
    source = AlpacaNewsSource(KEYS, ["AAPL"], base_url=venue.url, ca_file=venue.ca)
    now = OPENS[0] + 30 * MINUTE
    assert [item.id for item in source.poll(now)] == ["1", "2", "3"]
    assert source.poll(now + MINUTE) == []


def test_a_replay_moves_the_venue(venue: Venue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order that rests before the run is filled at the open of the run's first bar, and the tick says so."""
    monkeypatch.setenv("APCA_API_KEY_ID", KEYS.key)
    monkeypatch.setenv("APCA_API_SECRET_KEY", KEYS.secret)
    rows = [
        {**bar, "interval": "1m", "available_time": bar["event_time"], "context": False}
        for bar in minutes()
        if bar["open_time"] < OPENS[0] + 5 * MINUTE
    ]
    frame = pl.DataFrame(rows, schema=BAR_SCHEMA)
    write_dataset(tmp_path / "d", frame, name="t", interval="1m", stamps="open", adjustment="raw", source="a test")
    order = {"symbol": "AAPL", "qty": "3", "side": "buy", "type": "market", "time_in_force": "day"}
    venue.post("/sim/advance", {"time": OPENS[0], "bars": [{**minute("AAPL", OPENS[0] - MINUTE)}]})
    identity = venue.post("/v2/orders", order)["id"]
    config = FeedConfig.model_validate(
        {
            "bus": f"file://{tmp_path}/bus",
            "run": "r",
            "source": {"kind": "replay", "dataset": str(tmp_path / "d")},
            "venue": {"url": venue.url, "ca_file": venue.ca},
            "state_dir": str(tmp_path / "feed"),
        }
    )
    assert isinstance(config.source, ReplayConfig)
    with open_bus(config.bus) as bus:
        Replaying(config, config.source).run(bus, lambda step, at: None, lambda: False)
        found = [record.message.tick for record in bus.read("control")]  # type: ignore[attr-defined]
    ids = [tick.venue_event_id for tick in found if tick.phase == control_pb2.CLOCK_PHASE_MARKET]
    assert ids[0] > 0
    assert ids[1:] == [ids[0]] * 4
    filled = venue.client.get(f"{venue.url}/v2/orders/{identity}").json()
    assert (filled["status"], filled["filled_qty"]) == ("filled", "3")
    assert filled["filled_at"].startswith("2024-06-03T13:31:00")
