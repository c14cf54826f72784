"""Shell: the request to stop. Here because every process has one."""

from __future__ import annotations

import contextlib
import os
import select
import threading
import time
from collections.abc import Callable


class StopEvent(threading.Event):
    """Set by a signal handler, looked at by loops.

    `threading.Event.set` takes a lock. A handler runs in the main thread between any two steps of it, also of another
    handler: a second SIGTERM while the first is being handled, or one that interrupts `wait`, would wait for ever for
    a lock that its own thread holds. This one takes none: a flag, and a byte in a pipe for who waits.

    Whoever looks or waits is alive: see `age_s`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._seen = clock()
        self._asked = False
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)

    @property
    def age_s(self) -> float:
        """Seconds since somebody last looked."""
        return self._clock() - self._seen

    def set(self) -> None:
        self._asked = True
        with contextlib.suppress(BlockingIOError):  # full: whoever waits has woken long ago
            os.write(self._writer, b"!")

    def is_set(self) -> bool:
        self._seen = self._clock()
        return self._asked

    def wait(self, timeout: float | None = None) -> bool:
        self._seen = self._clock()
        waiting = select.poll()
        waiting.register(self._reader, select.POLLIN)
        waiting.poll(None if timeout is None else max(timeout, 0) * 1000)
        self._seen = self._clock()
        return self._asked

    def clear(self) -> None:
        raise RuntimeError("a request to stop is not taken back")

    def __del__(self) -> None:
        os.close(self._reader)
        os.close(self._writer)
