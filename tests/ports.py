"""Shell: ports for servers that must be told theirs before they start.

A port that the kernel gave and got back can be anybody's by the time its server binds it: another test worker's, or
an outgoing connection's. These lie below the range that the kernel gives from, and belong to the process that asked
until it ends: it holds an abstract socket of the port's name, which no second process can have.
"""

from __future__ import annotations

import itertools
import os
import socket

_FIRST, _COUNT = 20_000, 10_000  # above Ray's workers, below Kubernetes' node ports and Linux's own range
_next = itertools.count(os.getpid() * 37)  # workers that begin together begin apart


def reserve() -> int:
    """A port that nobody listens on, and that no other caller of this function gets while this process lives."""
    for number in itertools.islice(_next, _COUNT):
        port = _FIRST + number % _COUNT
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0tradewind-test-port-{port}")
            with socket.socket() as probe:
                probe.bind(("", port))
        except OSError:
            claim.close()
            continue
        claim.detach()  # nobody closes it: it is the kernel's to close
        return port
    raise RuntimeError(f"every port from {_FIRST} to {_FIRST + _COUNT - 1} is in use")
