"""One chaotic run from one seed: what dies, stalls or misbehaves when, and what must hold once all has calmed down."""

from __future__ import annotations

import hashlib
import json
import random
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc

from tests.chaos.rig import ACCOUNT, DOLLAR, SECOND, SHARE, Process, Rig
from tests.kafka.broker import Broker
from tradewind.bus import BusError, Outgoing
from tradewind.console.commands.audit import check as verify_audit
from tradewind.native.engine import replay_journal
from tradewind.native.features import feature_set_version
from tradewind.v1 import features_pb2, prediction_pb2, prediction_pb2_grpc, trading_pb2

FEATURES = ["tech_rsi_14_raw", "vol_historical_20_annual"]
VERSION = feature_set_version(FEATURES)
FEATURE_SET = "chaos"
SYMBOLS = ("AAPL", "IBM", "MSFT")
MAX_NOTIONAL = 60_000
LEASE_S = 1.5
TICKS, TICK_S = 14, 0.3
CALM_S = 120  # how long everything may take to come back; a machine that is busy otherwise takes many seconds
INTENTS = 10  # a run with fewer shows too little
ON_KAFKA = 8  # one run of so many; the others are on the file bus, which is no process that could die
TOPICS_READ = (("signals-chaos", "features"), (f"executor-{ACCOUNT}", "intents"))


@dataclass(frozen=True)
class Blow:
    """Something that goes wrong at a tick.

    Attributes:
        kind: kill or stop (past the lease).
        target: name of a process.
        seconds: of a stop.
    """

    tick: int
    kind: str
    target: str
    seconds: float = 0.0


def blows(seed: int) -> list[Blow]:
    """Two to six of them, and Kafka's death where it carries the run; the same for the same seed."""
    chance = random.Random(seed)
    made = []
    for _ in range(chance.randint(2, 6)):
        tick = chance.randrange(1, TICKS)
        kind, target = chance.choice(
            [("kill", "first"), ("kill", "second"), ("kill", "signals"), ("kill", "venue"), ("stop", "first"),
             ("stop", "second")]
        )  # fmt: skip
        seconds = LEASE_S * chance.uniform(0.2, 2.5) if kind == "stop" else 0.0
        made.append(Blow(tick, kind, target, seconds))
    if on_kafka(seed):
        made.append(Blow(chance.randrange(1, TICKS), "kill", "kafka"))
    return sorted(made, key=lambda blow: blow.tick)


def on_kafka(seed: int) -> bool:
    """Whether a run's bus is Kafka."""
    return seed % ON_KAFKA == ON_KAFKA - 1


_POST = {"on": "request", "method": "POST", "path": "/v2/orders"}
_ANY = {"on": "request", "path": "/v2/*"}
_STREAM = {"on": "stream", "stream": "trades"}
FAULTS: tuple[dict[str, Any], ...] = (
    {**_POST, "do": "cut", "when": "handled", "probability": 0.3},
    {**_POST, "do": "cut", "when": "after_body", "probability": 0.3},
    {**_POST, "do": "cut", "when": "in_answer", "probability": 0.3},
    {**_POST, "do": "answer_after", "status": 504, "probability": 0.3},
    {**_POST, "do": "answer", "status": 500, "probability": 0.3},
    {**_POST, "do": "delay_answer", "ms": 1200, "probability": 0.3},  # after the executor has stopped waiting
    {**_ANY, "do": "answer", "status": 429, "skip": 5, "count": 4},
    {**_ANY, "do": "cut", "when": "before_body", "probability": 0.1},
    {**_STREAM, "event": "fill", "do": "drop", "probability": 0.4},
    {**_STREAM, "do": "duplicate", "probability": 0.5},
    {**_STREAM, "do": "delay", "ms": 300, "probability": 0.5},
    {**_STREAM, "do": "reorder", "probability": 0.5},
    {**_STREAM, "do": "disconnect", "probability": 0.1},
)
"""What may be wrong on the way to the broker and back."""


def faults(seed: int) -> dict[str, Any]:
    """Up to four of them, for the whole of a run; the same for the same seed."""
    chance = random.Random(seed + 2)
    return {"seed": seed, "rules": chance.sample(FAULTS, chance.randint(0, 4))}


