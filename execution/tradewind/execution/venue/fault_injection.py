"""Shell. Faults at work, around the durable core: what is accepted is in the books, whatever its client gets to see."""

from __future__ import annotations

import asyncio
import email.utils
import json
import time
from collections.abc import Iterable
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from tradewind.execution.venue.accidents import PPM, fill_order, reject_order
from tradewind.execution.venue.faults import RequestFault
from tradewind.execution.venue.rejections import Rejection, rate_limited
from tradewind.execution.venue.service import Service
from tradewind.execution.venue.times import MICROSECOND, from_rfc3339, to_rfc3339


def faulty(service: Service) -> Middleware:
    """The middleware that lets requests meet the service's faults."""

    @web.middleware
    async def through(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/sim/"):
            return await handler(request)
        struck = service.faults.of_request(request.method, request.path)
        if not struck:
            return await handler(request)
        early = await _before(request, struck)
        if early is not None:
            return early
        response = await handler(request)
        for fault in struck:
            response = await _after(service, request, response, fault)
        return response

    return through


async def _before(request: web.Request, struck: Iterable[RequestFault]) -> web.StreamResponse | None:
    """What happens instead of handling, or before it."""
    for fault in struck:
        if fault.do == "delay":
            await asyncio.sleep(fault.ms / 1000)
        elif fault.do == "answer":
            return _answer(fault)
        elif fault.do == "cut" and fault.when in ("before_body", "after_body"):
            if fault.when == "after_body":
                await request.read()
            return cut(request)
    return None


def cut(request: web.Request) -> web.Response:
    """End the connection; the answer returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _answer(fault: RequestFault) -> web.Response:
    if fault.status == 504 and fault.code is None and fault.message is None:
        return web.Response(text="upstream request timeout", status=504, headers=fault.headers)
    usual = rate_limited() if fault.status == 429 else Rejection(500, 50010000, "internal server error occurred")
    rejection = Rejection(fault.status, fault.code or usual.code, fault.message or usual.message)
    return web.Response(
        text=json.dumps(rejection.body), status=fault.status, headers=fault.headers, content_type="application/json"
    )


async def _after(
    service: Service, request: web.Request, response: web.StreamResponse, fault: RequestFault
) -> web.StreamResponse:
    if fault.do == "delay_answer":
        await asyncio.sleep(fault.ms / 1000)
    elif fault.do == "answer_after":
        return _answer(fault)
    elif fault.do == "cut" and fault.when == "handled":
        return cut(request)
    elif fault.do == "cut" and fault.when == "in_answer":
        return await _send_half(request, response)
    elif fault.do in ("reject", "fill"):
        await _strike_order(service, response, fault)
    elif fault.do == "skew":
        return _skewed(response, fault.ms)
    return response


async def _send_half(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    body = response.body if isinstance(response, web.Response) else None
    if not isinstance(body, bytes):
        return cut(request)
    half = web.StreamResponse(status=response.status, headers={"Content-Length": str(len(body))})
    await half.prepare(request)
    await half.write(body[: len(body) // 2])
    cut(request)
    return half


def _object(response: web.StreamResponse) -> dict[str, Any]:
    text = response.text if isinstance(response, web.Response) else None
    value = json.loads(text) if text and response.content_type == "application/json" else None
    return value if isinstance(value, dict) else {}


async def _strike_order(service: Service, response: web.StreamResponse, fault: RequestFault) -> None:
    """Only an answer that carries an accepted order is struck; one that has ended meanwhile is left alone."""
    order = _object(response)
    if response.status != 200 or "client_order_id" not in order:
        return
    order_id = order["id"]
    try:
        if fault.do == "reject":
            await service.change(lambda state: reject_order(state, order_id, service.now()))
        else:
            part = int(fault.fraction * PPM)
            await service.change(lambda state: fill_order(state, order_id, None, part, None, service.now()))
    except Rejection:
        return


def _skewed(response: web.StreamResponse, milliseconds: int) -> web.StreamResponse:
    body = _object(response)
    if isinstance(response, web.Response) and isinstance(body.get("timestamp"), str):
        body["timestamp"] = to_rfc3339(from_rfc3339(body["timestamp"]) + milliseconds * 1000 * MICROSECOND)
        response.text = json.dumps(body)
    response.headers["Date"] = email.utils.formatdate(time.time() + milliseconds / 1000, usegmt=True)
    return response
