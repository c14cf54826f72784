"""The clock of a lockstep run: nobody is left behind, and a clock that dies goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tradewind.bus import Bus, Outgoing, open_bus
from tradewind.streaming.datasets import write_dataset
from tradewind.streaming.datasets.store import BAR_SCHEMA
from tradewind.streaming.feed.__main__ import main
from tradewind.streaming.feed.config import FeedConfig, ReplayConfig
from tradewind.streaming.feed.errors import FeedError
from tradewind.streaming.feed.replaying import Replaying
from tradewind.v1 import control_pb2, features_pb2, market_pb2, trading_pb2

DAY = 24 * 3600 * 10**9
START = 1_549_893_000 * 10**9  # 2019-02-11 13:50 UTC; the times need not be sessions for a replay
STEPS = 6
SYMBOLS = ("A", "B", "^X")
CONSUMERS = [
    {"group": "signals-s", "topic": "features"},
    {"group": "features", "topic": "bars"},
    {"group": "executor-p", "topic": "control"},
]
MARKET, DECIDE, END = control_pb2.CLOCK_PHASE_MARKET, control_pb2.CLOCK_PHASE_DECIDE, control_pb2.CLOCK_PHASE_END
NEWS = """
name: bank
timezone: UTC
source: a test
entries:
  - {date: 2019-02-10, time: "12:00", headline: Before the run}
  - {date: 2019-02-12, time: "13:50", headline: At the second bar, facts: {target_before: "1", target_after: "0.5"}}
  - {date: 2019-02-12, time: "13:51", headline: Apple after the second bar}
