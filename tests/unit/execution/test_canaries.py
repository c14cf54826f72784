"""What a live account takes of a challenger, and what its executor then tells of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from tests.unit.native.test_link_executor import DOLLAR, SHARE, T0, Broker
from tradewind.execution.executor.config import EstimateRules
from tradewind.execution.executor.estimates import RiskEstimates
from tradewind.execution.executor.intake import Intake
from tradewind.execution.executor.metrics import ExecutorMetrics
from tradewind.execution.executor.sessions import ExchangeCalendar
from tradewind.native.engine import reject_codes
from tradewind.native.executor import Executor
from tradewind.operators.follow.gauges import read
from tradewind.operators.plan.noted import ERRORS, Figures
from tradewind.v1 import trading_pb2

PRICE = 100 * DOLLAR


class NoIndex:
    def before(self, time: int) -> int:
        return 0


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[Executor]:
    broker = Broker()
    config: dict[str, Any] = broker.config(tmp_path)
    config["engine"] = {**config["engine"], "mode": "live"}
    try:
        with Executor(config) as running:
            running.push_bar("AAPL", T0, PRICE, PRICE, PRICE, PRICE, 1_000, now=T0)
            yield running
    finally:
        broker.close()


def decided(executor: Executor, canaries: dict[str, str], number: int, **fields: Any) -> str:
    """The engine's code for an intent of `trend`, whose model is a challenger in version 7."""
    estimates, calendar = RiskEstimates(executor, ["AAPL"], EstimateRules()), ExchangeCalendar("XNYS")
    bury = lambda *letter: pytest.fail(str(letter))  # noqa: E731
    intake = Intake(executor, "paper", NoIndex(), estimates, calendar, bury, wall=False, canaries=canaries)  # type: ignore[arg-type]
    intake._time = T0
    usual: dict[str, Any] = {"model": "m", "model_alias": "challenger", "model_version": "7", "gates_passed": True}
    usual |= {"account": "paper", "strategy": "trend", "symbol": "AAPL", "target_quantity": number * SHARE}
    usual |= {"decision_time": T0, "valid_until": T0 + 10**9, "order_type": 1, "time_in_force": 1}
    intake.intent(trading_pb2.OrderIntent(id=f"intent-{number}", **{**usual, **fields}), -1)
    intake.flush()
    assert executor.wait_idle(10)
    found = [r for r in executor.drain(0) if r["record"] == "verdict" and r["intent"] == f"intent-{number}"]
    return str(found[-1]["code"])


def test_a_live_account_takes_a_challenger_only_as_the_canary_that_its_policy_names(executor: Executor) -> None:
    named = {"trend": "7"}
    assert decided(executor, {}, 1) == "MODEL_NOT_CHAMPION"
    assert decided(executor, {"other": "7"}, 2) == "MODEL_NOT_CHAMPION"
    assert decided(executor, {"trend": "8"}, 3) == "MODEL_NOT_CHAMPION"
    assert decided(executor, {"trend": ""}, 4, model_version="") == "MODEL_NOT_CHAMPION"
    assert decided(executor, named, 5, gates_passed=False) == "MODEL_NOT_CHAMPION"
    assert decided(executor, named, 6, model_alias="candidate") == "MODEL_NOT_CHAMPION"
    assert decided(executor, named, 7) == "OK"
    assert decided(executor, {}, 8, model_alias="champion") == "OK"


def test_what_became_of_its_decisions_reaches_the_follower(executor: Executor) -> None:
    registry = CollectorRegistry()
    ExecutorMetrics("paper", executor, registry)
    configuration = {"canaries": {"trend": "7"}, "engine": {"strategies": [{"uid": "trend", "capital_share": 0.001}]}}

    def figures() -> dict[str, Figures]:
        return read(generate_latest(registry).decode()).canaries(configuration)

    assert figures() == {"trend": Figures()}
    decided(executor, {"trend": "7"}, 1)
    assert figures() == {"trend": Figures(trades=1, intents=1)}
    decided(executor, {"trend": "7"}, 2, valid_until=T0 - 1)  # late: its own fault
    decided(executor, {}, 3)  # not named any more: not its fault
    assert figures() == {"trend": Figures(trades=1, intents=3, errors=1)}
    # Bought at 101, one share is worth 20 less than that of a capital of a thousandth of a million.
    fallen = 81 * DOLLAR
    executor.push_bar("AAPL", T0 + 1, fallen, fallen, fallen, fallen, 1_000, now=T0 + 1)
    assert executor.wait_idle(10)
    assert figures() == {"trend": Figures(trades=1, intents=3, errors=1, loss=2)}
    # What it doesn't trade as is nobody's to tell, and a silent executor tells nothing.
    assert read(generate_latest(registry).decode()).canaries({**configuration, "canaries": {"uid.v7": "7"}}) == {}
    assert read("").canaries(configuration) == {}
    assert json.loads(Figures(trades=1).model_dump_json()) == {"trades": 1, "intents": 0, "errors": 0, "loss": 0}


def test_errors_are_codes_that_there_are() -> None:
    assert set(reject_codes()) >= ERRORS
