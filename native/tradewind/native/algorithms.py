"""Core: execution algorithms as the engine runs them: how much of an order may be out at which time.

Quantities are int64 at 1e-9, prices int64 at 1e-8, times and durations ns; urgency, participation and jitter are ppm.
`docs/algorithms.md` has the formulas.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from tradewind.native import _core

PPM: Final = 1_000_000

MarketTape = _core.algorithms.MarketTape


class Algorithm(IntEnum):
    """The numbers of tradewind.v1.Algorithm and of the engine."""

    NONE = 0
    TWAP = 1
    VWAP = 2
    IMPLEMENTATION_SHORTFALL = 3
    PARTICIPATION = 4
    ADAPTIVE = 5
    SMART = 6


@dataclass(frozen=True)
class ExecutionPlan:
    """An algorithm and its parameters, as an intent carries them.

    duration, interval: the window and the time from slice to slice, ns. urgency: ppm of what a slice left unfilled that
    the next makes up for. participation: ppm of the market's volume, 0 = no limit. jitter: ppm of the interval by which
    a slice may be late. risk_rate: Almgren and Chriss' kappa-tilde squared, 1e-6 per day squared.
    """

    algorithm: int  # a number of Algorithm; another one is refused by the engine
    duration: int = 0
    interval: int = 0
    urgency: int = PPM // 2
    participation: int = 0
    jitter: int = 0
    risk_rate: int = 0


class Schedule:
    """How much of one order may be out. Raises ValueError, one line, for a plan that makes no sense."""

    def __init__(
        self,
        plan: ExecutionPlan,
        total: int,
        start: int,
        tape: MarketTape,
        *,
        increment: int = 10**9,
        seed: str = "",
    ) -> None:
        self._native = _core.algorithms.Schedule(
            plan.algorithm,
            total,
            increment,
            start,
            plan.duration,
            plan.interval,
            plan.urgency,
            plan.participation,
            plan.jitter,
            plan.risk_rate,
            seed,
            tape,
        )

    def advance(self, now: int, executed: int, tape: MarketTape) -> bool:
        """Plans the slices that have begun by `now`, given what was executed; False when there were none."""
        return self._native.advance(now, executed, tape)

    def resize(self, total: int) -> None:
        """Another total for the same window."""
        self._native.resize(total)

    def begin(self, slice_: int) -> int:
        """When a slice begins, ns."""
        return self._native.begin(slice_)

    @property
    def slices(self) -> int:
        """Slices in the window."""
        return self._native.slices

    @property
    def released(self) -> int:
        """What may be executed by now, of the total."""
        return self._native.released

    @property
    def total(self) -> int:
        """The whole order."""
        return self._native.total


def almgren_chriss_rate(
    risk_aversion: float, daily_volatility: float, temporary: float, permanent: float, interval: int
) -> int:
    """kappa-tilde squared of Almgren and Chriss (2000, equation 16), in 1e-6 per day squared.

    risk_aversion: per unit of currency. daily_volatility: of returns. temporary: share of the price paid per unit of
    currency traded per day. permanent: share of the price by which a unit of currency traded moves it. interval: ns.
    Raises ValueError when there is no such schedule.
    """
    rate = _core.algorithms.almgren_chriss_rate(risk_aversion, daily_volatility, temporary, permanent, interval)
    if rate is None:
        raise ValueError(
            "impact: every figure must be at least 0, and temporary above permanent times half the interval"
        )
    return rate


def smart_route(quantity: int, urgency: int, tape: MarketTape) -> tuple[Algorithm, int]:
    """What smart routing chooses: the algorithm and the order type (1 market, 2 limit). `quantity` is positive."""
    algorithm, order_type = _core.algorithms.smart_route(quantity, urgency, tape)
    return Algorithm(algorithm), order_type


def vwap_target(observed: int, before: int, this_slice: int, after: int) -> float | None:
    """Share of the total due by the end of the slice that begins; None when the curve knows nothing of the window.

    observed: volume since the start. before, this_slice, after: what the curve expected until now, expects of the slice
    and of the rest.
    """
    numerator, denominator = _core.algorithms.vwap_target(observed, before, this_slice, after)
    return numerator / denominator if denominator else None
