"""Core. Misbehaviour on command: rules that say which requests and stream messages go wrong, and how.

Each rule draws from a generator of its own, seeded by the plan's seed and the rule's place, and counts its own matches:
the same requests in the same order meet the same faults, whatever other rules do.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

_MOST_MS = 3_600_000


class _Rule(BaseModel):
    """When a rule strikes, of the requests or messages that it matches."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    skip: int = Field(0, ge=0, description="How many matches pass unharmed first.")
    count: int | None = Field(None, ge=1, description="How many are struck at most; null is no end.")
    probability: float = Field(1.0, ge=0, le=1, description="Of being struck, for each match after those skipped.")


class RequestFault(_Rule):
    """What becomes of an HTTP request. `/sim` itself never misbehaves."""

    on: Literal["request"]
    method: str | None = Field(None, description="GET, POST, PATCH, DELETE; null is any.")
    path: str = Field("*", description="A pattern for the path: /v2/orders, /v2/orders/*.")
    do: Literal["delay", "delay_answer", "answer", "answer_after", "cut", "reject", "fill", "skew"] = Field(
        description="delay: wait `ms`, then handle. delay_answer: handle, then wait `ms`. answer: `status` instead of "
        "handling. answer_after: once handled, as if it had failed. cut: end the connection, `when` says where. "
        "reject, fill: accept the order, then reject it or fill `fraction` of it. skew: shift the answer's timestamp "
        "and Date by `ms`."
    )
    ms: int = Field(0, ge=-_MOST_MS, le=_MOST_MS, description="Milliseconds; negative for skew only.")
    status: int = Field(500, ge=400, le=599, description="Of answer and answer_after.")
    code: int | None = Field(None, description="Alpaca's error code of answer; null takes the usual one of the status.")
    message: str | None = Field(None, description="Of answer; null takes the usual one of the status.")
    headers: dict[str, str] = Field({}, description="More headers of answer, such as Retry-After.")
    when: Literal["before_body", "after_body", "handled", "in_answer"] = Field(
        "handled", description="Of cut: before or after reading the body, once handled, or half way in the answer."
    )
    fraction: Decimal = Field(Decimal("0.5"), gt=0, le=1, description="Of fill.")

    @model_validator(mode="after")
    def _fits(self) -> RequestFault:
        if self.ms < 0 and self.do != "skew":
            raise ValueError("ms must not be negative")
        if not self.ms and self.do in ("delay", "delay_answer", "skew"):
            raise ValueError(f"ms is required to {self.do}")
        return self

    def matches(self, method: str, path: str) -> bool:
        return self.method in (None, method) and fnmatchcase(path, self.path)


class StreamFault(_Rule):
    """What becomes of a message on its way to all connections of a stream."""

    on: Literal["stream"]
    stream: Literal["trades", "stocks", "crypto", "news"] = Field("trades", description="Which stream.")
    event: str | None = Field(None, description="A trade update's event, or a data message's `T`; null is any.")
    do: Literal["drop", "duplicate", "delay", "reorder", "disconnect"] = Field(
        description="delay: this message by `ms`, others overtake it. reorder: send it after `behind` later ones. "
        "disconnect: cut every connection instead of sending it."
    )
    ms: int = Field(0, ge=0, le=_MOST_MS, description="Of delay.")
    behind: int = Field(1, ge=1, le=1_000, description="Of reorder.")

    @model_validator(mode="after")
    def _fits(self) -> StreamFault:
        if not self.ms and self.do == "delay":
            raise ValueError("ms is required to delay")
        return self

    def matches(self, stream: str, event: str) -> bool:
        return self.stream == stream and self.event in (None, event)


Fault = Annotated[RequestFault | StreamFault, Field(discriminator="on")]


class FaultPlan(BaseModel):
    """The rules in force, in order, and the seed of their chances."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seed: int = Field(0, description="The same seed and the same traffic give the same faults.")
    rules: tuple[Fault, ...] = Field((), description="All that match are applied, in this order.")


@dataclass(slots=True)
class _Armed:
    rule: RequestFault | StreamFault
    chance: random.Random
    matched: int = 0
    struck: int = 0

    def strikes(self) -> bool:
        self.matched += 1
        if self.matched <= self.rule.skip or self.struck == self.rule.count:
            return False
        if self.chance.random() >= self.rule.probability:
            return False
        self.struck += 1
        return True


@dataclass(slots=True)
class Faults:
    """A plan at work: each call counts one request or message and says which rules strike it."""

    plan: FaultPlan
    _armed: list[_Armed] = field(init=False)

    def __post_init__(self) -> None:
        # Not for secrets: a run must repeat.
        self._armed = [
            _Armed(rule, random.Random(f"{self.plan.seed}:{index}")) for index, rule in enumerate(self.plan.rules)
        ]

    def of_request(self, method: str, path: str) -> Sequence[RequestFault]:
        return [
            armed.rule
            for armed in self._armed
            if isinstance(armed.rule, RequestFault) and armed.rule.matches(method, path) and armed.strikes()
        ]

    def of_message(self, stream: str, event: str) -> Sequence[StreamFault]:
        return [
            armed.rule
            for armed in self._armed
            if isinstance(armed.rule, StreamFault) and armed.rule.matches(stream, event) and armed.strikes()
        ]

    def report(self) -> dict[str, Any]:
        """The plan and how often each rule has matched and struck."""
        rows = [
            {**armed.rule.model_dump(mode="json"), "matched": armed.matched, "struck": armed.struck}
            for armed in self._armed
        ]
        return {"seed": self.plan.seed, "rules": rows}
