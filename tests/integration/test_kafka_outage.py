"""Kafka goes away for longer than a call waits by itself; who is told to wait longer goes on where it was."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.kafka.broker import Broker
from tradewind.bus import BusAwayError, KafkaBus, Outgoing, Subscription
from tradewind.v1 import market_pb2

AWAY_S = 20  # a call waits ten to fifteen seconds by itself
SESSION_S = 6  # after so long without a word from a member, Kafka takes it for dead


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
        with pytest.raises(BusAwayError, match="did not take 2 of 2 messages"):
            bus.publish_many(bars(2, 3))
        broker.spawn()


def taken(subscription: Subscription, count: int) -> list[int]:
    """Offsets of the next `count` records, and of those that come within a second more."""
    found: list[int] = []
    deadline = time.monotonic() + 60
    while len(found) < count and time.monotonic() < deadline:
        found += [record.offset for record in subscription.poll(timeout=0.2)]
    return found + [record.offset for record in subscription.poll(timeout=1)]


@pytest.mark.parametrize("outage_s", [0, 120])
def test_a_member_that_kafka_took_for_dead_goes_on_where_it_was(tmp_path: Path, outage_s: float) -> None:
    """A frozen broker counts the silence against its members: the group has forgotten them when it wakes."""
    with (
        Broker(tmp_path) as broker,
        KafkaBus(broker.bootstrap, "", {}, outage_s=outage_s) as bus,
        bus.subscribe(["bars"], "group") as subscription,
    ):
        bus.publish_many(bars(1, 2, 3, 4))
        assert taken(subscription, 4) == [0, 1, 2, 3]
        subscription.commit({"bars": 1})
        broker.send(signal.SIGSTOP)
        time.sleep(SESSION_S + 3)
        broker.send(signal.SIGCONT)
        subscription.commit({"bars": 3})  # Kafka knows no such member: it takes that when it does
        bus.publish_many(bars(5))
        assert taken(subscription, 1) == [4], "neither again nor not at all"
        assert bus.committed("group", "bars") == 3
        subscription.commit({"bars": 5})
        assert bus.committed("group", "bars") == 5


def test_a_commit_that_kafka_did_not_take_is_made_up_for(tmp_path: Path) -> None:
    with (
        Broker(tmp_path) as broker,
        KafkaBus(broker.bootstrap, "", {}) as bus,
        bus.subscribe(["bars"], "group") as subscription,
    ):
        bus.publish_many(bars(1, 2))
        assert taken(subscription, 2) == [0, 1]
        broker.send(signal.SIGKILL)
        broker.wait()
        with pytest.raises(BusAwayError, match="did not take the commit of group group"):
            subscription.commit({"bars": 2})
        assert subscription.poll(timeout=0.2) == []
        broker.spawn()
        broker.await_ready()
        bus.publish_many(bars(3))
        assert taken(subscription, 1) == [2]
        subscription.commit({"bars": 2})
        assert bus.committed("group", "bars") == 2


def test_a_record_that_nobody_can_read_waits_for_kafka_and_takes_none_along(tmp_path: Path) -> None:
    """Its letter can't be written; what was fetched behind it is neither lost nor given twice."""
    with (
        Broker(tmp_path) as broker,
        KafkaBus(broker.bootstrap, "", {}) as bus,
        bus.subscribe(["bars"], "group") as subscription,
    ):
        bus.publish_many(bars(1))
        assert taken(subscription, 1) == [0]
        writer = Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0})
        writer.produce("bars", b"\xff\xff", headers=[("schema", b"tradewind.v1.Bar")])
        writer.flush(20)
        bus.publish_many(bars(3))
        time.sleep(2)  # the client has fetched both
        broker.send(signal.SIGKILL)
        broker.wait()
        assert [subscription.poll(timeout=0.2) for _ in range(2)] == [[], []]
        broker.spawn()
        broker.await_ready()
        assert taken(subscription, 1) == [2]
        assert [record.headers["origin-offset"] for record in bus.read("bars.dead")] == ["1"]
        subscription.commit({"bars": 3})
        assert bus.committed("group", "bars") == 3
