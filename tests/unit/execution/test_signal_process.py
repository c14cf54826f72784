"""The loop of a signal process, on a file bus and against a predictor that speaks real gRPC."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest

from tradewind.bus import Bus, FileBus, Outgoing
from tradewind.execution.process import StoppedError
from tradewind.execution.signals import process as module
from tradewind.execution.signals.config import SignalConfig
from tradewind.execution.signals.predictor import PredictorClient
from tradewind.execution.signals.process import SignalProcess
from tradewind.native.features import feature_set_version
from tradewind.v1 import features_pb2, prediction_pb2, prediction_pb2_grpc, trading_pb2

DAY = 86_400 * 10**9
T1, T2 = 15_000 * DAY, 15_001 * DAY
PRICE, SHARE = 10**8, 10**9
FEATURES = ["tech_rsi_14_raw", "vol_historical_20_annual"]
VERSION = feature_set_version(FEATURES)
GROUP = "signals-one"
LIMIT_S = 60.0


class Predictor(prediction_pb2_grpc.PredictionServicer):
    """Answers each row with its first value; `refusals` are the statuses of the next requests."""

    def __init__(self) -> None:
        self.requests: list[prediction_pb2.PredictRequest] = []
        self.metadata: list[dict[str, str | bytes]] = []
        self.asked = threading.Event()
        self.refusals: list[tuple[grpc.StatusCode, str]] = []
        self.alias = "candidate"
        self.turned = False

    def Predict(  # noqa: N802
        self, request: prediction_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> prediction_pb2.PredictResponse:
        self.requests.append(request)
        self.metadata.append(dict(context.invocation_metadata()))
        self.asked.set()
        if self.refusals:
            context.abort(*self.refusals.pop(0))
        rows = [
            prediction_pb2.PredictionRow(
                symbol=r.symbol, event_time=r.event_time, prediction=r.values[0], confidence=0.9
            )
            for r in request.rows
        ]
        return prediction_pb2.PredictResponse(
            rows=rows[::-1] if self.turned else rows,
            model=request.model,
            model_version="3",
            model_alias=self.alias,
            feature_set_version=request.feature_set_version,
            gates_passed=True,
        )

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


def serve(predictor: Predictor, port: int = 0) -> tuple[grpc.Server, int]:
    server = grpc.server(futures.ThreadPoolExecutor(2), options=[("grpc.so_reuseport", 0)])
    prediction_pb2_grpc.add_PredictionServicer_to_server(predictor, server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return server, bound


@pytest.fixture
def predictor(tmp_path: Path) -> Iterator[Predictor]:
    servicer = Predictor()
    server, port = serve(servicer)
    (tmp_path / "predictor.json").write_text(json.dumps({"address": f"127.0.0.1:{port}"}))
    yield servicer
    server.stop(None)


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    with FileBus(tmp_path / "bus.db") as opened:
        yield opened


def config(tmp_path: Path, **changes: Any) -> SignalConfig:
    strategy = {
        "apiVersion": "tradewind.dev/v1alpha1",
        "kind": "Strategy",
        "metadata": {"name": "one"},
        "spec": {
            "riskPolicy": "paper",
            "universe": {"symbols": ["AAPL", "MSFT"]},
            "signal": {"threshold": 0.1, "fullStrengthAt": 0.5},
            "sizing": {"method": "PercentEquity", "maxPositionPct": 0.1},
            "execution": {"orderType": "Market"},
        },
    }
    fields: dict[str, Any] = {
        "bus": f"file://{tmp_path}/bus.db",
        "group": GROUP,
        "account": "paper",
        "strategy": strategy,
        "predictor": f"file://{tmp_path}/predictor.json",
        "volatility_feature": FEATURES[1],
        "features": FEATURES,
        "feature_set": "daily",
        "virtual_time": True,
        "predict_timeout_s": 30.0,
    }
    return SignalConfig.model_validate({**fields, **changes})


def process(bus: Bus, own: SignalConfig) -> SignalProcess:
    return SignalProcess(own, bus, PredictorClient(own.predictor, own.predict_timeout_s))


def vector(symbol: str = "AAPL", event_time: int = T1, value: float = 0.5, **changes: Any) -> Outgoing:
    fields: dict[str, Any] = {
        "symbol": symbol,
        "event_time": event_time,
        "available_time": event_time,
        "feature_set": "daily",
        "feature_set_version": VERSION,
        "values": [value, 0.2],
        "warm": True,
        "close": 100 * PRICE,
    }
    return Outgoing("features", symbol, features_pb2.FeatureVector(**{**fields, **changes}))


def snapshot(event_time: int, equity: int = 100_000, account: str = "paper", **held: int) -> Outgoing:
    positions = [trading_pb2.Position(symbol=s, strategy="strategy/default/one", quantity=n) for s, n in held.items()]
    # The whole account's and another strategy's position must not count.
    positions += [trading_pb2.Position(symbol="AAPL", strategy=s, quantity=7 * SHARE) for s in ("", "strategy/x/y")]
    message = trading_pb2.PositionSnapshot(
        account=account, event_time=event_time, positions=positions, equity=equity * PRICE
    )
    return Outgoing("positions", account, message)


def run_until_committed(bus: Bus, own: SignalConfig, *later: Outgoing) -> None:
    """Runs the process until it has acknowledged every vector, those too that come one by one while it runs."""
    with running(bus, own):
        assert bus.wait_committed({(GROUP, "features"): bus.end_offset("features")}, LIMIT_S)
        for message in later:
            bus.publish_many([message])
            assert bus.wait_committed({(GROUP, "features"): bus.end_offset("features")}, LIMIT_S)


class running:  # noqa: N801 - reads as `with running(...)`
    """The process on a thread of its own."""

    def __init__(self, bus: Bus, own: SignalConfig) -> None:
        self.stop = threading.Event()
        self.ended: list[BaseException] = []
        self._process = process(bus, own)
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self._process.run(self.stop)
        except BaseException as error:  # noqa: BLE001 - told to the test
            self.ended.append(error)

    def __enter__(self) -> running:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self._thread.join(LIMIT_S)
        assert not self._thread.is_alive()


def signals(bus: Bus) -> list[trading_pb2.Signal]:
    return [r.message for r in bus.read("signals") if isinstance(r.message, trading_pb2.Signal)]


def intents(bus: Bus) -> list[trading_pb2.OrderIntent]:
    return [r.message for r in bus.read("intents") if isinstance(r.message, trading_pb2.OrderIntent)]


def test_every_vector_becomes_a_signal_and_each_needed_change_an_intent(
    bus: Bus, predictor: Predictor, tmp_path: Path
) -> None:
    bus.publish_many([snapshot(T1, AAPL=90 * SHARE), snapshot(T2)])
    bus.publish_many([vector(), vector("MSFT", value=-0.5)])
    run_until_committed(bus, config(tmp_path), vector(event_time=T2, value=0.01))
    assert [(s.symbol, s.event_time, s.reason, s.feature_offset) for s in signals(bus)] == [
        ("AAPL", T1, "long", 0),
        ("MSFT", T1, "short", 1),
        ("AAPL", T2, "below_threshold", 2),
    ]
    # AAPL holds 90 of the 100 aimed at: left alone.
    assert [(i.symbol, i.target_quantity // SHARE, i.model_version) for i in intents(bus)] == [("MSFT", -100, "3")]
    assert [r.key for r in bus.read("intents")] == ["paper"]
    # One request per bar time, with the vectors as they came.
    assert [[(r.symbol, list(r.values)) for r in q.rows] for q in predictor.requests] == [
        [("AAPL", [0.5, 0.2]), ("MSFT", [-0.5, 0.2])],
        [("AAPL", [0.01, 0.2])],
    ]
    assert {(q.model, q.feature_set_version) for q in predictor.requests} == {("one", VERSION)}
    # Ray Serve's proxy must know which of its applications is meant.
    assert [told["application"] for told in predictor.metadata] == ["predictor", "predictor"]


@pytest.mark.parametrize("batch", [1, 2, 4096])
def test_of_what_came_before_it_a_symbols_newest_vector_alone_becomes_an_intent(
    bus: Bus, predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch: int
) -> None:
    """New to the topic, or back after a while: nobody wants the positions of earlier bars any more."""
    monkeypatch.setattr(module, "_BATCH", batch)
    bus.publish_many([snapshot(T2), vector(), vector("MSFT", value=-0.5), vector(event_time=T2)])
    run_until_committed(bus, config(tmp_path), vector("MSFT", event_time=T2, value=0.4))
    assert [(s.symbol, s.event_time, s.reason) for s in signals(bus)] == [
        ("MSFT", T1, "short"),
        ("AAPL", T2, "long"),
        ("MSFT", T2, "long"),
    ]
    assert [(i.symbol, i.decision_time) for i in intents(bus)] == [("MSFT", T1), ("AAPL", T2), ("MSFT", T2)]


class Stuttering:
    """A bus whose subscriptions come back with nothing every other time, as Kafka's do while a leader moves."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def subscribe(self, topics: Sequence[str], group: str) -> Any:
        subscription: Any = self._bus.subscribe(topics, group)
        real, calls = subscription.poll, itertools.count()
        subscription.poll = lambda limit, timeout: [] if next(calls) % 2 else real(limit, timeout)
        return subscription

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)


