"""The contract of the bus, run against the file-backed log and against a real Kafka."""

from __future__ import annotations

import importlib.util
import itertools
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupState, Producer
from confluent_kafka.admin import AdminClient
from prometheus_client import CollectorRegistry

from tradewind.bus import Bus, BusError, Outgoing, Record, Subscription, open_bus
from tradewind.streaming.recorder import RecorderConfig, Repository
from tradewind.streaming.recorder.metrics import Metrics
from tradewind.streaming.recorder.process import Recorder
from tradewind.streaming.recorder.store import Store
from tradewind.v1.features_pb2 import FeatureVector
from tradewind.v1.market_pb2 import Bar, DeadLetter, NewsItem
from tradewind.v1.trading_pb2 import Fill

KAFKA = Path(__file__).resolve().parents[1] / "kafka"
PATIENCE_S = 90.0


def _broker_class() -> Any:
    spec = importlib.util.spec_from_file_location("kafka_broker_for_tests", KAFKA / "broker.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Broker


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a broker of this test session."""
    with _broker_class()(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker.bootstrap


@pytest.fixture(params=["file", "kafka"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A log of the test's own."""
    if request.param == "file":
        return f"file://{tmp_path / 'bus.db'}"
    return f"kafka://{request.getfixturevalue('kafka')}/{uuid.uuid4().hex}"


@pytest.fixture
def bus(url: str) -> Iterator[Bus]:
    with open_bus(url) as opened:
        yield opened


def bar(number: int) -> Bar:
    return Bar(symbol="SPY", volume=number)


def publish_bars(bus: Bus, *numbers: int) -> list[int]:
    return bus.publish_many([Outgoing("bars", "SPY", bar(number)) for number in numbers])


def numbers(records: list[Record]) -> list[int]:
    return [record.message.volume for record in records]  # type: ignore[attr-defined]


def take(subscription: Subscription, count: int) -> list[Record]:
    """The next `count` records, however many polls they take."""
    records: list[Record] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(records) < count:
        assert time.monotonic() < deadline, f"only {len(records)} of {count} records came"
        records += subscription.poll(count - len(records), 1.0)
    return records


def write_raw(url: str, topic: str, key: str, payload: bytes, headers: Mapping[str, str]) -> None:
    """Put a record into the log behind the bus's back."""
    if url.startswith("file://"):
        _write_raw_file(url.removeprefix("file://"), topic, key, payload, headers)
    else:
        address, _, prefix = url.removeprefix("kafka://").partition("/")
        producer = Producer({"bootstrap.servers": address})
        producer.produce(f"{prefix}.{topic}", payload, key, headers=list(headers.items()))
        assert producer.flush(PATIENCE_S) == 0


def _write_raw_file(path: str, topic: str, key: str, payload: bytes, headers: Mapping[str, str]) -> None:
    pairs = ", ".join(f'"{name}": "{value}"' for name, value in headers.items())
    db = sqlite3.connect(path)
    with db:
        count = db.execute("SELECT count(*) FROM record WHERE topic = ?", (topic,)).fetchone()[0]
        row = (topic, count, key, payload, f"{{{pairs}}}", 0)
        db.execute("INSERT INTO record VALUES (?, ?, ?, ?, ?, ?)", row)
    db.close()


Peer = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def peer() -> Iterator[Peer]:
    """Starts other processes on the bus, and ends them."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> subprocess.Popen[str]:
        command = [sys.executable, str(KAFKA / "peer.py"), *map(str, arguments)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def printed_offset(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    return int(process.stdout.readline())


def test_a_record_comes_back_as_it_was_published(bus: Bus) -> None:
    before = time.time_ns()
    headers = {"traceparent": "00-ab-cd-01", "note": "zwölf"}
    assert bus.publish("bars", "SPY", bar(7), headers=headers) == 0
    with bus.subscribe(["bars"], "reader") as subscription:
        [record] = take(subscription, 1)
    assert (record.topic, record.partition, record.offset, record.key) == ("bars", 0, 0, "SPY")
    assert record.message == bar(7)
    assert record.headers == headers | {"schema": "tradewind.v1.Bar"}
    millisecond = 1_000_000  # Kafka keeps no finer time
    assert before - millisecond <= record.timestamp_ns <= time.time_ns()


def test_offsets_count_from_zero_by_topic_and_records_come_in_their_order(bus: Bus) -> None:
    news = Outgoing("news", "SPY", NewsItem(id="n"))
    offsets = bus.publish_many(
        [
            Outgoing("bars", "SPY", bar(10)),
            news,
            Outgoing("bars", "SPY", bar(11)),
            news,
            Outgoing("bars", "QQQ", bar(12)),
        ]
    )
    assert offsets == [0, 0, 1, 1, 2]
    assert publish_bars(bus, 13) == [3]
    assert (bus.end_offset("bars"), bus.end_offset("news"), bus.end_offset("events")) == (4, 2, 0)
    with bus.subscribe(["news", "bars"], "reader") as subscription:
        records = take(subscription, 6)
    bars = [record for record in records if record.topic == "bars"]
    assert [(record.offset, record.key) for record in bars] == [(0, "SPY"), (1, "SPY"), (2, "QQQ"), (3, "SPY")]
    assert numbers(bars) == [10, 11, 12, 13]


def test_poll_brings_no_more_than_asked_and_each_record_once(bus: Bus) -> None:
    publish_bars(bus, *range(7))
    with bus.subscribe(["bars"], "reader") as subscription:
        batches: list[list[int]] = []
        while sum(map(len, batches)) < 7:
            batches.append(numbers(subscription.poll(3, PATIENCE_S)))
        assert subscription.poll(3, 0.0) == []
    assert max(map(len, batches)) == 3
    assert list(itertools.chain(*batches)) == list(range(7))


def test_lag_is_what_is_published_and_not_read(bus: Bus) -> None:
    publish_bars(bus, 0, 1, 2)
    with bus.subscribe(["bars"], "reader") as bars:
        assert bars.lag() == {}  # nothing is held yet
        got = bars.poll(1, PATIENCE_S)
        assert (len(got), bars.lag()) == (1, {"bars": 2})
        bars.commit(got[0])
        take(bars, 2)
        assert bars.lag() == {"bars": 0}
    bus.reach()


def test_each_group_reads_everything(bus: Bus) -> None:
    publish_bars(bus, 1, 2)
    for group in ("features", "executor"):
        with bus.subscribe(["bars"], group) as subscription:
            assert numbers(take(subscription, 2)) == [1, 2]
            subscription.commit({"bars": 2})
    assert bus.committed("features", "bars") == bus.committed("executor", "bars") == 2
    assert bus.committed("nobody", "bars") == 0


def test_what_was_not_committed_is_read_again(bus: Bus) -> None:
    publish_bars(bus, *range(5))
    with bus.subscribe(["bars"], "reader") as first:
        records = take(first, 5)
        first.commit(records[1])
        assert bus.committed("reader", "bars") == 2
    with bus.subscribe(["bars"], "reader") as second:
        assert numbers(take(second, 3)) == [2, 3, 4]
        second.commit({"bars": 5})
    publish_bars(bus, 5)
    with bus.subscribe(["bars"], "reader") as third:
        assert numbers(take(third, 1)) == [5]


def test_a_commit_never_goes_back(bus: Bus) -> None:
    publish_bars(bus, *range(4))
    with bus.subscribe(["bars"], "reader") as subscription:
        records = take(subscription, 4)
        subscription.commit(records[2])
        subscription.commit(records[0])
        assert bus.committed("reader", "bars") == 3
    with bus.subscribe(["bars"], "reader", start="earliest") as again:
        again.commit(take(again, 1)[0])
    assert bus.committed("reader", "bars") == 3


def test_what_was_committed_unread_is_not_delivered(bus: Bus) -> None:
    publish_bars(bus, 0)
    with bus.subscribe(["bars"], "reader") as subscription:
        take(subscription, 1)
        publish_bars(bus, 1, 2, 3)
        assert numbers(list(bus.read("bars", 1, 3))) == [1, 2]
        subscription.commit({"bars": 3})
        assert numbers(take(subscription, 1)) == [3]


def test_commits_of_what_is_not_there_are_refused(bus: Bus) -> None:
    publish_bars(bus, 1, 2)
    with bus.subscribe(["bars"], "reader") as subscription:
        take(subscription, 2)
        with pytest.raises(BusError, match="topic bars ends at offset 2: group reader cannot commit 3"):
            subscription.commit({"bars": 3})
        with pytest.raises(BusError, match="group reader does not read topic news: subscribe to it"):
            subscription.commit({"news": 0})
    assert bus.committed("reader", "bars") == 0


def test_start_says_where_a_subscription_begins(bus: Bus) -> None:
    publish_bars(bus, *range(4))
    with bus.subscribe(["bars"], "reader") as subscription:
        subscription.commit(take(subscription, 4)[2])
    with bus.subscribe(["bars"], "reader", start="earliest") as earliest:
        assert numbers(take(earliest, 4)) == [0, 1, 2, 3]
    with bus.subscribe(["bars"], "reader", start={"bars": 1}) as placed:
        assert numbers(take(placed, 3)) == [1, 2, 3]
    with bus.subscribe(["bars"], "reader", start="latest") as latest:
        publish_bars(bus, 4)
        assert numbers(take(latest, 1)) == [4]


def test_the_recorder_reads_any_bus(bus: Bus, url: str, tmp_path: Path) -> None:
    config = RecorderConfig(bus=url, sql=f"sqlite:///{tmp_path / 'record.db'}")
    for number in range(3):
        store = Store(config.sql, bus.identity)
        recorder = Recorder(config, bus, store, Metrics(CollectorRegistry()))
        bus.publish("fills", "paper", Fill(account="paper", execution_id=str(number), symbol="SPY", strategy="trend"))
        while store.next_offset("fills") <= number:
            recorder.step(1.0)
        recorder.close()
        store.close()
    assert bus.committed("recorder", "fills") == 3
    with Repository(config.sql) as repository:
        assert [fill.execution_id for fill in repository.fills()] == ["0", "1", "2"]


def test_one_member_of_a_group_reads_a_topic_at_a_time(bus: Bus) -> None:
    publish_bars(bus, *range(4))
    with bus.subscribe(["bars"], "reader") as first:
        records = take(first, 4)
        with bus.subscribe(["bars"], "reader") as second:
            assert second.poll(timeout=0.2) == []
            first.commit(records[1])
            first.close()
            assert numbers(take(second, 2)) == [2, 3]


def test_kafka_lets_a_newcomer_wait(kafka: str) -> None:
    prefix = uuid.uuid4().hex
    admin = AdminClient({"bootstrap.servers": kafka})

    def members() -> int:
        described = admin.describe_consumer_groups([f"{prefix}.reader"])[f"{prefix}.reader"].result(PATIENCE_S)
        return len(described.members) if described.state == ConsumerGroupState.STABLE else 0

    with open_bus(f"kafka://{kafka}/{prefix}") as bus, bus.subscribe(["bars", "news"], "reader") as first:
        publish_bars(bus, 1)
        first.commit(take(first, 1)[0])
        with bus.subscribe(["bars", "news"], "reader") as second:
            deadline = time.monotonic() + PATIENCE_S
            while members() < 2:  # both must poll before Kafka gives the topics out again
                assert first.poll(timeout=0.1) == second.poll(timeout=0.1) == []
                assert time.monotonic() < deadline, "the newcomer did not join"
            publish_bars(bus, 2)
            bus.publish("news", "SPY", NewsItem(id="n"))
            assert {record.topic for record in take(first, 2)} == {"bars", "news"}
            assert second.poll(timeout=0.1) == []


def test_a_waiting_consumer_is_woken_by_another_thread(bus: Bus) -> None:
    with bus.subscribe(["bars", "news"], "reader") as subscription:
        assert subscription.poll(timeout=0.0) == []
        later = threading.Timer(0.2, publish_bars, (bus, 5))
        later.start()
        assert numbers(take(subscription, 1)) == [5]
        later.join()


def test_waiting_for_commits(bus: Bus) -> None:
    publish_bars(bus, 1, 2)
    with bus.subscribe(["bars"], "features") as features, bus.subscribe(["bars"], "executor") as executor:
        features.commit(take(features, 2)[1])
        records = take(executor, 2)
        goals = {("features", "bars"): 2, ("executor", "bars"): 2}
        executor.commit(records[0])
        assert bus.wait_committed(goals, 0.2) is False
        later = threading.Timer(0.2, executor.commit, (records[1],))
        later.start()
        assert bus.wait_committed(goals, PATIENCE_S) is True
        later.join()


def test_unreadable_records_go_to_the_dead_letters_and_hold_nobody_up(bus: Bus, url: str) -> None:
    publish_bars(bus, 0)
    schema = {"schema": "tradewind.v1.Bar"}
    write_raw(url, "bars", "SPY", b"\xff\xff\xff", schema | {"traceparent": "t"})
    publish_bars(bus, 2)
    fill = Fill(account="paper").SerializeToString()
    write_raw(url, "bars", "QQQ", fill, {"schema": "tradewind.v1.Fill"})
    write_raw(url, "bars", "QQQ", bar(4).SerializeToString(), {})
    with bus.subscribe(["bars"], "features") as subscription:
        records = take(subscription, 2)
        assert [record.offset for record in records] == [0, 2]
        while bus.end_offset("bars.dead") < 3:
            assert subscription.poll(timeout=0.1) == []
        subscription.commit(records[0])
        assert bus.committed("features", "bars") == 2  # and with it the unreadable record that follows
        subscription.commit(records[1])
    assert bus.committed("features", "bars") == bus.end_offset("bars") == 5
    letters = list(bus.read("bars.dead"))
    assert [record.headers["origin-offset"] for record in letters] == ["1", "3", "4"]
    assert letters[0].headers["traceparent"] == "t"
    first, second, third = (record.message for record in letters)
    assert isinstance(first, DeadLetter)
    assert isinstance(second, DeadLetter)
    assert isinstance(third, DeadLetter)
    assert first.reason.startswith("payload of 3 bytes is not a tradewind.v1.Bar")
    assert (first.topic, first.key, first.payload, first.consumer) == ("bars", "SPY", b"\xff\xff\xff", "features")
    assert second.reason == "header 'schema' is 'tradewind.v1.Fill': expected tradewind.v1.Bar"
    assert (second.payload, second.payload_type) == (fill, "tradewind.v1.Fill")
    assert third.reason == "header 'schema' is missing: expected tradewind.v1.Bar"


def test_a_topic_that_ends_unreadable_is_committed_to_its_end(bus: Bus, url: str) -> None:
    bus.end_offset("bars")  # on Kafka this makes the topic
    write_raw(url, "bars", "SPY", b"\xff", {"schema": "tradewind.v1.Bar"})
    with bus.subscribe(["bars"], "features") as subscription:
        while bus.end_offset("bars.dead") == 0:
            assert subscription.poll(timeout=0.1) == []
        assert bus.wait_committed({("features", "bars"): 1}, PATIENCE_S)


def test_a_consumer_may_refuse_a_record_itself(bus: Bus) -> None:
    payload = bar(-1).SerializeToString()
    assert bus.dead_letter("bars", "SPY", payload, "tradewind.v1.Bar", "volume: -1 is\nnegative", "features") == 0
    [record] = bus.read("bars.dead")
    assert isinstance(record.message, DeadLetter)
    assert record.message.reason == "volume: -1 is negative"
    assert (record.message.topic, record.message.payload, record.message.consumer) == ("bars", payload, "features")
    with pytest.raises(BusError, match=r"topic bars\.dead: dead letters have no dead letters"):
        bus.dead_letter("bars.dead", "SPY", payload, "x", "reason", "features")


def test_wrong_messages_are_refused_whole(bus: Bus) -> None:
    with pytest.raises(BusError, match=r"topic fills carries tradewind\.v1\.Fill, not tradewind\.v1\.Bar"):
        bus.publish_many([Outgoing("bars", "SPY", bar(1)), Outgoing("fills", "paper", bar(1))])
    with pytest.raises(BusError, match="topic 'bears' does not exist: use one of bars"):
        bus.publish("bears", "SPY", bar(1))
    with pytest.raises(BusError, match="header 'schema' is written by the bus"):
        bus.publish("bars", "SPY", bar(1), headers={"schema": "mine"})
    with pytest.raises(BusError, match="'bears'"):
        bus.subscribe(["bears"], "reader")
    assert bus.end_offset("bars") == 0


def test_a_range_is_read_again_without_a_group(bus: Bus, url: str) -> None:
    publish_bars(bus, 0, 1)
    write_raw(url, "bars", "SPY", b"\xff", {"schema": "tradewind.v1.Bar"})
    publish_bars(bus, 3, 4)
    assert numbers(list(bus.read("bars", 1, 4))) == [1, 3]
    assert numbers(list(bus.read("bars"))) == [0, 1, 3, 4]
    assert list(bus.read("bars", 5)) == list(bus.read("news")) == []
    assert bus.end_offset("bars.dead") == 1  # buried once, though it was met twice


def test_not_a_number_survives(bus: Bus) -> None:
    bus.publish("features", "SPY", FeatureVector(symbol="SPY", values=[float("nan"), -0.0, 1e-310]))
    [record] = bus.read("features")
    assert isinstance(record.message, FeatureVector)
    assert [value.hex() for value in record.message.values] == ["nan", "-0x0.0p+0", (1e-310).hex()]


def test_identity_tells_logs_apart(bus: Bus, url: str) -> None:
    with open_bus(url) as same, open_bus(f"{url}2") as other:
        assert same.identity == bus.identity
        assert other.identity != bus.identity


def test_a_closed_bus_says_so(url: str) -> None:
    bus = open_bus(url)
    subscription = bus.subscribe(["bars"], "reader")
    for _ in range(2):
        subscription.close()
        bus.close()
    with pytest.raises(BusError, match="closed: open it again"):
        bus.publish("bars", "SPY", bar(1))
    with pytest.raises(BusError, match="group reader is closed: subscribe again"):
        subscription.poll()


def test_threads_share_a_bus(bus: Bus) -> None:
    def work(key: str) -> None:
        for first in range(0, 100, 20):
            bus.publish_many([Outgoing("bars", key, bar(number)) for number in range(first, first + 20)])

    threads = [threading.Thread(target=work, args=(key,)) for key in "ABCD"]
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # threads get in each other's way as often as they can
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(usual)
    records = list(bus.read("bars"))
    assert [record.offset for record in records] == list(range(400))
    for key in "ABCD":
        assert numbers([record for record in records if record.key == key]) == list(range(100))
    batches = [{record.key for record in records[first : first + 20]} for first in range(0, 400, 20)]
    assert all(len(keys) == 1 for keys in batches)  # a batch is not torn apart


def test_processes_publish_at_once_and_nothing_is_lost(bus: Bus, url: str, peer: Peer) -> None:
    processes = [peer("publish", url, name, 150) for name in "ABC"]
    with bus.subscribe(["bars"], "reader") as subscription:
        records = take(subscription, 450)
    acknowledged = {name: [] for name in "ABC"}  # type: dict[str, list[int]]
    for name, process in zip("ABC", processes, strict=True):
        out, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 0
        acknowledged[name] = [int(line) for line in out.split()]
    assert [record.offset for record in records] == list(range(450))
    for name in "ABC":
        mine = [record for record in records if record.key == name]
        assert numbers(mine) == list(range(150))
        assert [record.offset for record in mine] == acknowledged[name]


def test_a_killed_publisher_leaves_whole_records_and_all_it_was_promised(bus: Bus, url: str, peer: Peer) -> None:
    victim, survivor = peer("publish", url, "victim", 0), peer("publish", url, "survivor", 0)
    printed_offset(survivor)  # both are at it
    last = max(printed_offset(victim) for _ in range(60))
    victim.kill()
    rest, _ = victim.communicate()
    promised = max([last, *(int(line) for line in rest.splitlines(keepends=True) if line.endswith("\n"))])
    end = bus.end_offset("bars")
    while printed_offset(survivor) < end + 20:  # the others go on
        pass
    survivor.kill()
    records = list(bus.read("bars"))
    assert [record.offset for record in records] == list(range(len(records)))
    for name in ("victim", "survivor"):
        mine = [record for record in records if record.key == name]
        assert numbers(mine) == list(range(len(mine)))
    assert records[promised].key == "victim"
    assert sum(record.key == "victim" for record in records[promised + 1 :]) <= 1  # in the log, not yet acknowledged
    assert bus.publish("bars", "SPY", bar(0)) == bus.end_offset("bars") - 1
    assert bus.end_offset("bars.dead") == 0


def test_a_killed_consumer_is_followed_where_it_committed(bus: Bus, url: str, peer: Peer) -> None:
    publish_bars(bus, *range(10))
    victim = peer("consume", url, "reader", 4)
    while printed_offset(victim) < 7:
        pass
    victim.kill()
    victim.wait()
    with bus.subscribe(["bars"], "reader") as successor:
        assert numbers(take(successor, 6)) == [4, 5, 6, 7, 8, 9]