"""


def closes(step: int) -> int:
    """Close of the n-th bar, from 1."""
    return START + (step - 1) * DAY


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    rows = [
        {
            "symbol": symbol,
            "interval": "1d",
            "open_time": closes(step) - DAY // 4,
            "event_time": closes(step),
            "available_time": closes(step),
            **dict.fromkeys(("open", "high", "low", "close"), 10**10 + step),
            "volume": 5,
            "vwap": None,
            "trade_count": None,
            "context": symbol == "^X",
        }
        for step in range(1, STEPS + 1)
        for symbol in SYMBOLS
    ]
    frame = pl.DataFrame(rows, schema=BAR_SCHEMA)
    write_dataset(
        tmp_path / "data", frame, name="t", interval="1d", stamps="session", adjustment="raw", source="a test"
    )
    (tmp_path / "bank.yaml").write_text(NEWS)
    return tmp_path / "data"


def config(dataset: Path, **over: Any) -> FeedConfig:
    base = dataset.parent
    fields: dict[str, Any] = {
        "bus": f"file://{base}/bus",
        "run": "r1",
        "source": {"kind": "replay", "dataset": str(dataset), "start": START},
        "news": [{"kind": "Calendar", "name": "bank", "path": str(base / "bank.yaml")}],
        "consumers": CONSUMERS,
        "accounts": ["p"],
        "state_dir": str(base / "state"),
        "stall_seconds": 60,
    }
    return FeedConfig.model_validate(fields | over)


def play(cfg: FeedConfig, bus: Bus, report: Callable[[int, int], None] = lambda step, at: None) -> None:
    assert isinstance(cfg.source, ReplayConfig)
    Replaying(cfg, cfg.source).run(bus, report, lambda: False)


def _features(bus: Bus, stop: threading.Event) -> None:
    """Bars to vectors; slowly, and acknowledged only afterwards."""
    with bus.subscribe(["bars"], "features") as subscription:
        while not stop.is_set():
            for record in subscription.poll(timeout=0.02):
                bar = record.message
                assert isinstance(bar, market_pb2.Bar)
                if not bar.context:
                    time.sleep(0.002)
                    bus.publish(
                        "features", bar.symbol, features_pb2.FeatureVector(symbol=bar.symbol, event_time=bar.event_time)
                    )
                subscription.commit(record)


def _signals(bus: Bus, stop: threading.Event) -> None:
    with bus.subscribe(["features"], "signals-s") as subscription:
        while not stop.is_set():
            for record in subscription.poll(timeout=0.02):
                vector = record.message
                assert isinstance(vector, features_pb2.FeatureVector)
                time.sleep(0.03)  # the slowest of all: whoever forgets to wait for it will be ahead
                bus.publish(
                    "intents", "p", trading_pb2.OrderIntent(symbol=vector.symbol, decision_time=vector.event_time)
                )
                subscription.commit(record)


class Executor:
    """Acknowledges ticks as an executor does, and keeps what it saw at each."""

    def __init__(self, bus: Bus) -> None:
        self.intents_at: list[tuple[int, int]] = []
        self.bars_at: list[tuple[int, int]] = []
        self.bus = bus

    def run(self, stop: threading.Event) -> None:
        with self.bus.subscribe(["control", "intents"], "executor-p") as subscription:
            while not stop.is_set():
                for record in subscription.poll(timeout=0.02):
                    if record.topic != "control":
                        continue
                    tick = record.message.tick  # type: ignore[attr-defined]
                    if tick.phase == DECIDE:
                        self.intents_at.append((tick.step, tick.intents_end))
                        subscription.commit(record)
                        time.sleep(0.03)  # orders on their way: `control` is acknowledged, `intents` not yet
                        self.bars_at.append((tick.step, self.bus.end_offset("bars")))
                        subscription.commit({"intents": tick.intents_end})
                    subscription.commit(record)


@contextmanager
def consumers(bus: Bus) -> Iterator[Executor]:
    stop = threading.Event()
    executor = Executor(bus)
    threads = [
        threading.Thread(target=_features, args=(bus, stop)),
        threading.Thread(target=_signals, args=(bus, stop)),
        threading.Thread(target=executor.run, args=(stop,)),
    ]
    for thread in threads:
        thread.start()
    try:
        yield executor
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def ticks(bus: Bus) -> list[control_pb2.ClockTick]:
    return [record.message.tick for record in bus.read("control")]  # type: ignore[attr-defined]


def published(bus: Bus) -> dict[str, list[bytes]]:
    """All the feed put on the bus, but for the venue's ids and when intents came."""
    found = {
        topic: [r.message.SerializeToString(deterministic=True) for r in bus.read(topic)]
        for topic in ("bars", "news", "events", "bars.dead", "news.dead")
    }
    found["control"] = [f"{t.run} {t.step} {t.phase} {t.time} {t.bars_end}".encode() for t in ticks(bus)]
    return found


def test_a_run_step_by_step(dataset: Path) -> None:
    reported: list[tuple[int, int]] = []
    with open_bus(config(dataset).bus) as bus, consumers(bus) as executor:
        play(config(dataset), bus, lambda step, at: reported.append((step, at)))
        seen = ticks(bus)
        bars = [record.message for record in bus.read("bars")]
        news = [record.message.headline for record in bus.read("news")]  # type: ignore[attr-defined]
        events = [record.message for record in bus.read("events")]
    expected = [(step, phase) for step in range(1, STEPS + 1) for phase in (MARKET, DECIDE)] + [(STEPS, END)]
    assert [(tick.step, tick.phase) for tick in seen] == expected
    assert {tick.run for tick in seen} == {"r1"}
    assert [tick.time for tick in seen] == [closes(step) for step, _ in expected]
    assert [tick.bars_end for tick in seen if tick.phase == MARKET] == [3 * step for step in range(1, STEPS + 1)]
    # The market's context comes before the bars that need it.
    assert [bar.symbol for bar in bars][:3] == ["^X", "A", "B"]  # type: ignore[attr-defined]
    assert {bar.source for bar in bars} == {"replay:t"}  # type: ignore[attr-defined]
    # Two vectors, so two intents per step; DECIDE comes after both, though neither consumer was quick.
    assert executor.intents_at == [(step, 2 * step) for step in range(1, STEPS + 1)]
    # While the executor is at work on a step's intents, the next step's bars are not there.
    assert executor.bars_at == [(step, 3 * step) for step in range(1, STEPS + 1)]
    assert reported == [(step, closes(step)) for step in range(1, STEPS + 1)]
    assert news == ["At the second bar", "Apple after the second bar"]
    assert [(e.symbol, e.impact) for e in events] == [("*", 1.0), ("AAPL", 0.0)]  # type: ignore[attr-defined]


