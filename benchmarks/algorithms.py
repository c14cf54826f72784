"""What each execution algorithm pays: `python -m benchmarks.algorithms` prints JSON lines.

A synthetic stock: minute bars of a random walk (2 % a day) whose volume is U-shaped over the session and noisy; every
third day the market turns twice as lively while the order is worked. Trading moves the price in a straight line: each
minute's fills pay half a spread and `IMPACT` times their share of the minute's volume, and a tenth of that stays. Every
arm works the same orders (0.5 to 2 % of a day's volume) on the same days, with the engine's own schedules, and fills in
the minute after each release. Costs are those of tradewind.trading.transaction_costs, basis points; positive is worse.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tradewind.native.algorithms import (
    PPM,
    Algorithm,
    ExecutionPlan,
    MarketTape,
    Schedule,
    almgren_chriss_rate,
    smart_route,
)
from tradewind.trading.transaction_costs import Bar, Execution, Parent, ParentCost, Tape, parent_cost

MINUTE, DAY, SHARE = 60 * 10**9, 86_400 * 10**9, 10**9
MINUTES = 390
OPEN = 20_000 * DAY + 870 * MINUTE
HISTORY_DAYS = 5
DAY_VOLUME = 4_000_000
PRICE = 50.0
DAILY_VOLATILITY = 0.02
HALF_SPREAD = 1e-4
IMPACT = 0.002  # share of the price paid when all of a minute's volume is ours
LASTING = 0.1  # of that
WINDOW, INTERVAL = 60 * MINUTE, 5 * MINUTE
PARTICIPATION = 150_000  # of the arm `participation`; the others know no limit here
RISK_AVERSION = 1e-5
ARMS = ("at_once", "twap", "vwap", "implementation_shortfall", "participation", "adaptive", "smart")


@dataclass(frozen=True)
class Session:
    """A day without us: relative moves and volumes of its minutes, and those of the days before."""

    moves: list[float]
    volumes: list[int]
    history: list[list[int]]
    start: int  # minute in which the order arrives
    side: int
    shares: int


def session(seed: int) -> Session:
    """The day of one seed: the same for every arm."""
    random = np.random.default_rng(seed)
    middle = (np.arange(MINUTES) - MINUTES / 2) / (MINUTES / 2)
    curve = 1 + 2 * middle**4
    curve *= DAY_VOLUME / curve.sum()

    def volumes() -> list[int]:
        return [int(v) for v in curve * random.gamma(4.0, 0.25, MINUTES)]

    start = int(random.integers(10, MINUTES - 140))
    today = np.array(volumes(), dtype=float)
    noise = random.standard_normal(MINUTES) * DAILY_VOLATILITY / math.sqrt(MINUTES)
    if seed % 3 == 0:  # the market turns lively while the order is worked
        today[start + 20 :] *= 2
        noise[start + 20 :] *= 2
    shares = int(DAY_VOLUME * random.uniform(0.005, 0.02))
    side = 1 if random.random() < 0.5 else -1
    return Session(
        noise.tolist(), [int(v) for v in today], [volumes() for _ in range(HISTORY_DAYS)], start, side, shares
    )


def plan_of(arm: str, own: Session, tape: MarketTape) -> ExecutionPlan | None:
    """The arm's plan; None sends all at once."""
    # The schedule's day has 24 hours, of which the market trades six and a half.
    days = 1440 / MINUTES
    impact = IMPACT / (DAY_VOLUME * PRICE * days)  # share of the price per USD a day
    rate = almgren_chriss_rate(RISK_AVERSION, DAILY_VOLATILITY * math.sqrt(days), impact, 0.0, INTERVAL)
    algorithm = Algorithm.NONE if arm == "at_once" else Algorithm[arm.upper()]
    if algorithm is Algorithm.SMART:
        algorithm, _ = smart_route(own.shares * SHARE, PPM // 2, tape)
    if algorithm is Algorithm.NONE:
        return None
    limit = PARTICIPATION if algorithm is Algorithm.PARTICIPATION else 0
    return ExecutionPlan(algorithm, WINDOW, INTERVAL, participation=limit, risk_rate=rate)


def work(arm: str, own: Session) -> ParentCost:
    """One arm's order on one day."""
    tape = MarketTape()
    for back, volumes in enumerate(own.history):
        day = OPEN - (HISTORY_DAYS - back) * DAY
        for i, volume in enumerate(volumes):
            tape.add(day + (i + 1) * MINUTE, round(PRICE * 1e8), volume)
    price, schedule, done, decision = PRICE, None, 0, PRICE
    bars: list[Bar] = []
    fills: list[Execution] = []
    for i, (move, volume) in enumerate(zip(own.moves, own.volumes, strict=True)):
        now = OPEN + i * MINUTE
        released = 0
        if i == own.start:
            decision = price
            plan = plan_of(arm, own, tape)
            schedule = None if plan is None else Schedule(plan, own.shares * SHARE, now, tape)
        if i >= own.start:
            if schedule is None:
                released = own.shares
            else:
                schedule.advance(now, done * SHARE, tape)
                released = schedule.released // SHARE
        quantity = released - done
        moved = own.side * IMPACT * quantity / volume
        middle = price * (1 + move / 2)
        if quantity:
            fills.append(Execution(now + MINUTE, quantity, middle * (1 + own.side * HALF_SPREAD + moved)))
            done = released
        price *= 1 + move + LASTING * moved
        bars.append(Bar(now + MINUTE, middle, middle, middle, price, volume, middle))
        tape.add(now + MINUTE, round(price * 1e8), volume)
    arrival = OPEN + own.start * MINUTE
    parent = Parent("p", "s", "X", arm, own.side, own.shares, decision, arrival, bars[-1].time, tuple(fills))
    return parent_cost(parent, Tape(bars))


def figures(costs: list[ParentCost]) -> Iterator[tuple[str, float, str]]:
    """Mean and spread of what the arm paid."""
    for name in ("against_arrival", "against_twap", "against_vwap"):
        values = [v for c in costs if (v := getattr(c, name)) is not None]
        yield f"{name}_mean", statistics.fmean(values), "bps"
        yield f"{name}_std", statistics.stdev(values), "bps"
    yield "fill_rate", statistics.fmean(c.fill_rate for c in costs), "share"
    ends = [(c.parent.executions[-1].time - c.parent.arrival) / MINUTE for c in costs if c.parent.executions]
    yield "duration", statistics.fmean(ends), "minutes"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, default=500, help="seeds, one order each")
    days = parser.parse_args().days
    sessions = [session(seed) for seed in range(days)]
    for arm in ARMS:
        costs = [work(arm, own) for own in sessions]
        for metric, value, unit in figures(costs):
            line = {"bench": "algorithms", "arm": arm, "metric": metric, "value": round(value, 3), "unit": unit}
            print(json.dumps(line | {"params": {"days": days}}))


if __name__ == "__main__":
    main()
