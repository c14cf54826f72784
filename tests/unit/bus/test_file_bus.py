"""What only the file-backed log has: its file, its bells, its locks; and the addresses of buses."""

from __future__ import annotations

import socket
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tradewind.bus import BusError, FileBus, Outgoing, open_bus, wakeup
from tradewind.bus.wakeup import Bells, PollingWaiter, listen
from tradewind.v1.market_pb2 import Bar
from tradewind.v1.trading_pb2 import RiskState

PATIENCE_S = 60.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "bus.db"


def test_a_bus_is_opened_by_its_address(path: Path) -> None:
    with open_bus(f"file://{path}") as bus:
        assert isinstance(bus, FileBus)
        assert bus.path == path


@pytest.mark.parametrize(
    "url",
    ["", "bus.db", "file:relative", "file://host/path", "file:///", "kafka://", "kafka://host", "kafka://host:port",
     "kafka://a:1,b", "kafka://a:1/white space", "redis://a:1", "file:///a?b=c", "kafka://[::1"],
)  # fmt: skip
def test_other_addresses_are_refused(url: str) -> None:
    with pytest.raises(BusError, match=r"is not an address: use file:///path/to/bus or kafka://HOST:PORT"):
        open_bus(url)


def test_a_kafka_that_is_not_there_is_one_clear_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(BusError, match=rf"^Kafka at {address} is not reachable: start it, or correct the address"):
            open_bus(f"kafka://{address}")


def test_a_file_of_another_kind_is_refused_and_left_alone(path: Path) -> None:
    path.write_text("dear diary")
    with pytest.raises(BusError, match=r"bus\.db is not a bus file: give another path"):
        FileBus(path)
    assert path.read_text() == "dear diary"


def test_another_database_is_refused_and_left_alone(path: Path) -> None:
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE diary (line TEXT)")
    db.close()
    with pytest.raises(BusError, match="is an SQLite database but not a bus file"):
        FileBus(path)
    db = sqlite3.connect(path)
    assert db.execute("SELECT name FROM sqlite_master").fetchall() == [("diary",)]
    db.close()


def test_a_file_of_a_newer_version_is_refused(path: Path) -> None:
    FileBus(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version = 2")
    db.close()
    with pytest.raises(BusError, match=r"newer version \(format 2, this one reads 1\): upgrade tradewind"):
        FileBus(path)


def test_a_damaged_file_is_refused(path: Path) -> None:
    with FileBus(path) as bus:
        bus.publish_many([Outgoing("bars", "SPY", Bar(volume=number)) for number in range(500)])
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(BusError, match=r"is damaged \(.*\): move it away"), FileBus(path) as bus:
        list(bus.read("bars"))


def test_a_file_cut_short_is_refused(path: Path) -> None:
    FileBus(path).close()
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(BusError, match="is damaged"):
        FileBus(path)


def test_a_missing_folder_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BusError, match=r"the folder .*nowhere of the bus file does not exist"):
        FileBus(tmp_path / "nowhere" / "bus.db")
    with pytest.raises(BusError, match="is a folder: give the path of the bus file"):
        FileBus(tmp_path)


def test_threads_open_a_new_file_at_once(path: Path) -> None:
    identities: list[str] = []
    barrier = threading.Barrier(6)

    def work() -> None:
        barrier.wait(PATIENCE_S)
        with FileBus(path) as bus:
            identities.append(bus.identity)
            bus.publish("bars", "SPY", Bar())

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert len(identities) == 6
    assert len(set(identities)) == 1
    with FileBus(path) as bus:
        assert bus.end_offset("bars") == 6


def test_a_publisher_waits_for_a_lock_that_another_process_holds(path: Path) -> None:
    with FileBus(path) as bus:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.2, other.execute, ("ROLLBACK",))
        release.start()
        assert bus.publish("bars", "SPY", Bar()) == 0
        release.join()
        other.close()


def test_a_failed_batch_leaves_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FileBus(path) as bus:
        monkeypatch.setattr("tradewind.bus.file_store.time.time_ns", lambda: 2**63)  # more than a column holds
        with pytest.raises(OverflowError):
            bus.publish("bars", "SPY", Bar())
        monkeypatch.undo()
        assert bus.end_offset("bars") == 0
        assert bus.publish("bars", "SPY", Bar()) == 0


