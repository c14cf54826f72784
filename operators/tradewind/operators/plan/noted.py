"""What a follower notes on its pod: what only somebody in the pod can see of the executor. Core."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tradewind.operators.plan.model import Object

ANNOTATION = "tradewind.dev/executor"


class Remains(BaseModel):
    """What a strategy that is being deleted still has with its executor."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    orders: int = Field(0, description="Symbols in which an order works for it.")
    positions: int = Field(0, description="Symbols that it holds.")
    refused: str = Field("", description="Code for which closing them was refused last; empty: it was not.")


# Refusals for which a leg itself is to blame, and not the account, the market or a limit (R-15-26, R-16-20).
ERRORS = frozenset(
    {"LATE_INTENT", "INTENT_CONFLICT", "INTENT_INVALID", "INTENT_OUT_OF_ORDER", "UNKNOWN_SYMBOL", "PRICE_COLLAR"}
    | {"QUANTITY_INCREMENT", "LIMIT_PRICE_ABSENT", "LIMIT_PRICE_INCREMENT", "ORDER_TERMS", "STOP_PRICE", "TRAIL"}
    | {"FRACTION", "BRACKET", "PLAN_TERMS", "OVERFLOW", "BROKER_REJECTED", "NEVER_ARRIVED"}
)


class Figures(BaseModel):
    """What became of a canary's decisions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trades: int = Field(0, description="Orders of which it got a fill.")
    intents: int = Field(0, description="Intents that were decided.")
    errors: int = Field(0, description="Refusals for which it is itself to blame.")
    loss: int = Field(0, description="Whole percent of its capital that it has lost.")


class Note(BaseModel):
    """The executor as it is seen from within its pod."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    cpus: list[int] = Field(description="CPUs that its process may run on.")
    of: int = Field(description="CPUs of the machine.")
    connected: bool | None = Field(description="Whether the broker's stream is up; null: it has not said.")
    kill_switch: bool | None = Field(description="Whether the kill switch is latched; null: it has not said.")
    strategies: list[str] = Field(default_factory=list, description="UIDs of those that it knows.")
    remains: dict[str, Remains] = Field(default_factory=dict, description="Of those being deleted, by UID.")
    canaries: dict[str, Figures] = Field(default_factory=dict, description="Of those that trade as a canary, by UID.")


def read_note(pod: Object | None) -> Note | None:
    """The note on a pod; None where there is none that can be read."""
    text = (pod or {}).get("metadata", {}).get("annotations", {}).get(ANNOTATION)
    if text is None:
        return None
    try:
        return Note.model_validate_json(text)
    except ValidationError:
        return None
