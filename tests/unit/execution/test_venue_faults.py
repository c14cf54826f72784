"""A venue that misbehaves over real sockets, and whose books are right all the same."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from tradewind.execution.venue.books import Books
from tradewind.execution.venue.config import VenueConfig
from tradewind.execution.venue.server import create_app
from tradewind.execution.venue.service import Service

HEADERS = {"APCA-API-KEY-ID": "AK", "APCA-API-SECRET-KEY": "secret"}
STEP = 60 * 10**9
LOST = (aiohttp.ClientError, ConnectionError, asyncio.TimeoutError)


class Venue:
    """A running venue and one client of it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        config = VenueConfig(state_dir=folder, symbols=("AAPL",), participation=None, **settings)
        self.service = Service(config, Books(folder), "AK", "secret")
        self.server = TestServer(create_app(self.service))
        self.steps = 0

    async def start(self) -> None:
        await self.server.start_server()
        # A connection per request: one that was cut is not met again.
        connector = aiohttp.TCPConnector(force_close=True)
        timeout = aiohttp.ClientTimeout(total=60)
        self.client = aiohttp.ClientSession(
            self.server.make_url("/"), headers=HEADERS, connector=connector, timeout=timeout
        )
        await self.advance()

    async def stop(self) -> None:
        await self.client.close()
        await self.server.close()

    async def ask(self, method: str, path: str, body: Any = None, **more: Any) -> tuple[int, Any]:
        async with self.client.request(method, path, json=body, **more) as response:
            text = await response.text()
            return response.status, json.loads(text) if text and response.content_type == "application/json" else text

    async def advance(self, price: int = 100) -> None:
        self.steps += 1
        bar = {"symbol": "AAPL", "open_time": (self.steps - 1) * STEP, "event_time": self.steps * STEP, "volume": 1000}
        bar |= dict.fromkeys(("open", "high", "low", "close"), price * 10**8)
        status, answer = await self.ask("POST", "/sim/advance", {"time": self.steps * STEP, "bars": [bar]})
        assert status == 200, answer

    async def order(self, qty: int = 10, **more: Any) -> tuple[int, Any]:
        body = {"symbol": "AAPL", "qty": qty, "side": "buy", "type": "limit", "limit_price": 90, "time_in_force": "gtc"}
        return await self.ask("POST", "/v2/orders", {**body, **more})

    async def fault(self, *rules: dict[str, Any], seed: int = 0) -> None:
        rows = [{"on": "request", "method": "POST", "path": "/v2/orders", "count": 1, **rule} for rule in rules]
        status, answer = await self.ask("PUT", "/sim/faults", {"seed": seed, "rules": rows})
        assert status == 200, answer

    async def struck(self, rule: int) -> None:
        """Until a fault has met its request."""
        while not (await self.ask("GET", "/sim/faults"))[1]["rules"][rule]["struck"]:
            pass

    async def kept(self) -> list[str]:
        _, rows = await self.ask("GET", "/v2/orders?status=all&direction=asc&limit=500")
        return [row["client_order_id"] for row in rows]


@pytest.fixture
async def venue(tmp_path: Path) -> AsyncIterator[Venue]:
    venue = Venue(tmp_path)
    await venue.start()
    yield venue
    await venue.stop()


# --- answers ---


@pytest.mark.parametrize(
    ("rule", "status", "body"),
    [
        ({"status": 429}, 429, {"code": 42910000, "message": "rate limit exceeded"}),
        ({"status": 500}, 500, {"code": 50010000, "message": "internal server error occurred"}),
        ({"status": 504}, 504, "upstream request timeout"),
        (
            {"status": 403, "code": 40310000, "message": "insufficient buying power"},
            403,
            {"code": 40310000, "message": "insufficient buying power"},
        ),
    ],
)
async def test_an_answer_is_given_instead_of_handling(
    venue: Venue, rule: dict[str, Any], status: int, body: Any
) -> None:
    await venue.fault({"do": "answer", **rule})
    assert await venue.order(client_order_id="one") == (status, body)
    assert await venue.kept() == []
    assert (await venue.order(client_order_id="one"))[0] == 200


async def test_headers_of_an_answer_win_over_the_venues_own(venue: Venue) -> None:
    headers = {"Retry-After": "3", "X-RateLimit-Remaining": "0"}
    await venue.fault({"do": "answer", "status": 429, "headers": headers})
    async with venue.client.post("/v2/orders", json={}) as response:
        assert {name: response.headers[name] for name in headers} == headers
        assert response.headers["X-RateLimit-Limit"] == "1000000"


@pytest.mark.parametrize(
    ("when", "kept"), [("before_body", []), ("after_body", []), ("handled", ["one"]), ("in_answer", ["one"])]
)
async def test_a_connection_is_cut_before_or_after_the_order_is_kept(venue: Venue, when: str, kept: list[str]) -> None:
    await venue.fault({"do": "cut", "when": when})
    with pytest.raises(LOST):
        await venue.order(client_order_id="one")
    assert await venue.kept() == kept


