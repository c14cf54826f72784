"""The gate against a plain model of its limits in Decimal and float, over random accounts: same code, both sides."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.native.test_engine_native import CONFIG, DOLLAR, LIMITS, SHARE, START, Session
from tradewind.native.engine import Engine, limit_names
from tradewind.trading.risk_measures import annual_volatility, historical_value_at_risk, normal_value_at_risk

EQUITY = 100_000
OFF: dict[str, Any] = dict.fromkeys(limit_names()) | {
    "drawdown_reduce_factor": 0.75,
    "drawdown_halve_factor": 0.5,
    "volatility_reduce_factor": 0.5,
    "adverse_move_sigmas": 2.0,
    "assumed_volatility": 0.5,
    "market_order_buffer_pct": 0.0,
    "reentry_step": 0.25,
    "allow_short": True,
}
OWNER = {"strategies": [{"uid": "long", "capital_share": None}]}
SMALL = {"max_orders": 64, "max_intents": 64}  # tables that are made in no time
SYMBOLS = ("AAA", "BBB", "CCC")
positions = st.lists(st.integers(-300, 300), min_size=3, max_size=3)
shares = st.integers(-300, 300).filter(bool)  # an order of nothing is no order


def account(limits: dict[str, Any], held: list[int], prices: list[int], returns: np.ndarray[Any, Any] | None) -> Engine:
    """An engine that holds `held` shares, has 100,000 dollars, and an estimate per symbol if there are returns."""
    config = CONFIG | {"symbols": [{"symbol": s} for s in SYMBOLS], "limits": OFF | limits, **SMALL, **OWNER}
    engine = Engine(config)

    def feed(kind: Any, /, **body: Any) -> dict[str, Any]:
        return dict(engine.step({"input": kind, "now": START, "body": body}))

    cash = EQUITY - sum(q * p for q, p in zip(held, prices, strict=True))
    # The broker says what the journal must hold; positions come in as fills of one order each.
    feed("broker", kind=12)
    feed("broker", kind=15, cash=EQUITY * DOLLAR, equity=EQUITY * DOLLAR, buying_power=4 * EQUITY * DOLLAR)
    feed("broker", kind=17)
    for symbol, price in zip(SYMBOLS, prices, strict=True):
        p = price * DOLLAR
        feed("bar", symbol=symbol, event_time=START, open=p, high=p, low=p, close=p, volume=1)
    engine.reconfigure(config | {"limits": OFF})
    for symbol, quantity, price in zip(SYMBOLS, held, prices, strict=True):
        intent = {"strategy": "long", "symbol": symbol, "target": quantity * SHARE, "order_type": 1, "time_in_force": 1}
        feed("intent", id=symbol, decision_time=START, valid_until=START, **intent)
        for request in feed("control", kind=4)["requests"]:
            view = Session.view(request, 6, request["quantity"], price * DOLLAR)
            feed("broker", kind=1, request_id=request["request_id"], order=view)
    engine.reconfigure(config)
    if returns is not None:
        for i, symbol in enumerate(SYMBOLS):
            row = {"symbol": symbol, "time": START, "first": i == 0, "last": i == 2}
            feed("estimate", returns=[int(r) for r in returns[:, i]], **row)
    assert engine.check_invariants() == ""
    assert engine.account()["cash"] == cash * DOLLAR
    return engine


def reduces(held: int, quantity: int) -> bool:
    return held * quantity < 0 and abs(quantity) <= abs(held)


quick = settings(max_examples=50)


@quick
@given(positions, st.lists(st.integers(1, 400), min_size=3, max_size=3), shares, st.integers(0, 60_000))
def test_position_notional(held: list[int], prices: list[int], quantity: int, most: int) -> None:
    engine = account({"max_position_notional": str(most)}, held, prices, None)
    largest = max(abs(held[0]), abs(held[0] + quantity)) * prices[0]
    denied = not reduces(held[0], quantity) and largest > most
    answer = engine.check_order("AAA", quantity * SHARE)
    assert answer["code"] == ("MAX_POSITION_NOTIONAL" if denied else "OK")
    if denied:
        assert (answer["value"], answer["limit"]) == (largest * DOLLAR, most * DOLLAR)


@quick
@given(positions, st.lists(st.integers(1, 400), min_size=3, max_size=3), shares, st.integers(1, 30))
def test_turnover(held: list[int], prices: list[int], quantity: int, tenths: int) -> None:
    engine = account({"max_turnover_pct": tenths / 10}, held, prices, None)
    traded = sum(abs(q) * p for q, p in zip(held, prices, strict=True))
    denied = traded + abs(quantity) * prices[0] > Decimal(tenths) * EQUITY / 10
    assert engine.check_order("AAA", quantity * SHARE)["code"] == ("TURNOVER_PER_DAY" if denied else "OK")


@quick
@given(
    positions,
    st.lists(st.integers(1, 400), min_size=3, max_size=3),
    shares,
    st.integers(0, 10**6),
    st.sampled_from(["trade_risk_pct", "max_value_at_risk_pct", "max_volatility_pct"]),
    st.floats(0.001, 1.0),
)
def test_what_goes_by_estimates(
    held: list[int], prices: list[int], quantity: int, seed: int, limit: str, ratio: float
) -> None:
    returns = np.random.default_rng(seed).integers(-60_000, 60_000, size=(63, 3))
    ratio = round(ratio, 6)
    engine = account({limit: ratio}, held, prices, returns)
    moves = returns / 2**20

    def figures(first: int) -> dict[str, float]:
        gains = moves @ (np.array([first, *held[1:]]) * np.array(prices)) / EQUITY
        move = 2 * math.sqrt(float(np.mean(np.square(moves[:, 0]))))
        return {
            "trade_risk_pct": max(abs(first), abs(held[0])) * prices[0] * move / EQUITY,
            "max_value_at_risk_pct": max(historical_value_at_risk(gains), normal_value_at_risk(gains)),
            "max_volatility_pct": annual_volatility(gains),
        }

    now, then = figures(held[0])[limit], figures(held[0] + quantity)[limit]
    code = engine.check_order("AAA", quantity * SHARE)["code"]
    if reduces(held[0], quantity):
        assert code == "OK"
    elif abs(then - ratio) > 1e-4 * ratio + 1e-6 and (limit == "trade_risk_pct" or abs(then - now) > 1e-6):
        worse = limit == "trade_risk_pct" or then > now
        assert (code != "OK") == (then > ratio and worse)


def test_every_limit_has_a_default_in_the_tests_configuration() -> None:
    assert set(limit_names()) <= set(LIMITS)
    assert len(limit_names()) > 35


@pytest.mark.parametrize("symbol", ["AAA", "NOPE"])
def test_asking_the_gate_changes_nothing(symbol: str) -> None:
    engine = account({}, [10, 0, 0], [100, 100, 100], None)
    before = (engine.state_hash, engine.decision_hash, engine.counts())
    answer = engine.check_order(symbol, SHARE)
    assert answer["code"] == ("OK" if symbol == "AAA" else "UNKNOWN_SYMBOL")
    assert (engine.state_hash, engine.decision_hash, engine.counts()) == before
