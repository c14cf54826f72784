"""Shell. /stream: authenticate, listen, then trade updates as binary frames of JSON (or msgpack when asked)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator, Mapping

import msgpack
from aiohttp import WSMsgType, web

from tradewind.execution.venue.outbox import Outbox

_CHANNEL = "trade_updates"
Authorizer = Callable[[object, object], bool]


class _Listener:
    """One connection."""

    def __init__(self, outbox: Outbox, *, packed: bool) -> None:
        self.outbox = outbox
        self.packed = packed
        self.authorized = False

    def send(self, text: str) -> None:
        self.outbox.put(msgpack.packb(json.loads(text)) if self.packed else text.encode())


class TradeStream:
    """Every connection that listens to the account's trade updates."""

    def __init__(self, authorize: Authorizer, last_event: Callable[[], int]) -> None:
        self._authorize = authorize
        self._last_event = last_event
        self._sockets: dict[web.WebSocketResponse, asyncio.Transport | None] = {}
        self._listening: set[_Listener] = set()
        self._followers: set[asyncio.Queue[str | None]] = set()

    def publish(self, updates: list[str]) -> None:
        """Queue updates (the JSON text of each `data`), already durable, for every listener."""
        for text in updates:
            for follower in self._followers:
                follower.put_nowait(text)
            frame = f'{{"stream":"{_CHANNEL}","data":{text}}}'
            for listener in self._listening:
                listener.send(frame)

    @contextlib.contextmanager
    def follow(self) -> Iterator[asyncio.Queue[str | None]]:
        """What is published while the context lasts, as a queue; None is the end."""
        updates: asyncio.Queue[str | None] = asyncio.Queue()
        self._followers.add(updates)
        try:
            yield updates
        finally:
            self._followers.discard(updates)

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        listener = _Listener(Outbox(socket), packed="msgpack" in request.headers.get("Content-Type", ""))
        self._sockets[socket] = request.transport
        try:
            async for frame in socket:
                if frame.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    break
                self._answer(listener, frame.data)
        finally:
            self._listening.discard(listener)
            self._sockets.pop(socket, None)
            await listener.outbox.stop()
        return socket

    def cut(self) -> None:
        """End every connection without a word."""
        for transport in self._sockets.values():
            if transport is not None:
                transport.abort()
        self._end_followers()

    def _end_followers(self) -> None:
        for follower in self._followers:
            follower.put_nowait(None)

    async def close(self) -> None:
        self._end_followers()
        for socket in list(self._sockets):
            await socket.close()

    def _answer(self, listener: _Listener, raw: bytes | str) -> None:
        try:
            message = msgpack.unpackb(raw) if listener.packed and isinstance(raw, bytes) else json.loads(raw)
        except (ValueError, msgpack.UnpackException):
            message = None
        if not isinstance(message, Mapping):
            listener.send('{"stream":"error","data":{"error_message":"invalid message"}}')
            return
        data = message.get("data")
        data = data if isinstance(data, Mapping) else {}
        action = message.get("action")
        if action in ("authenticate", "auth"):
            key, secret = (
                (data.get("key_id"), data.get("secret_key")) if data else (message.get("key"), message.get("secret"))
            )
            listener.authorized = self._authorize(key, secret)
            self._say_authorization(listener, "authenticate")
        elif action == "listen":
            self._listen(listener, data.get("streams"))
        else:
            listener.send('{"stream":"error","data":{"error_message":"unknown action"}}')

    def _say_authorization(self, listener: _Listener, action: str) -> None:
        status = "authorized" if listener.authorized else "unauthorized"
        listener.send(f'{{"stream":"authorization","data":{{"status":"{status}","action":"{action}"}}}}')

    def _listen(self, listener: _Listener, streams: object) -> None:
        if not listener.authorized:
            self._say_authorization(listener, "listen")
            return
        wanted = [name for name in streams if name == _CHANNEL] if isinstance(streams, list) else []
        if wanted:
            self._listening.add(listener)
        else:
            self._listening.discard(listener)
        # The answer names the last event before this moment: whatever follows on this connection is later.
        data = {"streams": wanted, "event_id": self._last_event()}
        listener.send(json.dumps({"stream": "listening", "data": data}))
