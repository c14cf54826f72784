"""One writer per account: a lease with a deadline that a successor waits for. Shell.

The clock is CLOCK_BOOTTIME, which goes on while the machine sleeps and that nobody sets. Each holder has a number, its
token, one above the last. A holder writes its deadline, then looks whether a successor has come; a successor comes,
then looks at the deadline. In this order (Dekker's) at least one of the two sees the other, wherever either is stopped.
No lock is held over any of it, so a stopped process blocks nobody.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tradewind.execution.process import ProcessError, StoppedError, TakenOverError

_LOOK_S = 0.05


def boot_ns() -> int:
    """CLOCK_BOOTTIME, ns."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class LeaseLostError(TakenOverError):
    """The account is another process's, or may be."""


class Lease(ABC):
    """The right to write orders of one account. Whoever implements it must keep: no two holders before a deadline."""

    @abstractmethod
    def acquire(self, stop: threading.Event) -> int:
        """Waits until the account is free; the deadline in ns of CLOCK_BOOTTIME. Raises StoppedError on `stop`."""

    @abstractmethod
    def renew(self) -> int:
        """A later deadline. Raises LeaseLostError once a successor has come."""

    @abstractmethod
    def release(self) -> None:
        """Gives the account up: a successor need not wait. For a process that will not write again."""

    @property
    @abstractmethod
    def token(self) -> int:
        """Number of this holder: higher than that of any before it."""


@dataclass(frozen=True)
class _Deadline:
    boot_id: str
    until: int


class FileLease(Lease):
    """A lease among the processes of one host, as files of a directory on a local file system.

    `NUMBER` is locked by its holder for life, so that the death of a process is known at once and needs no waiting;
    `NUMBER.until` holds its deadline. A holder that lives and is silent is waited for: its deadline, and `send_s` more
    for what it sent at the last moment.
    """

    def __init__(self, directory: Path, duration_s: float, send_s: float, clock: Callable[[], int] = boot_ns) -> None:
        self._directory = directory
        self._duration = int(duration_s * 1e9)
        self._send = int(send_s * 1e9)
        self._clock = clock
        self._boot_id = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        self._token = 0
        self._file: int | None = None
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProcessError(f"{directory}: cannot hold the lease: {error.strerror}") from None

    @property
    def token(self) -> int:
        return self._token

    def acquire(self, stop: threading.Event) -> int:
        while True:
            latest = self._await_free(stop)
            if not self._claim(latest + 1):
                continue  # another successor was faster
            # A predecessor may have renewed before it could see us: that last deadline is waited for as well.
            self._await_free(stop)
            try:
                until = self.renew()
            except LeaseLostError:
                continue
            self._forget_predecessors()
            return until

    def renew(self) -> int:
        until = self._clock() + self._duration
        path = self._directory / f"{self._token}.until"
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps({"boot_id": self._boot_id, "until": until}), encoding="utf-8")
        temporary.replace(path)
        latest = max(self._tokens(), default=0)
        if latest != self._token:
            raise LeaseLostError(f"the lease in {self._directory} has gone to holder {latest}; this was {self._token}")
        return until

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _tokens(self) -> list[int]:
        return [int(path.name) for path in self._directory.iterdir() if path.name.isdigit()]

    def _await_free(self, stop: threading.Event) -> int:
        """Until no other holder lives, or the last deadline of each is `send_s` past.

        Returns the newest number that was looked at: whoever has come since has the one after it, and the claim to
        that fails. A number read later would let two that came at once both have one, and wait for each other.
        """
        began = self._clock()
        while True:
            tokens = self._tokens()
            if not any(self._holds(token, began) for token in tokens if token != self._token):
                return max(tokens, default=0)
            if stop.wait(_LOOK_S):
                raise StoppedError

    def _holds(self, token: int, began: int) -> bool:
        if not self._alive(token):
            return False
        deadline = self._deadline(token)
        if deadline is None:  # it has come and has not written yet; when it never does, it never held anything
            return self._clock() < began + self._duration + self._send
        return deadline.boot_id == self._boot_id and self._clock() < deadline.until + self._send

    def _alive(self, token: int) -> bool:
        """Whether the holder's process is there, stopped or not: its lock is."""
        try:
            file = os.open(self._directory / str(token), os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(file)
        return False

    def _deadline(self, token: int) -> _Deadline | None:
        try:
            return _Deadline(**json.loads((self._directory / f"{token}.until").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def _claim(self, token: int) -> bool:
        """Takes a number that nobody has. Its file appears under its name only once it is locked."""
        temporary = self._directory / f"{token}.{secrets.token_hex(8)}"  # containers share a pid
        file = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            os.link(temporary, self._directory / str(token))
        except FileExistsError:
            os.close(file)
            return False
        finally:
            temporary.unlink()
        if self._file is not None:
            os.close(self._file)
        self._file, self._token = file, token
        return True

    def _forget_predecessors(self) -> None:
        for path in self._directory.iterdir():
            number = path.name.partition(".")[0]
            if number.isdigit() and int(number) < self._token:
                path.unlink(missing_ok=True)


class Keeper:
    """Renews a lease as long as it can, tells the engine each deadline, and lets nobody act past the last one."""

    def __init__(self, lease: Lease, extend: Callable[[int], None], duration_s: float, until: int) -> None:
        self._lease = lease
        self._extend = extend
        self._period = duration_s / 3
        self._until = until
        self._lost: LeaseLostError | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)
        extend(until)
        self._thread.start()

    def held(self) -> bool:
        """Whether the deadline is still to come."""
        return boot_ns() < self._until

    def guard(self) -> None:
        """Returns when the lease is held; after a pause that nobody used, once it is held again.

        Raises LeaseLostError when a successor has come, or when nothing is renewed for another lease's time. What was
        read from the journal or the bus before this returns is the account's: a successor comes later, and finds it in
        the journal.
        """
        began = boot_ns()
        while not self.held():
            if self._lost is not None:
                raise self._lost
            if boot_ns() > began + 3e9 * self._period:
                raise LeaseLostError("the lease could not be renewed; is the disk of state_dir full?")
            time.sleep(_LOOK_S)

    def close(self) -> None:
        """No more renewals."""
        self._stop.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._stop.wait(self._period):
            try:
                self._until = self._lease.renew()
            except LeaseLostError as error:
                self._lost = error
                self._until = 0
                self._extend(0)
                return
            except OSError as error:  # the disk may come back before the deadline; if not, nothing is sent
                print(f"the lease was not renewed: {error.strerror}", file=sys.stderr)  # noqa: T201
                continue
            self._extend(self._until)


class NoLease:
    """Nobody else can write: the journal's lock keeps them out, and this process is never paused for long."""

    def held(self) -> bool:
        """Always."""
        return True

    def guard(self) -> None:
        """Nothing to wait for."""

    def close(self) -> None:
        """Nothing to end."""