class Oracle(prediction_pb2_grpc.PredictionServicer):
    """A prediction for each symbol and time, by their hash: the same whoever asks, and how often."""

    def Predict(  # noqa: N802
        self, request: prediction_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> prediction_pb2.PredictResponse:
        rows = [
            prediction_pb2.PredictionRow(
                symbol=r.symbol, event_time=r.event_time, prediction=_opinion(r.symbol, r.event_time), confidence=0.9
            )
            for r in request.rows
        ]
        return prediction_pb2.PredictResponse(
            rows=rows, model=request.model, model_version="1", model_alias="candidate", gates_passed=True,
            feature_set_version=request.feature_set_version,
        )  # fmt: skip

    def PredictEntities(  # noqa: N802
        self, request: prediction_pb2.PredictEntitiesRequest, context: grpc.ServicerContext
    ) -> prediction_pb2.PredictResponse:
        raise AssertionError("a signal process asks with vectors")

    def ListModels(  # noqa: N802
        self, request: prediction_pb2.ListModelsRequest, context: grpc.ServicerContext
    ) -> prediction_pb2.ListModelsResponse:
        return prediction_pb2.ListModelsResponse()

    def Health(  # noqa: N802
        self, request: prediction_pb2.HealthRequest, context: grpc.ServicerContext
    ) -> prediction_pb2.HealthResponse:
        return prediction_pb2.HealthResponse(ready=True)


def _opinion(symbol: str, event_time: int) -> float:
    digest = hashlib.sha256(f"{symbol} {event_time}".encode()).digest()
    return int.from_bytes(digest[:4], "big") / 2**31 - 1


@contextmanager
def oracle() -> Iterator[str]:
    """Serves the oracle; its address."""
    server = grpc.server(futures.ThreadPoolExecutor(2))
    prediction_pb2_grpc.add_PredictionServicer_to_server(Oracle(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


@dataclass
class Storm:
    """A run in progress: two executors, of which one has the lease, a signal process, a venue."""

    rig: Rig
    seed: int
    processes: dict[str, Process | Broker]
    deaths: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    _over: threading.Event = field(default_factory=threading.Event)

    def keep_alive(self) -> None:
        """What a supervisor does: starts again whatever has ended, however it ended."""
        while not self._over.wait(0.05):
            for name, process in self.processes.items():
                if process.ended is not None:
                    process.wait()
                    self.deaths[name] += 1
                    process.spawn()

    def run(self) -> None:
        """The market goes on, blow by blow; then everything is left to calm down."""
        planned = blows(self.seed)
        self.rig.ask("PUT", "/sim/faults", faults(self.seed))
        chance = random.Random(self.seed + 1)
        prices = dict.fromkeys(SYMBOLS, 100.0)
        keeper = threading.Thread(target=self.keep_alive)
        keeper.start()
        try:
            for tick in range(TICKS):
                for blow in (b for b in planned if b.tick == tick):
                    self.strike(blow)
                prices = {s: round(p * chance.uniform(0.99, 1.01), 2) for s, p in prices.items()}
                with suppress(BusError):  # a tick that the bus did not take is one that nobody heard of
                    self.market(prices)
                time.sleep(TICK_S)
            self.decide_enough(prices)
            self.calm(prices)
        finally:
            self._over.set()
            keeper.join()

    def decide_enough(self, prices: dict[str, float]) -> None:
        """On a slow machine the processes that died may have slept through the ticks: the market goes on for them."""
        deadline = time.monotonic() + CALM_S
        while time.monotonic() < deadline:
            with suppress(BusError):
                if self.rig.bus.end_offset("intents") >= INTENTS:
                    return
                self.market(prices)
            time.sleep(TICK_S)

    def strike(self, blow: Blow) -> None:
        process = self.processes[blow.target]
        if process.ended is not None:
            return
        if blow.kind == "kill":
            process.send(signal.SIGKILL)
            return
        process.send(signal.SIGSTOP)
        threading.Timer(blow.seconds, _wake, (process,)).start()

    def market(self, prices: dict[str, float]) -> None:
        """A bar and a vector of each symbol; a venue that is down hears of the price when it is back."""
        first = self.rig.bus.end_offset("bars")
        try:
            self.rig.quote(prices)
        except OSError:
            self.rig.bars(prices)
        now = time.time_ns()
        vectors = [
            features_pb2.FeatureVector(
                symbol=s, event_time=now, available_time=now, feature_set=FEATURE_SET, feature_set_version=VERSION,
                values=[50.0, 0.2], bar_offset=first + number, interval="1m", warm=True, close=round(p * 100) * 10**6,
            )
            for number, (s, p) in enumerate(prices.items())
        ]  # fmt: skip
        self.rig.bus.publish_many([Outgoing("features", v.symbol, v) for v in vectors])

    def calm(self, prices: dict[str, float]) -> None:
        """Everything is left alone until it has settled, and then trades once more."""
        for process in self.processes.values():
            if process.ended is None:
                process.send(signal.SIGCONT)
        self.settle(prices)
        deadline = time.monotonic() + CALM_S
        while time.monotonic() < deadline:  # and it still trades: some of what the oracle says becomes an order
            with suppress(OSError):  # a venue that was killed with the last tick is not back yet
                before = len(self.rig.venue_orders())
                self.market(prices)
                self.settle(prices)
                if len(self.rig.venue_orders()) > before:
                    return
            time.sleep(TICK_S)
        raise AssertionError(f"nothing traded after the storm\n{self.rig.logs()}")

    def settle(self, prices: dict[str, float]) -> None:
        """Until everyone has read everything and every order has ended."""
        deadline = time.monotonic() + CALM_S
        while not self.quiet():
            assert time.monotonic() < deadline, f"it never calmed down\n{self.rig.logs()}"
            try:
                self.rig.ask("DELETE", "/sim/faults")
                self.rig.quote(prices)
            except (OSError, BusError):
                continue
            time.sleep(0.25)

    def quiet(self) -> bool:
        bus = self.rig.bus
        try:
            read = all(bus.committed(group, topic) == bus.end_offset(topic) for group, topic in TOPICS_READ)
            return read and self.rig.settled({intent.id for intent in _intents(self.rig)})
        except BusError:
            return False


def _wake(process: Process | Broker) -> None:
    if process.ended is None:
        process.send(signal.SIGCONT)


def weather(folder: Path, seed: int) -> dict[str, Any]:
    """A whole run and its checks; figures about what happened. Raises AssertionError naming the first breach."""
    (folder / "seed.json").write_text(
        json.dumps({"seed": seed, "blows": [vars(b) for b in blows(seed)], "faults": faults(seed)})
    )
    limits = {"order": {"maxNotional": str(MAX_NOTIONAL), "perMinute": 10000, "tradesPerDay": 10**8}}
    with (
        _kafka(folder, seed) as kafka,
        oracle() as address,
        Rig(
            folder,
            bus=f"kafka://{kafka.bootstrap}" if kafka else None,
            symbols=SYMBOLS,
            lease_s=LEASE_S,
            limits=limits,
            timeout_ms=800,
            reconcile_every_ns=SECOND,
        ) as rig,
    ):
        signals = Process(folder, "signals", "tradewind.execution.signals", _signals(rig, address))
        first, second = rig.executor("first"), rig.executor("second")
        storm = Storm(rig, seed, {"venue": rig.venue, "first": first, "second": second, "signals": signals})
        if kafka is not None:
            storm.processes["kafka"] = kafka
        try:
            first.start()
            signals.start()
            second.spawn()
            storm.run()
            # Both at once: a stand-by that takes over while it is told to end says its last words at its next start.
            first.terminate()
            second.terminate()
            for process in (first, second, signals):
                process.stop()
            return check(rig) | {"deaths": dict(storm.deaths)}
        finally:
            signals.kill()


@contextmanager
def _kafka(folder: Path, seed: int) -> Iterator[Broker | None]:
    """The broker of a run that is on Kafka."""
    if not on_kafka(seed):
        yield None
        return
    (folder / "kafka").mkdir()
    with Broker(folder / "kafka") as broker:
        yield broker


def _signals(rig: Rig, address: str) -> dict[str, Any]:
    strategy = rig.strategy.model_dump(mode="json", by_alias=True)
    strategy["spec"]["signal"] |= {"threshold": 0.1, "fullStrengthAt": 0.5}
    strategy["spec"]["sizing"] |= {"method": "PercentEquity", "maxPositionPct": 0.1, "rebalanceThreshold": 0}
    strategy["spec"]["execution"] |= {"orderType": "Market"}
    return {
        "bus": rig.bus_url,
        "group": "signals-chaos",
        "account": ACCOUNT,
        "strategy": strategy,
        "predictor": address,
        "volatility_feature": FEATURES[1],
        "features": FEATURES,
        "feature_set": FEATURE_SET,
        "positions_timeout_s": 2.0,
    }


# ---- what must hold ------------------------------------------------------------------------------------------------


def check(rig: Rig) -> dict[str, Any]:
    """No order twice, none lost, no limit passed, one set of books, an audit that verifies, a journal that replays."""
    venue = {order["client_order_id"]: order for order in rig.venue_orders()}
    orders = {r["client_order_id"]: r for r in rig.records("order")}
    verdicts = rig.verdicts()
    _none_twice(rig, venue, orders)
    _none_lost(rig, venue, orders, verdicts)
    for order in venue.values():
        # The price may have moved between the decision and the fill; a limit that was passed is more than that.
        value = Decimal(order["filled_qty"]) * Decimal(order["filled_avg_price"] or 0)
        assert value <= MAX_NOTIONAL * Decimal("1.05"), f"{order['client_order_id']} traded {value}"
    _one_set_of_books(rig, venue)
    verify_audit(rig.folder, rig.bus_url, None, as_json=False)
    replay_journal(rig.journal)
    refused = sum(not v["accepted"] for v in verdicts.values())
    return {"intents": len(verdicts), "refused": refused, "orders": len(venue)}


def _intents(rig: Rig) -> list[Any]:
    return [r.message for r in rig.bus.read("intents")]


def _none_twice(rig: Rig, venue: dict[str, Any], orders: dict[str, Any]) -> None:
    assert set(venue) <= set(orders), f"the venue has orders that no journal has: {set(venue) - set(orders)}"
    # One order for one (intent, slice): what an intent's orders traded adds up to what it wanted, and no more.
    slices: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in venue:
        slices[tuple(orders[name]["intents"])].append(name)
    for intents, names in slices.items():
        assert len(names) <= 2, f"{intents} became {len(names)} orders: {names}"  # across zero it takes two
        sides = [(venue[n]["side"], venue[n]["qty"]) for n in names]
        assert len(names) == 1 or sides[0][0] == sides[1][0], f"{intents}: orders of opposite sides: {sides}"


def _none_lost(rig: Rig, venue: dict[str, Any], orders: dict[str, Any], verdicts: dict[str, Any]) -> None:
    published: dict[str, Any] = {i.id: i for i in _intents(rig)}
    assert set(published) == set(verdicts), f"intents without a verdict: {set(published) - set(verdicts)}"
    filled, rejected = trading_pb2.ORDER_STATE_FILLED, trading_pb2.ORDER_STATE_REJECTED
    for intent, verdict in verdicts.items():
        if verdict["accepted"] and verdict["order"]:
            last = orders[verdict["order"]]
            assert last["state"] in (filled, rejected), f"{intent}: order {verdict['order']} never ended"
            assert (verdict["order"] in venue) == (last["state"] == filled), f"{intent}: {last} and {venue.keys()}"
    later = {r["intent"] for r in rig.records("verdict") if r["slice"] > 0}
    for symbol in SYMBOLS:
        own = [i for i in published.values() if i.symbol == symbol]
        latest = max(own, key=lambda i: i.decision_time, default=None)
        clean = latest is not None and verdicts[latest.id]["accepted"] and latest.id not in later
        if clean and all(o["state"] == filled for o in orders.values() if latest and latest.id in o["intents"]):
            assert latest is not None
            held = rig.venue_position(symbol) * SHARE
            assert held == latest.target_quantity, (
                f"{symbol}: {latest.id} wanted {latest.target_quantity}, holds {held}"
            )


def _one_set_of_books(rig: Rig, venue: dict[str, Any]) -> None:
    last = {r["symbol"]: r["quantity"] for r in rig.records("position") if not r["strategy"]}
    for symbol in SYMBOLS:
        held = rig.venue_position(symbol) * SHARE
        assert last.get(symbol, 0) == held, f"{symbol}: the venue holds {held}, the books {last.get(symbol, 0)}"
    cash = [r["cash"] for r in rig.records("account")][-1]
    there = Decimal(rig.ask("GET", "/v2/account")["cash"]) * DOLLAR
    assert abs(Decimal(cash) - there) < DOLLAR / 100, f"the venue has {there / DOLLAR}, the books {cash / DOLLAR}"
    told: dict[str, int] = defaultdict(int)
    seen: set[tuple[str, str]] = set()
    for record in rig.bus.read("fills"):
        fill = record.message
        assert isinstance(fill, trading_pb2.Fill)
        if (fill.execution_id, fill.strategy) not in seen and not fill.internal:
            seen.add((fill.execution_id, fill.strategy))
            told[fill.client_order_id] += fill.quantity
    traded = {name: int(Decimal(o["filled_qty"]) * SHARE) for name, o in venue.items() if Decimal(o["filled_qty"])}
    assert dict(told) == traded, "the fills topic and the venue differ"
