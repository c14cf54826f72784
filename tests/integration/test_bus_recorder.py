"""The recorder as a process: from the bus to the database, through kills."""

from __future__ import annotations

import itertools
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from tests.integration.probing import probe
from tradewind.bus import FileBus, Outgoing, ports
from tradewind.streaming.recorder import RecorderConfig, Repository
from tradewind.streaming.recorder.__main__ import main
from tradewind.streaming.recorder.metrics import Metrics
from tradewind.streaming.recorder.process import Recorder
from tradewind.streaming.recorder.store import Store
from tradewind.v1.market_pb2 import DeadLetter
from tradewind.v1.trading_pb2 import Fill

PATIENCE_S = 60.0
FILLS = 6000  # at least


class Bench:
    """A bus, a database, and recorder processes between them."""

    def __init__(self, folder: Path) -> None:
        self.bus = FileBus(folder / "bus.db")
        self.sql = f"sqlite:///{folder / 'record.db'}"
        self.config = folder / "recorder.json"
        self.config.write_text(json.dumps({"bus": f"file://{folder / 'bus.db'}", "sql": self.sql}))
        self.processes: list[subprocess.Popen[str]] = []

    def start(self) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tradewind.streaming.recorder", "--config", str(self.config)]
        self.processes.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        return self.processes[-1]

    def publish_fills(self, *numbers: int) -> None:
        self.bus.publish_many([Outgoing("fills", "paper", fill(number)) for number in numbers])

    def close(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()
        self.bus.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def fill(number: int) -> Fill:
    return Fill(
        account="paper", execution_id=f"x{number}", symbol="SPY", strategy="trend", price=number, event_time=number
    )


def wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def recorded(bench: Bench) -> int:
    return bench.bus.committed("recorder", "fills")


def has_recorded(bench: Bench, before: int) -> bool:
    return recorded(bench) > before


def test_kills_neither_lose_nor_double_anything(bench: Bench) -> None:
    survived = threading.Event()
    published: list[int] = []

    def publish() -> None:
        for number in itertools.count(0, 2):
            if survived.is_set() and number >= FILLS:
                return
            bench.publish_fills(number, number + 1, number // 2)
            published.extend((number, number + 1))

    publisher = threading.Thread(target=publish)
    publisher.start()
    try:
        for _ in range(4):
            victim, before = bench.start(), recorded(bench)
            wait_until(partial(has_recorded, bench, before))
            victim.kill()
            victim.wait()
    finally:
        survived.set()
        publisher.join()
    last = bench.start()
    assert bench.bus.wait_committed({("recorder", "fills"): bench.bus.end_offset("fills")}, PATIENCE_S)
    last.terminate()
    _, errors = last.communicate(timeout=PATIENCE_S)
    assert (last.returncode, "Traceback" in errors) == (0, False)
    with Repository(bench.sql) as repository:
        assert sorted(int(row.price * 10**8) for row in repository.fills()) == published
        assert repository.recorded_offset("fills") == bench.bus.end_offset("fills") == len(published) * 3 // 2
    assert bench.bus.end_offset("fills.dead") == 0


def test_a_fill_that_contradicts_itself_is_kept_as_a_dead_letter(bench: Bench) -> None:
    bench.publish_fills(1)
    bench.bus.publish(
        "fills", "paper", Fill(account="paper", execution_id="x1", symbol="SPY", strategy="trend", price=9)
    )
    bench.start()
    wait_until(lambda: bench.bus.committed("recorder", "fills.dead") == 1)
    [letter] = [record.message for record in bench.bus.read("fills.dead")]
    assert isinstance(letter, DeadLetter)
    assert Fill.FromString(letter.payload).price == 9
    assert (letter.consumer, letter.payload_type) == ("recorder", "tradewind.v1.Fill")
    with Repository(bench.sql) as repository:
        assert repository.counts()["dead_letters"] == 1
        assert [int(row.price * 10**8) for row in repository.fills()] == [1]


def test_the_database_says_where_to_go_on_not_the_bus(bench: Bench, tmp_path: Path) -> None:
    bench.publish_fills(1, 2)
    bench.bus.commit("recorder", {"fills": 2})  # as after the loss of a database
    config = RecorderConfig.model_validate_json(bench.config.read_bytes())
    store = Store(config.sql, bench.bus.identity)
    assert Recorder(config, bench.bus, store, Metrics(CollectorRegistry())).step(PATIENCE_S) == 2
    store.close()
    with Repository(bench.sql) as repository:
        assert len(repository.fills()) == 2


def test_a_bus_that_lost_records_is_refused(bench: Bench) -> None:
    Store(bench.sql, bench.bus.identity).close()
    with sqlite3.connect(bench.sql.removeprefix("sqlite:///")) as db:
        db.execute("INSERT INTO recorded_offsets VALUES ('fills', 3)")
    db.close()
    process = bench.start()
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 2
    assert "recorder: the database has topic fills up to offset 3, but on the bus it ends at 0" in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the file: Invalid JSON"),
        ('{"bus": "file:///b"}', "sql: Field required"),
        ('{"bus": "nowhere", "sql": "sqlite://"}', "bus 'nowhere' is not an address"),
        ('{"bus": "file:///nowhere/b", "sql": "sqlite://"}', "the folder /nowhere of the bus file does not exist"),
        ('{"bus": "file:///b", "sql": "sqlite://", "grup": 1}', "grup: Extra inputs are not permitted"),
    ],
)
def test_bad_settings_are_one_line_and_status_2(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tradewind.streaming.recorder.__main__.signal.signal", lambda *_: None)  # pytest keeps its own
    config = tmp_path / "recorder.json"
    config.write_text(text)
    assert main(["--config", str(config)]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("recorder: ")
    assert message in line


def test_the_recorder_tells_how_it_is(bench: Bench) -> None:
    port = ports.reserve()
    bench.config.write_text(json.dumps(json.loads(bench.config.read_text()) | {"probes_port": port}))
    bench.publish_fills(1, 2, 2)
    process = bench.start()
    wait_until(lambda: recorded(bench) == 3)
    assert probe(port, "/livez") == (200, "ok\n")
    assert probe(port, "/readyz") == (200, "ok\n")
    # It counts what it has committed.
    wait_until(lambda: 'tradewind_recorder_records_total{topic="fills"} 3.0' in probe(port, "/metrics")[1])
    assert 'tradewind_bus_records_read_total{topic="fills"} 3.0' in probe(port, "/metrics")[1]
    bench.start()  # the port is taken
    _, errors = bench.processes[-1].communicate(timeout=PATIENCE_S)
    assert errors.splitlines()[-1] == (
        f"recorder: probes_port: {port} cannot be used (Address already in use): choose another"
    )
    process.terminate()
    assert process.wait(PATIENCE_S) == 0
