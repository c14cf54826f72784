"""Shell: ports for servers that must be told theirs before they start. Here because every process may start some."""

from __future__ import annotations

import itertools
import os
import socket

_FIRST, _COUNT = 20_000, 10_000  # above Ray's workers, below Kubernetes' node ports and Linux's own range
_next = itertools.count(os.getpid() * 37)  # processes that begin together begin apart


def reserve(preferred: int | None = None) -> int:
    """A port that nobody listens on, and that no other caller of this gets while this process lives.

    A port that the kernel gave and got back can be anybody's by the time its server binds it, most often an outgoing
    connection's. These lie below the range that the kernel gives from, and belong to the process that asked until it
    ends: it holds an abstract socket of the port's name, which no second process can have.

    Args:
        preferred: given when it's still to be had; it may lie anywhere.

    Raises RuntimeError when none is free.
    """
    if preferred is not None and _claimed(preferred):
        return preferred
    for number in itertools.islice(_next, _COUNT):
        port = _FIRST + number % _COUNT
        if _claimed(port):
            return port
    raise RuntimeError(f"every port from {_FIRST} to {_FIRST + _COUNT - 1} is in use")


def _claimed(port: int) -> bool:
    """Whether the port is ours from now on."""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0tradewind-port-{port}")
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # what has ended may leave connections behind
            probe.bind(("", port))
    except OSError:
        claim.close()
        return False
    claim.detach()  # nobody closes it: it is the kernel's to close
    return True
