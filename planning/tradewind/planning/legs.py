"""What a Live strategy is at a stage of its rollout: one or two legs. Core.

A leg is a copy of the Strategy with a share, a mode and a UID of its own: an entry of the engine with a sub-book and a
budget, and a signal process. docs/decisions/0009 says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tradewind.specs import Strategy

CHALLENGER = "challenger"
# Enough capital to have books, too little for new risk.
LEFT_SHARE = 1e-6
MOST_LEGS = 16  # of one account: the engine has room for as many strategies
_OF_VERSION = ".v"


@dataclass(frozen=True)
class Stand:
    """What a rollout has come to, as far as money and processes follow it.

    Attributes:
        champion: whether there is one.
        challenger: the version on trial; None: there is none.
        canary: whether that one trades.
    """

    champion: bool = False
    challenger: int | None = None
    canary: bool = False


def stand_of(status: Mapping[str, Any] | None) -> Stand:
    """The stand that a Strategy's status tells; of one that tells none, that nothing may trade."""
    told = (status or {}).get("rollout", {})
    challenger = told.get("challenger", {})
    return Stand(
        "champion" in told or told.get("stage") == "Champion",
        challenger.get("version"),
        challenger.get("stage") == "Canary",
    )


def champion_leg(strategy: Strategy, stand: Stand) -> Strategy:
    """The leg that has the Strategy's own UID; of a strategy that isn't Live it is the strategy."""
    spec = strategy.spec
    if spec.mode != "Live":
        return strategy
    if not (stand.champion and spec.rollout.confirm_live):
        return _leg(strategy, strategy.uid, LEFT_SHARE, live=False)
    held_back = spec.rollout.canary_capital if stand.challenger is not None and stand.canary else 0.0
    return _leg(strategy, strategy.uid, spec.capital_share * (1 - held_back), live=True)


def challenger_leg(strategy: Strategy, stand: Stand) -> Strategy | None:
    """The leg of the version on trial, with a UID of that version."""
    rollout = strategy.spec.rollout
    if strategy.spec.mode != "Live" or stand.challenger is None:
        return None
    share = strategy.spec.capital_share * rollout.canary_capital
    uid = f"{strategy.uid}{_OF_VERSION}{stand.challenger}"
    return _leg(strategy, uid, share, live=stand.canary and rollout.confirm_live)


def engine_legs(strategy: Strategy, stand: Stand) -> list[Strategy]:
    """The legs that an executor has books for: a shadow sends nothing, so it needs none."""
    legs = [champion_leg(strategy, stand)]
    challenger = challenger_leg(strategy, stand) if stand.canary else None
    if challenger is not None:
        # One that may not trade any more keeps its books, and gets no capital.
        share = challenger.spec.capital_share if challenger.spec.mode == "Live" else LEFT_SHARE
        legs.append(_leg(challenger, challenger.uid, share, live=challenger.spec.mode == "Live"))
    return legs


def canaries(legs: Sequence[Strategy]) -> dict[str, str]:
    """Which version each of the legs that trade as a canary is of, by UID."""
    return {leg.uid: leg.uid.rpartition(_OF_VERSION)[2] for leg in legs if is_leg(leg.uid) and leg.spec.mode == "Live"}


def is_leg(uid: str) -> bool:
    """Whether a UID is a challenger's."""
    return _OF_VERSION in uid


def owner_of(uid: str) -> str:
    """The UID of the Strategy that a leg is of."""
    return uid.partition(_OF_VERSION)[0]


def served_as(model: str, alias: str) -> str:
    """The name under which a predictor is asked for a model: a challenger is served beside the champion."""
    return f"{model}@{alias}" if alias == CHALLENGER else model


def _leg(strategy: Strategy, uid: str, share: float, *, live: bool) -> Strategy:
    spec = strategy.spec.model_copy(update={"capital_share": share, "mode": "Live" if live else "DryRun"})
    metadata = strategy.metadata.model_copy(update={"uid": uid})
    return strategy.model_copy(update={"spec": spec, "metadata": metadata})
