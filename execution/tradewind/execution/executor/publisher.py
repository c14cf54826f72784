"""Publishes what the journal says, from the journal and from nowhere else. Shell."""

from __future__ import annotations

import sys
from collections.abc import Callable

from google.protobuf.message import Message

from tradewind.bus import Bus, Outgoing
from tradewind.execution.audit.chain import Chain, last_link
from tradewind.execution.executor.messages import outgoing, risk_state, snapshot
from tradewind.native.executor import Executor

_BATCH = 2000


class Publisher:
    """Goes on where the bus says it stopped, so that a record is published once however often the process dies."""

    def __init__(
        self, bus: Bus, executor: Executor, account: str, policy_generation: int, guard: Callable[[], None]
    ) -> None:
        self.guard = guard
        """Returns when this process may speak for the account, or raises: called between reading and telling."""
        self._bus = bus
        self._executor = executor
        self._account = account
        self.policy_generation = policy_generation
        self._letters: list[tuple[str, str, bytes, str, str, str]] = []
        self._resume()

    def _resume(self) -> None:
        """Where the bus stopped: there is no other memory of what has been told."""
        self._chain = Chain(self._account, last_link(self._bus, self._account))
        # The newest link's entry is read again: a process may have died between two links of one entry.
        self._sequence = max(0, self._chain.position[0] - 1)
        self._unsure = False

    def publish(self, snapshot_time: int | None) -> bool:
        """Everything new in the journal, then the books as of `snapshot_time` (None: no snapshot).

        Returns whether there were fills. After a BusError nobody knows how much of a batch was taken: the next call
        asks the bus.
        """
        self.send_letters()
        if self._unsure:
            self._resume()
        self._unsure = True
        filled = self._publish_records()
        self._unsure = False
        if snapshot_time is not None:
            self._publish_books(snapshot_time)
        return filled

    def bury(self, topic: str, key: str, message: Message, reason: str) -> None:
        """A record of `topic` goes to the dead letters with the next that is sent.

        Nothing of that topic may be taken until then: after a death the journal would say that this record, too, was.
        """
        payload, kind = message.SerializeToString(), message.DESCRIPTOR.full_name
        self._letters.append((topic, key, payload, kind, reason, f"executor {self._account}"))

    @property
    def owes_letters(self) -> bool:
        """Whether there are dead letters to be sent."""
        return bool(self._letters)

    def send_letters(self) -> None:
        """Sends what was buried. Raises BusError."""
        while self._letters:
            self._bus.dead_letter(*self._letters[0])
            self._letters.pop(0)

    def _publish_records(self) -> bool:
        filled = False
        while True:
            records = self._executor.drain(self._sequence, _BATCH)
            if not records:
                return filled
            messages: list[Outgoing] = []
            named = {r["sequence"]: set[str]() for r in records}
            for record in records:
                if record["record"] == "order":
                    named[record["sequence"]].update(record["intents"])
            for record in records:
                link = self._chain.link(record)
                if link is None:
                    continue
                if record["record"] == "alert":
                    print(f"alert: {record['symbol'] or self._account}: {record['text']}", file=sys.stderr)  # noqa: T201
                filled = filled or record["record"] == "fill"
                message = outgoing(record, self._account, named[record["sequence"]])
                messages += [message] if message is not None else []
                messages.append(Outgoing("audit", self._account, link))
            self.guard()
            if messages:
                self._bus.publish_many(messages)
            self._sequence = records[-1]["sequence"]

    def _publish_books(self, time: int) -> None:
        stats = self._executor.stats()
        if stats["broken_invariant"]:
            raise RuntimeError(f"books of {self._account} are inconsistent: {stats['broken_invariant']}")
        self.guard()
        self._bus.publish_many(
            [
                Outgoing("positions", self._account, snapshot(self._account, time, self._executor.positions(), stats)),
                Outgoing("risk", self._account, risk_state(self._account, time, stats, self.policy_generation)),
            ]
        )
