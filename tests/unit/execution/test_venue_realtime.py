"""Real time: orders trade against the last quote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.unit.execution.venue_bench import Bench, dollars, opened
from tradewind.execution.venue.market import Quote
from tradewind.execution.venue.rejections import Rejection
from tradewind.execution.venue.session import take_quote


@pytest.fixture
def bench() -> Bench:
    return opened()


@pytest.mark.parametrize(
    ("send", "shown"),
    [
        (lambda bench: bench.send("buy", 5), ("filled", "5", "100.05")),
        (lambda bench: bench.send("sell", 5), ("filled", "5", "99.95")),
        (lambda bench: bench.send("buy", 5, limit_price=101), ("filled", "5", "100.05")),
        (lambda bench: bench.send("buy", 5, limit_price=100), ("new", "0", None)),
        (lambda bench: bench.send("buy", 5, limit_price=100, time_in_force="ioc"), ("canceled", "0", None)),
    ],
)
def test_in_real_time_marketable_orders_trade_at_once(
    send: Callable[[Bench], dict[str, Any]], shown: tuple[str, str, str | None]
) -> None:
    bench = Bench(virtual=False)
    take_quote(bench.state, Quote("AAPL", 1, dollars("99.95"), dollars("100.05"), 100, 100), 1)
    assert bench.shown(send(bench)) == shown


def test_in_real_time_a_quote_reaches_resting_orders() -> None:
    bench = Bench(virtual=False)
    take_quote(bench.state, Quote("AAPL", 1, dollars("99.95"), dollars("100.05"), 100, 100), 1)
    order = bench.send("buy", 5, limit_price=98)
    take_quote(bench.state, Quote("AAPL", 2, dollars("97"), dollars("97.50"), 100, 100), 2)
    assert bench.shown(order) == ("filled", "5", "97.5")
    with pytest.raises(Rejection, match="clock: virtual"):
        bench.step(bench.bar())
