"""A broker that answers with 504 or 429: the real executor against the real venue and its faults."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.chaos.rig import SECOND, Rig
from tradewind.execution.venue.times import from_rfc3339
from tradewind.v1 import trading_pb2

ORDERS = {"on": "request", "method": "POST", "path": "/v2/orders", "do": "answer"}


def faults(rig: Rig, *rules: dict[str, Any]) -> None:
    rig.ask("PUT", "/sim/faults", {"seed": 1, "rules": list(rules)})


def breakers(rig: Rig) -> dict[str, str]:
    states = [r.message for r in rig.bus.read("risk") if isinstance(r.message, trading_pb2.RiskState)]
    return dict(states[-1].breakers) if states else {}


def alerts(rig: Rig) -> str:
    links = [r.message for r in rig.bus.read("audit") if isinstance(r.message, trading_pb2.AuditRecord)]
    return "\n".join(json.loads(link.payload)["text"] for link in links if link.kind == "SYSTEM_ALERT")


def test_a_broker_that_takes_no_orders_is_asked_for_none_until_a_trial_succeeds(tmp_path: Path) -> None:
    with Rig(tmp_path, limits={"breaker": {"failures": 3, "pause": "10s"}}) as rig:
        executor = rig.executor()
        executor.start()
        held = rig.want("MSFT", 10)
        rig.until("a position", lambda: rig.settled({held}))
        faults(rig, {**ORDERS, "status": 504})
        lost = rig.want("AAPL", 5)
        rig.until("the open breaker", lambda: "fail one after the other" in alerts(rig))
        rig.until("the end of the order", lambda: rig.settled({held, lost}))
        assert rig.ask("GET", "/sim/faults")["rules"][0]["struck"] == 3
        last = [r for r in rig.records("order") if r["symbol"] == "AAPL"][-1]
        assert (last["code"], rig.venue_position("AAPL")) == ("BROKER_FAILING", 0)
        faults(rig)
        refused = rig.want("AAPL", 6)
        rig.until("a verdict", lambda: refused in rig.verdicts())
        assert rig.verdicts()[refused]["code"] == "BROKER_FAILING"
        rig.until("the trial", lambda: "the broker answers again" in alerts(rig))
        taken = rig.want("AAPL", 7)
        rig.until("an order", lambda: rig.settled({taken}))
        assert rig.venue_position("AAPL") == 7
        rig.bars({"AAPL": 100, "MSFT": 100})
        rig.until("the state on the bus", lambda: breakers(rig).get("broker_rest") == "closed")
        assert breakers(rig) == dict.fromkeys(("broker_rest", "broker_stream", "market_data", "estimates"), "closed")
        executor.stop()


def test_after_a_rate_limit_orders_wait_as_long_as_the_broker_says(tmp_path: Path) -> None:
    with Rig(tmp_path) as rig:
        executor = rig.executor()
        executor.start()
        first = rig.want("MSFT", 1)
        rig.until("trading", lambda: rig.settled({first}))
        faults(rig, {**ORDERS, "status": 429, "headers": {"Retry-After": "3"}, "count": 1})
        rig.want("AAPL", 5)
        rig.until("the refusal", lambda: rig.ask("GET", "/sim/faults")["rules"][0]["struck"] == 1)
        others = {rig.want("MSFT", 2)}
        rig.until("the orders", lambda: rig.settled(others) and rig.venue_position("AAPL") == 5)
        rows = {row["symbol"]: row for row in rig.venue_orders()}
        decided = {
            r["symbol"]: r["time"] for r in rig.records("order") if r["state"] == trading_pb2.ORDER_STATE_SUBMITTED
        }
        refused_at = decided["AAPL"]
        for symbol in ("AAPL", "MSFT"):
            assert from_rfc3339(rows[symbol]["submitted_at"]) - refused_at >= 3 * SECOND
        executor.stop()
