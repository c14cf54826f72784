"""A queue of documents to look at: each at most once at a time, later after failures. Shell (asyncio)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping

from tradewind.operators.plan.model import Ref

FIRST_RETRY_S = 0.5
LAST_RETRY_S = 300.0


def retry_after(failures: int) -> float:
    """Seconds until the next attempt: doubling, up to LAST_RETRY_S."""
    return float(min(FIRST_RETRY_S * 2.0 ** (failures - 1), LAST_RETRY_S))


class Queue:
    """What is added while it waits is there once; what is added while it is worked on comes again afterwards.

    Attributes:
        settle: by kind, seconds that a look waits for more changes; nothing: none.
    """

    def __init__(self, settle: Mapping[str, float] | None = None) -> None:
        self._settle = settle or {}
        self._settling: set[Ref] = set()
        self._ready: deque[Ref] = deque()
        self._waiting: set[Ref] = set()
        self._active: set[Ref] = set()
        self._again: set[Ref] = set()
        self._failures: dict[Ref, int] = {}
        self._some = asyncio.Event()

    def add(self, ref: Ref) -> None:
        """Asks for a look at the document."""
        wait = self._settle.get(ref.kind)
        if wait is None:
            self._add(ref)
        elif ref not in self._settling:
            self._settling.add(ref)
            asyncio.get_running_loop().call_later(wait, self._settled, ref)

    def _settled(self, ref: Ref) -> None:
        self._settling.discard(ref)
        self._add(ref)

    def _add(self, ref: Ref) -> None:
        if ref in self._active:
            self._again.add(ref)
        elif ref not in self._waiting:
            self._waiting.add(ref)
            self._ready.append(ref)
            self._some.set()

    async def get(self) -> Ref:
        """The next document; `done` or `failed` must follow."""
        while not self._ready:
            self._some.clear()
            await self._some.wait()
        ref = self._ready.popleft()
        self._waiting.discard(ref)
        self._active.add(ref)
        return ref

    def done(self, ref: Ref) -> None:
        """The look is over."""
        self._failures.pop(ref, None)
        self._release(ref)

    def failed(self, ref: Ref) -> float:
        """The look failed; it comes again by itself after the seconds returned."""
        self._failures[ref] = self._failures.get(ref, 0) + 1
        self._release(ref)
        delay = retry_after(self._failures[ref])
        asyncio.get_running_loop().call_later(delay, self.add, ref)
        return delay

    def _release(self, ref: Ref) -> None:
        self._active.discard(ref)
        if ref in self._again:
            self._again.discard(ref)
            self._add(ref)

    def __len__(self) -> int:
        """Documents that wait."""
        return len(self._ready)
