"""Attempts to get an order past the risk gate: every kind of message, every field, every public door."""

from __future__ import annotations

import inspect
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.native.test_engine_native import CONFIG, DOLLAR, LIMITS, SHARE, START
from tradewind.native.engine import Engine
from tradewind.native.executor import Executor

SUBMIT, REPLACE = 1, 5  # RequestKind
RESUME = 2  # ControlKind

# Whatever Python can give to a running engine. A new door has to be added here, and to the attempts below.
DOORS = {"push_bar", "push_intent", "push_control", "push_time", "push_estimates", "push_session", "reconfigure"}
STEERING = {"start", "stop", "extend_lease", "wait_idle", "wait_stream"}
READING = {"drain", "ready", "decision_hash", "stats", "latencies", "offsets", "positions"}

symbols = st.sampled_from(["IBM", "ZZZ", ""])
small = st.integers(0, 20)
money = st.integers(-(10**12), 10**14)
texts = st.sampled_from(["", "long", "short", "engine", "kill", "RiskPolicy/demo"])
intents = st.fixed_dictionaries(
    {
        "id": st.integers(0, 10**9).map(str),
        "strategy": st.sampled_from(["long", "short", "other"]),
        "symbol": symbols,
        "target": st.integers(-100, 100).map(lambda n: n * SHARE),
        "decision_time": st.just(START),
        "valid_until": st.just(START + 10**15),
        "order_type": small,
        "time_in_force": small,
        "limit_price": money,
        "champion": st.booleans(),
        "gates_passed": st.booleans(),
    }
)
controls = st.fixed_dictionaries({"kind": small, "issued_by": texts, "reason": texts, "flatten": st.booleans()}).filter(
    lambda c: c["kind"] != RESUME or not c["issued_by"]
)  # a named person may release the switch
orders = st.fixed_dictionaries(
    {
        "client_order_id": st.sampled_from(["", "x", "tw-0", "tw-1"]),
        "broker_order_id": texts,
        "symbol": symbols,
        "side": st.integers(0, 2),
        "state": st.integers(0, 12),
        "quantity": st.integers(0, 100).map(lambda n: n * SHARE),
        "filled": st.integers(0, 100).map(lambda n: n * SHARE),
        "filled_avg_price": st.just(100 * DOLLAR),
    }
)
# A position that the broker says we hold is nothing to the books until it has come as a fill of an order of ours.
events = st.fixed_dictionaries(
    {"kind": small, "request_id": small, "order": orders, "position": st.just(0), "equity": money, "cash": money}
)
bars = st.fixed_dictionaries(
    {"symbol": symbols, "event_time": small.map(lambda n: START + n)}
    | dict.fromkeys(("open", "high", "low", "close"), st.sampled_from([100 * DOLLAR, 0, 120 * DOLLAR]))
    | {"volume": small, "context": st.booleans(), "volatility_index": st.sampled_from([0, 10 * DOLLAR, 40 * DOLLAR])}
)
estimates = st.fixed_dictionaries(
    {"symbol": symbols, "time": small, "group": symbols, "first": st.booleans(), "last": st.booleans()}
    | {"returns": st.lists(st.integers(-(10**6), 10**6), max_size=64)}
)
sessions = st.fixed_dictionaries({"open": small, "close": small, "next_open": small.map(lambda n: START + n)})
messages = st.one_of(
    *(
        st.tuples(st.just(kind), body)
        for kind, body in (
            ("intent", intents),
            ("control", controls),
            ("broker", events),
            ("bar", bars),
            ("estimate", estimates),
            ("session", sessions),
            ("time", st.just({})),
        )
    )
)
attempts = settings(max_examples=100)


def connected(config: dict[str, Any]) -> Engine:
    engine = Engine(config | {"max_orders": 64, "max_intents": 256})
    price = 100 * DOLLAR
    start: list[tuple[Any, dict[str, Any]]] = [
        ("broker", {"kind": 12}),
        ("broker", {"kind": 15, "cash": 10**6 * DOLLAR, "equity": 10**6 * DOLLAR, "buying_power": 10**6 * DOLLAR}),
        ("broker", {"kind": 17}),
        ("bar", {"symbol": "IBM", "event_time": START - 1} | dict.fromkeys(("open", "high", "low", "close"), price)),
    ]
    for kind, body in start:
        engine.step({"input": kind, "now": START, "body": body})
    return engine


def sent(engine: Engine, attempts: list[tuple[Any, dict[str, Any]]]) -> list[dict[str, Any]]:
    found = []
    for n, (kind, body) in enumerate(attempts):
        out = engine.step({"input": kind, "now": START + n, "body": body})
        found += [r for r in out["requests"] if r["kind"] in (SUBMIT, REPLACE)]
        flush = engine.step({"input": "control", "now": START + n, "body": {"kind": 4}})
        found += [r for r in flush["requests"] if r["kind"] in (SUBMIT, REPLACE)]
    return found


@attempts
@given(st.lists(messages, min_size=5, max_size=40))
def test_nothing_passes_a_latched_switch(tries: list[tuple[Any, dict[str, Any]]]) -> None:
    engine = connected(dict(CONFIG))
    engine.step({"input": "control", "now": START, "body": {"kind": 1, "issued_by": "ada", "reason": "test"}})
    assert sent(engine, tries) == []
    assert engine.kill_switch


@attempts
@given(st.lists(messages, min_size=5, max_size=40))
def test_nothing_passes_a_restricted_symbol(tries: list[tuple[Any, dict[str, Any]]]) -> None:
    restricted = CONFIG | {"symbols": [{"symbol": "IBM", "restricted": True}]}
    assert sent(connected(dict(restricted)), tries) == []


@attempts
@given(st.lists(messages, min_size=5, max_size=40))
def test_no_order_is_larger_than_one_may_be(tries: list[tuple[Any, dict[str, Any]]]) -> None:
    limited = CONFIG | {"limits": LIMITS | {"max_order_notional": "900", "max_orders_per_minute": None}}
    assert all(r["quantity"] <= 9 * SHARE for r in sent(connected(dict(limited)), tries))


def test_the_attempts_do_send_where_nothing_forbids_it() -> None:
    intent = {"strategy": "long", "symbol": "IBM", "target": 5 * SHARE, "order_type": 1, "time_in_force": 1}
    attempt = ("intent", intent | {"id": "1", "decision_time": START, "valid_until": START + 10})
    assert len(sent(connected(dict(CONFIG)), [attempt])) == 1


def test_every_public_door_is_known() -> None:
    public = {name for name, _ in inspect.getmembers(Executor, inspect.isfunction) if not name.startswith("_")}
    assert public == DOORS | STEERING | READING
    for door in DOORS:
        parameters = inspect.signature(getattr(Executor, door)).parameters
        assert not {p for p in parameters if any(word in p for word in ("bypass", "skip", "reduce_only", "origin"))}
