"""Kafka goes away under an executor that holds a position: its orders, and the kill switch, do without."""

from __future__ import annotations

import json
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

from tests.chaos.rig import ACCOUNT, DOLLAR, Process, Rig
from tests.kafka.broker import Broker
from tradewind.console.commands.audit import check as verify_audit
from tradewind.v1 import trading_pb2

AWAY_S = 30  # longer than the executor waits for an answer, and than Kafka takes the executor for living
AT_ONCE_S = 10  # as against the fifteen seconds that a call to Kafka takes to give up


def change(executor: Process, generation: int, **switch: Any) -> None:
    """What the follower does with a changed policy."""
    config = json.loads(executor.config.read_text())
    config["policy_generation"] = config["engine"]["policy_generation"] = generation
    config["kill_switch"] = switch
    written = executor.config.with_suffix(".new")
    written.write_text(json.dumps(config))
    written.replace(executor.config)


def told(rig: Rig) -> Counter[tuple[str, int]]:
    """By order, how often each of its final states stands on the bus."""
    ends = (trading_pb2.ORDER_STATE_FILLED, trading_pb2.ORDER_STATE_CANCELED, trading_pb2.ORDER_STATE_REJECTED)
    messages: list[Any] = [record.message for record in rig.bus.read("orders")]
    return Counter((m.client_order_id, m.state) for m in messages if m.client_order_id and m.state in ends)


def prices_taken(rig: Rig) -> None:
    """Kafka promises no order between topics: an intent may come before the bar that has its price."""
    taken = lambda: rig.bus.committed(f"executor-{ACCOUNT}", "bars") == rig.bus.end_offset("bars")  # noqa: E731
    rig.until("the executor has the prices", taken)


def test_the_kill_switch_closes_what_is_held_while_kafka_is_away(tmp_path: Path) -> None:
    (kafka := tmp_path / "kafka").mkdir()
    with Broker(kafka) as broker, Rig(tmp_path, bus=f"kafka://{broker.bootstrap}") as rig:
        executor = rig.executor()
        executor.start()
        prices_taken(rig)
        price = 95 * DOLLAR
        intents = {
            rig.want("AAPL", 10),
            rig.want("MSFT", 7, order_type=trading_pb2.ORDER_TYPE_LIMIT, limit_price=price),
        }
        rig.until("both orders", lambda: len(rig.venue_orders()) == 2)
        rig.until("the first fill, told", lambda: len(told(rig)) == 1)

        broker.send(signal.SIGKILL)
        broker.wait()
        died = time.monotonic()
        rows = [{"symbol": "MSFT", "bid_price": 94 * DOLLAR, "ask_price": 94 * DOLLAR, "time": time.time_ns()}]
        rig.ask("POST", "/sim/quotes", {"quotes": rows})
        rig.until("a fill that nobody can be told of", lambda: len(list(rig.records("fill"))) == 2)
        time.sleep(1)  # the executor is telling it
        change(executor, 2, engaged=True, flatten=True)
        flat = lambda: [rig.venue_position(symbol) for symbol in rig.symbols] == [0, 0]  # noqa: E731
        rig.until("flat", flat, AT_ONCE_S)
        time.sleep(max(0.0, died + AWAY_S - time.monotonic()))
        assert executor.ended is None
        change(executor, 3, engaged=False, released_by="ada")
        rig.until("released", lambda: any(r["issued_by"] == "ada" for r in rig.records("kill")), AT_ONCE_S)

        broker.spawn()
        broker.await_ready()
        rig.until("everything is told", lambda: len(told(rig)) == 4, 120)
        assert executor.ended is None
        rig.quote({"AAPL": 100, "MSFT": 100})
        prices_taken(rig)
        intents.add(rig.want("AAPL", 3))
        rig.until("business as usual", lambda: rig.settled(intents) and len(told(rig)) == 5)
        assert set(told(rig).values()) == {1}, "once"
        assert [rig.venue_position(symbol) for symbol in rig.symbols] == [3, 0]
        assert len(rig.venue_orders()) == 5
        rig.until("what was taken is committed", lambda: rig.bus.committed(f"executor-{ACCOUNT}", "intents") == 3)
        executor.stop()
        verify_audit(rig.folder, rig.bus_url, None, as_json=False)
