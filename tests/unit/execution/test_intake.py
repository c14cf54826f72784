"""Whatever bytes stand on the bus: the intake hands the record on or buries it, and never ends the process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.native.test_link_executor import Broker
from tradewind.execution.executor.config import EstimateRules
from tradewind.execution.executor.estimates import RiskEstimates
from tradewind.execution.executor.intake import Intake
from tradewind.execution.executor.sessions import ExchangeCalendar
from tradewind.native.executor import Executor
from tradewind.v1 import control_pb2, market_pb2, trading_pb2

ROOM = {"id": 40, "strategy": 48, "symbol": 16, "model": 64, "model_version": 24}
INT64 = st.integers(-(2**63), 2**63 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1) | st.integers(0, 300)
TEXT = st.text(max_size=70)
INTENTS = st.builds(
    trading_pb2.OrderIntent,
    **dict.fromkeys(ROOM, TEXT),
    **dict.fromkeys(("target_quantity", "decision_time", "valid_until", "limit_price", "reference_price"), INT64),
    account=st.sampled_from(["paper", "another"]),
    order_type=INT32,
    time_in_force=INT32,
    model_alias=st.sampled_from(["", "candidate", "champion"]),
    gates_passed=st.booleans(),
)


class NoIndex:
    def before(self, time: int) -> int:
        return 0


class Recording(Executor):
    """The real one, which also remembers what it was given."""

    taken: list[dict[str, Any]]

    def push_intent(self, **fields: Any) -> None:
        super().push_intent(**fields)
        self.taken.append(fields)


class Desk:
    def __init__(self, executor: Recording) -> None:
        self.executor = executor
        self.buried: list[tuple[str, str, Message, str]] = []
        bury = lambda *letter: self.buried.append(letter)  # noqa: E731
        estimates = RiskEstimates(executor, ["AAPL"], EstimateRules())
        calendar = ExchangeCalendar("XNYS")
        self.intake = Intake(executor, "paper", NoIndex(), estimates, calendar, bury, wall=True)  # type: ignore[arg-type]
        executor.taken = []


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    broker = Broker()
    try:
        config = broker.config(tmp_path_factory.mktemp("journal")) | {"threads": {"clock": "wall"}}
        executor = Recording(config)
        with executor:
            yield Desk(executor)
            assert executor.wait_idle(10)
            assert executor.stats()["broken_invariant"] == ""
            assert not broker.posts
    finally:
        broker.close()


def take(
    desk: Desk, intent: trading_pb2.OrderIntent
) -> tuple[list[dict[str, Any]], list[tuple[str, str, Message, str]]]:
    desk.executor.taken.clear()
    desk.buried.clear()
    desk.intake.intent(intent, -1)
    return desk.executor.taken, desk.buried


@settings(max_examples=400)
@given(intent=INTENTS)
def test_an_intent_is_handed_on_exactly_or_buried_with_its_reason(desk: Desk, intent: trading_pb2.OrderIntent) -> None:
    taken, buried = take(desk, intent)
    too_long = [name for name, room in ROOM.items() if len(getattr(intent, name).encode()) > room]
    if intent.account != "paper":
        assert not taken
        assert not buried
    elif too_long:
        assert not taken
        [(topic, _, message, reason)] = buried
        assert (topic, message) == ("intents", intent)
        assert reason.split(":")[0] in too_long
    else:
        assert not buried
        [fields] = taken
        assert {name: fields[name] for name in ROOM} == {name: getattr(intent, name) for name in ROOM}
        assert fields["target"] == intent.target_quantity
        known = intent.order_type in trading_pb2.OrderType.values()
        assert fields["order_type"] == (intent.order_type if known else 0)
        in_force = intent.time_in_force in trading_pb2.TimeInForce.values()
        assert fields["time_in_force"] == (intent.time_in_force if in_force else 0)


@settings(max_examples=300)
@given(whole=INTENTS, changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), min_size=1, max_size=8))
def test_damaged_bytes_are_refused_by_protobuf_or_taken_as_what_they_say(
    desk: Desk, whole: trading_pb2.OrderIntent, changes: list[tuple[int, int]]
) -> None:
    whole.account = "paper"
    damaged = bytearray(whole.SerializeToString())
    for at, byte in changes:
        damaged[at % len(damaged)] = byte
    intent = trading_pb2.OrderIntent()
    try:
        intent.ParseFromString(bytes(damaged))
    except DecodeError:
        return
    taken, buried = take(desk, intent)
    assert len(taken) + len(buried) == (1 if intent.account == "paper" else 0)


def test_an_order_type_from_the_future_is_no_market_order(desk: Desk) -> None:
    """257 is 1, a market order, in the byte that the engine keeps."""
    now = 10**18
    price = 100 * 10**8
    desk.executor.push_bar("AAPL", now, price, price, price, price, 1_000)
    for order_type in (1 + 256, 99, -255):
        intent = trading_pb2.OrderIntent(
            id=f"future-{order_type}",
            strategy="trend",
            symbol="AAPL",
            account="paper",
            target_quantity=10**9,
            valid_until=2**62,
            order_type=order_type,  # type: ignore[arg-type]
            time_in_force=trading_pb2.TIME_IN_FORCE_DAY,
        )
        assert take(desk, intent)[1] == []
    desk.intake.flush()
    assert desk.executor.wait_idle(10)
    verdicts = [row for row in desk.executor.drain(0) if row["record"] == "verdict" and row["intent"][:6] == "future"]
    assert [(row["accepted"], row["code"]) for row in verdicts] == [(False, "INTENT_INVALID")] * 3


def test_a_bar_with_an_impossible_symbol_is_buried(desk: Desk) -> None:
    bar = market_pb2.Bar(symbol="A" * 17, event_time=1, open=1, high=1, low=1, close=1)
    desk.buried.clear()
    desk.intake.bar(bar, -1)
    [(topic, _, message, reason)] = desk.buried
    assert (topic, message) == ("bars", bar)
    assert reason.startswith("symbol:")


def test_a_halt_is_obeyed_however_long_its_reason_is(desk: Desk) -> None:
    command = control_pb2.ControlCommand(
        account="paper", action=control_pb2.CONTROL_ACTION_HALT, issued_by="ada", reason="é" * 150
    )
    assert desk.intake.command(command, -1) == ""
    assert desk.executor.wait_idle(10)
    risk = desk.executor.stats()["risk"]
    assert risk["kill_switch"]
    assert risk["kill_reason"] == "é" * 100
