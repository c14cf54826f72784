"""Shell: how a process that appended to the log wakes the processes that wait for it.

Each topic has a small file, its bell. Ringing writes one byte to it after the transaction has committed; waiting is
inotify on the bells of one's own topics. So a waiting consumer costs nothing, hears of its topics only, and reads
within the time of a context switch. SQLite's own write-ahead file would not do: it changes before the commit is
visible. A bell is a hint and never the truth: a publisher killed between its commit and its ring is noticed by the
look that every waiter takes every `SAFETY_LOOK_S`.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
import select
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

log = logging.getLogger(__name__)

SAFETY_LOOK_S = 0.05
_POLLING_PAUSE_S = 0.002
_IN_MODIFY = 0x2
_DRAIN_BYTES = 64 * 1024


class Bells:
    """The bells of one bus: `ring` is safe from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, int] = {}

    def path(self, name: str) -> Path:
        """The bell's file, made if it is not there."""
        path = self._folder / f"{name}.bell"
        path.touch()
        return path

    def ring(self, name: str) -> None:
        """Wake all who wait for `name`."""
        file = self._files.get(name)
        if file is None:
            opened = os.open(self.path(name), os.O_WRONLY | os.O_CLOEXEC)
            file = self._files.setdefault(name, opened)
            if file != opened:  # another thread was first
                os.close(opened)
        os.pwrite(file, b"!", 0)

    def close(self) -> None:
        """Close the bells' files."""
        files, self._files = self._files, {}
        for file in files.values():
            os.close(file)


class Waiter(Protocol):
    """Waits for any of some bells. Look at the log after making a waiter and after each wait, and nothing is missed."""

    def wait(self, timeout: float) -> None:
        """Return when a bell has rung since the last wait, or after `timeout` seconds, or a little earlier."""

    def close(self) -> None:
        """Stop listening."""


def listen(bells: Bells, names: Sequence[str]) -> Waiter:
    """A waiter on the bells `names`: by inotify, or by looking often where the system has none to give."""
    try:
        return InotifyWaiter([bells.path(name) for name in names])
    except OSError as error:
        log.warning("inotify: %s: looking for new records every few milliseconds instead", error)
        return PollingWaiter()


class InotifyWaiter:
    """Waits in the kernel until one of the files is written to. Linux."""

    def __init__(self, paths: Sequence[Path]) -> None:
        if not sys.platform.startswith("linux"):
            raise OSError(errno.ENOSYS, "needs Linux")
        libc = ctypes.CDLL(None, use_errno=True)
        self._fd: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._fd < 0:
            raise _last_error("inotify_init1 (see fs.inotify.max_user_instances)")
        for path in paths:
            if libc.inotify_add_watch(self._fd, os.fsencode(path), _IN_MODIFY) < 0:
                error = _last_error("inotify_add_watch (see fs.inotify.max_user_watches)")
                os.close(self._fd)
                raise error
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    def wait(self, timeout: float) -> None:
        """As `Waiter.wait`."""
        if self._poll.poll(min(timeout, SAFETY_LOOK_S) * 1000):
            os.read(self._fd, _DRAIN_BYTES)

    def close(self) -> None:
        """As `Waiter.close`."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class PollingWaiter:
    """Waits by sleeping for a moment, whether or not anything came."""

    def wait(self, timeout: float) -> None:
        """As `Waiter.wait`, except that it always returns early."""
        time.sleep(min(timeout, _POLLING_PAUSE_S))

    def close(self) -> None:
        """Nothing is held."""


def _last_error(call: str) -> OSError:
    number = ctypes.get_errno()
    return OSError(number, f"{call}: {os.strerror(number)}")
