"""Shell. What every HTTP request passes through: request id, rate limit, credentials, refusals as JSON."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import time
import uuid
from decimal import Decimal

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from tradewind.execution.venue.rejections import Rejection, bad_field, not_found, rate_limited, unauthorized
from tradewind.execution.venue.service import Service

SERVICE = web.AppKey("service", Service)
_UNLIMITED = 1_000_000


class RateLimit:
    """Requests per minute of wall time, counted in fixed windows."""

    def __init__(self, per_minute: int | None) -> None:
        self._most = per_minute
        self._window = 0
        self._used = 0

    def take(self) -> tuple[bool, dict[str, str]]:
        """Count one request: whether it may pass, and the X-RateLimit headers of its answer."""
        window = int(time.time()) // 60
        if window != self._window:
            self._window, self._used = window, 0
        most = _UNLIMITED if self._most is None else self._most
        allowed = self._most is None or self._used < most
        if self._most is not None and allowed:
            self._used += 1
        headers = {
            "X-RateLimit-Limit": str(most),
            "X-RateLimit-Remaining": str(most - self._used),
            "X-RateLimit-Reset": str((window + 1) * 60),
        }
        if not allowed:
            headers["Retry-After"] = str((window + 1) * 60 - int(time.time()))
        return allowed, headers


def answer(body: object, status: int = 200) -> web.Response:
    return web.Response(text=json.dumps(body, separators=(",", ":")), status=status, content_type="application/json")


async def body_of(request: web.Request) -> dict[str, object]:
    """The JSON object of the body, its numbers as int or Decimal. Raises Rejection (422)."""
    try:
        body = json.loads(await request.text(), parse_float=Decimal)
    except ValueError as error:
        raise bad_field("request body format is invalid") from error
    if not isinstance(body, dict):
        raise bad_field("request body must be an object")
    return body


def _has_credentials(service: Service, request: web.Request) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme == "Basic":
        try:
            key_id, _, secret = base64.b64decode(token).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return service.authorize(key_id, secret)
    return service.authorize(request.headers.get("APCA-API-KEY-ID"), request.headers.get("APCA-API-SECRET-KEY"))


def is_upgrade(request: web.Request) -> bool:
    """Whether a WebSocket is asked for."""
    return request.headers.get("Upgrade", "").lower() == "websocket"


def _is_up(service: Service, request: web.Request) -> bool:
    """Note the connection, or end it while the venue is down."""
    transport = request.transport
    if transport is None:
        return False
    if asyncio.get_running_loop().time() < service.down_until:
        transport.abort()
        return False
    service.connections.add(transport)
    return True


def gate(service: Service) -> Middleware:
    """The outermost middleware. WebSockets pass: they authenticate inside their own protocols."""
    limit = RateLimit(service.config.rate_limit_per_minute)

    @web.middleware
    async def through(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not _is_up(service, request):
            return web.Response()
        if is_upgrade(request):
            return await handler(request)
        allowed, headers = limit.take()
        response: web.StreamResponse
        try:
            if not _has_credentials(service, request):
                raise unauthorized()
            if not allowed:
                raise rate_limited()
            response = await handler(request)
        except Rejection as rejection:
            response = answer(rejection.body, rejection.status)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            response = answer(not_found("endpoint not found").body, 404)
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        response.headers["X-Request-ID"] = uuid.uuid4().hex
        return response

    return through
