"""An executor that follows no clock's ticks: the real process, the simulated venue, the file bus."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.integration.probing import probe
from tradewind.bus import Bus, open_bus, ports
from tradewind.planning.local import Replay, Site, plan, venue_ca
from tradewind.specs import RiskPolicy, Strategy, parse_documents
from tradewind.streaming.feed.config import VenueConfig
from tradewind.streaming.feed.venue import Venue
from tradewind.v1.market_pb2 import Bar
from tradewind.v1.trading_pb2 import ORDER_STATE_FILLED, ORDER_TYPE_MARKET, TIME_IN_FORCE_DAY, OrderIntent

MINUTE = 60 * 10**9
# Monday 3 June 2024, 15:00 UTC: in the middle of a session.
START = 1_717_426_800 * 10**9
SHARE, DOLLAR = 10**9, 10**8
PATIENCE_S = 60.0
DOCUMENTS = """\
apiVersion: tradewind.dev/v1alpha1
kind: Strategy
metadata: {name: turns}
spec: {riskPolicy: paper, universe: {symbols: [AAPL]}, bars: 1m, execution: {orderType: Market}}
---
apiVersion: tradewind.dev/v1alpha1
kind: RiskPolicy
metadata: {name: paper}
spec:
  strategies: [turns]
  limits:
    exposure: {shortShareOfGross: 1.0}
    position: {maxShare: 0.5}
    volatility: {indexFeature: none}
