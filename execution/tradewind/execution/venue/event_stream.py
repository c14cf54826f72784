"""Shell. GET /v2/events/trades: trade updates as server-sent events, which replay from any event or time on.

Alpaca's Go client follows its account this way. Event ids are strings that sort like Alpaca's ULIDs: the number of the
event in 26 digits.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from aiohttp import web

from tradewind.execution.venue.http import SERVICE
from tradewind.execution.venue.rejections import bad_field
from tradewind.execution.venue.service import Service
from tradewind.execution.venue.times import from_rfc3339

routes = web.RouteTableDef()
_HEARTBEAT_SECONDS = 10
_DIGITS = 26


@dataclass(frozen=True, slots=True)
class _Window:
    """What a client asked for: events after `since_id` and from `since` on, to `until_id` and `until`."""

    since_id: int | None
    until_id: int | None
    since: int | None
    until: int | None

    @property
    def replays(self) -> bool:
        return self.since_id is not None or self.since is not None

    def is_over(self, event_id: int, time: int) -> bool:
        return (self.until_id is not None and event_id > self.until_id) or (
            self.until is not None and time > self.until
        )

    def has(self, event_id: int, time: int) -> bool:
        late = self.since_id is None or event_id > self.since_id
        return late and (self.since is None or time >= self.since) and not self.is_over(event_id, time)


def _window(query: Mapping[str, str]) -> _Window:
    try:
        numbers = [int(query[name]) if name in query else None for name in ("since_id", "until_id")]
        times = [from_rfc3339(query[name]) if name in query else None for name in ("since", "until")]
    except ValueError as error:
        raise bad_field(f"invalid since, until, since_id or until_id: {error}") from error
    window = _Window(numbers[0], numbers[1], times[0], times[1])
    if not window.replays and (window.until is not None or window.until_id is not None):
        raise bad_field("until and until_id require since or since_id")
    return window


def _line(data: dict[str, object]) -> bytes:
    event_id = data["event_id"]
    assert isinstance(event_id, int)
    sent = {"at": data["timestamp"], **data, "event_id": f"{event_id:0{_DIGITS}d}"}
    return f"data: {json.dumps(sent, separators=(',', ':'))}\n\n".encode()


def _past(service: Service, window: _Window, last: int) -> Iterator[bytes]:
    for text in service.books.events(window.since_id or 0, last):
        data = json.loads(text)
        if window.has(data["event_id"], from_rfc3339(data["timestamp"])):
            yield _line(data)


@routes.get("/v2/events/trades")
async def trade_events(request: web.Request) -> web.StreamResponse:
    service, window = request.app[SERVICE], _window(request.query)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"})
    with service.trades.follow() as updates:
        # Whatever is told from here on is in the queue; what was told before is in the books.
        last = service.state.account.event_id
        await response.prepare(request)
        if window.replays:
            for line in _past(service, window, last):
                await response.write(line)
        await _tell(request, response, updates, window, last)
    return response


async def _tell(
    request: web.Request, response: web.StreamResponse, updates: asyncio.Queue[str | None], window: _Window, last: int
) -> None:
    """Pass on what is told, until the window ends, the client goes or the venue does."""
    while window.until_id is None or last < window.until_id:
        try:
            text = await asyncio.wait_for(updates.get(), _HEARTBEAT_SECONDS)
        except TimeoutError:
            await response.write(b":heartbeat\n\n")
            continue
        if text is None or request.transport is None or request.transport.is_closing():
            return
        data = json.loads(text)
        if data["event_id"] <= last:
            continue
        if window.is_over(data["event_id"], from_rfc3339(data["timestamp"])):
            return
        await response.write(_line(data))
