"""Alpaca's stream and REST against servers on this machine that speak as Alpaca does."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgpack
import pytest
from websockets.asyncio.server import ServerConnection, serve

from tradewind.bus import open_bus
from tradewind.streaming.datasets import DataError, read_dataset
from tradewind.streaming.datasets.pulling import pull_bars_and_news
from tradewind.streaming.feed.config import AlpacaConfig, FeedConfig
from tradewind.streaming.feed.errors import FeedError
from tradewind.streaming.feed.live import Live
from tradewind.streaming.sources.alpaca_rest import AlpacaData
from tradewind.streaming.sources.alpaca_stream import AlpacaStreamSource, StreamOptions
from tradewind.streaming.sources.alpaca_wire import FieldError, bar_from, time_ns
from tradewind.streaming.sources.base import Unreadable
from tradewind.streaming.sources.connection import Backoff, Link, LinkState
from tradewind.streaming.sources.credentials import Credentials
from tradewind.streaming.sources.errors import SourceError
from tradewind.v1 import market_pb2

OPEN_S = 1_549_895_400  # 2019-02-11 14:30 UTC
NOW = (OPEN_S + 3600) * 10**9
KEYS = Credentials("key", "secret")


def frame_bar(minute: int, **over: Any) -> dict[str, Any]:
    stamp = msgpack.Timestamp(OPEN_S + 60 * minute, 0)
    return {
        "T": "b",
        "S": "AAPL",
        "o": 10.1,
        "h": 10.3,
        "l": 10.0,
        "c": 10.2,
        "v": 100,
        "t": stamp,
        "n": 3,
        "vw": 10.15,
    } | over


def rest_bar(minute: int) -> dict[str, Any]:
    at = f"2019-02-11T{14 + (30 + minute) // 60:02d}:{(30 + minute) % 60:02d}:00Z"
    return {"t": at, "o": 10.1, "h": 10.3, "l": 10.0, "c": 10.2, "v": 100, "n": 3, "vw": 10.15}


class Stream:
    """Each connection plays its script: frames to send, then it is cut (or held)."""

    def __init__(self, *scripts: list[dict[str, Any]], refuse: int | None = None) -> None:
        self.scripts = list(scripts)
        self.refuse = refuse
        self.heard: list[dict[str, Any]] = []
        self.headers: list[str | None] = []
        self.third_call = asyncio.Event()

    async def __call__(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        self.headers.append(socket.request.headers.get("Content-Type"))
        if len(self.headers) == 3:
            self.third_call.set()
        await self._say(socket, {"T": "success", "msg": "connected"})
        self.heard.append(msgpack.unpackb(await socket.recv()))
        if self.refuse is not None:
            await self._say(socket, {"T": "error", "code": self.refuse, "msg": "auth failed"})
            return
        await self._say(socket, {"T": "success", "msg": "authenticated"})
        wanted = msgpack.unpackb(await socket.recv())
        self.heard.append(wanted)
        await self._say(socket, {"T": "subscription", "bars": wanted.get("bars", [])})
        for message in self.scripts.pop(0) if self.scripts else []:
            await self._say(socket, message)
        if not self.scripts:
            await socket.wait_closed()

    async def _say(self, socket: ServerConnection, message: dict[str, Any]) -> None:
        await socket.send(msgpack.packb([message]))


@asynccontextmanager
async def streaming(stream: Stream) -> AsyncIterator[str]:
    async with serve(stream, "127.0.0.1", 0) as server:
        yield f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"


class Rest(ThreadingHTTPServer):
    """Serves minute bars 0 to 9 of AAPL, three a page, and two articles, one a page."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _RestHandler)
        self.queries: list[dict[str, str]] = []
        self.failures: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _RestHandler(BaseHTTPRequestHandler):
    server: Rest

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.server.queries.append(query)
        if self.headers["APCA-API-SECRET-KEY"] != "secret":
            return self._answer(401, {"message": "unauthorized."})
        if self.server.failures:
            return self._answer(self.server.failures.pop(0), {"message": "later"})
        first = int(query.get("page_token", "0"))
        if parts.path == "/v2/stocks/bars":
            since = time_ns(query["start"], "start")
            rows = [bar for bar in map(rest_bar, range(10)) if time_ns(bar["t"], "t") >= since]
            token = str(first + 3) if first + 3 < len(rows) else None
            return self._answer(200, {"bars": {"AAPL": rows[first : first + 3]}, "next_page_token": token})
        articles = [
            {"id": k, "headline": f"Apple {k}", "created_at": rest_bar(k)["t"], "symbols": ["AAPL"]} for k in (1, 2)
        ]
        token = "1" if first == 0 else None
        return self._answer(200, {"news": articles[first : first + 1], "next_page_token": token})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@pytest.fixture
def rest() -> Iterator[Rest]:
    with _serving(Rest()) as server:
        yield server