"""


class Desk:
    """A venue and an executor that follows the bus as records come."""

    def __init__(self, bus: Bus, venue: Venue, probes: dict[str, int], venue_process: subprocess.Popen[str]) -> None:
        self.venue_process = venue_process
        self.bus = bus
        self.probes = probes
        self._venue = venue

    def bar(self, minute: int) -> None:
        """The venue trades what rests at 100 dollars, then everybody hears of the bar."""
        now = START + minute * MINUTE
        bar = Bar(
            symbol="AAPL", interval="1m", open_time=now - MINUTE, event_time=now, available_time=now,
            open=100 * DOLLAR, high=100 * DOLLAR, low=100 * DOLLAR, close=100 * DOLLAR, volume=1_000_000,
        )  # fmt: skip
        self._venue.advance(now, [bar], False)
        self.bus.publish("bars", "AAPL", bar)

    def want(self, minute: int, shares: int, name: str = "") -> None:
        now = START + minute * MINUTE
        intent = OrderIntent(
            id=name or f"intent-{minute}", account="paper", strategy="strategy/default/turns", symbol="AAPL",
            target_quantity=shares * SHARE, decision_time=now, valid_until=now + 60 * MINUTE,
            order_type=ORDER_TYPE_MARKET, time_in_force=TIME_IN_FORCE_DAY, reference_price=100 * DOLLAR,
            model="m", model_version="1", model_alias="candidate",
        )  # fmt: skip
        self.bus.publish("intents", "AAPL", intent)

    def told(self) -> list[Any]:
        """Every record of an order or of a refusal, as they came."""
        return [record.message for record in self.bus.read("orders")]

    def orders(self) -> list[Any]:
        """The latest record of each order, in the order they were sent."""
        return list({m.client_order_id: m for m in self.told() if m.client_order_id}.values())

    def refused(self) -> int:
        """How many intents were refused."""
        return sum(not m.client_order_id and bool(m.code) for m in self.told())

    def wait_for(self, what: Callable[[], bool], why: str) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not what():
            assert time.monotonic() < deadline, f"{why}; orders and refusals: {self.told()}"
            time.sleep(0.02)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setenv("APCA_API_KEY_ID", "AKTEST")
    monkeypatch.setenv("APCA_API_SECRET_KEY", "not-a-real-secret")
    documents = parse_documents(DOCUMENTS, "desk.yaml")
    strategies = [d for d in documents if isinstance(d, Strategy)]
    policies = [d for d in documents if isinstance(d, RiskPolicy)]
    site = Site(
        state_dir=str(tmp_path), bus=f"file://{tmp_path}/bus.db", venue_port=0, predictor_port=0, broker_url="",
        default_features={}, replay=Replay("unused", START - MINUTE, None, 1.0), base_dir=str(tmp_path), run="desk",
    )  # fmt: skip
    planned = {w.name: w for w in plan(strategies, policies, site)}
    with ExitStack() as stack:
        bus = stack.enter_context(open_bus(site.bus))
        probes = {"venue": ports.reserve(), "executor": ports.reserve()}
        config = planned["venue"].config | {"probes_port": probes["venue"]}
        ready, process = _start(stack, tmp_path, "venue", planned["venue"].module, config)
        url = str(ready["url"])
        config = planned["executor-paper"].config
        config = config | {
            "broker": config["broker"] | {"url": url, "ca_file": venue_ca(site)},
            "probes_port": probes["executor"],
        }
        _start(stack, tmp_path, "executor", planned["executor-paper"].module, config)
        venue = Venue(VenueConfig(url=url, ca_file=Path(str(venue_ca(site)))), 10.0, lambda: False)
        stack.callback(venue.close)
        yield Desk(bus, venue, probes, process)


def _start(
    stack: ExitStack, directory: Path, name: str, module: str, config: dict[str, Any]
) -> tuple[dict[str, Any], subprocess.Popen[str]]:
    path = directory / f"{name}.json"
    path.write_text(json.dumps(config))
    log = stack.enter_context((directory / f"{name}.log").open("w"))
    process = subprocess.Popen(
        [sys.executable, "-m", module, "--config", str(path)], stdout=subprocess.PIPE, stderr=log, text=True,
        env=dict(os.environ),
    )  # fmt: skip

    def end() -> None:
        process.terminate()
        process.wait(PATIENCE_S)
        assert process.stdout is not None
        process.stdout.close()

    stack.callback(end)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (directory / f"{name}.log").read_text()
    return json.loads(line), process


def test_a_position_changes_sides_without_waiting_for_the_next_record(desk: Desk) -> None:
    desk.bar(0)
    desk.want(0, 10)
    desk.wait_for(lambda: len(desk.orders()) == 1, "the entry was not sent")
    desk.bar(1)
    desk.wait_for(lambda: desk.orders()[0].state == ORDER_STATE_FILLED, "the entry has not filled")
    desk.want(1, -10)
    desk.wait_for(lambda: len(desk.orders()) == 2, "the closing leg was not sent")
    desk.bar(2)
    # Nothing more comes over the bus: the closing leg's fill alone must send what opens the other side.
    desk.wait_for(lambda: len(desk.orders()) == 3, "the opening leg waits for a record that does not come")
    closing, opening = desk.orders()[1:]
    assert closing.state == ORDER_STATE_FILLED
    assert (closing.quantity, opening.quantity) == (10 * SHARE, 10 * SHARE)
    assert opening.side == closing.side


def test_each_intent_that_a_working_order_serves_is_told_of(desk: Desk) -> None:
    desk.bar(0)
    desk.want(0, 10, "first")
    desk.wait_for(lambda: len(desk.orders()) == 1, "the entry was not sent")
    for name in ("second", "third"):  # before the order changes; the third takes it over from the second
        desk.want(0, 10, name)
        desk.wait_for(lambda: name in {i for m in desk.told() for i in m.intent_ids}, f"nobody is told of the {name}")  # noqa: B023
    (order,) = desk.orders()
    served = {m.intent_ids[0]: m for m in desk.told() if not m.client_order_id}
    assert set(served) == {"second", "third"}
    assert all(order.client_order_id in m.message and not m.code for m in served.values())
    desk.bar(1)
    desk.wait_for(lambda: desk.orders()[0].state == ORDER_STATE_FILLED, "the entry has not filled")
    assert list(desk.orders()[0].intent_ids) == ["third"]


def test_executor_and_venue_tell_how_they_are(desk: Desk) -> None:
    desk.bar(0)
    desk.want(0, 10)
    desk.wait_for(lambda: len(desk.orders()) == 1, "the entry was not sent")
    desk.bar(1)
    desk.wait_for(lambda: desk.orders()[0].state == ORDER_STATE_FILLED, "the entry has not filled")
    desk.want(1, 10**6)  # more than the account can carry
    desk.wait_for(lambda: desk.refused() == 1, "the second intent was not refused")
    for port in desk.probes.values():
        assert probe(port, "/livez") == probe(port, "/readyz") == (200, "ok\n")
    executor = probe(desk.probes["executor"], "/metrics")[1]
    for line in (
        'tradewind_executor_intents_total{account="paper"} 2.0',
        'tradewind_executor_orders_total{account="paper"} 1.0',
        'tradewind_executor_rejected_total{account="paper"} 1.0',
        'tradewind_executor_connected{account="paper"} 1.0',
        'tradewind_executor_kill_switch{account="paper"} 0.0',
        'tradewind_executor_breaker{account="paper",dependency="broker_stream"} 0.0',
        'tradewind_executor_total_seconds_count{account="paper"} 1.0',
        'tradewind_bus_records_read_total{topic="intents"} 2.0',
    ):
        assert line in executor, executor
    assert 'tradewind_executor_rejections_total{account="paper",code="' in executor
    assert 'tradewind_executor_total_seconds{account="paper",quantile="0.99"} ' in executor
    venue = probe(desk.probes["venue"], "/metrics")[1]
    assert 'tradewind_venue_requests_total{method="POST",status="200"} ' in venue


def test_an_executor_without_its_broker_is_alive_and_not_ready(desk: Desk, tmp_path: Path) -> None:
    desk.venue_process.terminate()
    desk.wait_for(lambda: probe(desk.probes["executor"], "/readyz")[0] == 503, "it is ready without its broker")
    said = probe(desk.probes["executor"], "/readyz")[1]
    url = json.loads((tmp_path / "executor.json").read_text())["broker"]["url"]
    assert said == f"broker: {url} is not connected\n"
    assert probe(desk.probes["executor"], "/livez") == (200, "ok\n")
