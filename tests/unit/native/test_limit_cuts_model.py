"""Cuts of positions that prices take past a limit, against a plain model in whole numbers: the same orders, or none."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.native.test_engine_native import DOLLAR, SHARE, START, SUBMIT
from tests.unit.native.test_risk_gate_model import EQUITY, SYMBOLS, account, positions, quick

MILLION = 1_000_000
prices = st.lists(st.integers(20, 400), min_size=3, max_size=3)
ratios = st.none() | st.integers(10_000, 900_000)


def allowed(ratio: int, equity: int) -> int:
    return equity * ratio // MILLION


def kept(
    held: list[int], marks: list[int], equity: int, tolerance: int, limits: dict[str, int | None]
) -> dict[str, int]:
    """What is left of each position, in raw quantities: from the narrow limit to the wide ones."""
    left = [quantity * SHARE for quantity in held]

    def value(i: int) -> int:
        return abs(left[i]) * marks[i] * DOLLAR // SHARE

    def scale(chosen: list[int], limit: int, amount: int, worth: int, bears: int) -> None:
        if amount > 0 and amount * MILLION > limit * (MILLION + tolerance):
            for i in chosen:
                left[i] = (1 if left[i] > 0 else -1) * (abs(left[i]) * bears // worth)

    every = [0, 1, 2]
    if (ratio := limits["position"]) is not None:
        for i in every:
            scale([i], allowed(ratio, equity), value(i), value(i), allowed(ratio, equity))
    if (ratio := limits["net"]) is not None:
        longs = sum(value(i) for i in every if left[i] > 0)
        shorts = sum(value(i) for i in every if left[i] < 0)
        side = [i for i in every if (left[i] > 0) == (longs > shorts) and left[i]]
        limit = allowed(ratio, equity)
        scale(side, limit, abs(longs - shorts), max(longs, shorts), min(longs, shorts) + limit)
    if (ratio := limits["gross"]) is not None:
        gross = sum(value(i) for i in every)
        scale(every, allowed(ratio, equity), gross, gross, allowed(ratio, equity))
    return dict(zip(SYMBOLS, left, strict=True))


@quick
@given(positions, prices, prices, st.integers(0, 500_000), st.tuples(ratios, ratios, ratios))
def test_a_cut_brings_each_position_to_what_the_limits_leave(
    held: list[int], bought_at: list[int], marks: list[int], tolerance: int, most: tuple[int | None, ...]
) -> None:
    limits = dict(zip(("position", "net", "gross"), most, strict=True))
    names = {"position": "max_position_pct", "net": "max_net_exposure_pct", "gross": "max_gross_exposure_pct"}
    given_limits: dict[str, Any] = {names[k]: None if v is None else v / MILLION for k, v in limits.items()}
    engine = account({"cut_tolerance_pct": tolerance / MILLION, **given_limits}, held, bought_at, None)
    equity = EQUITY * DOLLAR + sum(
        q * (now - then) * DOLLAR for q, now, then in zip(held, marks, bought_at, strict=True)
    )
    for symbol, price in zip(SYMBOLS, marks, strict=True):
        p = price * DOLLAR
        bar = {"symbol": symbol, "event_time": START + 1, "open": p, "high": p, "low": p, "close": p, "volume": 1}
        engine.step({"input": "bar", "now": START + 1, "body": bar})
    requests = engine.step({"input": "time", "now": START + 2})["requests"]
    signs = {1: 1, 2: -1}
    ordered = {r["symbol"]: signs[r["side"]] * r["quantity"] for r in requests if r["kind"] == SUBMIT}
    expected = {}
    if equity > 0:
        for i, (symbol, left) in enumerate(kept(held, marks, equity, tolerance, limits).items()):
            whole = -(-(abs(held[i]) * SHARE - abs(left)) // SHARE) * SHARE  # rounded up: the limit holds afterwards
            if whole:
                expected[symbol] = -whole if held[i] > 0 else whole
    assert ordered == expected
    assert engine.check_invariants() == ""
