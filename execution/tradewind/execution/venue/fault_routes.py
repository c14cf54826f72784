"""Shell. /sim/faults, /sim/restart, /sim/orders: making the venue misbehave, and taking that back."""

from __future__ import annotations

import asyncio

from aiohttp import web
from pydantic import ValidationError

from tradewind.execution.venue.accidents import PPM, fill_order, reject_order
from tradewind.execution.venue.faults import FaultPlan
from tradewind.execution.venue.fields import amount
from tradewind.execution.venue.http import SERVICE, answer, body_of
from tradewind.execution.venue.money import PRICE_PLACES, QTY_PLACES
from tradewind.execution.venue.rejections import bad_field
from tradewind.execution.venue.trading_routes import order_id_of
from tradewind.execution.venue.wire import order_json

routes = web.RouteTableDef()


@routes.get("/sim/faults")
async def read_faults(request: web.Request) -> web.Response:
    return answer(request.app[SERVICE].faults.report())


@routes.put("/sim/faults")
async def set_faults(request: web.Request) -> web.Response:
    await body_of(request)
    try:
        plan = FaultPlan.model_validate_json(await request.read())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "body"
        raise bad_field(f"{where}: {first['msg']}") from error
    service = request.app[SERVICE]
    service.misbehave(plan)
    return answer(service.faults.report())


@routes.delete("/sim/faults")
async def clear_faults(request: web.Request) -> web.Response:
    request.app[SERVICE].misbehave(FaultPlan())
    return web.Response(status=204)


@routes.post("/sim/restart")
async def restart(request: web.Request) -> web.Response:
    body = await body_of(request)
    down = body.get("down_ms", 0)
    if isinstance(down, bool) or not isinstance(down, int) or not 0 <= down <= 3_600_000:
        raise bad_field("down_ms must be a number of milliseconds, at most an hour")
    service = request.app[SERVICE]
    # The answer leaves first.
    asyncio.get_running_loop().call_later(0.01, service.restart, down / 1000)
    return answer({"down_ms": down})


@routes.post("/sim/orders/{order_id}/reject")
async def reject(request: web.Request) -> web.Response:
    order_id, service = order_id_of(request), request.app[SERVICE]
    await service.change(lambda state: reject_order(state, order_id, service.now()))
    return answer(order_json(service.state.orders[order_id]))


@routes.post("/sim/orders/{order_id}/fill")
async def fill(request: web.Request) -> web.Response:
    order_id, body, service = order_id_of(request), await body_of(request), request.app[SERVICE]
    qty, price = amount(body, "qty", QTY_PLACES, "qty"), amount(body, "price", PRICE_PLACES, "price")
    await service.change(lambda state: fill_order(state, order_id, qty, PPM, price, service.now()))
    return answer(order_json(service.state.orders[order_id]))