@pytest.mark.parametrize(("when", "waits"), [("before_body", False), ("after_body", True)])
async def test_a_cut_may_wait_for_the_body(venue: Venue, when: str, waits: bool) -> None:
    """The head is sent and the body held back."""
    await venue.fault({"do": "cut", "when": when})
    reader, writer = await asyncio.open_connection(venue.server.host, venue.server.port)
    head = "".join(
        f"{name}: {value}\r\n" for name, value in {"Host": "venue", "Content-Length": "2", **HEADERS}.items()
    )
    writer.write(f"POST /v2/orders HTTP/1.1\r\n{head}\r\n".encode())
    ended = asyncio.create_task(reader.read())
    await venue.struck(0)
    if waits:
        await venue.ask("GET", "/sim/faults")
        assert not ended.done()
        writer.write(b"{}")
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(ended, 20) == b""
    writer.close()


async def test_an_answer_after_the_clients_time_out_belongs_to_an_accepted_order(venue: Venue) -> None:
    await venue.fault(
        {"do": "delay_answer", "ms": 3_600_000}, {"do": "delay", "ms": 3_600_000, "skip": 1, "count": None}
    )
    for rule, name in enumerate(("accepted", "not handled")):
        waiting = asyncio.create_task(venue.order(client_order_id=name))
        await venue.struck(rule)
        while rule == 0 and not await venue.kept():
            pass
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert await venue.kept() == ["accepted"]


async def test_an_accepted_order_may_be_reported_as_failed(venue: Venue) -> None:
    await venue.fault({"do": "answer_after", "status": 500})
    assert (await venue.order(client_order_id="one"))[0] == 500
    assert await venue.kept() == ["one"]


async def test_a_delayed_request_is_handled_later(venue: Venue, monkeypatch: pytest.MonkeyPatch) -> None:
    passed = asyncio.Event()
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await passed.wait()

    monkeypatch.setattr("tradewind.execution.venue.fault_injection.asyncio", SimpleNamespace(sleep=sleep))
    await venue.fault({"do": "delay", "ms": 50})
    slow = asyncio.create_task(venue.order(client_order_id="slow"))
    await venue.struck(0)
    await venue.order(client_order_id="quick")
    passed.set()
    assert (await slow)[0] == 200
    assert waits == [0.05]
    assert await venue.kept() == ["quick", "slow"]


async def test_the_clock_can_be_skewed(venue: Venue) -> None:
    _, before = await venue.ask("GET", "/v2/clock")
    await venue.fault({"do": "skew", "ms": -90_000, "method": "GET", "path": "/v2/clock"})
    async with venue.client.get("/v2/clock") as response:
        body, date = await response.json(), parsedate_to_datetime(response.headers["Date"])
    skew = datetime.fromisoformat(body["timestamp"]) - datetime.fromisoformat(before["timestamp"])
    assert skew.total_seconds() == -90
    assert 85 < (datetime.now(UTC) - date).total_seconds() < 600
    assert (await venue.ask("GET", "/v2/clock"))[1] == before


# --- orders ---


async def test_an_accepted_order_may_be_rejected_by_the_exchange(venue: Venue) -> None:
    await venue.fault({"do": "reject"})
    status, order = await venue.order()
    assert (status, order["status"]) == (200, "pending_new")
    _, now = await venue.ask("GET", f"/v2/orders/{order['id']}")
    assert (now["status"], now["failed_at"] is not None) == ("rejected", True)


async def test_an_accepted_order_may_be_filled_in_part(venue: Venue) -> None:
    await venue.fault({"do": "fill", "fraction": "0.25"})
    _, order = await venue.order()
    _, now = await venue.ask("GET", f"/v2/orders/{order['id']}")
    # A quarter of ten shares, in whole shares, at the order's limit.
    assert (now["status"], now["filled_qty"], now["filled_avg_price"]) == ("partially_filled", "2", "90")


async def test_orders_are_filled_and_rejected_by_hand(venue: Venue) -> None:
    _, order = await venue.order()
    path = f"/sim/orders/{order['id']}"
    _, part = await venue.ask("POST", path + "/fill", {"qty": "3", "price": "89.5"})
    assert (part["status"], part["filled_qty"], part["filled_avg_price"]) == ("partially_filled", "3", "89.5")
    assert (await venue.ask("POST", path + "/fill", {"qty": 8}))[0] == 422
    _, gone = await venue.ask("POST", path + "/reject")
    assert (gone["status"], gone["filled_qty"]) == ("rejected", "3")
    assert (await venue.ask("POST", path + "/fill", {}))[0] == 422
    assert (await venue.ask("POST", f"/sim/orders/{uuid.uuid4()}/reject"))[0] == 404


# --- streams and restarts ---


