"""Kafka goes away for longer than a call waits by itself; who is told to wait longer goes on where it was."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.kafka.broker import Broker
from tradewind.bus import BusError, KafkaBus, Outgoing
from tradewind.v1 import market_pb2

AWAY_S = 20  # a call waits ten to fifteen seconds by itself


def bars(*times: int) -> list[Outgoing]:
    return [Outgoing("bars", "AAPL", market_pb2.Bar(symbol="AAPL", interval="1d", event_time=at)) for at in times]


def test_who_is_told_to_wait_publishes_once(tmp_path: Path) -> None:
    with (
        Broker(tmp_path) as broker,
        KafkaBus(broker.bootstrap, "", {}, outage_s=120) as bus,
        ThreadPoolExecutor(3) as calling,
    ):
        assert bus.publish_many(bars(1)) == [0]
        assert bus.committed("group", "bars") == 0
        broker.send(signal.SIGKILL)
        broker.wait()
        published = calling.submit(bus.publish_many, bars(2, 3))
        committed, bounds = calling.submit(bus.committed, "group", "bars"), calling.submit(bus.bounds, "bars")
        time.sleep(AWAY_S)
        assert [published.done(), committed.done(), bounds.done()] == [False] * 3
        broker.spawn()
        assert published.result(120) == [1, 2]
        assert committed.result(120) == 0
        assert bounds.result(120) in ((0, 1), (0, 3))
        assert [record.message for record in bus.read("bars")] == [outgoing.message for outgoing in bars(1, 2, 3)]


def test_who_is_not_gives_up_in_time(tmp_path: Path) -> None:
    """An executor has orders to look after."""
    with Broker(tmp_path) as broker, KafkaBus(broker.bootstrap, "", {}) as bus:
        assert bus.publish_many(bars(1)) == [0]
        broker.send(signal.SIGKILL)
        broker.wait()
        with pytest.raises(BusError, match="did not take 2 of 2 messages"):
            bus.publish_many(bars(2, 3))
        broker.spawn()