@contextmanager
def _serving(server: Rest) -> Iterator[Rest]:
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def source(url: str, data_url: str, **over: Any) -> AlpacaStreamSource:
    found = AlpacaStreamSource(StreamOptions(["AAPL"], url=url, data_url=data_url, **over), KEYS, now=lambda: NOW)
    found.socket._backoff = Backoff(first=0.01)
    return found


async def take(stream: AlpacaStreamSource, count: int) -> list[Any]:
    found: list[Any] = []
    async with asyncio.timeout(60):
        async for message in stream.messages():
            found.append(message)
            if len(found) == count:
                break
    return found


async def test_bars_arrive_as_ours(rest: Rest) -> None:
    stream = Stream([frame_bar(0)])
    async with streaming(stream) as url:
        live = source(url, rest.url)
        (bar,) = await take(live, 1)
        assert live.socket.link.history == [
            LinkState.CONNECTING,
            LinkState.AUTHENTICATING,
            LinkState.SUBSCRIBING,
            LinkState.LIVE,
        ]
    assert (bar.open_time, bar.event_time, bar.available_time) == (OPEN_S * 10**9, (OPEN_S + 60) * 10**9, NOW)
    assert (bar.open, bar.high, bar.low, bar.close, bar.vwap) == (
        1010000000,
        1030000000,
        1000000000,
        1020000000,
        1015000000,
    )
    assert (bar.volume, bar.trade_count, bar.source, bar.interval) == (100, 3, "alpaca:iex", "1m")
    assert stream.headers == ["application/msgpack"]
    assert stream.heard == [
        {"action": "auth", "key": "key", "secret": "secret"},
        {"action": "subscribe", "bars": ["AAPL"]},
    ]


