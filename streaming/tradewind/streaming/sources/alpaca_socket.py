"""Shell: one of Alpaca's data streams: connect, authenticate, subscribe, decode; again after every loss."""

from __future__ import annotations

import asyncio
import json
import random
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import websockets
from websockets.asyncio.client import ClientConnection, connect

from tradewind.streaming.sources.alpaca_rest import tls_context
from tradewind.streaming.sources.connection import FATAL_CODES, Backoff, Link, LinkState
from tradewind.streaming.sources.credentials import Credentials
from tradewind.streaming.sources.errors import SourceError

_HANDSHAKE_S = 10.0
_PING_S = 10.0
_LARGEST_FRAME = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Subscribed:
    """The stream is live (again): what came before may have been missed."""

    connection: int


@dataclass(frozen=True, slots=True)
class Idle:
    """Nothing came for a while; a chance to look at the clock."""


class AlpacaSocket:
    """Frames of a data stream, as dictionaries.

    A ping goes out every 10 s; a stream that leaves one unanswered for 10 s is taken for dead and opened again.
    """

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        channels: Mapping[str, Sequence[str]],
        *,
        ca_file: Path | str | None = None,
        backoff: Backoff | None = None,
        idle_s: float = 1.0,
    ) -> None:
        self.link = Link()
        self._url = url
        self._credentials = credentials
        self._channels = {name: list(symbols) for name, symbols in channels.items() if symbols}
        self._tls: ssl.SSLContext | None = tls_context(ca_file) if url.startswith("wss:") else None
        self._backoff = backoff or Backoff()
        self._idle_s = idle_s

    async def frames(self) -> AsyncIterator[dict[str, Any] | Subscribed | Idle]:
        """Messages of the subscribed channels, for ever; `Subscribed` after each (re)connection.

        Raises:
            SourceError: the service refuses our key, plan or channels.
        """
        count = 0
        while True:
            self.link.to(LinkState.CONNECTING)
            try:
                async with connect(
                    self._url,
                    ssl=self._tls,
                    additional_headers={"Content-Type": "application/msgpack"},
                    open_timeout=_HANDSHAKE_S,
                    ping_interval=_PING_S,
                    ping_timeout=_PING_S,
                    max_size=_LARGEST_FRAME,
                ) as socket:
                    await self._enter(socket)
                    count += 1
                    yield Subscribed(count)
                    async for message in self._read(socket):
                        yield message
            except (OSError, TimeoutError, websockets.WebSocketException):
                pass
            except SourceError:
                self.link.to(LinkState.FAILED)
                raise
            self.link.to(LinkState.WAITING)
            await asyncio.sleep(self._backoff.wait(random.random()))

    async def _enter(self, socket: ClientConnection) -> None:
        self.link.to(LinkState.AUTHENTICATING)
        await self._expect(socket, "success", "connected")
        await self._send(socket, {"action": "auth", "key": self._credentials.key, "secret": self._credentials.secret})
        await self._expect(socket, "success", "authenticated")
        self.link.to(LinkState.SUBSCRIBING)
        await self._send(socket, {"action": "subscribe", **self._channels})
        await self._expect(socket, "subscription", None)
        self.link.to(LinkState.LIVE)
        self._backoff.reset()

    async def _send(self, socket: ClientConnection, message: dict[str, Any]) -> None:
        await socket.send(msgpack.packb(message))

    async def _expect(self, socket: ClientConnection, kind: str, text: str | None) -> None:
        async with asyncio.timeout(_HANDSHAKE_S):
            while True:
                for message in decode(await socket.recv()):
                    self._refuse_fatal(message)
                    if message.get("T") == "error":
                        raise TimeoutError(f"{message.get('code')}: {message.get('msg')}")
                    if message.get("T") == kind and (text is None or message.get("msg") == text):
                        return

    async def _read(self, socket: ClientConnection) -> AsyncIterator[dict[str, Any] | Idle]:
        while True:
            try:
                async with asyncio.timeout(self._idle_s):
                    frame = await socket.recv()
            except TimeoutError:
                yield Idle()
                continue
            for message in decode(frame):
                self._refuse_fatal(message)
                if message.get("T") == "error":
                    return
                yield message

    def _refuse_fatal(self, message: Mapping[str, Any]) -> None:
        code = message.get("code")
        if message.get("T") != "error" or code not in FATAL_CODES:
            return
        fix = "check APCA_API_KEY_ID and APCA_API_SECRET_KEY" if code == 402 else "check the feed and your plan"
        raise SourceError(f"{self._url}: refused ({code}: {message.get('msg')}); {fix}")


def decode(frame: str | bytes) -> list[dict[str, Any]]:
    """The messages of a frame: an array of maps, as msgpack or, from services that ignore our wish, JSON text."""
    try:
        body = json.loads(frame, parse_float=str) if isinstance(frame, str) else msgpack.unpackb(frame)
    except (ValueError, msgpack.UnpackException):
        return [{"T": "unreadable", "frame": frame}]
    rows = body if isinstance(body, list) else [body]
    return [row if isinstance(row, dict) else {"T": "unreadable", "frame": frame} for row in rows]
