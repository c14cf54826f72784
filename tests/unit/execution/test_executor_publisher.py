"""What the executor tells the bus, when the bus takes only a part of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from tradewind.bus import Bus, BusAwayError, BusError, Outgoing, open_bus
from tradewind.execution.audit.chain import compare, verify
from tradewind.execution.executor.publisher import Publisher
from tradewind.native.executor import Executor
from tradewind.v1 import trading_pb2

ACCOUNT = "paper"


ALERTS: tuple[dict[str, Any], ...] = tuple(
    {"record": "alert", "sequence": entry, "now": entry, "time": entry, "severity": 1, "symbol": "", "text": text}
    for entry, text in ((7, "one"), (7, "two"), (7, "three"), (9, "four"))
)
"""Three alerts in one entry, then one more in the next."""


class Journal:
    """Rows of a journal."""

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self._rows = rows

    def drain(self, after: int, _most: int) -> list[dict[str, Any]]:
        return [row for row in self._rows if row["sequence"] > after]


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    with open_bus(f"file://{tmp_path / 'bus.db'}") as opened:
        yield opened


def links(bus: Bus) -> list[trading_pb2.AuditRecord]:
    return [cast("trading_pb2.AuditRecord", record.message) for record in bus.read("audit")]


def give_up_after(bus: Bus, hears: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bus takes the first `hears` messages of the next batch, and no more of it."""
    take = bus.publish_many

    def publish_many(messages: Sequence[Outgoing]) -> list[int]:
        monkeypatch.undo()
        take(messages[:hears])
        raise BusError("did not take all")

    monkeypatch.setattr(bus, "publish_many", publish_many)


@pytest.mark.parametrize("hears", [0, 1, 2, 3, 4])
def test_the_chain_is_the_journals_after_a_batch_that_was_taken_in_part(
    bus: Bus, hears: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher = Publisher(bus, cast("Executor", Journal(ALERTS)), ACCOUNT, 1, lambda: None)
    give_up_after(bus, hears, monkeypatch)
    with pytest.raises(BusError, match="did not take all"):
        publisher.publish(None)
    publisher.publish(None)
    publisher.publish(None)
    told = links(bus)
    assert [json.loads(link.payload)["text"] for link in told] == ["one", "two", "three", "four"]
    assert verify(ACCOUNT, told).first_break is None
    assert compare(told, ACCOUNT, ALERTS) is None


def test_a_dead_letter_waits_for_a_bus_that_is_away(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher = Publisher(bus, cast("Executor", Journal(())), ACCOUNT, 1, lambda: None)

    def away(*_: object) -> int:
        raise BusAwayError("away")

    with monkeypatch.context() as gone:
        gone.setattr(bus, "dead_letter", away)
        publisher.bury("intents", "IBM", trading_pb2.OrderIntent(id="one"), "too long")
        with pytest.raises(BusAwayError):
            publisher.publish(None)
    publisher.bury("intents", "IBM", trading_pb2.OrderIntent(id="two"), "too long")
    assert publisher.owes_letters
    publisher.publish(None)
    assert not publisher.owes_letters
    publisher.publish(None)
    messages: list[Any] = [record.message for record in bus.read("intents.dead")]
    assert [trading_pb2.OrderIntent.FromString(m.payload).id for m in messages] == ["one", "two"]