async def test_the_gap_after_a_reconnection_is_filled_without_doubles(rest: Rest) -> None:
    """Cut after minute 1; minutes 2 to 9 come over REST; the stream repeats 9 and goes on with 10."""
    async with streaming(Stream([frame_bar(0), frame_bar(1)], [frame_bar(9), frame_bar(10)])) as url:
        found = await take(source(url, rest.url), 11)
    assert [(bar.open_time // 10**9 - OPEN_S) // 60 for bar in found] == list(range(11))
    assert found[5] == bar_from(rest_bar(5) | {"o": "10.1"}, "AAPL", "1m", "alpaca:iex", NOW)


async def test_a_start_fills_from_where_the_last_run_ended(rest: Rest) -> None:
    async with streaming(Stream([])) as url:
        found = await take(source(url, rest.url, resume_after={"AAPL": (OPEN_S + 7 * 60) * 10**9}), 2)
    assert [(bar.open_time // 10**9 - OPEN_S) // 60 for bar in found] == [8, 9]


async def test_what_cannot_be_read_is_kept_with_its_reason(rest: Rest) -> None:
    broken = frame_bar(0)
    del broken["c"]
    frames = [broken, frame_bar(1, o=float("nan")), frame_bar(2, v=1.5), {"T": "q", "S": "AAPL", "t": 5}, frame_bar(3)]
    async with streaming(Stream(frames)) as url:
        found = await take(source(url, rest.url), 5)
    assert [m.reason for m in found if isinstance(m, Unreadable)] == [
        "c: missing",
        "o: not a price: nan",
        "v: not a whole number: 1.5",
        "t: not a time: 5",
    ]
    assert [m.topic for m in found[:4]] == ["bars", "bars", "bars", "quotes"]
    assert isinstance(found[4], market_pb2.Bar)


async def test_wrong_credentials_end_it_with_the_fix(rest: Rest) -> None:
    async with streaming(Stream(refuse=402)) as url:
        live = source(url, rest.url)
        with pytest.raises(SourceError, match="APCA_API_KEY_ID"):
            await take(live, 1)
        assert live.socket.link.state is LinkState.FAILED


async def test_the_connection_limit_is_waited_out(rest: Rest) -> None:
    stream = Stream([frame_bar(0)], refuse=406)
    async with streaming(stream) as url:
        live = source(url, rest.url)
        reading = asyncio.create_task(take(live, 1))
        async with asyncio.timeout(60):
            await stream.third_call.wait()
        stream.refuse = None
        assert len(await reading) == 1


async def test_a_live_feed_checks_publishes_and_resumes(
    rest: Rest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APCA_API_KEY_ID", "key")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "secret")
    frames = [frame_bar(0), frame_bar(1, h=9.0), frame_bar(2)]
    article = {"T": "n", "id": 5, "headline": "Apple rises", "created_at": msgpack.Timestamp(OPEN_S, 0), "symbols": []}
    news = Stream([article, article, article | {"id": 6, "headline": ""}])
    async with streaming(Stream(frames)) as url, streaming(news) as news_url:
        settings = {"kind": "alpaca", "symbols": ["AAPL"], "url": url, "data_url": rest.url, "news_url": news_url}
        config = FeedConfig.model_validate(
            {"bus": f"file://{tmp_path}/bus", "run": "r", "source": settings, "state_dir": str(tmp_path / "s")}
        )
        assert isinstance(config.source, AlpacaConfig)
        with open_bus(config.bus) as bus:

            async def until(topic: str, count: int) -> None:
                task = asyncio.create_task(Live(config, config.source, bus, lambda: NOW).run())  # type: ignore[arg-type]
                async with asyncio.timeout(60):
                    while bus.end_offset(topic) < count or bus.end_offset("news.dead") < 1:
                        assert not task.done()
                        await asyncio.sleep(0.005)
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

            await until("bars", 2)
            bars = [r.message for r in bus.read("bars")]
            assert [(b.open_time // 10**9 - OPEN_S) // 60 for b in bars] == [0, 2]  # type: ignore[attr-defined]
            letters = [r.message.reason for r in bus.read("bars.dead")]  # type: ignore[attr-defined]
            assert letters == ["high: below low"]
            assert [r.message.id for r in bus.read("news")] == ["5"]  # type: ignore[attr-defined]
            assert [r.message.symbol for r in bus.read("events")] == ["AAPL"]  # type: ignore[attr-defined]
            await until("bars", 9)
            bars = [r.message for r in bus.read("bars")]
            assert [(b.open_time // 10**9 - OPEN_S) // 60 for b in bars] == [0, *range(2, 10)]  # type: ignore[attr-defined]


async def test_a_live_feed_without_keys_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APCA_API_KEY_ID", raising=False)
    settings = {"kind": "alpaca", "symbols": ["AAPL"]}
    config = FeedConfig.model_validate(
        {"bus": f"file://{tmp_path}/bus", "run": "r", "source": settings, "state_dir": str(tmp_path)}
    )
    assert isinstance(config.source, AlpacaConfig)
    with open_bus(config.bus) as bus, pytest.raises(FeedError, match="APCA_API_KEY_ID: not set"):
        Live(config, config.source, bus)


def test_a_pull_follows_pages_and_keeps_decimals(rest: Rest, tmp_path: Path) -> None:
    rest.failures = [500]
    summary = pull_bars_and_news(
        tmp_path / "d",
        symbols=["AAPL", "NONE"],
        interval="1m",
        start=OPEN_S * 10**9,
        end=NOW,
        base_url=rest.url,
        credentials=KEYS,
    )
    assert (summary.bars, summary.news, summary.missing) == (10, 2, ["NONE"])
    dataset = read_dataset(tmp_path / "d")
    assert dataset.bars["vwap"].to_list() == [1015000000] * 10
    assert dataset.bars["event_time"].to_list() == [(OPEN_S + 60 * (k + 1)) * 10**9 for k in range(10)]
    assert dataset.news["id"].to_list() == ["1", "2"]
    assert dataset.manifest.adjustment == "raw"


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({"credentials": Credentials("key", "wrong")}, "refused our key"),
        ({"symbols": []}, "symbols: none"),
        ({"interval": "2m"}, "interval: '2m'"),
        ({"end": 0}, "end: not after start"),
        ({"start": NOW - 1}, "not one bar"),
        ({"ca_file": "/no/ca.pem"}, "ca_file: /no/ca.pem"),
    ],
)
def test_a_pull_that_cannot_be_names_the_cause(rest: Rest, tmp_path: Path, over: dict[str, Any], reason: str) -> None:
    arguments: dict[str, Any] = {
        "symbols": ["AAPL"],
        "interval": "1m",
        "start": OPEN_S * 10**9,
        "end": NOW,
        "credentials": KEYS,
    }
    with pytest.raises(DataError, match=reason) as error:
        pull_bars_and_news(tmp_path / "d", base_url=rest.url, **(arguments | over))
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_service_that_is_away_is_asked_a_few_times() -> None:
    waits: list[float] = []
    with (
        AlpacaData("http://127.0.0.1:9", KEYS, pause=waits.append) as client,
        pytest.raises(SourceError, match="5 attempts"),
    ):
        list(client.bars(["A"], "1m", 0, 1))
    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_backoff_grows_to_its_limit_and_starts_again() -> None:
    backoff = Backoff(first=1.0, most=10.0)
    assert [backoff.wait(0.0) for _ in range(6)] == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    backoff.reset()
    assert 0.5 <= backoff.wait(0.99) < 1.0


def test_a_connection_cannot_skip_its_states() -> None:
    link = Link()
    link.to(LinkState.CONNECTING)
    with pytest.raises(RuntimeError, match="connecting cannot become live"):
        link.to(LinkState.LIVE)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2019-02-11T14:30:00Z", OPEN_S * 10**9),
        ("2019-02-11T09:30:00.123456789-05:00", OPEN_S * 10**9 + 123456789),
        (msgpack.Timestamp(OPEN_S, 7), OPEN_S * 10**9 + 7),
    ],
)
def test_times_keep_nine_digits(value: object, expected: int) -> None:
    assert time_ns(value, "t") == expected


@pytest.mark.parametrize("value", ["2019-02-11T14:30:00", "", None, 5])
def test_times_without_a_zone_are_none(value: object) -> None:
    with pytest.raises(FieldError, match=r"^t: "):
        time_ns(value, "t")
