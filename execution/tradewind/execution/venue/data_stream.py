"""Shell. The market-data WebSockets: connected, auth, subscribe, then arrays of messages in msgpack or JSON."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping

import msgpack
from aiohttp import WSMsgType, web

from tradewind.execution.venue.outbox import Outbox
from tradewind.execution.venue.stream_messages import Message, Subscriptions, encode, error, success

_AUTH_SECONDS = 10
Authorizer = Callable[[object, object], bool]


class _Follower:
    """One connection."""

    def __init__(self, outbox: Outbox, channels: tuple[str, ...], *, packed: bool) -> None:
        self.outbox = outbox
        self.packed = packed
        self.authenticated = False
        self.subscriptions = Subscriptions(channels)

    def send(self, *messages: Message) -> None:
        self.outbox.put(encode(list(messages), packed=self.packed))


class DataStream:
    """Every connection to one kind of feed (stocks or news)."""

    def __init__(self, authorize: Authorizer, channels: tuple[str, ...]) -> None:
        self._authorize = authorize
        self._channels = channels
        self._sockets: dict[web.WebSocketResponse, asyncio.Transport | None] = {}
        self._followers: set[_Follower] = set()

    def publish(self, entries: list[tuple[str, tuple[str, ...], Message]]) -> None:
        """Send (channel, symbols, message) entries to who follows them, in one array per connection."""
        for follower in self._followers:
            wanted = [
                message for channel, symbols, message in entries if follower.subscriptions.wants(channel, symbols)
            ]
            if wanted:
                follower.send(*wanted)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        headers = request.headers
        follower = _Follower(Outbox(socket), self._channels, packed="msgpack" in headers.get("Content-Type", ""))
        self._sockets[socket] = request.transport
        try:
            follower.send(success("connected"))
            if self._authorize(headers.get("APCA-API-KEY-ID"), headers.get("APCA-API-SECRET-KEY")):
                self._admit(follower)
            await self._converse(socket, follower)
        finally:
            self._followers.discard(follower)
            self._sockets.pop(socket, None)
            await follower.outbox.flush_and_stop()
        return socket

    def cut(self) -> None:
        """End every connection without a word."""
        for transport in self._sockets.values():
            if transport is not None:
                transport.abort()

    async def close(self) -> None:
        for socket in list(self._sockets):
            await socket.close()

    async def _converse(self, socket: web.WebSocketResponse, follower: _Follower) -> None:
        deadline = asyncio.get_running_loop().time() + _AUTH_SECONDS
        while True:
            try:
                async with asyncio.timeout_at(None if follower.authenticated else deadline):
                    frame = await socket.receive()
            except TimeoutError:
                follower.send(error(404, "auth timeout"))
                return
            if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                return
            if not self._answer(follower, frame.data):
                return

    def _admit(self, follower: _Follower) -> None:
        follower.authenticated = True
        self._followers.add(follower)
        follower.send(success("authenticated"))

    def _answer(self, follower: _Follower, raw: bytes | str) -> bool:
        """Handle one message; False when the connection is to end."""
        try:
            message = msgpack.unpackb(raw) if follower.packed and isinstance(raw, bytes) else json.loads(raw)
        except (ValueError, msgpack.UnpackException):
            message = None
        action = message.get("action") if isinstance(message, Mapping) else None
        if not isinstance(message, Mapping) or action not in ("auth", "subscribe", "unsubscribe"):
            follower.send(error(400, "invalid syntax"))
        elif action == "auth":
            return self._authenticate(follower, message)
        elif not follower.authenticated:
            follower.send(error(401, "not authenticated"))
        elif follower.subscriptions.change(message, add=action == "subscribe"):
            follower.send(follower.subscriptions.message())
        else:
            follower.send(error(410, "invalid subscribe action for this feed"))
        return True

    def _authenticate(self, follower: _Follower, message: Mapping[str, object]) -> bool:
        if follower.authenticated:
            follower.send(error(403, "already authenticated"))
            return True
        if not self._authorize(message.get("key"), message.get("secret")):
            follower.send(error(402, "auth failed"))
            return False
        self._admit(follower)
        return True
