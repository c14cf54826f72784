"""From shadow through canary to champion: the next step of one Strategy's rollout. Core.

The registry's alias `champion` says which version is the champion, and nothing else does; `State`, the part of the
Strategy's status that remembers a rollout, has the rest. docs/decisions/0009 says why.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from tradewind.operators.plan import times
from tradewind.operators.plan.conditions import false, true
from tradewind.operators.plan.model import Condition, Object
from tradewind.operators.plan.noted import Figures
from tradewind.planning.legs import CHALLENGER, MOST_LEGS, Stand

CONDITION = "Rollout"
CHAMPION = "champion"
ERRORS_PCT = 1  # of a canary's intents: as many and more are too many (R-15-26)
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60))


@dataclass(frozen=True)
class Terms:
    """What the spec asks of a challenger.

    Attributes:
        shadow_s: seconds as a shadow.
        capital_share: of the account's equity that its canary trades.
        trades: that a canary needs.
        worst_loss: of its capital, as a fraction.
        confirmed: whether orders may be sent at all.
    """

    shadow_s: float
    capital_share: float
    trades: int
    worst_loss: float
    confirmed: bool


@dataclass(frozen=True)
class Seen:
    """What registry, predictor and executor tell.

    Attributes:
        passed: versions of what the spec asks for, and whether their gates passed; empty where another Strategy leads.
        champion: the version that the alias points at.
        starting: why the challenger doesn't serve yet; None: it does.
        figures: of the canary; None: the executor has not said.
        killed: whether the account's kill switch is latched.
        full: whether its executor has no room for another leg.
    """

    passed: Mapping[int, bool]
    champion: int | None
    starting: Condition | None = None
    figures: Figures | None = None
    killed: bool = False
    full: bool = False


@dataclass(frozen=True)
class State:
    """What the status remembers.

    Attributes:
        champion: the one seen last.
        challenger: the version on trial.
        canary: whether it trades.
        since: when its stage began; empty: a shadow that doesn't serve yet.
        refused: versions that are not tried again, and why.
    """

    champion: int | None = None
    challenger: int | None = None
    canary: bool = False
    since: str = ""
    refused: Mapping[int, str] = field(default_factory=dict)

    @property
    def stand(self) -> Stand:
        """What money and processes follow."""
        return Stand(self.champion is not None, self.challenger, self.canary)

    @property
    def stage(self) -> str:
        """In one word: what goes on."""
        if self.challenger is not None:
            return "Canary" if self.canary else "Shadow"
        return "Champion" if self.champion is not None else "Waiting"


@dataclass(frozen=True)
class Step:
    """The next state, what to say of it, where aliases should point, and when time alone may change something."""

    state: State
    condition: Condition
    aliases: Mapping[str, int]
    again_s: float | None = None


def read(status: Mapping[str, Any] | None) -> State:
    """The state that a status remembers."""
    told = (status or {}).get("rollout", {})
    trial = told.get("challenger", {})
    refused = {r["version"]: r["reason"] for r in told.get("refused", [])}
    canary = trial.get("stage") == "Canary"
    return State(told.get("champion"), trial.get("version"), canary, trial.get("since", ""), refused)


def written(state: State, figures: Figures | None) -> Object:
    """The part of the status that remembers it."""
    told: Object = {"stage": state.stage}
    if state.champion is not None:
        told["champion"] = state.champion
    if state.challenger is not None:
        trial: Object = {"version": state.challenger, "stage": state.stage}
        trial |= {"since": state.since} if state.since else {}
        if state.canary and figures is not None:
            trial |= {"trades": figures.trades, "intents": figures.intents, "errors": figures.errors}
        told[CHALLENGER] = trial
    if state.refused:
        told["refused"] = [{"version": v, "reason": why} for v, why in sorted(state.refused.items())]
    return told


def plan(state: State, terms: Terms, seen: Seen, now: str) -> Step:
    """The next step. Planned again with its own outcome it stays where it is until something else is seen."""
    before = state.challenger
    state = _challenged(_judged(_with_champion(state, seen), terms, seen), seen)
    if state.challenger != before:  # what was seen is of another
        seen = replace(seen, starting=false("Ready", "Chosen", "it was chosen just now"), figures=None)
    if state.challenger is None:
        return Step(state, _unchallenged(state, terms, seen), {})
    if not state.canary:
        return _shadow(state, terms, seen, now)
    return _canary(state, terms, seen)


def _with_champion(state: State, seen: Seen) -> State:
    """The champion as the registry has it. One that went back was taken back, with all that was passed over."""
    before, champion, refused = state.champion, seen.champion, dict(state.refused)
    lowest = champion or 0
    if before is not None and lowest < before:
        to = f"to version {champion}" if champion is not None else "and none put in its place"
        over = {before, *(v for v in seen.passed if lowest < v <= before)}
        refused |= dict.fromkeys(over, f"the alias {CHAMPION} was taken from version {before} {to}")
    # What is older than the champion is not tried anyway.
    refused = {v: why for v, why in refused.items() if v > lowest}
    state = replace(state, champion=champion, refused=refused)
    return _without_challenger(state) if (state.challenger or 0) <= lowest else state


def _judged(state: State, terms: Terms, seen: Seen) -> State:
    """The challenger goes back when it breaks what it was let in for, or when the spec asks for another model."""
    version = state.challenger
    if version is None or version not in seen.passed:
        return _without_challenger(state)
    why = _breach(state, terms, seen)
    if not why:
        return state
    return replace(_without_challenger(state), refused={**state.refused, version: why})


def _breach(state: State, terms: Terms, seen: Seen) -> str:
    if not seen.passed[state.challenger or 0]:
        return "its gates pass no more"
    figures = seen.figures
    if not state.canary or figures is None:
        return ""
    # With so many, it can't come below the share with as many trades as are asked for.
    if figures.errors * 100 > ERRORS_PCT * max(figures.intents, terms.trades, 100):
        return f"{figures.errors} errors in {figures.intents} intents, {ERRORS_PCT}% or more"
    if figures.loss > 0 and figures.loss >= round(terms.worst_loss * 100, 6):
        return f"it lost {figures.loss}% of its capital, and training.gates.maxDrawdown is {terms.worst_loss:.4g}"
    return ""


def _challenged(state: State, seen: Seen) -> State:
    """One at a time: a newer version waits until this one is decided on."""
    if state.challenger is not None:
        return state
    newer = [v for v, passed in seen.passed.items() if passed and v > (seen.champion or 0) and v not in state.refused]
    return replace(state, challenger=max(newer, default=None), canary=False, since="")


def _without_challenger(state: State) -> State:
    return replace(state, challenger=None, canary=False, since="")


def _unchallenged(state: State, terms: Terms, seen: Seen) -> Condition:
    back = _refused(state)
    if state.champion is None:
        if back:
            return false(CONDITION, "Refused", f"{back}; a newer version is tried when it has passed its gates")
        why = "no version of what the spec asks for has passed its gates" if seen.passed else "there is no version yet"
        return false(CONDITION, "Waiting", why)
    if not terms.confirmed:
        return false(CONDITION, "ConfirmLive", f"version {state.champion} is the champion; {_CONFIRM}")
    said = f"version {state.champion} is the champion"
    return true(CONDITION, "RolledBack" if back else "Champion", f"{said}; {back}" if back else said)


_CONFIRM = "no order is sent before spec.rollout.confirmLive is true"


def _refused(state: State) -> str:
    """The newest version that was, and why."""
    newest = max(state.refused, default=None)
    return "" if newest is None else f"version {newest} was refused: {state.refused[newest]}"


def _shadow(state: State, terms: Terms, seen: Seen, now: str) -> Step:
    version, aliases = state.challenger, {CHALLENGER: state.challenger or 0}
    if not state.since:
        if seen.starting is not None:
            why = f"version {version} becomes a shadow when it serves: {seen.starting.message}"
            return Step(state, false(CONDITION, "ShadowStarting", why), aliases)
        state = replace(state, since=now)
    passed_s = (times.parsed(now) - times.parsed(state.since)).total_seconds()
    if passed_s < terms.shadow_s:
        ends = times.written(times.parsed(state.since) + timedelta(seconds=terms.shadow_s))
        count, next_s = _progress(passed_s, terms.shadow_s)
        said = f"version {version}: shadow until {ends}{count}; signals, no orders"
        return Step(state, false(CONDITION, "Shadow", said), aliases, next_s)
    over = f"version {version} has been a shadow since {state.since}"
    if not terms.confirmed:
        return Step(state, false(CONDITION, "ConfirmLive", f"{over}; {_CONFIRM}"), aliases)
    if seen.killed:
        return Step(state, _killed(over), aliases)
    if seen.full:
        why = f"{over}; it becomes a canary when a strategy leaves the account, which has room for {MOST_LEGS}"
        return Step(state, false(CONDITION, "NoRoom", why), aliases)
    state = replace(state, canary=True, since=now)
    return _canary(state, terms, replace(seen, figures=None))


def _canary(state: State, terms: Terms, seen: Seen) -> Step:
    version, figures = state.challenger or 0, seen.figures
    aliases, what = {CHALLENGER: version}, f"version {version}: canary with {terms.capital_share:.4g} of the equity"
    if not terms.confirmed:
        return Step(state, false(CONDITION, "ConfirmLive", f"{what}; {_CONFIRM}"), aliases)
    if seen.killed:
        return Step(state, _killed(what), aliases)
    if figures is None:
        return Step(state, false(CONDITION, "Canary", f"{what}: its executor has not told of it yet"), aliases)
    told = f"{figures.trades} of {terms.trades} trades, {figures.errors} errors in {figures.intents} intents"
    if figures.trades < terms.trades or (figures.errors and figures.errors * 100 >= ERRORS_PCT * figures.intents):
        return Step(state, false(CONDITION, "Canary", f"{what}: {told}"), aliases)
    promoting = false(CONDITION, "Promoting", f"version {version} becomes the champion: {told}")
    return Step(state, promoting, {**aliases, CHAMPION: version})


def _killed(what: str) -> Condition:
    return false(CONDITION, "KillSwitch", f"{what}; it goes on when the account's kill switch is released")


def _progress(passed_s: float, whole_s: float) -> tuple[str, float]:
    """How far it is in whole units, and when that changes; of less than two minutes nothing is counted."""
    for unit, seconds in _UNITS:
        if whole_s >= 2 * seconds:
            count = f", {int(passed_s // seconds)} of {whole_s / seconds:.4g} {unit}"
            return count, min(seconds - passed_s % seconds, whole_s - passed_s)
    return "", whole_s - passed_s
