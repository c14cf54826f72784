"""The slow loop: from bars to the rows that the risk gate goes by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tradewind.bus import Bus, Outgoing, open_bus
from tradewind.execution.executor.config import EstimateRules
from tradewind.execution.executor.estimates import RiskEstimates
from tradewind.native.executor import EstimateRow, Executor
from tradewind.v1 import market_pb2

DAY = 86_400 * 10**9
CLOSE = 21 * 3600 * 10**9  # 16:00 in New York, winter
RULES = EstimateRules(days=10, min_days=4, pair_correlation=0.8)


class Sink(Executor):
    """Keeps what it is given; no engine is behind it."""

    def __init__(self) -> None:
        self.sets: list[tuple[list[EstimateRow], int]] = []

    def push_estimates(self, rows: object, time: int, *, now: int | None = None) -> None:
        self.sets.append((list(rows), time))  # type: ignore[call-overload]


def bar(symbol: str, day: int, close: float, at: int = CLOSE) -> market_pb2.Bar:
    return market_pb2.Bar(symbol=symbol, event_time=day * DAY + at, close=round(close * 1e8))


def loop(sink: Sink | None = None) -> RiskEstimates:
    return RiskEstimates(sink or Sink(), ["MSFT", "AAPL"], RULES)


def prices(seed: int, days: int) -> list[float]:
    return list(100 * np.cumprod(1 + np.random.default_rng(seed).normal(0, 0.01, days)))


def test_rows_are_the_returns_of_daily_closes_at_two_to_the_twentieth() -> None:
    estimates = loop()
    closes = prices(1, 8)
    for day, close in enumerate(closes):
        estimates.bar(bar("AAPL", day, close * 1.5, CLOSE - 3600 * 10**9))  # an hour before: not the day's last
        estimates.bar(bar("AAPL", day, close))
    (row,) = estimates.rows()
    assert (row.symbol, row.group) == ("AAPL", "")
    assert np.array(row.returns) / 2**20 == pytest.approx(np.diff(closes) / closes[:-1], abs=1e-6)


def test_only_the_look_back_counts() -> None:
    estimates = loop()
    closes = prices(2, 40)
    for day, close in enumerate(closes):
        estimates.bar(bar("AAPL", day, close))
    (row,) = estimates.rows()
    assert np.array(row.returns) / 2**20 == pytest.approx(np.diff(closes[-11:]) / closes[-11:-1], abs=1e-6)


def test_symbols_that_move_alike_are_one_group_named_by_the_first() -> None:
    estimates = loop()
    for day, close in enumerate(prices(3, 8)):
        estimates.bar(bar("AAPL", day, close))
        estimates.bar(bar("MSFT", day, 2 * close))
    assert [(row.symbol, row.group) for row in estimates.rows()] == [("AAPL", "AAPL"), ("MSFT", "AAPL")]


def test_a_symbol_has_no_row_before_it_has_enough_days() -> None:
    estimates = loop()
    for day in range(4):
        estimates.bar(bar("AAPL", day, 100 + day))
    assert estimates.rows() == []
    estimates.bar(bar("AAPL", 4, 104))
    assert [row.symbol for row in estimates.rows()] == ["AAPL"]


def test_a_set_is_published_once_and_only_when_bars_came() -> None:
    sink = Sink()
    estimates = loop(sink)
    for day in range(6):
        estimates.bar(bar("AAPL", day, 100 + day))
    estimates.publish(None)
    estimates.publish(None)
    assert [time for _, time in sink.sets] == [5 * DAY + CLOSE]
    estimates.bar(bar("TSLA", 6, 1))
    estimates.publish(None)
    assert len(sink.sets) == 1


@pytest.fixture
def bus(tmp_path: Path) -> Bus:
    return open_bus(f"file://{tmp_path}/bus.db")


def test_a_restart_sees_what_the_process_before_it_saw(bus: Bus) -> None:
    before, after = loop(), loop()
    for day, close in enumerate(prices(4, 30)):
        message = bar("AAPL", day, close)
        before.bar(message)
        bus.publish_many([Outgoing("bars", "AAPL", message)])
    after.rebuild(bus, bus.end_offset("bars"))
    assert after.rows() == before.rows() != []
