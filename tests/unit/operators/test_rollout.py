"""A rollout's next step, as tables: what is remembered and seen → the state, what is said, where aliases point."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tradewind.operators.plan import rollout
from tradewind.operators.plan.conditions import false
from tradewind.operators.plan.noted import Figures
from tradewind.operators.plan.rollout import Seen, State, Step, Terms
from tradewind.planning.legs import Stand

DAYS_0, DAYS_3, DAYS_14 = "2026-12-01T00:00:00Z", "2026-12-04T06:00:00Z", "2026-12-15T00:00:00Z"
DAY = 86_400
TERMS = Terms(14 * DAY, 0.05, 100, 0.10, confirmed=True)
UNCONFIRMED = replace(TERMS, confirmed=False)
LOADING = false("Ready", "PredictorChanging", "the predictor is about to serve model m, challenger")


def seen(champion: int | None = None, starting: Any = None, killed: bool = False, **passed: bool) -> Seen:
    """`passed`: v7=True says that version 7 passed its gates."""
    return Seen({int(name[1:]): it for name, it in passed.items()}, champion, starting, None, killed)


def with_figures(of: Seen, trades: int, intents: int, errors: int = 0, loss: int = 0) -> Seen:
    return replace(of, figures=Figures(trades=trades, intents=intents, errors=errors, loss=loss))


def told(step: Step) -> tuple[str, str]:
    return step.condition.status, step.condition.reason


NEW = State()
STARTING = State(challenger=7)
SHADOW = State(challenger=7, since=DAYS_0)
CANARY = State(challenger=7, canary=True, since=DAYS_14)
CHAMPION = State(champion=7)
BESIDE = State(champion=5, challenger=7, canary=True, since=DAYS_14)
V7, V7_OF_5 = seen(v7=True), seen(5, v5=True, v7=True)
DONE = with_figures(V7, 100, 120)

Case = tuple[State, Terms, Seen, str, State, str, str]
STEPS: dict[str, Case] = {
    "nothing is trained": (NEW, TERMS, seen(), DAYS_0, NEW, "Waiting", "there is no version yet"),
    "nothing has passed": (NEW, TERMS, seen(v7=False), DAYS_0, NEW, "Waiting", "has passed its gates"),
    "one has passed": (NEW, TERMS, V7, DAYS_0, STARTING, "ShadowStarting", "when it serves"),
    "it loads": (
        STARTING,
        TERMS,
        seen(starting=LOADING, v7=True),
        DAYS_0,
        STARTING,
        "ShadowStarting",
        "about to serve",
    ),
    "it serves": (
        STARTING,
        TERMS,
        V7,
        DAYS_0,
        SHADOW,
        "Shadow",
        "until 2026-12-15T00:00:00Z, 0 of 14 d; signals, no orders",
    ),
    "days pass": (SHADOW, TERMS, V7, DAYS_3, SHADOW, "Shadow", ", 3 of 14 d;"),
    "a second is missing": (SHADOW, TERMS, V7, "2026-12-14T23:59:59Z", SHADOW, "Shadow", "13 of 14 d"),
    "nobody confirmed": (
        SHADOW,
        UNCONFIRMED,
        V7,
        DAYS_14,
        SHADOW,
        "ConfirmLive",
        "before spec.rollout.confirmLive is true",
    ),
    "the switch is latched": (SHADOW, TERMS, replace(V7, killed=True), DAYS_14, SHADOW, "KillSwitch", "is released"),
    "the account is full": (SHADOW, TERMS, replace(V7, full=True), DAYS_14, SHADOW, "NoRoom", "which has room for 16"),
    "its time is over": (SHADOW, TERMS, V7, DAYS_14, CANARY, "Canary", "canary with 0.05 of the equity"),
    "a canary trades": (
        CANARY,
        TERMS,
        with_figures(V7, 12, 14),
        DAYS_14,
        CANARY,
        "Canary",
        "12 of 100 trades, 0 errors in 14 intents",
    ),
    "its executor is silent": (CANARY, TERMS, V7, DAYS_14, CANARY, "Canary", "has not told"),
    "one trade is missing": (CANARY, TERMS, with_figures(V7, 99, 900), DAYS_14, CANARY, "Canary", "99 of 100"),
    "1 % of errors": (CANARY, TERMS, with_figures(V7, 100, 100, 1), DAYS_14, CANARY, "Canary", "1 errors in 100"),
    "less than 1 %": (
        CANARY,
        TERMS,
        with_figures(V7, 100, 101, 1),
        DAYS_14,
        CANARY,
        "Promoting",
        "100 of 100",
    ),
    "done": (CANARY, TERMS, DONE, DAYS_14, CANARY, "Promoting", "becomes the champion"),
    "done, but latched": (CANARY, TERMS, replace(DONE, killed=True), DAYS_14, CANARY, "KillSwitch", "is released"),
    "done, but taken back": (CANARY, UNCONFIRMED, DONE, DAYS_14, CANARY, "ConfirmLive", "confirmLive"),
    "the registry has it": (
        CANARY,
        TERMS,
        replace(DONE, champion=7),
        DAYS_14,
        CHAMPION,
        "Champion",
        "version 7 is the champion",
    ),
    "a champion unconfirmed": (
        CHAMPION,
        UNCONFIRMED,
        seen(7, v7=True),
        DAYS_14,
        CHAMPION,
        "ConfirmLive",
        "confirmLive",
    ),
    "a champion is there already": (NEW, TERMS, seen(7, v7=True), DAYS_0, CHAMPION, "Champion", "version 7"),
    "retrained": (
        State(champion=5),
        TERMS,
        V7_OF_5,
        DAYS_0,
        State(champion=5, challenger=7),
        "ShadowStarting",
        "version 7",
    ),
    "a newer one waits": (BESIDE, TERMS, seen(5, v7=True, v8=True), DAYS_14, BESIDE, "Canary", "version 7"),
    "promoted, a newer one comes": (
        BESIDE,
        TERMS,
        seen(7, v7=True, v8=True),
        DAYS_14,
        State(champion=7, challenger=8),
        "ShadowStarting",
        "version 8",
    ),
    "of two the newest": (
        NEW,
        TERMS,
        seen(v7=True, v8=True, v9=False),
        DAYS_0,
        State(challenger=8),
        "ShadowStarting",
        "8",
    ),
    "another model is asked for": (SHADOW, TERMS, seen(v9=False), DAYS_3, NEW, "Waiting", "has passed"),
}


@pytest.mark.parametrize("case", STEPS.values(), ids=STEPS)
def test_each_step(case: Case) -> None:
    state, terms, what, now, then, reason, says = case
    step = rollout.plan(state, terms, what, now)
    assert step.state == then
    assert told(step) == (str(reason == "Champion"), reason)
    trial = {} if then.challenger is None else {"challenger": then.challenger}
    assert step.aliases == ({**trial, "champion": then.challenger} if reason == "Promoting" else trial)
    assert says in step.condition.message
    # Killed before or after the status is written, the operator says the same again.
    again = rollout.plan(rollout.read({"rollout": rollout.written(step.state, what.figures)}), terms, what, now)
    assert (again.state.challenger, again.state.champion) == (then.challenger, then.champion)
    assert rollout.plan(state, terms, what, now) == step


BREACHES: dict[str, tuple[Seen, str]] = {
    "gates": (seen(5, v7=False), "its gates pass no more"),
    "errors": (with_figures(V7_OF_5, 3, 5, 2), "2 errors in 5 intents, 1% or more"),
    "errors after many": (with_figures(V7_OF_5, 90, 250, 3), "3 errors in 250 intents"),
    "loss": (with_figures(V7_OF_5, 9, 9, 0, 10), "it lost 10% of its capital, and training.gates.maxDrawdown is 0.1"),
}


@pytest.mark.parametrize(("what", "why"), BREACHES.values(), ids=BREACHES)
def test_a_challenger_that_breaks_its_terms_goes_back_for_good(what: Seen, why: str) -> None:
    step = rollout.plan(BESIDE, TERMS, what, DAYS_14)
    assert step.state == State(champion=5, refused={7: step.state.refused[7]})
    assert why in step.state.refused[7]
    assert told(step) == ("True", "RolledBack")
    assert step.condition.message == f"version 5 is the champion; version 7 was refused: {step.state.refused[7]}"
    # Not again, whatever is seen of it; but a newer one is tried.
    assert rollout.plan(step.state, TERMS, V7_OF_5, DAYS_14).state == step.state
    newer = rollout.plan(step.state, TERMS, seen(5, v7=True, v8=True), DAYS_14).state
    assert (newer.challenger, dict(newer.refused)) == (8, dict(step.state.refused))
    # Once that is the champion, what was refused before it is forgotten: nothing older is tried anyway.
    assert rollout.plan(newer, TERMS, seen(8, v7=True, v8=True), DAYS_14).state == State(champion=8)


@pytest.mark.parametrize(
    "what",
    [with_figures(V7_OF_5, 3, 5, 1), with_figures(V7_OF_5, 90, 300, 3), with_figures(V7_OF_5, 9, 9, 0, 9)],
    ids=["one error of few", "1 % of many", "a smaller loss"],
)
def test_what_may_still_become_good_goes_on(what: Seen) -> None:
    assert rollout.plan(BESIDE, TERMS, what, DAYS_14).state == BESIDE


def test_a_refused_first_model_leaves_nobody_to_trade() -> None:
    step = rollout.plan(CANARY, TERMS, with_figures(V7, 2, 4, 3), DAYS_14)
    assert told(step) == ("False", "Refused")
    assert "a newer version is tried" in step.condition.message
    assert step.state.stand == Stand()


@pytest.mark.parametrize(("to", "over"), [(5, {6, 7}), (None, {5, 6, 7}), (6, {7})], ids=["5", "none", "6"])
def test_a_champion_that_a_person_takes_back_does_not_come_again_by_itself(to: int | None, over: set[int]) -> None:
    what = seen(to, v5=True, v6=True, v7=True)
    step = rollout.plan(State(champion=7), TERMS, what, DAYS_0)
    assert step.state.champion == to
    assert set(step.state.refused) == over
    assert "was taken from version 7" in step.state.refused[7]
    assert step.state.challenger is None
    assert rollout.plan(step.state, TERMS, what, DAYS_14).state == step.state
    # Moved forward again by hand, it is the champion again.
    assert rollout.plan(step.state, TERMS, seen(7, v5=True, v6=True, v7=True), DAYS_14).state == State(champion=7)


def test_going_back_leaves_a_trial_alone() -> None:
    step = rollout.plan(replace(BESIDE, challenger=8), TERMS, seen(4, v4=True, v5=True, v8=True), DAYS_14)
    assert (step.state.champion, step.state.challenger, step.state.canary) == (4, 8, True)
    assert set(step.state.refused) == {5}


@pytest.mark.parametrize(
    ("shadow_s", "now", "count", "again_s"),
    [
        (14 * DAY, DAYS_3, ", 3 of 14 d", 64_800),
        (14 * DAY, "2026-12-14T18:00:00Z", ", 13 of 14 d", 21_600),
        (6 * 3600, "2026-12-01T01:30:00Z", ", 1 of 6 h", 1800),
        (300, "2026-12-01T00:04:59Z", ", 4 of 5 m", 1),
        (60, "2026-12-01T00:00:10Z", "", 50),
    ],
)
def test_a_shadow_is_looked_at_again_when_its_message_changes(
    shadow_s: float, now: str, count: str, again_s: float
) -> None:
    step = rollout.plan(SHADOW, replace(TERMS, shadow_s=shadow_s), V7, now)
    assert f"Z{count}; signals" in step.condition.message
    assert step.again_s == again_s


def test_no_shadow_at_all_is_a_canary_at_once() -> None:
    assert rollout.plan(STARTING, replace(TERMS, shadow_s=0), V7, DAYS_0).state == replace(CANARY, since=DAYS_0)


def test_the_status_remembers_everything() -> None:
    states = [NEW, STARTING, SHADOW, CANARY, CHAMPION, BESIDE, State(champion=5, refused={7: "why", 8: "because"})]
    for state in states:
        assert rollout.read({"rollout": rollout.written(state, Figures(trades=1))}) == state
    assert [s.stage for s in states] == ["Waiting", "Shadow", "Shadow", "Canary", "Champion", "Canary", "Champion"]
    assert rollout.read(None) == rollout.read({}) == NEW
