"""Shell. The aiohttp application: routes, WebSockets and the middlewares around them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from aiohttp import web
from aiohttp.typedefs import Middleware

from tradewind.execution.venue import data_routes, event_stream, fault_routes, sim_routes, trading_routes
from tradewind.execution.venue.fault_injection import faulty
from tradewind.execution.venue.http import SERVICE, gate
from tradewind.execution.venue.service import Service

_STOCK_FEEDS = ("/v2/iex", "/v2/sip", "/v2/delayed_sip", "/v2/test")
_BODY_LIMIT = 256 * 1024 * 1024


def create_app(service: Service, inner: Sequence[Middleware] = ()) -> web.Application:
    """The venue's application. `inner` middlewares see each admitted request just before its handler; the faults of the
    service's plan are injected before them."""
    app = web.Application(middlewares=[gate(service), faulty(service), *inner], client_max_size=_BODY_LIMIT)
    app[SERVICE] = service
    app.router.add_get("/stream", service.trades.handle)
    app.router.add_get("/v1beta3/crypto/us", service.crypto.handle)
    for feed in _STOCK_FEEDS:
        app.router.add_get(feed, service.stocks.handle)
    for table in (
        trading_routes.routes,
        event_stream.routes,
        data_routes.routes,
        sim_routes.routes,
        fault_routes.routes,
    ):
        app.add_routes(table)
    app.cleanup_ctx.append(_heartbeat)
    app.on_shutdown.append(_close_streams)
    app.on_cleanup.append(_close_books)
    return app


async def _heartbeat(app: web.Application) -> AsyncIterator[None]:
    """Real-time mode needs someone to look at the clock."""
    task = None if app[SERVICE].terms.virtual else asyncio.create_task(_beat(app[SERVICE]))
    yield
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _beat(service: Service) -> None:
    while True:
        await asyncio.sleep(1)
        await service.tick()


async def _close_streams(app: web.Application) -> None:
    await app[SERVICE].close_streams()


async def _close_books(app: web.Application) -> None:
    app[SERVICE].books.close()
