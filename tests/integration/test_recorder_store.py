"""The recorder's tables, in SQLite and in a real PostgreSQL: what is written, once, and what is answered from them."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text

from tests.postgres.server import Server
from tradewind.bus import Record
from tradewind.streaming.recorder import RecorderError, Repository
from tradewind.streaming.recorder.schema import SCHEMA_VERSION
from tradewind.streaming.recorder.store import Refusal, Store
from tradewind.v1.control_pb2 import CONTROL_ACTION_HALT, ClockTick, ControlCommand, ControlMessage
from tradewind.v1.market_pb2 import Bar, DeadLetter, Event
from tradewind.v1.trading_pb2 import (
    ALGORITHM_TWAP,
    ORDER_STATE_CANCELED,
    ORDER_STATE_CREATED,
    ORDER_STATE_FILLED,
    ORDER_STATE_REJECTED,
    ORDER_STATE_SUBMITTED,
    ORDER_TYPE_LIMIT,
    SIDE_BUY,
    SIDE_SELL,
    TIME_IN_FORCE_DAY,
    ExecutionPlan,
    Fill,
    OrderIntent,
    OrderUpdate,
    Position,
    PositionSnapshot,
    RiskState,
    Signal,
)

BUS = "file:one"


class Desk:
    """A store fed with records whose offsets count by themselves."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.store = Store(self.sql, BUS)
        self.ends: dict[str, int] = {}
        self.refusals: list[Refusal] = []

    def record(self, topic: str, message: Message) -> Record:
        offset = self.ends.get(topic, 0)
        self.ends[topic] = offset + 1
        return Record(topic, 0, offset, "key", message, {}, 0)

    def write(self, *messages: tuple[str, Message]) -> int:
        return self.write_records([self.record(*message) for message in messages])

    def write_records(self, records: list[Record]) -> int:
        return self.store.write(records, self.refusals.append)

    def reopen(self) -> None:
        self.store.close()
        self.store = Store(self.sql, BUS)

    def reasons(self) -> list[str]:
        return [refusal.reason for refusal in self.refusals]

    def rows(self, table: str) -> list[dict[str, Any]]:
        return [dict(row) for row in self.run(f"SELECT * FROM {table} ORDER BY bus_offset")]

    def run(self, statement: str) -> list[Any]:
        """By another connection than the store's own."""
        engine = create_engine(self.sql)
        with engine.begin() as db:
            result = db.execute(text(statement))
            rows = list(result.mappings()) if result.returns_rows else []
        engine.dispose()
        return rows


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Gives addresses of new, empty databases."""
    if request.param == "sqlite":
        folder, count = tmp_path_factory.mktemp("record"), itertools.count()
        return lambda: f"sqlite:///{folder / f'{next(count)}.db'}"
    server: Server = request.getfixturevalue("postgres")
    return lambda: server.url(uuid.uuid4().hex)


@contextmanager
def opened(sql: str) -> Iterator[Desk]:
    desk = Desk(sql)
    try:
        yield desk
    finally:
        desk.store.close()


@pytest.fixture
def desk(address: Callable[[], str]) -> Iterator[Desk]:
    with opened(address()) as desk:
        yield desk


@pytest.fixture
def repository(desk: Desk) -> Iterator[Repository]:
    with Repository(desk.sql) as repository:
        yield repository


def fill(**changes: Any) -> Fill:
    values: dict[str, Any] = {
        "account": "paper", "execution_id": "x1", "client_order_id": "o1", "symbol": "SPY", "strategy": "trend",
        "side": SIDE_SELL, "quantity": 1_500_000_000, "price": 412_34567890, "fee": -1, "event_time": 50,
        "journal_sequence": 7,
    }  # fmt: skip
    return Fill(**values | changes)


def order(state: int, sequence: int, **changes: Any) -> OrderUpdate:
    values: dict[str, Any] = {
        "account": "paper", "client_order_id": "o1", "intent_ids": ["i1", "i2"], "symbol": "SPY", "side": SIDE_BUY,
        "order_type": ORDER_TYPE_LIMIT, "time_in_force": TIME_IN_FORCE_DAY, "quantity": 2_000_000_000,
        "limit_price": 100_50000000, "state": state, "event_time": 10 * sequence % 2**63, "journal_sequence": sequence,
    }  # fmt: skip
    return OrderUpdate(**values | changes)


def books(time: int, equity: int, *positions: Position) -> tuple[str, PositionSnapshot]:
    return "positions", PositionSnapshot(account="paper", event_time=time, equity=equity, cash=5, positions=positions)


def test_money_is_kept_to_its_last_unit(desk: Desk, repository: Repository) -> None:
    most = 2**63 - 1
    desk.write(
        ("fills", fill()), ("fills", fill(execution_id="x2", price=most, quantity=most, fee=-most, event_time=60))
    )
    first, second = repository.fills()
    assert (first.price, first.quantity, first.fee) == (Decimal("412.3456789"), Decimal("1.5"), Decimal("-0.00000001"))
    assert (first.side, first.event_time_ns, first.internal) == ("SELL", 50, False)
    assert (second.price, second.quantity) == (Decimal("92233720368.54775807"), Decimal("9223372036.854775807"))
    assert [row["price_e8"] for row in desk.rows("fills")] == [412_34567890, most]


def test_an_order_is_shown_in_its_latest_state_and_each_change_is_kept(desk: Desk, repository: Repository) -> None:
    desk.write(("orders", order(ORDER_STATE_CREATED, 1)), ("orders", order(ORDER_STATE_SUBMITTED, 2)))
    filled = order(ORDER_STATE_FILLED, 3, filled_quantity=2_000_000_000, filled_notional=200_00000000)
    desk.write(("orders", filled))
    [shown] = repository.orders()
    assert (shown.state, shown.filled_quantity, shown.filled_notional) == ("FILLED", Decimal(2), Decimal(200))
    assert (shown.created_ns, shown.updated_ns) == (10, 30)
    assert (shown.side, shown.order_type, shown.time_in_force) == ("BUY", "LIMIT", "DAY")
    assert (shown.intent_ids, shown.limit_price) == (("i1", "i2"), Decimal("100.5"))
    assert [event.state for event in repository.order_events()] == ["CREATED", "SUBMITTED", "FILLED"]


@pytest.mark.parametrize("together", [True, False])
def test_a_late_old_state_changes_nothing(desk: Desk, repository: Repository, together: bool) -> None:
    updates = [order(ORDER_STATE_CANCELED, 5), order(ORDER_STATE_CREATED, 1), order(ORDER_STATE_SUBMITTED, 2)]
    for batch in [updates] if together else [[update] for update in updates]:
        desk.write(*(("orders", update) for update in batch))
    assert [shown.state for shown in repository.orders()] == ["CANCELED"]
    assert len(repository.order_events()) == 3


def test_a_change_published_again_is_one_change(desk: Desk, repository: Repository) -> None:
    desk.write(("orders", order(ORDER_STATE_CREATED, 1)), ("orders", order(ORDER_STATE_CREATED, 1)))
    desk.write(("orders", order(ORDER_STATE_CREATED, 1)))
    assert len(repository.order_events()) == 1
    assert desk.refusals == []


def test_a_verdict_without_an_order_is_an_event_only(desk: Desk, repository: Repository) -> None:
    verdict = order(ORDER_STATE_REJECTED, 1, client_order_id="", code="max_position", message="5% over")
    desk.write(("orders", verdict))
    assert repository.orders() == []
    [event] = repository.order_events(account="paper")
    assert (event.state, event.code, event.message, event.intent_ids) == (
        "REJECTED", "max_position", "5% over", ("i1", "i2")
    )  # fmt: skip


def test_a_shared_execution_is_two_fills_and_a_repeated_one_is_one(desk: Desk, repository: Repository) -> None:
    again = fill(journal_sequence=99)  # journaled anew after a restart
    desk.write(("fills", fill()), ("fills", fill(strategy="revert")), ("fills", again))
    desk.write(("fills", again))
    assert [(row.execution_id, row.strategy) for row in repository.fills()] == [("x1", "trend"), ("x1", "revert")]
    assert desk.refusals == []


@pytest.mark.parametrize("together", [True, False])
def test_a_contradiction_is_refused_and_the_first_word_stays(
    desk: Desk, repository: Repository, together: bool
) -> None:
    liar = fill(price=1)
    for batch in [[fill(), liar]] if together else [[fill()], [liar]]:
        desk.write(*(("fills", one) for one in batch))
    assert [row.price for row in repository.fills()] == [Decimal("412.3456789")]
    [refusal] = desk.refusals
    assert refusal.record.message == liar
    assert refusal.reason == (
        "account paper, execution_id x1, strategy trend, internal False: is recorded in fills with other content"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("topic", "message", "reason"),
    [
        ("fills", fill(execution_id=""), "execution_id: is empty"),
        ("signals", Signal(id="s", strategy="t", symbol="SPY", prediction=float("nan")), "prediction: nan is not"),
        ("signals", Signal(id="s", strategy="t", symbol="SPY", strength=float("-inf")), "strength: -inf is not"),
        ("intents", OrderIntent(strategy="t", account="a", symbol="SPY"), "id: is empty"),
        ("orders", order(99, 1), "state: 99 is not a known value"),
        ("orders", order(ORDER_STATE_CREATED, 2**63), f"journal_sequence: {2**63} does not fit 64 bits with a sign"),
        ("events", Event(id="e", symbol="S\0PY"), "symbol: holds a NUL character"),
        ("positions", books(1, 1, Position(symbol="SPY"), Position(symbol="SPY"))[1], "positions: SPY of strategy"),
        ("risk", RiskState(), "account: is empty"),
    ],
)  # fmt: skip
def test_what_cannot_be_stored_is_refused_alone(desk: Desk, topic: str, message: Message, reason: str) -> None:
    good = ("fills", fill(execution_id="good"))
    assert desk.write(good, (topic, message), ("fills", fill(execution_id="better"))) == 3
    assert [one[: len(reason)] for one in desk.reasons()] == [reason]
    assert [row["execution_id"] for row in desk.rows("fills")] == ["good", "better"]
    assert desk.rows("signals") == desk.rows("intents") == desk.rows("orders") == desk.rows("positions") == []
    desk.reopen()
    assert desk.store.next_offset(topic) == desk.ends[topic]  # it does not come back


def test_books_are_answered_as_of_a_time(desk: Desk, repository: Repository) -> None:
    whole = Position(symbol="SPY", quantity=-3_000_000_000, average_price=100_00000000, realized_pnl=-1_50000000)
    part = Position(symbol="SPY", strategy="trend", quantity=-3_000_000_000, market_price=99_00000000)
    desk.write(books(10, 100_00000000), books(20, 90_00000000, part, whole), books(20, 91_00000000, whole))
    desk.write(("positions", PositionSnapshot(account="other", event_time=15, equity=1)))
    desk.write(books(30, 120_00000000))
    assert repository.positions_at("paper", 9) is None
    early = repository.positions_at("paper", 19)
    assert early is not None
    assert (early.event_time_ns, early.equity, early.positions) == (10, Decimal(100), ())
    middle = repository.positions_at("paper", 20)
    assert middle is not None
    assert (middle.equity, [one.strategy for one in middle.positions]) == (Decimal(91), [""])
    assert (middle.positions[0].quantity, middle.positions[0].realized_pnl) == (Decimal(-3), Decimal("-1.5"))
    now = repository.positions_at("paper")
    assert now is not None
    assert now.event_time_ns == 30
    curve = [(point.event_time_ns, point.equity) for point in repository.equity_curve("paper")]
    assert curve == [(10, Decimal(100)), (20, Decimal(91)), (30, Decimal(120))]


def test_one_strategys_broker_part_and_crossed_part_of_an_execution_are_both_kept(
    desk: Desk, repository: Repository
) -> None:
    assert desk.write(("fills", fill(quantity=100)), ("fills", fill(quantity=60, internal=True))) == 2
    assert [(row.internal, int(row.quantity * 10**9)) for row in repository.fills()] == [(False, 100), (True, 60)]
    assert desk.reasons() == []


def test_signals_and_fills_are_found_by_strategy_symbol_and_time(desk: Desk, repository: Repository) -> None:
    for number in range(4):
        strategy, symbol = ("trend", "revert")[number % 2], ("SPY", "QQQ")[number // 2]
        desk.write(
            ("signals", Signal(id=str(number), strategy=strategy, symbol=symbol, event_time=number, strength=0.5))
        )
        desk.write(("fills", fill(execution_id=str(number), strategy=strategy, event_time=number)))
    assert [row.id for row in repository.signals()] == ["0", "1", "2", "3"]
    assert [row.id for row in repository.signals("trend")] == ["0", "2"]
    assert [row.id for row in repository.signals(symbol="QQQ", start_ns=3, end_ns=9)] == ["3"]
    assert [row.execution_id for row in repository.fills(strategy="revert")] == ["1", "3"]
    assert [row.execution_id for row in repository.fills("paper", start_ns=1, end_ns=3)] == ["1", "2"]
    assert repository.fills("live") == []


def test_the_rest_is_kept_too(desk: Desk, repository: Repository) -> None:
    command = ControlCommand(id="c", account="paper", action=CONTROL_ACTION_HALT, issued_by="ada", issued_time=4)
    plan = ExecutionPlan(algorithm=ALGORITHM_TWAP, duration=60, interval=5, participation=100_000)
    letter = DeadLetter(topic="bars", key="S\0", reason="bad", payload=b"\0\xff", consumer="features")
    desk.write(
        ("control", ControlMessage(tick=ClockTick(step=1))),
        ("control", ControlMessage(command=command)),
        ("risk", RiskState(account="paper", drawdown=0.25, rejections={"b": 2, "a": 1})),
        ("intents", OrderIntent(id="i", strategy="t", account="paper", symbol="SPY", target_quantity=-5)),
        ("intents", OrderIntent(id="j", strategy="t", account="paper", symbol="SPY", decision_time=1, plan=plan)),
        ("events", Event(id="e", symbol="*", impact=-0.5)),
        ("bars.dead", letter),
        ("bars", Bar(symbol="SPY", interval="1m", event_time=9, close=1)),
        ("bars", Bar(symbol="SPY", interval="1m", event_time=9, close=2, trade_count=0)),
    )
    assert desk.refusals == []
    [control], [risk] = desk.rows("control_commands"), desk.rows("risk_states")
    assert (control["action"], control["issued_by"], control["bus_offset"]) == ("HALT", "ada", 1)
    assert (risk["drawdown"], risk["rejections"]) == (0.25, '{"a": 1, "b": 2}')
    [intent, sliced], [event], [dead] = desk.rows("intents"), desk.rows("news_events"), desk.rows("dead_letters")
    assert (intent["algorithm"], sliced["algorithm"], sliced["duration_ns"]) == ("", "TWAP", 60)
    assert [(i.id, i.algorithm) for i in repository.intents("paper", "t")] == [("i", ""), ("j", "TWAP")]
    assert (intent["target_quantity_e9"], event["impact"]) == (-5, -0.5)
    assert (dead["topic"], dead["key"], dead["payload"], dead["dead_topic"]) == ("bars", "S\\0", b"\0\xff", "bars.dead")
    [bar] = desk.rows("bars")
    assert (bar["close_e8"], bar["vwap_e8"], bar["trade_count"]) == (2, None, 0)
    assert desk.store.next_offset("control") == 2
    counts = repository.counts()
    assert (counts["bars"], counts["dead_letters"], counts["fills"], repository.recorded_offset("bars")) == (1, 1, 0, 2)


changes = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 1)), max_size=8)


# Each example has databases of its own.
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_redelivery_leaves_the_same_tables(address: Callable[[], str], data: st.DataObject) -> None:
    messages: list[tuple[str, Message]] = []
    for number, (sequence, price) in enumerate(data.draw(changes)):
        messages += [("orders", order(1 + sequence, sequence)), books(number, number)]
        messages.append(("fills", fill(execution_id=str(number % 3), price=price)))
    with opened(address()) as straight, opened(address()) as bumpy:
        straight.write(*messages)
        records = [bumpy.record(*message) for message in messages]
        done = 0
        for stop in [*sorted(data.draw(st.lists(st.integers(0, len(records)), max_size=4))), len(records)]:
            begin = data.draw(st.integers(0, done))  # the bus goes back, never forward
            bumpy.write_records(records[begin:stop])
            done = stop
            if data.draw(st.booleans()):
                bumpy.reopen()
        for table in ("orders", "order_events", "fills", "position_snapshots"):
            assert straight.rows(table) == bumpy.rows(table)
        assert straight.reasons() == bumpy.reasons()


def test_rows_and_offsets_are_written_together_or_not_at_all(desk: Desk) -> None:
    def interrupt(_refusal: Refusal) -> None:
        raise KeyboardInterrupt

    records = [desk.record("fills", fill()), desk.record("fills", fill(execution_id=""))]
    with pytest.raises(KeyboardInterrupt):
        desk.store.write(records, interrupt)
    assert desk.rows("fills") == []
    assert desk.store.next_offset("fills") == 0
    desk.reopen()
    assert desk.store.next_offset("fills") == 0
    assert desk.write_records(records) == 2
    assert len(desk.rows("fills")) == 1


def test_a_database_records_one_bus(desk: Desk) -> None:
    with pytest.raises(
        RecorderError, match=r"records another bus \(file:one, not file:two\): give this bus a database"
    ):
        Store(desk.sql, "file:two")


def test_tables_of_another_version_are_refused(desk: Desk) -> None:
    desk.run(f"UPDATE store SET version = {SCHEMA_VERSION + 1}")
    with pytest.raises(RecorderError, match=f"of version {SCHEMA_VERSION + 1}, this recorder writes {SCHEMA_VERSION}:"):
        Store(desk.sql, BUS)


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("nonsense", "sql: the address of the database cannot be used"),
        ("nonsense://x", "sql: the address of the database cannot be used"),
        ("sqlite:////nowhere/at/all.db", "database sqlite:////nowhere/at/all.db cannot be used: unable to open"),
    ],
)
def test_databases_that_cannot_be_used_are_named(sql: str, message: str) -> None:
    with pytest.raises(RecorderError, match=message) as caught:
        Store(sql, BUS)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "diary").write_text("dear diary, " * 100)
    with pytest.raises(RecorderError, match="cannot be used: file is not a database"):
        Store(f"sqlite:///{tmp_path / 'diary'}", BUS)


def test_reading_a_record_that_is_not_there_does_not_make_it(tmp_path: Path) -> None:
    with pytest.raises(RecorderError, match="does not exist: start the recorder first"):
        Repository(f"sqlite:///{tmp_path / 'none.db'}")
    assert not (tmp_path / "none.db").exists()
