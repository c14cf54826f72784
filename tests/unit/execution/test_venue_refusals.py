"""Refusals carry Alpaca's status, code and message, and change nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.unit.execution.venue_bench import Bench, opened
from tradewind.execution.venue import core, queries
from tradewind.execution.venue.market import Asset
from tradewind.execution.venue.rejections import Rejection


@pytest.fixture
def bench() -> Bench:
    return opened()


@pytest.mark.parametrize(
    ("body", "status", "code", "message"),
    [
        ({"symbol": None}, 422, 40010001, "symbol is required"),
        ({"symbol": "NOPE"}, 422, 42210000, 'asset "NOPE" not found'),
        ({"qty": None}, 422, 40010001, "qty or notional is required"),
        ({"notional": 5}, 422, 40010001, "only one of qty or notional is accepted"),
        ({"qty": 0}, 422, 40010001, "qty must be > 0"),
        ({"qty": -1}, 422, 40010001, "qty must be > 0"),
        ({"qty": "ten"}, 422, 40010001, "invalid qty: not a number"),
        ({"qty": "NaN"}, 422, 40010001, "invalid qty: not a number of usable size"),
        ({"qty": "0.0000000001"}, 422, 40010001, "invalid qty: more than 9 decimals"),
        ({"side": "hold"}, 422, 40010001, "invalid side"),
        ({"type": "iceberg"}, 422, 40010001, "invalid order type"),
        ({"time_in_force": "week"}, 422, 40010001, "invalid time_in_force"),
        ({"type": "limit"}, 422, 40010001, "limit orders require a limit price"),
        ({"limit_price": 90, "type": "market"}, 422, 40010001, "market orders require no stop or limit price"),
        ({"stop_price": 90}, 422, 40010001, "market orders require no stop or limit price"),
        ({"type": "limit", "limit_price": 0}, 422, 40010001, "limit price must be > 0"),
        (
            {"type": "limit", "limit_price": Decimal("90.123")},
            422,
            42210000,
            "invalid limit_price 90.123. sub-penny increment does not fulfill minimum pricing criteria",
        ),
        ({"client_order_id": "x" * 129}, 422, 40010001, "client_order_id must be no more than 128 characters"),
        ({"client_order_id": "used"}, 422, 40010001, "client_order_id must be unique"),
        ({"extended_hours": True}, 422, 42210000, "extended hours order must be DAY or GTC limit orders"),
        ({"qty": "1.5", "time_in_force": "gtc"}, 422, 42210000, "fractional orders must be DAY orders"),
        ({"qty": "0.001"}, 403, 40310000, "cost basis must be >= minimal amount of order 1"),
        ({"qty": "1.5", "side": "sell"}, 422, 42210000, "fractional orders cannot be sold short"),
        (
            {"qty": None, "notional": "1.001"},
            422,
            42210000,
            "notional value must be limited to 2 decimal places",
        ),
        ({"position_intent": "sell_to_close"}, 422, 42210000,
         "position intent mismatch, inferred: buy_to_open, specified: sell_to_close"),
        ({"order_class": "mleg"}, 422, 42210000,
         "order class mleg is not simulated by this venue: it trades no options"),
        ({"order_class": "basket"}, 422, 40010001, "invalid order_class"),
        ({"symbol": "IDX"}, 422, 42210000, 'asset "IDX" is not tradable'),
        ({"symbol": "NEW"}, 422, 42210000, 'asset "NEW" has no market price yet'),
    ],
)  # fmt: skip
def test_refusals_speak_alpacas_language(
    bench: Bench, body: dict[str, Any], status: int, code: int, message: str
) -> None:
    core.cancel(bench.state, bench.send(client_order_id="used")["id"], bench.now)
    bench.step({**bench.bar("IDX"), "context": True})
    bench.state.add_asset(Asset("NEW"))
    before = queries.sim_state(bench.state)
    with pytest.raises(Rejection) as refused:
        bench.send(**{"type": None, **body} if "type" not in body and "limit_price" in body else body)
    assert (refused.value.status, refused.value.code, refused.value.message) == (status, code, message)
    assert queries.sim_state(bench.state) == before
