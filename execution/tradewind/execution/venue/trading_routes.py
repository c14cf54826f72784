"""Shell. The trading API under /v2."""

from __future__ import annotations

import asyncio
import uuid

from aiohttp import web

from tradewind.execution.venue import core, queries
from tradewind.execution.venue.http import SERVICE, answer, body_of
from tradewind.execution.venue.rejections import bad_field

routes = web.RouteTableDef()


def order_id_of(request: web.Request) -> str:
    """The UUID in the path. Raises Rejection (422)."""
    try:
        return str(uuid.UUID(request.match_info["order_id"]))
    except ValueError as error:
        raise bad_field("order_id is not a valid UUID") from error


@routes.get("/v2/account")
async def account(request: web.Request) -> web.Response:
    return answer(queries.account_view(request.app[SERVICE].state))


@routes.get("/v2/account/configurations")
async def configurations(request: web.Request) -> web.Response:
    return answer(queries.settings_view(request.app[SERVICE].state))


@routes.patch("/v2/account/configurations")
async def change_configurations(request: web.Request) -> web.Response:
    body = await body_of(request)
    return answer(await request.app[SERVICE].change(lambda state: queries.change_settings(state, body)))


@routes.post("/v2/orders")
async def submit(request: web.Request) -> web.Response:
    body = await body_of(request)
    service = request.app[SERVICE]
    return answer(await service.change(lambda state: core.submit(state, body, service.now())))


@routes.get("/v2/orders")
async def orders(request: web.Request) -> web.Response:
    return answer(queries.list_orders(request.app[SERVICE].state, request.query))


@routes.delete("/v2/orders")
async def cancel_all(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    return answer(await service.change(lambda state: core.cancel_all(state, service.now())), 207)


@routes.get("/v2/orders:by_client_order_id")
async def order_by_client_id(request: web.Request) -> web.Response:
    found = queries.find_by_client_id(request.app[SERVICE].state, request.query.get("client_order_id"))
    return answer(found)


@routes.get("/v2/orders/{order_id}")
async def order(request: web.Request) -> web.Response:
    return answer(queries.order_view(request.app[SERVICE].state, order_id_of(request), request.query))


@routes.patch("/v2/orders/{order_id}")
async def replace(request: web.Request) -> web.Response:
    order_id, body = order_id_of(request), await body_of(request)
    service = request.app[SERVICE]
    return answer(await service.change(lambda state: core.replace(state, order_id, body, service.now())))


@routes.delete("/v2/orders/{order_id}")
async def cancel(request: web.Request) -> web.Response:
    order_id = order_id_of(request)
    service = request.app[SERVICE]
    await service.change(lambda state: core.cancel(state, order_id, service.now()))
    return web.Response(status=204)


@routes.get("/v2/positions")
async def positions(request: web.Request) -> web.Response:
    return answer(queries.list_positions(request.app[SERVICE].state))


@routes.delete("/v2/positions")
async def close_all(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    cancel_orders = queries.is_true(request.query, "cancel_orders")
    rows = await service.change(lambda state: core.close_all(state, cancel_orders, service.now()))
    return answer(rows, 207)


@routes.get("/v2/positions/{symbol}")
async def position(request: web.Request) -> web.Response:
    return answer(queries.position_view(request.app[SERVICE].state, request.match_info["symbol"]))


@routes.delete("/v2/positions/{symbol}")
async def close_position(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    symbol = request.match_info["symbol"]
    return answer(await service.change(lambda state: core.close_position(state, symbol, request.query, service.now())))


@routes.get("/v2/assets")
async def assets(request: web.Request) -> web.Response:
    return answer(queries.list_assets(request.app[SERVICE].state, request.query))


@routes.get("/v2/assets/{symbol}")
async def asset(request: web.Request) -> web.Response:
    return answer(queries.asset_view(request.app[SERVICE].state, request.match_info["symbol"]))


@routes.get("/v2/clock")
async def clock(request: web.Request) -> web.Response:
    service = request.app[SERVICE]
    return answer(await asyncio.to_thread(service.sessions.clock, service.now()))


@routes.get("/v2/calendar")
async def calendar(request: web.Request) -> web.Response:
    query = request.query
    sessions = request.app[SERVICE].sessions
    try:
        rows = await asyncio.to_thread(sessions.calendar, query.get("start"), query.get("end"))
    except ValueError as error:
        raise bad_field(f"invalid start or end: {error}") from error
    return answer(rows)


@routes.get("/v2/account/activities")
async def activities(request: web.Request) -> web.Response:
    kinds = request.query.get("activity_types")
    return answer(queries.list_activities(request.app[SERVICE].state, request.query, kinds))


@routes.get("/v2/account/activities/{kind}")
async def activities_of(request: web.Request) -> web.Response:
    kind = request.match_info["kind"]
    return answer(queries.list_activities(request.app[SERVICE].state, request.query, kind))


@routes.get("/v2/account/portfolio/history")
async def portfolio_history(request: web.Request) -> web.Response:
    return answer(queries.portfolio_history(request.app[SERVICE].state, request.query))