def test_a_pause_is_not_the_end_of_what_came_before_it(
    bus: Bus, predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH", 1)
    bus.publish_many([snapshot(T2), vector(), vector(event_time=T2)])
    stuttering: Any = Stuttering(bus)
    run_until_committed(stuttering, config(tmp_path))
    assert [s.event_time for s in signals(bus)] == [T2]


def test_killed_within_what_came_before_it_it_loses_nothing(
    bus: Bus, predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BATCH", 1)
    bus.publish_many([snapshot(T2), vector("MSFT"), vector(), vector(event_time=T2)])
    mortal: Any = MortalBus(bus)
    with pytest.raises(Killed):
        process(mortal, config(tmp_path)).run(threading.Event())
    assert bus.committed(GROUP, "features") == 0
    run_until_committed(bus, config(tmp_path))
    assert {(i.symbol, i.decision_time) for i in intents(bus)} == {("MSFT", T1), ("AAPL", T2)}


def test_what_was_decided_on_before_a_death_is_never_contradicted(
    bus: Bus, predictor: Predictor, tmp_path: Path
) -> None:
    """A newer vector comes before the next process does; a signal has one content for its id."""
    bus.publish_many([snapshot(T2), vector()])
    mortal: Any = MortalBus(bus)
    with pytest.raises(Killed):
        process(mortal, config(tmp_path)).run(threading.Event())
    bus.publish_many([vector(event_time=T2, value=-0.5)])
    run_until_committed(bus, config(tmp_path))
    assert [(s.event_time, s.reason) for s in signals(bus)] == [(T1, "long"), (T2, "short")]


class Killed(BaseException):
    """SIGKILL."""


class MortalBus:
    """A bus whose process dies right after it has published."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def publish_many(self, messages: Sequence[Outgoing]) -> list[int]:
        self._bus.publish_many(messages)
        raise Killed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bus, name)


def test_killed_between_publish_and_commit_it_says_the_same_again(
    bus: Bus, predictor: Predictor, tmp_path: Path
) -> None:
    bus.publish_many([snapshot(T1), vector(), vector("MSFT", value=-0.5)])
    own = config(tmp_path)
    mortal: Any = MortalBus(bus)
    with pytest.raises(Killed):
        process(mortal, own).run(threading.Event())
    assert bus.committed(GROUP, "features") == 0
    first = [m.SerializeToString() for m in [*signals(bus), *intents(bus)]]
    assert len(first) == 4
    # The executor has traded in the meantime: a later snapshot is there, and must not change the decision.
    bus.publish_many([snapshot(T2, equity=50_000, AAPL=100 * SHARE)])
    run_until_committed(bus, own)
    again = [m.SerializeToString() for m in [*signals(bus)[2:], *intents(bus)[2:]]]
    assert again == first


def test_it_waits_for_a_snapshot_as_new_as_the_vector(bus: Bus, predictor: Predictor, tmp_path: Path) -> None:
    bus.publish_many([snapshot(T1, equity=10_000), vector(event_time=T2)])
    with running(bus, config(tmp_path)):
        # Neither an older one nor another account's will do: nothing is said before ours is there.
        bus.publish_many([snapshot(T2 - 1, equity=20_000), snapshot(T2, equity=40_000, account="other")])
        assert predictor.asked.wait(LIMIT_S)
        assert not bus.wait_committed({(GROUP, "features"): 1}, 0.3)
        assert signals(bus) == []
        bus.publish_many([snapshot(T2, equity=50_000)])
        assert bus.wait_committed({(GROUP, "features"): 1}, LIMIT_S)
    assert [i.target_quantity // SHARE for i in intents(bus)] == [50]


def test_live_without_fresh_positions_there_is_no_trade(bus: Bus, predictor: Predictor, tmp_path: Path) -> None:
    bus.publish_many([snapshot(T1), vector(event_time=T2)])
    run_until_committed(bus, config(tmp_path, positions_timeout_s=0.05))
    assert [s.reason for s in signals(bus)] == ["stale_positions"]
    assert intents(bus) == []


def test_vectors_of_others_are_passed_over(bus: Bus, predictor: Predictor, tmp_path: Path) -> None:
    bus.publish_many([snapshot(T1), vector(feature_set="hourly"), vector("IBM"), vector("MSFT")])
    run_until_committed(bus, config(tmp_path))
    assert [s.symbol for s in signals(bus)] == ["MSFT"]
    assert [[r.symbol for r in q.rows] for q in predictor.requests] == [["MSFT"]]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"feature_set_version": "0" * 16}, "feature_set_version"),
        ({"values": [0.5]}, "malformed_vector"),
        ({"close": 0}, "malformed_vector"),
    ],
)
def test_a_vector_that_is_not_what_it_should_be_is_refused(
    bus: Bus, predictor: Predictor, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    bus.publish_many([snapshot(T1), vector(**changes)])
    run_until_committed(bus, config(tmp_path))
    assert [(s.reason, s.strength) for s in signals(bus)] == [(reason, 0.0)]
    assert intents(bus) == []
    assert predictor.requests == []


def test_the_predictors_refusal_is_the_signals_reason(bus: Bus, predictor: Predictor, tmp_path: Path) -> None:
    predictor.refusals = [(grpc.StatusCode.FAILED_PRECONDITION, "model one takes version a, not b")]
    bus.publish_many([snapshot(T1), snapshot(T2), vector()])
    run_until_committed(bus, config(tmp_path), vector(event_time=T2))
    assert [s.reason for s in signals(bus)] == [
        "refused: FAILED_PRECONDITION: model one takes version a, not b",
        "long",
    ]
    assert [i.decision_time for i in intents(bus)] == [T2]


def test_predictions_of_other_rows_or_of_another_alias_are_not_traded_on(
    bus: Bus, predictor: Predictor, tmp_path: Path
) -> None:
    predictor.turned = True
    bus.publish_many([snapshot(T1), vector(), vector("MSFT", value=-0.5)])
    run_until_committed(bus, config(tmp_path))
    assert {s.reason for s in signals(bus)} == {"refused: the answer's rows are not those of the request"}
    predictor.turned = False
    bus.publish_many([snapshot(T2), vector(event_time=T2)])
    run_until_committed(bus, config(tmp_path, model_alias="champion"))
    assert signals(bus)[-1].reason == "model_alias"
    assert intents(bus) == []


@pytest.mark.parametrize(
    "status", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.INTERNAL, grpc.StatusCode.NOT_FOUND], ids=lambda s: s.name
)
def test_a_predictor_that_is_being_restarted_is_waited_for(
    bus: Bus, predictor: Predictor, tmp_path: Path, status: grpc.StatusCode
) -> None:
    predictor.refusals = [(status, "replica died"), (status, "Application metadata not set.")]
    bus.publish_many([snapshot(T1), vector()])
    run_until_committed(bus, config(tmp_path))
    assert [s.reason for s in signals(bus)] == ["long"]
    assert len(predictor.requests) == 3


def test_live_the_wait_for_the_predictor_ends(bus: Bus, tmp_path: Path) -> None:
    bus.publish_many([snapshot(T1), vector()])
    run_until_committed(bus, config(tmp_path, positions_timeout_s=0.1))  # no predictor.json yet
    assert [s.reason for s in signals(bus)] == ["predictor_unavailable"]
    assert intents(bus) == []


def test_after_one_wait_in_vain_each_batch_makes_one_trial_until_one_succeeds(
    bus: Bus, predictor: Predictor, tmp_path: Path
) -> None:
    predictor.refusals = [(grpc.StatusCode.UNAVAILABLE, "busy")] * 10_000
    own = config(tmp_path, positions_timeout_s=2.0)
    asked = []
    with running(bus, own):
        for count, time in enumerate((T1, T2, T2 + 1, T2 + 2), start=1):
            if count == 4:
                predictor.refusals.clear()
            bus.publish_many([snapshot(time), vector(event_time=time)])
            assert bus.wait_committed({(GROUP, "features"): count}, LIMIT_S)
            asked.append(len(predictor.requests))
    first, *others = asked
    assert first > 1
    assert others == [first + 1, first + 2, first + 3]
    assert [s.reason for s in signals(bus)] == [*["predictor_unavailable"] * 3, "long"]


@pytest.mark.parametrize("lockstep", [False, True])
def test_what_came_during_a_wait_is_superseded_by_the_newest(
    bus: Bus, predictor: Predictor, tmp_path: Path, lockstep: bool
) -> None:
    """Not in lockstep, where the market waits for everybody and each step counts."""
    predictor.refusals = [(grpc.StatusCode.UNAVAILABLE, "busy")] * 10_000
    with running(bus, config(tmp_path, positions_timeout_s=None if lockstep else 2.0)):
        bus.publish_many([snapshot(T1), vector()])
        deadline = time.monotonic() + LIMIT_S
        while not predictor.requests:
            assert time.monotonic() < deadline
        later = (T2, T2 + 1, T2 + 2)
        bus.publish_many([message for at in later for message in (snapshot(at), vector(event_time=at))])
        if lockstep:
            predictor.refusals.clear()
        assert bus.wait_committed({(GROUP, "features"): 4}, LIMIT_S)
    reasons = [s.reason for s in signals(bus)]
    assert reasons == (
        ["long"] * 4 if lockstep else ["predictor_unavailable", "superseded", "superseded", "predictor_unavailable"]
    )
    assert [i.decision_time for i in intents(bus)] == ([T1, *later] if lockstep else [])


def test_a_predictor_that_comes_back_elsewhere_is_found(bus: Bus, tmp_path: Path) -> None:
    address = tmp_path / "predictor.json"
    first, port = serve(Predictor())
    address.write_text(json.dumps({"address": f"127.0.0.1:{port}"}))
    bus.publish_many([snapshot(T1), snapshot(T2), vector()])
    with running(bus, config(tmp_path)):
        assert bus.wait_committed({(GROUP, "features"): 1}, LIMIT_S)
        first.stop(None).wait()
        bus.publish_many([vector(event_time=T2)])
        second, port = serve(Predictor())
        address.write_text(json.dumps({"address": f"127.0.0.1:{port}"}))
        assert bus.wait_committed({(GROUP, "features"): 2}, LIMIT_S)
    second.stop(None)
    assert [s.reason for s in signals(bus)] == ["long", "long"]


@pytest.mark.parametrize("waits_for", ["positions", "predictor"])
def test_stopped_while_it_waits_it_commits_nothing(
    bus: Bus, predictor: Predictor, tmp_path: Path, waits_for: str
) -> None:
    if waits_for == "predictor":
        predictor.refusals = [(grpc.StatusCode.UNAVAILABLE, "starting")] * 10_000
    bus.publish_many([snapshot(T1 if waits_for == "predictor" else T1 - 1), vector()])
    with running(bus, config(tmp_path)) as own:
        assert predictor.asked.wait(LIMIT_S)
        assert not bus.wait_committed({(GROUP, "features"): 1}, 0.3)
    assert [type(e) for e in own.ended] == [StoppedError]
    assert bus.committed(GROUP, "features") == 0
    assert signals(bus) == []
    # Whoever comes next does the work.
    predictor.refusals = []
    bus.publish_many([snapshot(T1)])
    run_until_committed(bus, config(tmp_path))
    assert [s.reason for s in signals(bus)] == ["long"]


def test_at_recorded_speed_age_is_measured_in_the_data_sets_time(
    bus: Bus, predictor: Predictor, tmp_path: Path
) -> None:
    bus.publish_many([snapshot(T1), vector()])  # years ago on the wall clock
    run_until_committed(bus, config(tmp_path, positions_timeout_s=5.0))
    assert [s.reason for s in signals(bus)] == ["long"]


def test_live_a_vector_of_long_ago_is_stale(bus: Bus, predictor: Predictor, tmp_path: Path) -> None:
    now = time.time_ns()
    bus.publish_many([snapshot(now), vector(), vector("MSFT", event_time=now)])
    run_until_committed(bus, config(tmp_path, positions_timeout_s=60.0, virtual_time=False))
    assert [s.reason for s in signals(bus)] == ["stale_features", "long"]