def test_news_come_no_earlier_than_their_step(dataset: Path) -> None:
    """When bars of step n appear, the news of step n are there and those of step n + 1 are not."""

    class Watching(_Wrapped):
        def publish_many(self, messages: Sequence[Outgoing]) -> list[int]:
            if messages[0].topic == "bars":
                self.seen.append((self.inner.end_offset("news"), self.inner.end_offset("events")))
            return self.inner.publish_many(messages)

        seen: list[tuple[int, int]]

    with open_bus(config(dataset).bus) as bus:
        watching = Watching(bus)
        watching.seen = []
        play(config(dataset, consumers=[]), watching)  # type: ignore[arg-type]
    assert watching.seen == [(0, 0), (1, 1), (2, 2), (2, 2), (2, 2), (2, 2)]


class _Wrapped:
    """A bus that passes everything on."""

    def __init__(self, inner: Bus) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def publish(self, topic: str, key: str, message: Any, **options: Any) -> int:
        return self.publish_many([Outgoing(topic, key, message)])[0]

    def publish_many(self, messages: Sequence[Outgoing]) -> list[int]:
        return self.inner.publish_many(messages)


class _CrashError(Exception):
    pass


class Dying(_Wrapped):
    """Dies at its n-th publication: before it, after it, or with part of it done."""

    def __init__(self, inner: Bus, at: int, part: str) -> None:
        super().__init__(inner)
        self.left = at
        self.part = part

    def publish_many(self, messages: Sequence[Outgoing]) -> list[int]:
        self.left -= 1
        if self.left == 0:
            if self.part == "after":
                self.inner.publish_many(messages)
            elif self.part == "half":
                self.inner.publish_many(messages[: (len(messages) + 1) // 2])
            raise _CrashError
        return self.inner.publish_many(messages)


@pytest.mark.parametrize("part", ["before", "half", "after"])
def test_dying_at_any_publication_changes_nothing(dataset: Path, part: str) -> None:
    cfg = config(dataset, consumers=[])
    with open_bus(f"file://{dataset.parent}/calm") as bus:
        play(config(dataset, consumers=[], state_dir=str(dataset.parent / "calm-state")), bus)
        calm = published(bus)
    at, deaths = 1, 0
    with open_bus(cfg.bus) as bus:
        # A run that never gets further than one publication at a time: it dies at each of them.
        while True:
            try:
                play(cfg, Dying(bus, at, part))  # type: ignore[arg-type]
                break
            except _CrashError:
                deaths += 1
                at = 1 if part != "before" else at + 1
                if part == "before":
                    with pytest.raises(_CrashError):
                        play(cfg, Dying(bus, 1, part))  # type: ignore[arg-type]
                    at = 2
        assert published(bus) == calm
    publications = STEPS + 2 + 2 + 2 * STEPS + 1  # bars, news, events, ticks
    assert deaths >= publications - 1


def test_a_killed_process_goes_on(dataset: Path, tmp_path: Path) -> None:
    cfg = config(dataset)
    (tmp_path / "feed.json").write_text(cfg.model_dump_json())
    command = [sys.executable, "-m", "tradewind.streaming.feed", "--config", str(tmp_path / "feed.json")]
    with open_bus(f"file://{tmp_path}/calm") as bus, consumers(bus):
        play(config(dataset, state_dir=str(tmp_path / "calm-state")), bus)
        calm = published(bus)
    with open_bus(cfg.bus) as bus, consumers(bus) as executor:
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        while bus.end_offset("control") < 7 and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert published(bus) == calm
        assert [at for at in executor.intents_at if at[1] != 2 * at[0]] == []
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert lines[0]["ready"] is True
    assert lines[-1] == {"step": STEPS, "total": STEPS, "time": closes(STEPS)}


def test_a_finished_run_stays_finished(dataset: Path) -> None:
    with open_bus(config(dataset).bus) as bus, consumers(bus):
        play(config(dataset), bus)
        before = published(bus)
        play(config(dataset), bus)
        assert published(bus) == before


def test_a_second_run_begins_where_the_first_ended(dataset: Path) -> None:
    with open_bus(config(dataset).bus) as bus:
        play(config(dataset, consumers=[]), bus)
        play(config(dataset, consumers=[], run="r2"), bus)
        second = [tick for tick in ticks(bus) if tick.run == "r2"]
        assert second[0].bars_end == 3 * STEPS + 3
        assert bus.end_offset("bars") == 6 * STEPS


def test_only_the_symbols_that_somebody_wants_are_played(dataset: Path) -> None:
    source = {"kind": "replay", "dataset": str(dataset), "start": START, "symbols": ["^X", "B"]}
    cfg = config(dataset, consumers=[], source=source)
    with open_bus(cfg.bus) as bus:
        play(cfg, bus)
        assert [r.message.symbol for r in bus.read("bars")] == ["^X", "B"] * STEPS  # type: ignore[attr-defined]
        other = source | {"symbols": ["^X", "A"]}
        with pytest.raises(FeedError, match="other data"):
            play(config(dataset, consumers=[], source=other), bus)


def test_somebody_who_never_acknowledges_is_named(dataset: Path) -> None:
    cfg = config(dataset, stall_seconds=0.3, consumers=[{"group": "sleeper", "topic": "bars"}])
    with open_bus(cfg.bus) as bus, pytest.raises(FeedError) as error:
        play(cfg, bus)
    assert "group sleeper is at 0 of 3 on topic bars" in str(error.value)
    assert "\n" not in str(error.value)


def test_other_data_or_another_writer_are_refused(dataset: Path) -> None:
    with open_bus(config(dataset).bus) as bus:
        cut = config(dataset, consumers=[], source={"kind": "replay", "dataset": str(dataset), "end": closes(2)})
        play(cut, bus)
        with pytest.raises(FeedError, match="other data"):
            play(config(dataset, consumers=[]), bus)
        fresh = config(dataset, consumers=[], run="r2")
        with pytest.raises(_CrashError):
            play(fresh, Dying(bus, 2, "before"))  # type: ignore[arg-type]
        bus.publish("bars", "A", market_pb2.Bar(symbol="A", source="an intruder"))
        with pytest.raises(FeedError, match=r"not this run's|somebody else"):
            play(fresh, bus)


def test_two_clocks_of_one_run_are_one_too_many(dataset: Path) -> None:
    from tradewind.streaming.feed.state import RunState

    with (
        open_bus(config(dataset).bus) as bus,
        RunState(config(dataset).state_dir),
        pytest.raises(FeedError, match="another feed"),
    ):
        play(config(dataset), bus)


class Venue(ThreadingHTTPServer):
    """Takes /sim/advance; fails the first request of each step once."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(("127.0.0.1", 0), _VenueHandler)
        self.bus = bus
        self.bodies: dict[int, dict[str, Any]] = {}
        self.bars_then: list[int] = []
        self.failed: set[int] = set()


class _VenueHandler(BaseHTTPRequestHandler):
    server: Venue

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        server = self.server
        status = 200
        if body["time"] not in server.failed:
            server.failed.add(body["time"])
            status = 503
        elif body["time"] not in server.bodies:
            server.bodies[body["time"]] = body
            server.bars_then.append(server.bus.end_offset("bars"))
        content = json.dumps({"event_id": 100 + len(server.bodies)}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass


@contextmanager
def venue(bus: Bus) -> Iterator[Venue]:
    with Venue(bus) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("speed", ["max", 1e9])
def test_the_venue_trades_a_step_before_anyone_hears_of_it(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, speed: str | float
) -> None:
    monkeypatch.setenv("APCA_API_KEY_ID", "k")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "s")
    with open_bus(config(dataset).bus) as bus, venue(bus) as simulated:
        where = {"url": f"http://127.0.0.1:{simulated.server_address[1]}"}
        source = {"kind": "replay", "dataset": str(dataset), "start": START, "speed": speed}
        play(config(dataset, consumers=[], venue=where, source=source), bus)
        seen = ticks(bus)
    assert list(simulated.bodies) == [closes(step) for step in range(1, STEPS + 1)]
    assert simulated.bars_then == [3 * step for step in range(STEPS)]
    for body in simulated.bodies.values():
        assert [bar["symbol"] for bar in body["bars"]] == ["A", "B"]
        assert body["session_end"] is True
        assert all(isinstance(bar["close"], int) for bar in body["bars"])
    if speed == "max":
        assert [t.venue_event_id for t in seen if t.phase == MARKET] == [100 + s for s in range(1, STEPS + 1)]
    else:
        # At a recorded speed the clock leads nobody; it only says that the data are at their end.
        assert [(t.step, t.phase, t.bars_end) for t in seen] == [(STEPS, END, 3 * STEPS)]


def test_a_paced_run_goes_on_too(dataset: Path) -> None:
    source = {"kind": "replay", "dataset": str(dataset), "start": START, "speed": 1e9}
    cfg = config(dataset, consumers=[], source=source)
    with open_bus(cfg.bus) as bus:
        for at in (1, 3, 4):
            with pytest.raises(_CrashError):
                play(cfg, Dying(bus, at, "half"))  # type: ignore[arg-type]
        play(cfg, bus)
        bars = [(r.message.symbol, r.message.event_time) for r in bus.read("bars")]  # type: ignore[attr-defined]
        assert bars == [(symbol, closes(step)) for step in range(1, STEPS + 1) for symbol in ("^X", "A", "B")]
        assert [tick.phase for tick in ticks(bus)] == [END]


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({"colour": "blue"}, "colour"),
        ({"source": {"kind": "replay", "dataset": "/nowhere"}}, "/nowhere/dataset.json: missing"),
        ({"bus": "carrier pigeon"}, "carrier pigeon"),
        ({"news": [{"kind": "Calendar", "name": "x", "path": "/no.yaml"}]}, "/no.yaml: no such calendar"),
        ({"news": [{"kind": "Rss", "name": "x", "url": "http://x"}]}, "news x: nothing recorded"),
        ({"source": {"kind": "replay", "dataset": "DATA", "start": START + 99 * DAY}}, "source.start"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    dataset: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    over: dict[str, Any],
    reason: str,
) -> None:
    document = json.dumps(json.loads(config(dataset).model_dump_json()) | over).replace("DATA", str(dataset))
    (tmp_path / "feed.json").write_text(document)
    monkeypatch.setattr(sys, "argv", ["feed", "--config", str(tmp_path / "feed.json")])
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        assert main() == 2
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    captured = capsys.readouterr()
    assert reason in captured.err
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "state").exists()


def test_the_configuration_that_plans_contain_is_understood(tmp_path: Path) -> None:
    document = {
        "bus": f"file://{tmp_path}/bus",
        "run": "r",
        "source": {"kind": "alpaca", "symbols": ["A"], "interval": "1d"},
        "venue": None,
        "news": [{"kind": "Calendar", "name": "fomc", "path": "/x/fomc.yaml", "url": "", "poll": "60s"}],
        "consumers": CONSUMERS,
        "accounts": ["paper"],
        "state_dir": str(tmp_path),
    }
    assert FeedConfig.model_validate(document).executors == ["executor-p"]
    assert os.environ.get("APCA_API_KEY_ID") != "k"
