"""Which type of order goes with which time in force, class of asset, fraction and hours: all of them, by table."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from tests.unit.execution.venue_bench import Bench, opened
from tradewind.execution.venue.rejections import Rejection

TIFS = ("day", "gtc", "opg", "cls", "ioc", "fok")
PRICES: dict[str, dict[str, Any]] = {
    "market": {},
    "limit": {"limit_price": 90},
    "stop": {"stop_price": 110},
    "stop_limit": {"stop_price": 110, "limit_price": 111},
    "trailing_stop": {"trail_percent": 5},
}
# Rows are types, columns times in force in the order above: y is taken.
SHARES = {"market": "yyyyyy", "limit": "yyyyyy", "stop": "yy..yy", "stop_limit": "yy..yy", "trailing_stop": "yy...."}
PAIRS = {"market": ".y..y.", "limit": ".y..y.", "stop": "......", "stop_limit": ".y..y.", "trailing_stop": "......"}
FRACTIONS = {"market": "y.....", "limit": "y.....", "stop": "y.....", "stop_limit": "y.....", "trailing_stop": "......"}
EXTENDED = {"market": "......", "limit": "yy....", "stop": "......", "stop_limit": "......", "trailing_stop": "......"}
CASES: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "shares": (SHARES, {}),
    "pairs": (PAIRS, {"symbol": "BTC/USD"}),
    "fractions": (FRACTIONS, {"qty": "1.5"}),
    "extended hours": (EXTENDED, {"extended_hours": True}),
}


@pytest.fixture
def bench() -> Bench:
    bench = opened()
    bench.step(bench.bar("BTC/USD"))
    return bench


@pytest.mark.parametrize(
    ("case", "kind", "tif"), [pytest.param(*row, id=" ".join(row)) for row in itertools.product(CASES, PRICES, TIFS)]
)
def test_a_combination_is_taken_or_refused(bench: Bench, case: str, kind: str, tif: str) -> None:
    table, more = CASES[case]
    body = {"type": kind, "time_in_force": tif, **PRICES[kind], **more}
    if table[kind][TIFS.index(tif)] == "y":
        assert bench.send(**body)["type"] == kind
        return
    with pytest.raises(Rejection) as refused:
        bench.send(**body)
    assert (refused.value.status, refused.value.code) == (422, 42210000)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ({"type": "stop"}, 40010001, "stop orders require a stop price"),
        ({"type": "stop", "stop_price": 90, "limit_price": 89}, 40010001, "stop orders require no limit price"),
        ({"type": "stop_limit", "stop_price": 90}, 40010001, "stop limit orders require both stop and limit price"),
        ({"type": "stop_limit", "limit_price": 90}, 40010001, "stop limit orders require both stop and limit price"),
        (
            {"type": "trailing_stop"},
            40010001,
            "trailing stop orders must specify one of trail_price or trail_percent",
        ),
        (
            {"type": "trailing_stop", "trail_price": 1, "trail_percent": 1},
            40010001,
            "trailing stop orders must specify one of trail_price or trail_percent",
        ),
        (
            {"type": "trailing_stop", "trail_price": 1, "stop_price": 1},
            40010001,
            "trailing stop orders require no stop or limit price",
        ),
        ({"type": "trailing_stop", "trail_percent": 100}, 40010001, "trail percent must be < 100"),
        ({"type": "market", "trail_price": 1}, 40010001, "market orders must not have trail_price"),
        ({"type": "stop", "stop_price": 90, "trail_percent": 1}, 40010001, "stop orders must not have trail_percent"),
        ({"type": "limit", "limit_price": 9, "stop_price": 8}, 40010001, "limit orders require no stop price"),
        ({"type": "stop", "stop_price": 0}, 40010001, "stop price must be > 0"),
        (
            {"type": "stop", "stop_price": "90.001"},
            42210000,
            "invalid stop_price 90.001. sub-penny increment does not fulfill minimum pricing criteria",
        ),
        (
            {"type": "stop", "stop_price": 9, "time_in_force": "opg"},
            42210000,
            "opg orders must be market or limit orders",
        ),
        (
            {"type": "trailing_stop", "trail_price": 1, "time_in_force": "ioc"},
            42210000,
            "trailing stop orders must be DAY or GTC orders",
        ),
        (
            {"type": "trailing_stop", "trail_price": 1, "qty": "1.5"},
            42210000,
            "fractional orders must be market, limit, stop, or stop_limit orders",
        ),
        (
            {"type": "limit", "limit_price": 9, "qty": None, "notional": 5},
            42210000,
            "notional orders must be market orders",
        ),
    ],
)
def test_why_it_is_refused(bench: Bench, body: dict[str, Any], code: int, message: str) -> None:
    with pytest.raises(Rejection) as refused:
        bench.send(**body)
    assert (refused.value.code, refused.value.message) == (code, message)