@pytest.fixture
def no_safety_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a bell ends a wait."""
    monkeypatch.setattr(wakeup, "SAFETY_LOOK_S", PATIENCE_S)


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> threading.Semaphore:
    """Counts the waits for a bell that have begun; what rings after that is not missed."""
    begun = threading.Semaphore(0)
    wait = wakeup.InotifyWaiter.wait

    def announce(waiter: wakeup.InotifyWaiter, timeout: float) -> None:
        begun.release()
        wait(waiter, timeout)

    monkeypatch.setattr(wakeup.InotifyWaiter, "wait", announce)
    return begun


def in_thread(work: Callable[[], object]) -> threading.Event:
    """An event that is set when `work` is done."""
    done = threading.Event()

    def run() -> None:
        work()
        done.set()

    threading.Thread(target=run, daemon=True).start()
    return done


@pytest.mark.usefixtures("no_safety_look")
def test_a_ring_before_the_wait_is_not_missed(tmp_path: Path) -> None:
    bells = Bells(tmp_path)
    waiter = listen(bells, ["bars"])
    bells.ring("bars")
    assert in_thread(lambda: waiter.wait(PATIENCE_S)).wait(PATIENCE_S / 2)
    waiter.close()
    waiter.close()
    bells.close()


@pytest.mark.usefixtures("no_safety_look")
def test_only_the_bells_listened_to_wake(tmp_path: Path) -> None:
    bells = Bells(tmp_path)
    waiter = listen(bells, ["bars", "fills"])
    woken = in_thread(lambda: waiter.wait(PATIENCE_S))
    bells.ring("news")
    assert not woken.wait(0.2)
    bells.ring("fills")
    assert woken.wait(PATIENCE_S / 2)
    waiter.close()
    bells.close()


def test_without_inotify_the_bus_still_delivers(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_paths: object) -> None:
        raise OSError(24, "no instances left")

    monkeypatch.setattr(wakeup, "InotifyWaiter", refuse)
    with FileBus(path) as bus, bus.subscribe(["bars"], "reader") as subscription:
        assert isinstance(listen(bus.bells, ["bars"]), PollingWaiter)
        later = threading.Timer(0.1, bus.publish, ("bars", "SPY", Bar(volume=4)))
        later.start()
        [record] = subscription.poll(timeout=PATIENCE_S)
        assert record.message == Bar(volume=4)
        later.join()
    assert "no instances left" in caplog.text


def test_a_record_whose_publisher_died_before_it_rang_is_found(
    path: Path, monkeypatch: pytest.MonkeyPatch, waiting: threading.Semaphore
) -> None:
    with FileBus(path) as bus, FileBus(path) as dying, bus.subscribe(["bars"], "reader") as subscription:
        monkeypatch.setattr(dying.bells, "ring", lambda _name: None)
        assert subscription.poll(timeout=0.0) == []
        found = in_thread(lambda: subscription.poll(timeout=PATIENCE_S))
        assert waiting.acquire(timeout=PATIENCE_S)
        dying.publish("bars", "SPY", Bar())
        assert found.wait(PATIENCE_S / 2)


@pytest.mark.usefixtures("no_safety_look")
def test_publishing_committing_and_leaving_ring(path: Path, waiting: threading.Semaphore) -> None:
    with FileBus(path) as bus, FileBus(path) as other:
        first, second = bus.subscribe(["bars"], "reader"), bus.subscribe(["bars"], "reader")
        assert first.poll(timeout=0.0) == []
        read = in_thread(lambda: first.poll(timeout=PATIENCE_S))
        assert waiting.acquire(timeout=PATIENCE_S)
        other.publish("bars", "SPY", Bar())
        assert read.wait(PATIENCE_S / 2)
        caught_up = in_thread(lambda: other.wait_committed({("reader", "news"): 0, ("other", "bars"): 1}, PATIENCE_S))
        assert waiting.acquire(timeout=PATIENCE_S)
        bus.commit("other", {"bars": 1})
        assert caught_up.wait(PATIENCE_S / 2)
        taken_over = in_thread(lambda: second.poll(timeout=PATIENCE_S))
        assert waiting.acquire(timeout=PATIENCE_S)
        first.close()
        assert taken_over.wait(PATIENCE_S / 2)
        second.close()


def test_commits_of_two_processes_do_not_go_back(path: Path) -> None:
    with FileBus(path) as bus, FileBus(path) as slow:
        bus.commit("reader", {"bars": 3})
        slow.commit("reader", {"bars": 2})
        assert bus.committed("reader", "bars") == 3


def test_a_busy_topic_does_not_starve_the_others(path: Path) -> None:
    with FileBus(path) as bus, bus.subscribe(["bars", "risk"], "reader") as subscription:
        bus.publish_many([Outgoing("bars", "SPY", Bar(volume=number)) for number in range(10)])
        bus.publish("risk", "paper", RiskState())
        polls = [[record.topic for record in subscription.poll(2)] for _ in range(2)]
    assert polls == [["bars", "bars"], ["risk", "bars"]]
