"""Publishes what the journal says, from the journal and from nowhere else. Shell."""

from __future__ import annotations

import sys

from tradewind.bus import Bus, Outgoing
from tradewind.execution.executor.audit import journal_sequence, last_link, link
from tradewind.execution.executor.messages import outgoing, risk_state, snapshot
from tradewind.native.executor import Executor

_BATCH = 2000


class Publisher:
    """Goes on where the bus says it stopped, so that a record is published once however often the process dies."""

    def __init__(self, bus: Bus, executor: Executor, account: str, policy_generation: int) -> None:
        self._bus = bus
        self._executor = executor
        self._account = account
        self.policy_generation = policy_generation
        self._link = last_link(bus, account)
        self._sequence = journal_sequence(self._link) if self._link is not None else 0

    def publish(self, snapshot_time: int | None) -> bool:
        """Everything new in the journal, then the books as of `snapshot_time` (None: no snapshot).

        Returns whether there were fills.
        """
        filled = False
        while True:
            records = self._executor.drain(self._sequence, _BATCH)
            if not records:
                break
            messages: list[Outgoing] = []
            for record in records:
                if record["record"] == "alert":
                    print(f"alert: {record['symbol'] or self._account}: {record['text']}", file=sys.stderr)  # noqa: T201
                filled = filled or record["record"] == "fill"
                message = outgoing(record, self._account)
                if message is not None:
                    self._link = link(self._link, self._account, message)
                    messages += [message, Outgoing("audit", self._account, self._link)]
            if messages:
                self._bus.publish_many(messages)
            self._sequence = records[-1]["sequence"]
        if snapshot_time is not None:
            self._publish_books(snapshot_time)
        return filled

    def _publish_books(self, time: int) -> None:
        stats = self._executor.stats()
        if stats["broken_invariant"]:
            raise RuntimeError(f"books of {self._account} are inconsistent: {stats['broken_invariant']}")
        self._bus.publish_many(
            [
                Outgoing("positions", self._account, snapshot(self._account, time, self._executor.positions(), stats)),
                Outgoing("risk", self._account, risk_state(self._account, time, stats, self.policy_generation)),
            ]
        )
