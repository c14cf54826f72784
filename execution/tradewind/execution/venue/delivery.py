"""Shell. The way of one stream's messages to its connections; on it some are lost, doubled, late or out of order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from tradewind.execution.venue.faults import Faults

M = TypeVar("M")


class Delivery(Generic[M]):
    """Between what is durable and who listens. `event_of` names a message's kind, `disconnect` cuts all connections."""

    def __init__(
        self,
        stream: str,
        event_of: Callable[[M], str],
        send: Callable[[list[M]], None],
        disconnect: Callable[[], None],
    ) -> None:
        self.faults: Faults | None = None
        self._stream = stream
        self._event_of = event_of
        self._send = send
        self._disconnect = disconnect
        self._held: list[tuple[int, M]] = []

    def misbehave(self, faults: Faults | None) -> None:
        """Follow `faults` from now on; what the last ones held back is sent."""
        if self._held:
            self._send([message for _, message in self._held])
            self._held = []
        self.faults = faults

    def deliver(self, messages: Sequence[M]) -> None:
        """Send messages in their order, or as the faults will have it."""
        out: list[M] = []
        for message in messages:
            self._route(message, out)
        if out:
            self._send(out)

    def _route(self, message: M, out: list[M]) -> None:
        copies = 1
        struck = self.faults.of_message(self._stream, self._event_of(message)) if self.faults else ()
        for fault in struck:
            if fault.do == "duplicate":
                copies += 1
                continue
            if fault.do == "delay":
                asyncio.get_running_loop().call_later(fault.ms / 1000, self._send, [message] * copies)
            elif fault.do == "reorder":
                self._held += [(fault.behind, message)] * copies
            elif fault.do == "disconnect":
                self._send(out[:])
                out.clear()
                self._disconnect()
            return
        out += [message] * copies
        if self._held:
            out += [held for left, held in self._held if left == 1]
            self._held = [(left - 1, held) for left, held in self._held if left > 1]
