"""Server-sent trade updates: what was told before is replayed, what is told now follows, without a gap."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestServer

from tradewind.execution.venue import core
from tradewind.execution.venue.books import Books
from tradewind.execution.venue.config import VenueConfig
from tradewind.execution.venue.faults import FaultPlan
from tradewind.execution.venue.server import create_app
from tradewind.execution.venue.service import Service

HEADERS = {"APCA-API-KEY-ID": "AK", "APCA-API-SECRET-KEY": "secret"}
ORDER = {"symbol": "AAPL", "qty": 1, "side": "buy", "type": "limit", "limit_price": 90, "time_in_force": "gtc"}


@pytest.fixture
async def service(tmp_path: Path) -> Service:
    """Two orders are there: events 1 to 4."""
    service = Service(VenueConfig(state_dir=tmp_path, symbols=("AAPL",)), Books(tmp_path), "AK", "secret")
    for _ in range(2):
        await send(service)
    return service


async def send(service: Service) -> None:
    await service.change(lambda state: core.submit(state, ORDER, service.now()))


@pytest.fixture
async def client(service: Service) -> AsyncIterator[aiohttp.ClientSession]:
    server = TestServer(create_app(service))
    await server.start_server()
    async with aiohttp.ClientSession(server.make_url("/"), headers=HEADERS) as client:
        yield client
    await server.close()


async def events(response: aiohttp.ClientResponse, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < count:
        line = await asyncio.wait_for(response.content.readline(), 60)
        assert line, "the stream ended"
        if line.startswith(b"data: "):
            found.append(json.loads(line[6:]))
    return found


def numbers(rows: list[dict[str, Any]]) -> list[int]:
    assert all(len(row["event_id"]) == 26 for row in rows)
    return [int(row["event_id"]) for row in rows]


async def test_without_a_start_only_what_is_told_from_now_on(service: Service, client: aiohttp.ClientSession) -> None:
    async with client.get("/v2/events/trades") as response:
        assert response.content_type == "text/event-stream"
        await send(service)
        rows = await events(response, 2)
    assert numbers(rows) == [5, 6]
    assert [(row["event"], row["at"]) for row in rows] == [(row["event"], row["timestamp"]) for row in rows]


async def test_a_replay_goes_over_into_what_is_told_now(service: Service, client: aiohttp.ClientSession) -> None:
    async with client.get("/v2/events/trades", params={"since_id": f"{1:026d}"}) as response:
        first = await events(response, 3)
        await send(service)
        rest = await events(response, 2)
    assert numbers(first + rest) == [2, 3, 4, 5, 6]


async def test_what_comes_late_on_the_way_is_not_told_after_its_replay(
    service: Service, client: aiohttp.ClientSession
) -> None:
    rule = {"on": "stream", "event": "new", "do": "reorder", "behind": 2, "count": 1}
    service.misbehave(FaultPlan.model_validate({"rules": [rule]}))
    await send(service)
    async with client.get("/v2/events/trades", params={"since_id": "4"}) as response:
        first = await events(response, 2)
        for _ in range(2):
            await send(service)
        rest = await events(response, 4)
    assert numbers(first + rest) == [5, 6, 7, 8, 9, 10]


async def test_a_replay_from_a_time_on(service: Service, client: aiohttp.ClientSession) -> None:
    async with client.get("/v2/events/trades", params={"since_id": "0", "until_id": "4"}) as response:
        every = await events(response, 4)
        assert await response.content.read() == b"\n"
    since = every[2]["timestamp"]
    assert since > every[1]["timestamp"]
    async with client.get("/v2/events/trades", params={"since": since, "until_id": "4"}) as response:
        assert numbers(await events(response, 2)) == [3, 4]


@pytest.mark.parametrize("query", [{"since": "yesterday"}, {"since_id": "x"}, {"until_id": "3"}])
async def test_a_wrong_window_is_refused(client: aiohttp.ClientSession, query: dict[str, str]) -> None:
    async with client.get("/v2/events/trades", params=query) as response:
        assert response.status == 422


async def test_a_restart_ends_the_stream(service: Service, client: aiohttp.ClientSession) -> None:
    async with client.get("/v2/events/trades") as response:
        service.restart(0)
        with pytest.raises(aiohttp.ClientError):
            await response.content.read()
