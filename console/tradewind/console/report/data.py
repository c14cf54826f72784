"""Everything a report shows, read and checked beforehand. Core."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tradewind.trading.transaction_costs import CostSummary

MONEY = 10**8
QUANTITY = 10**9


@dataclass(frozen=True)
class EquityPoint:
    """The account after one bar. Money 1e-8."""

    time: int
    equity: int
    gross: int
    net: int


@dataclass(frozen=True)
class FillPoint:
    """One execution's part of one strategy. Quantity is signed (1e-9), price and fee 1e-8.

    `slippage` (1e-8) is what the price cost against the bar's open; 0 for what was crossed inside the account.
    """

    time: int
    symbol: str
    strategy: str
    quantity: int
    price: int
    fee: int
    internal: bool
    slippage: int = 0


@dataclass(frozen=True)
class PricePoint:
    """A bar's close, 1e-8."""

    time: int
    close: int


@dataclass(frozen=True)
class HopLatency:
    """Latency of one hop, microseconds."""

    hop: str
    count: int
    p50: float
    p99: float
    p999: float


@dataclass(frozen=True)
class Gate:
    """One promotion gate of a model."""

    model: str
    name: str
    verdict: str
    value: float | None
    threshold: float
    comparison: str


@dataclass(frozen=True)
class RunData:
    """One run, as the record has it."""

    run: str
    title: str
    strategies: list[str]
    starting_equity: int
    equity: list[EquityPoint]
    fills: list[FillPoint]
    prices: dict[str, list[PricePoint]]
    benchmark: list[tuple[int, float]]  # time, growth of 1 of buy-and-hold
    rejections: dict[str, int]
    latencies: list[HopLatency]
    gates: list[Gate]
    counts: dict[str, int]
    decision_hash: str
    venue_agrees: bool
    disagreements: list[str]
    events: list[tuple[int, str]]  # time, headline
    model: dict[str, str] = field(default_factory=dict)
    provenance: list[str] = field(default_factory=list)
    costs: list[CostSummary] = field(default_factory=list)  # a row per execution algorithm
    parents: list[dict[str, Any]] = field(default_factory=list)  # a row per parent order
