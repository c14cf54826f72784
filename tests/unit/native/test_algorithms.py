"""Execution schedules against their closed forms, and what must hold for every one of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradewind.native.algorithms import (
    PPM,
    Algorithm,
    ExecutionPlan,
    MarketTape,
    Schedule,
    almgren_chriss_rate,
    smart_route,
    vwap_target,
)

SHARE = 10**9
MINUTE = 60 * 10**9
DAY = 86400 * 10**9
START = 19_000 * DAY + 15 * 60 * MINUTE
WORKED = [a for a in Algorithm if a not in (Algorithm.NONE, Algorithm.SMART)]


def plans(algorithms: Sequence[Algorithm] = WORKED) -> st.SearchStrategy[ExecutionPlan]:
    def build(
        algorithm: Algorithm, slices: int, interval: int, urgency: int, participation: int, jitter: int, rate: int
    ) -> ExecutionPlan:
        floor = 1 if algorithm is Algorithm.PARTICIPATION else 0
        return ExecutionPlan(algorithm, slices * interval, interval, urgency, max(participation, floor), jitter, rate)

    return st.builds(
        build,
        st.sampled_from(algorithms),
        st.integers(1, 50),
        st.integers(1, 20 * MINUTE),
        st.integers(0, PPM),
        st.one_of(st.just(0), st.integers(0, PPM)),
        st.integers(0, PPM // 2),
        st.integers(0, 10**12),
    )


def tape_with_history(days: int, volumes: list[int]) -> MarketTape:
    """Bars of ten minutes on the days before START."""
    tape = MarketTape()
    for day in range(days, 0, -1):
        for i, volume in enumerate(volumes):
            tape.add(START - day * DAY + (i + 1) * 10 * MINUTE, 10**10 + i, volume)
    return tape


def filled(plan: ExecutionPlan, total: int, tape: MarketTape, *, increment: int = SHARE) -> list[int]:
    """The slices of an order whose every slice fills."""
    schedule = Schedule(plan, total, START, tape, increment=increment, seed="x")
    slices, done = [], 0
    for i in range(schedule.slices):
        assert schedule.advance(schedule.begin(i), done, tape)
        slices.append(schedule.released - done)
        done = schedule.released
    return slices


def trade_list(rate: float, interval: int, slices: int, total: float) -> list[float]:
    """Almgren and Chriss 2000, equation (18), with kappa from 2 (cosh(kappa tau) - 1) = (kappa-tilde tau)^2."""
    step = math.acosh(1 + rate * 1e-6 * (interval / DAY) ** 2 / 2)
    if step == 0:
        return [total / slices] * slices
    front = 2 * math.sinh(step / 2) / math.sinh(step * slices)
    return [front * math.cosh(step * (slices - j - 0.5)) * total for j in range(slices)]


@given(
    st.integers(1, 40),
    st.integers(MINUTE, 30 * MINUTE),
    st.integers(0, 10**10),
    st.integers(10**6, 2 * 10**8),
)
def test_shortfall_slices_are_the_trade_list_of_the_paper(slices: int, interval: int, rate: int, shares: int) -> None:
    plan = ExecutionPlan(Algorithm.IMPLEMENTATION_SHORTFALL, slices * interval, interval, risk_rate=rate)
    got = filled(plan, shares * SHARE, MarketTape(), increment=1)
    for mine, exact in zip(got, trade_list(rate, interval, slices, shares * SHARE), strict=True):
        assert mine == pytest.approx(exact, rel=1e-6, abs=1e-6 * shares * SHARE / slices)


def test_shortfall_trajectory_is_replanned_into_itself() -> None:
    """Equation (17) is consistent in time: planned anew at slice 7, the rest of the plan is the same."""
    whole = ExecutionPlan(Algorithm.IMPLEMENTATION_SHORTFALL, 20 * MINUTE, MINUTE, risk_rate=3 * 10**10)
    rest = ExecutionPlan(Algorithm.IMPLEMENTATION_SHORTFALL, 13 * MINUTE, MINUTE, risk_rate=3 * 10**10)
    slices = filled(whole, 10**6 * SHARE, MarketTape())
    assert slices[7:] == filled(rest, sum(slices[7:]), MarketTape())
    assert slices[0] > 2 * slices[-1]


@given(st.floats(1e-8, 1e-4), st.floats(0.001, 0.1), st.floats(1e-10, 1e-7), st.floats(0, 1e-10), st.integers(1, DAY))
def test_rate_is_lambda_sigma_squared_over_eta_tilde(
    aversion: float, volatility: float, temporary: float, permanent: float, interval: int
) -> None:
    eta = temporary - permanent * (interval / DAY) / 2
    if eta <= 0:
        with pytest.raises(ValueError, match="impact"):
            almgren_chriss_rate(aversion, volatility, temporary, permanent, interval)
        return
    expected = aversion * volatility**2 / eta * 1e6
    if expected <= 10**12:
        assert almgren_chriss_rate(aversion, volatility, temporary, permanent, interval) == pytest.approx(
            expected, abs=0.51, rel=1e-12
        )


@given(st.integers(1, 10**6), st.integers(1, 200))
def test_twap_slices_differ_by_at_most_one_share(shares: int, slices: int) -> None:
    got = filled(ExecutionPlan(Algorithm.TWAP, slices * MINUTE, MINUTE), shares * SHARE, MarketTape())
    assert sum(got) == shares * SHARE
    assert max(got) - min(got) <= SHARE


@given(*[st.integers(0, 10**12)] * 4)
def test_vwap_target_is_the_formula(observed: int, before: int, this: int, after: int) -> None:
    got = vwap_target(observed, before, this, after)
    if this + after == 0:
        assert got is None
        return
    held = Fraction(before + this + after, 2)
    scale = (observed + held) / (before + held)
    exact = (observed + scale * this) / (observed + scale * (this + after))
    assert got == pytest.approx(float(exact), abs=2e-12)


@given(st.lists(st.integers(1, 10**6), min_size=6, max_size=6), st.integers(1, 10**7))
def test_vwap_with_ordinary_volume_follows_the_curve(volumes: list[int], shares: int) -> None:
    """A day like those before: the slices are in proportion to the curve, to a share or two of rounding."""
    tape = tape_with_history(3, volumes)
    tape.add(START, 10**10, 0)
    assert tape.days == 3
    plan = ExecutionPlan(Algorithm.VWAP, 60 * MINUTE, 10 * MINUTE)
    schedule = Schedule(plan, shares * SHARE, START, tape)
    done = 0
    for i, volume in enumerate(volumes):
        assert schedule.advance(schedule.begin(i), done, tape)
        exact = shares * sum(volumes[: i + 1]) / sum(volumes)
        # The curve's buckets are five minutes wide; a bar's volume is in the last of them.
        assert schedule.released / SHARE == pytest.approx(exact, abs=1)
        done = schedule.released
        tape.add(START + (i + 1) * 10 * MINUTE, 10**10, volume)
    assert done == shares * SHARE


@given(
    plans(),
    st.integers(0, 10**6),
    st.lists(st.tuples(st.integers(0, 5 * 10**5), st.floats(0, 1), st.integers(0, 3)), min_size=1, max_size=80),
    st.integers(0, 4),
)
def test_release_is_monotone_bounded_and_within_the_participation(
    plan: ExecutionPlan, shares: int, steps: list[tuple[int, float, int]], days: int
) -> None:
    """Whatever fills, whatever trades and whichever slices are missed."""
    tape = tape_with_history(days, [100, 400, 200])
    total = shares * SHARE
    schedule = Schedule(plan, total, START, tape, seed="intent")
    before = tape.total_volume
    done, slice_, released = 0, 0, [0]
    for volume, part, skipped in steps:
        slice_ += skipped
        now = schedule.begin(slice_)
        tape.add(now, 10**10 + volume, volume)
        schedule.advance(now, done, tape)
        released.append(schedule.released)
        if plan.participation:
            assert schedule.released * PPM <= (tape.total_volume - before) * plan.participation * SHARE
        done += int((schedule.released - done) * part) // SHARE * SHARE
    assert all(a <= b for a, b in pairwise(released))
    assert released[-1] <= total
    # The window's end takes the rest, unless the participation holds it back.
    schedule.advance(START + plan.duration, done, tape)
    if not plan.participation:
        assert schedule.released == total


@given(plans([Algorithm.TWAP, Algorithm.IMPLEMENTATION_SHORTFALL, Algorithm.ADAPTIVE]), st.integers(1, 10**6))
def test_a_filled_order_sums_to_its_total_and_never_speeds_up(plan: ExecutionPlan, shares: int) -> None:
    free = ExecutionPlan(plan.algorithm, plan.duration, plan.interval, risk_rate=plan.risk_rate)
    got = filled(free, shares * SHARE, MarketTape())
    assert sum(got) == shares * SHARE
    assert all(later <= earlier + SHARE for earlier, later in pairwise(got))


@given(st.text(max_size=40), st.integers(1, 200), st.integers(1, 10**12), st.integers(0, PPM // 2))
def test_jitter_is_bounded_ordered_and_repeatable(seed: str, slices: int, interval: int, jitter: int) -> None:
    interval = min(interval, DAY // slices)
    plan = ExecutionPlan(Algorithm.TWAP, slices * interval, interval, jitter=jitter)
    first, second = (Schedule(plan, SHARE, START, MarketTape(), seed=seed) for _ in range(2))
    begins = [first.begin(i) for i in range(slices)]
    assert begins == [second.begin(i) for i in range(slices)]
    assert begins[0] == START
    for i, begin in enumerate(begins):
        assert 0 <= begin - (START + i * interval) <= interval * jitter // PPM
    assert begins == sorted(begins)


def test_jitter_differs_between_intents() -> None:
    plan = ExecutionPlan(Algorithm.TWAP, 60 * MINUTE, MINUTE, jitter=PPM // 2)
    begins = {Schedule(plan, SHARE, START, MarketTape(), seed=f"intent {i}").begin(1) for i in range(50)}
    assert len(begins) == 50


def test_plans_without_sense_are_refused_in_one_line() -> None:
    good = ExecutionPlan(Algorithm.TWAP, 10 * MINUTE, MINUTE)
    for plan, field in [
        (ExecutionPlan(Algorithm.SMART, 10 * MINUTE, MINUTE), "algorithm"),
        (ExecutionPlan(Algorithm.NONE, 10 * MINUTE, MINUTE), "algorithm"),
        (ExecutionPlan(Algorithm.TWAP, 0, MINUTE), "duration"),
        (ExecutionPlan(Algorithm.TWAP, MINUTE, 2 * MINUTE), "interval"),
        (ExecutionPlan(Algorithm.PARTICIPATION, 10 * MINUTE, MINUTE), "participation"),
    ]:
        with pytest.raises(ValueError, match=field):
            Schedule(plan, SHARE, START, MarketTape())
    with pytest.raises(ValueError, match="total"):
        Schedule(good, -1, START, MarketTape())


def test_smart_routing_by_size_and_urgency() -> None:
    tape = MarketTape()
    assert smart_route(SHARE, PPM // 2, tape) == (Algorithm.TWAP, 2)
    for i in range(70):
        tape.add(START + i * MINUTE, 10**10 + (i % 2) * 10**7, 10_000)
    assert smart_route(50 * SHARE, PPM, tape) == (Algorithm.NONE, 1)
    assert smart_route(50 * SHARE, 0, tape) == (Algorithm.NONE, 2)
    assert smart_route(5000 * SHARE, PPM // 2, tape) == (Algorithm.TWAP, 2)
    assert smart_route(5000 * SHARE, PPM, tape) == (Algorithm.IMPLEMENTATION_SHORTFALL, 2)
