"""The executor as Python sees it, against a broker made of http.server and websockets on this machine."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from tradewind.bus import open_bus
from tradewind.execution.executor.config import EstimateRules
from tradewind.execution.executor.estimates import RiskEstimates
from tradewind.execution.executor.intake import Intake
from tradewind.execution.executor.sessions import ExchangeCalendar
from tradewind.execution.executor.volatility import VolatilityIndex
from tradewind.native.algorithms import Algorithm, ExecutionPlan
from tradewind.native.engine import limit_names
from tradewind.native.executor import Executor, ExecutorError
from tradewind.v1 import market_pb2, trading_pb2

T0 = 1_700_000_000 * 10**9
SHARE, DOLLAR = 10**9, 10**8


class Broker:
    """Fills every market order at once, at 101 dollars; remembers what it was asked."""

    def __init__(self) -> None:
        self.posts: list[dict[str, Any]] = []
        self.orders: dict[str, dict[str, Any]] = {}
        broker = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def reply(self, status: int, body: Any) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def do_GET(self) -> None:
                if self.headers["APCA-API-KEY-ID"] != "key":
                    return self.reply(401, {"message": "unauthorized."})
                if self.path == "/v2/account":
                    return self.reply(200, {"cash": "1000000", "equity": "1000000", "buying_power": "4000000"})
                if self.path == "/v2/positions":
                    held = sum(int(o["qty"]) * (1 if o["side"] == "buy" else -1) for o in broker.orders.values())
                    row = {"symbol": "AAPL", "qty": str(held), "side": "long", "avg_entry_price": "101"}
                    return self.reply(200, [row] if held else [])
                return self.reply(200, list(broker.orders.values()))

            def do_POST(self) -> None:
                order = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                broker.posts.append(order)
                number = f"b-{len(broker.posts)}"
                filled = {"id": number, "status": "filled", "filled_qty": order["qty"], "filled_avg_price": "101"}
                broker.orders[order["client_order_id"]] = order | filled | {"submitted_at": "2023-11-14T22:13:20Z"}
                self.reply(200, broker.orders[order["client_order_id"]])

            def log_message(self, *_: Any) -> None: ...

        self.rest = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.stream = serve(self.listen, "127.0.0.1", 0)
        self.threads = [
            threading.Thread(target=self.rest.serve_forever, args=(0.01,)),
            threading.Thread(target=self.stream.serve_forever),
        ]
        for thread in self.threads:
            thread.start()

    def listen(self, connection: ServerConnection) -> None:
        connection.recv()
        connection.send(b'{"stream":"authorization","data":{"status":"authorized"}}')
        connection.recv()
        connection.send(b'{"stream":"listening","data":{"streams":["trade_updates"],"event_id":3}}')
        with suppress(ConnectionClosed):
            connection.recv()  # until the executor goes

    def close(self) -> None:
        self.stream.shutdown()
        self.rest.shutdown()
        self.rest.server_close()
        for thread in self.threads:
            thread.join()

    def config(self, journal: Path) -> dict[str, Any]:
        limits: dict[str, Any] = dict.fromkeys(limit_names())
        limits |= {"drawdown_reduce_factor": 0.75, "drawdown_halve_factor": 0.5, "volatility_reduce_factor": 0.5}
        limits |= {"assumed_volatility": 0.5, "market_order_buffer_pct": 0.04, "allow_short": True}
        symbols, strategies = [{"symbol": "AAPL"}], [{"uid": "trend"}]
        rest, stream = self.rest.server_address[1], self.stream.socket.getsockname()[1]
        urls = {"url": f"http://127.0.0.1:{rest}", "stream_url": f"ws://127.0.0.1:{stream}/stream"}
        return {
            "engine": {"account": "paper", "symbols": symbols, "strategies": strategies, "limits": limits},
            "journal": {"directory": str(journal)},
            "broker": urls | {"key_id": "key", "secret": "hush-hush", "requests_per_minute": 0, "timeout_ms": 30_000},
            "threads": {"clock": "virtual"},
        }


@pytest.fixture
def broker() -> Iterator[Broker]:
    made = Broker()
    yield made
    made.close()


def push(executor: Executor, offset: int, shares: int) -> None:
    at = T0 + offset * 10**9
    price = 100 * DOLLAR
    executor.push_bar("AAPL", at, price, price, price, price, 1_000, now=at, offset=offset)
    times = {"decision_time": at, "valid_until": at + 10**9, "now": at}
    names = {"id": f"intent-{offset}", "strategy": "trend", "symbol": "AAPL"}
    executor.push_intent(**names, **times, target=shares * SHARE, offset=offset, flush=True)  # type: ignore[arg-type]
    assert executor.wait_idle(60)


def test_an_intent_comes_back_as_records_with_exact_amounts(broker: Broker, tmp_path: Path) -> None:
    with Executor(broker.config(tmp_path)) as executor:
        assert executor.ready()
        push(executor, 0, 10)
        records = executor.drain(0)
        fills = [row for row in records if row["record"] == "fill"]
        verdicts = [row for row in records if row["record"] == "verdict"]
        positions = {row["strategy"]: row["quantity"] for row in executor.positions()}
    assert [(order["symbol"], order["qty"], order["side"]) for order in broker.posts] == [("AAPL", "10", "buy")]
    assert [(row["quantity"], row["price"], row["strategy"]) for row in fills] == [(10 * SHARE, 101 * DOLLAR, "trend")]
    assert [(row["accepted"], row["intent"], row["decision_time"]) for row in verdicts] == [(True, "intent-0", T0)]
    assert positions == {"": 10 * SHARE, "trend": 10 * SHARE}
    assert [row["sequence"] for row in records] == sorted(row["sequence"] for row in records)


def test_a_restart_repeats_nothing_and_continues_its_offsets(broker: Broker, tmp_path: Path) -> None:
    with Executor(broker.config(tmp_path)) as executor:
        push(executor, 0, 10)
        push(executor, 1, 4)
        taken = executor.drain(0)[-1]["sequence"]
        decided = executor.decision_hash()
    del executor
    again = Executor(broker.config(tmp_path))
    assert again.offsets() == {"bars": 2, "intents": 2, "control": 0}
    with again:
        assert again.decision_hash() == decided
        push(again, 1, 4)
        assert again.decision_hash() == decided
        assert again.stats()["broken_invariant"] == ""
        assert all(row["sequence"] > taken for row in again.drain(taken))
        assert [row["quantity"] for row in again.drain(0) if row["record"] == "fill"] == [10 * SHARE, 6 * SHARE]
    assert [(order["side"], order["qty"]) for order in broker.posts] == [("buy", "10"), ("sell", "6")]


def test_an_algorithm_spreads_an_order_over_time(broker: Broker, tmp_path: Path) -> None:
    second = 10**9
    with Executor(broker.config(tmp_path)) as executor:
        price = 100 * DOLLAR
        executor.push_bar("AAPL", T0, price, price, price, price, 1_000, now=T0, offset=0)
        executor.push_intent(
            id="intent",
            strategy="trend",
            symbol="AAPL",
            target=100 * SHARE,
            decision_time=T0,
            valid_until=T0 + 60 * second,
            plan=ExecutionPlan(Algorithm.TWAP, duration=4 * second, interval=second),
            now=T0,
            flush=True,
        )
        for step in range(1, 8):
            assert executor.wait_idle(60)
            executor.push_time(T0 + step * second // 2)
        assert executor.wait_idle(60)
    assert [order["qty"] for order in broker.posts] == ["25", "25", "25", "25"]


def test_an_intent_of_the_bus_is_worked_as_its_plan_says(broker: Broker, tmp_path: Path) -> None:
    minute = 60 * 10**9
    plan = trading_pb2.ExecutionPlan(
        algorithm=trading_pb2.ALGORITHM_PARTICIPATION, duration=2 * minute, interval=minute, participation=100_000
    )
    intent = trading_pb2.OrderIntent(
        id="intent",
        strategy="trend",
        account="paper",
        symbol="AAPL",
        target_quantity=150 * SHARE,
        decision_time=T0,
        valid_until=T0 + 60 * minute,
        order_type=trading_pb2.ORDER_TYPE_MARKET,
        time_in_force=trading_pb2.TIME_IN_FORCE_DAY,
        urgency=0.5,
        plan=plan,
    )
    price = 100 * DOLLAR
    with Executor(broker.config(tmp_path)) as executor, open_bus(f"file://{tmp_path}/bus") as bus:
        estimates = RiskEstimates(executor, ["AAPL"], EstimateRules())
        buried: list[str] = []
        calendar = ExchangeCalendar("24/7")
        volatility = VolatilityIndex(bus, None)
        intake = Intake(
            executor, "paper", volatility, estimates, calendar, lambda *record: buried.append(record[-1]), wall=False
        )
        for step in range(5):
            at = T0 + step * minute
            intake.advance(at)
            bar = market_pb2.Bar(
                symbol="AAPL", event_time=at, volume=700, open=price, high=price, low=price, close=price
            )
            intake.bar(bar, step)
            intake.time_passed()
            assert executor.wait_idle(60)
            if step == 0:
                intake.intent(intent, 0)
                intake.flush()
                assert executor.wait_idle(60)
    assert buried == []
    # A tenth of the volume since the intent: nothing at first, then 70 a minute.
    assert [order["qty"] for order in broker.posts] == ["70", "70", "10"]


def test_an_algorithm_that_nobody_knows_is_refused(broker: Broker, tmp_path: Path) -> None:
    with Executor(broker.config(tmp_path)) as executor:
        executor.push_intent(
            id="intent",
            strategy="trend",
            symbol="AAPL",
            target=SHARE,
            decision_time=T0,
            valid_until=T0,
            plan=ExecutionPlan(257),  # TWAP, were it cut to a byte
            now=T0,
            flush=True,
        )
        assert executor.wait_idle(60)
        assert [row["code"] for row in executor.drain(0) if row["record"] == "verdict"] == ["INTENT_INVALID"]


def test_the_stream_is_covered_up_to_where_it_began(broker: Broker, tmp_path: Path) -> None:
    with Executor(broker.config(tmp_path)) as executor:
        assert executor.wait_stream(3, 60)
        assert not executor.wait_stream(4, 0.02)


def test_latencies_count_the_orders_that_left(broker: Broker, tmp_path: Path) -> None:
    with Executor(broker.config(tmp_path)) as executor:
        for i in range(5):
            push(executor, i, i % 2)
        hops = executor.latencies()
    sent = len(broker.posts)
    assert hops["total"]["count"] == hops["write"]["count"] == hops["encode"]["count"] == sent == 4
    assert hops["wait"]["count"] == 0
    assert hops["total"]["p50"] <= hops["total"]["p99"] <= hops["total"]["max"]
    assert hops["write"]["max"] <= hops["total"]["max"]


def test_wrong_keys_end_in_one_line_without_the_secret(broker: Broker, tmp_path: Path) -> None:
    config = broker.config(tmp_path)
    config["broker"]["key_id"] = "stranger"
    with pytest.raises(ExecutorError) as refused:
        Executor(config).start()
    expected = f"the broker at {config['broker']['url']} refused the credentials (401): "
    assert str(refused.value) == expected + "check APCA_API_KEY_ID and APCA_API_SECRET_KEY"


def test_a_broker_that_is_not_there_is_named(broker: Broker, tmp_path: Path) -> None:
    config = broker.config(tmp_path)
    config["broker"]["url"] = "http://127.0.0.1:9"
    with pytest.raises(ExecutorError, match=r"^cannot reach the broker at http://127\.0\.0\.1:9: .*refused$"):
        Executor(config).start()


@pytest.mark.parametrize(
    ("section", "key", "value", "named"),
    [
        ("broker", "retries", 3, "broker.retries"),
        ("broker", "connections", 99, "broker.connections"),
        ("broker", "url", "http://paper-api.alpaca.markets", "broker.url"),
        ("broker", "secret", None, "broker.secret"),
        ("journal", "sync", "sometimes", "journal.sync"),
        ("threads", "clock", "sundial", "threads.clock"),
        ("engine", "colour", "red", "colour"),
    ],
)
def test_a_wrong_setting_is_named(
    broker: Broker, tmp_path: Path, section: str, key: str, value: Any, named: str
) -> None:
    config = broker.config(tmp_path)
    config[section][key] = value
    with pytest.raises(ExecutorError) as refused:
        Executor(config)
    assert named in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "hush-hush" not in str(refused.value)


def test_a_text_that_is_too_long_is_named(broker: Broker, tmp_path: Path) -> None:
    executor = Executor(broker.config(tmp_path))
    with pytest.raises(ValueError, match="symbol: longer than 16 bytes"):
        executor.push_bar("A" * 17, T0, 1, 1, 1, 1, 1, now=T0)


def test_a_second_writer_of_a_journal_is_refused(broker: Broker, tmp_path: Path) -> None:
    with Executor(broker.config(tmp_path)), pytest.raises(ExecutorError, match="journal"):
        Executor(broker.config(tmp_path))


def test_a_new_limit_holds_from_the_next_intent_and_a_wrong_one_changes_nothing(broker: Broker, tmp_path: Path) -> None:
    config = broker.config(tmp_path)
    with Executor(config) as executor:
        push(executor, 0, 10)
        engine = config["engine"]
        with pytest.raises(ExecutorError, match="max_order_notional"):
            executor.reconfigure(engine | {"limits": engine["limits"] | {"max_order_notional": "a lot"}})
        push(executor, 1, 20)
        executor.reconfigure(engine | {"limits": engine["limits"] | {"max_order_notional": "500"}})
        push(executor, 2, 30)
        denied = [row["code"] for row in executor.drain(0) if row["record"] == "verdict" and not row["accepted"]]
    assert denied == ["MAX_ORDER_NOTIONAL"]
    assert [order["qty"] for order in broker.posts] == ["10", "10"]