async def listen(venue: Venue) -> aiohttp.ClientWebSocketResponse:
    socket = await venue.client.ws_connect("/stream")
    await socket.send_json({"action": "auth", "key": "AK", "secret": "secret"})
    await socket.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
    for _ in range(2):
        await socket.receive_bytes()
    return socket


async def events(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[str]:
    return [json.loads(await socket.receive_bytes())["data"]["event"] for _ in range(count)]


async def test_stream_messages_are_lost_doubled_and_reordered(venue: Venue) -> None:
    socket = await listen(venue)
    rules = [("pending_new", "drop"), ("new", "reorder"), ("fill", "duplicate")]
    body = {"rules": [{"on": "stream", "event": event, "do": do} for event, do in rules]}
    assert (await venue.ask("PUT", "/sim/faults", body))[0] == 200
    _, order = await venue.order()
    await venue.advance(80)
    assert await events(socket, 3) == ["fill", "fill", "new"]
    assert (await venue.ask("GET", f"/v2/orders/{order['id']}"))[1]["status"] == "filled"


async def test_a_stream_is_cut_instead_of_telling(venue: Venue) -> None:
    socket = await listen(venue)
    await venue.ask("PUT", "/sim/faults", {"rules": [{"on": "stream", "event": "new", "do": "disconnect"}]})
    _, order = await venue.order()
    # What was told just before may be lost with the connection, as on a real one.
    told = [message async for message in socket]
    assert len(told) <= 1
    assert (await venue.ask("GET", f"/v2/orders/{order['id']}"))[1]["status"] == "new"
    assert (await venue.ask("DELETE", "/sim/faults"))[0] == 204
    again = await listen(venue)
    await venue.advance(80)
    assert await events(again, 1) == ["fill"]


async def test_a_restart_cuts_everything_and_comes_back_on_its_books(venue: Venue) -> None:
    _, order = await venue.order()
    socket = await listen(venue)
    _, before = await venue.ask("GET", "/sim/state")
    assert await venue.ask("POST", "/sim/restart", {"down_ms": 2_000}) == (200, {"down_ms": 2_000})
    assert [message async for message in socket] == []
    refused = 0
    while True:
        try:
            status, after = await venue.ask("GET", "/sim/state")
            break
        except LOST:
            refused += 1
            await asyncio.sleep(0.02)
    assert refused
    assert (status, after) == (200, before)
    await venue.advance(80)
    assert (await venue.ask("GET", f"/v2/orders/{order['id']}"))[1]["status"] == "filled"
    assert (await venue.ask("POST", "/sim/restart", {"down_ms": "long"}))[0] == 422


# --- all at once ---

STORM = [
    {"do": "cut", "when": "before_body", "probability": 0.15},
    {"do": "cut", "when": "handled", "probability": 0.15},
    {"do": "cut", "when": "in_answer", "probability": 0.1},
    {"do": "answer", "status": 500, "probability": 0.15},
    {"do": "answer", "status": 504, "probability": 0.1},
    {"do": "delay_answer", "ms": 5, "probability": 0.2},
    {"do": "fill", "probability": 0.2},
]


async def send_surely(venue: Venue, name: str) -> int:
    """A careful client: after a failure it asks for its id before it sends again. Returns how often it sent."""
    for attempt in range(1, 200):
        try:
            status, _ = await venue.order(client_order_id=name)
            if status == 200:
                return attempt
        except LOST:
            pass
        status, _ = await venue.ask("GET", f"/v2/orders:by_client_order_id?client_order_id={name}")
        if status == 200:
            return attempt
    raise AssertionError("never accepted")


async def test_a_storm_of_faults_loses_and_doubles_nothing_and_repeats(tmp_path: Path) -> None:
    runs = []
    for name in ("one", "two"):
        venue = Venue(tmp_path / name)
        await venue.start()
        await venue.fault(*[{**rule, "count": None} for rule in STORM], seed=11)
        attempts = [await send_surely(venue, str(number)) for number in range(40)]
        assert await venue.kept() == [str(number) for number in range(40)]
        _, report = await venue.ask("GET", "/sim/faults")
        assert all(row["struck"] for row in report["rules"])
        await venue.stop()
        # The books check themselves when they are opened.
        books = Books(tmp_path / name)
        state = books.load(venue.service.terms, 0)
        books.close()
        runs.append((attempts, report, state.account.cash))
    assert runs[0] == runs[1]
    assert sum(runs[0][0]) > 50


async def test_a_plan_is_part_of_the_configuration_and_bad_ones_are_named(tmp_path: Path) -> None:
    rule = {"on": "request", "path": "/v2/account", "do": "answer", "status": 503, "count": 1}
    venue = Venue(tmp_path, faults={"rules": [rule]})
    await venue.start()
    assert [(await venue.ask("GET", "/v2/account"))[0] for _ in range(2)] == [503, 200]
    status, answer = await venue.ask("PUT", "/sim/faults", {"rules": [{"on": "request", "do": "delay"}]})
    assert (status, answer["message"]) == (422, "rules.0.request: Value error, ms is required to delay")
    await venue.stop()
