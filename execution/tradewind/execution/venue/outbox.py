"""Shell. One WebSocket connection's outgoing frames: queued without waiting, sent by a task of its own."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import WSCloseCode, web

_MOST_WAITING = 65_536


class Outbox:
    """Frames leave in the order they were put. A client that lets too many pile up is cut off."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        self._queue: asyncio.Queue[bytes | str] = asyncio.Queue(_MOST_WAITING)
        self._slow = False
        self._task = asyncio.create_task(self._run())

    def put(self, frame: bytes | str) -> None:
        if self._queue.full() and not self._slow:
            self._slow = True
            self._task.cancel()
        if not self._slow:
            self._queue.put_nowait(frame)

    async def _run(self) -> None:
        try:
            while True:
                frame = await self._queue.get()
                if isinstance(frame, bytes):
                    await self._socket.send_bytes(frame)
                else:
                    await self._socket.send_str(frame)
                self._queue.task_done()
        except ConnectionError:
            return
        except asyncio.CancelledError:
            if self._slow:
                await self._socket.close(code=WSCloseCode.POLICY_VIOLATION, message=b"slow client")
            raise

    async def flush_and_stop(self) -> None:
        """Send what waits (for at most a second), then end the task."""
        if not self._task.done():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._queue.join(), 1)
        await self.stop()

    async def stop(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
