"""What pydantic's validators say, in CEL, and what an API server must know besides. Core.

`stands_for` names the validator that a rule repeats: a test holds that each validator has its rules and that both
refuse the same documents. Rules without it exist only where there is a cluster: fields that must not change.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pydantic import BaseModel

from tradewind.specs.base import DURATION, MoneyText, Name, SpecModel, Ticker
from tradewind.specs.risk import (
    ExposureLimits,
    KillSwitch,
    Limits,
    LossLimits,
    Override,
    RiskPolicySpec,
    VolatilityLimits,
)
from tradewind.specs.strategy import Bracket, Execution, Impact, StrategySpec, Universe
from tradewind.specs.training import Schedule, Training

Reason = Literal["FieldValueInvalid", "FieldValueForbidden"]
NAME_MAX = 40  # room for the prefixes and hashes of what is made from the object within a label's 63 characters


@dataclass(frozen=True)
class Rule:
    """One CEL rule of an object; `self` is the object, `path` the field it complains about."""

    cel: str
    message: str
    path: str = ""
    stands_for: str = ""
    message_cel: str = ""
    reason: Reason = "FieldValueInvalid"

    def as_validation(self) -> dict[str, Any]:
        """The rule as an entry of x-kubernetes-validations."""
        entry: dict[str, Any] = {"rule": self.cel, "message": self.message}
        if self.message_cel:
            entry["messageExpression"] = self.message_cel
        if self.path:
            entry["fieldPath"] = self.path
        if self.reason != "FieldValueInvalid":
            entry["reason"] = self.reason
        return entry


@dataclass(frozen=True)
class Wording:
    """A text's pattern, in words. An API server's own message for a pattern is the pattern."""

    pattern: str
    longest: int
    words: str

    def as_schema(self) -> dict[str, Any]:
        """Schema of a text of this pattern."""
        return {
            "maxLength": self.longest,
            "x-kubernetes-validations": [{"rule": self._matches("self"), **self._said()}],
        }

    def as_key_rule(self) -> dict[str, Any]:
        """Rule of a mapping whose keys are of this pattern."""
        return {"rule": f"self.all(k, {self._matches('k')})", **self._said()}

    def _matches(self, what: str) -> str:
        return f"{what}.matches(r'{self.pattern}')"

    def _said(self) -> dict[str, str]:
        return {"message": self.words}


def _pattern(text: Any) -> str:
    return str(get_args(text)[1].pattern)


WORDINGS = {
    w.pattern: w
    for w in (
        Wording(
            _pattern(Name),
            63,
            "write lower-case letters, digits and dashes, beginning and ending with a letter or digit",
        ),
        Wording(
            _pattern(Ticker), 16, "write a symbol as its exchange does: AAPL, BRK.B, BTC/USD, or ^GSPC for an index"
        ),
        Wording(_pattern(MoneyText), 19, 'write a decimal amount as text, without sign or unit: "25000" or "0.5"'),
        Wording(
            _pattern(Schedule),
            100,
            'write a cron schedule in UTC, five fields: minute hour day-of-month month day-of-week, as "0 22 * * 1-5"',
        ),
        Wording(DURATION.pattern, 16, "write a whole number and a unit, one of ms, s, m, h, d: 500ms, 60s, 5m, 1d"),
    )
}
ZONED = Wording(
    r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,9})?)?(Z|[+-]\d{2}:\d{2})$",
    35,
    "write a date, a time and its zone: 2027-01-29T16:00:00-05:00 or 2027-01-29T21:00:00Z",
)


def _numbers(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, bool, dict[str, Any]]]:
    """Every number of a model: its dotted path, whether it is whole, and its bounds as pydantic's schema has them."""
    described = model.model_json_schema(by_alias=True)["properties"]
    for name, info in model.model_fields.items():
        alias = info.alias or name
        annotation = info.annotation
        if isinstance(annotation, type) and issubclass(annotation, SpecModel):
            yield from _numbers(annotation, f"{prefix}{alias}.")
            continue
        parts = [described[alias], *described[alias].get("anyOf", [])]
        for part in parts:
            if part.get("type") in ("number", "integer"):
                yield f"{prefix}{alias}", part["type"] == "integer", part
            elif name == "max_notional" and part.get("type") == "string":
                yield f"{prefix}{alias}", False, {"minimum": 0}


_LIMITS = {path: (whole, bounds) for path, whole, bounds in _numbers(Limits)}


def _override_rules() -> tuple[Rule, ...]:
    """An override's value is one that the limit itself could have."""
    bounds: dict[tuple[str, str], list[str]] = {}
    for path, (_, of) in _LIMITS.items():
        for key, sign, words in (
            ("minimum", ">=", "at least"),
            ("exclusiveMinimum", ">", "above"),
            ("maximum", "<=", "at most"),
        ):
            if key in of:
                bounds.setdefault((f"{sign} {float(of[key])}", f"{words} {of[key]:g}"), []).append(path)
    whole = [path for path, (is_whole, _) in _LIMITS.items() if is_whole]
    rules = [
        Rule(
            f"!(self.limit in {_texts(paths)}) || self.value {test}",
            f"value must be {words} for this limit",
            ".value",
            message_cel=f"'value of ' + self.limit + ' must be {words}'",
        )
        for (test, words), paths in sorted(bounds.items())
    ]
    rules.append(
        Rule(
            f"!(self.limit in {_texts(whole)}) || self.value == double(int(self.value))",
            "value must be a whole number for this limit",
            ".value",
            message_cel="'value of ' + self.limit + ' must be a whole number'",
        )
    )
    return tuple(rules)


def _texts(items: list[str]) -> str:
    return "[" + ", ".join(f"'{item}'" for item in items) + "]"


_PAIRS = "!self.universe.symbols.exists(s, s.contains('/'))"

RULES: dict[type[BaseModel], tuple[Rule, ...]] = {
    LossLimits: (
        Rule(
            "self.perTrade <= self.perTradeHard",
            "perTrade must not be above perTradeHard: lower it, or raise perTradeHard",
            ".perTrade",
            "_hard_is_harder",
        ),
    ),
    ExposureLimits: (
        Rule(
            "self.sectors.all(k, self.sectorOf.exists(s, self.sectorOf[s] == k))",
            "sectors has one that no symbol of sectorOf is in: correct its name, or add it to sectorOf",
            ".sectors",
            "_known_sectors",
            message_cel="'no symbol of sectorOf is in sector ' + self.sectors.filter(k, !self.sectorOf.exists(s, "
            "self.sectorOf[s] == k))[0] + ': correct its name, or add it to sectorOf'",
        ),
    ),
    VolatilityLimits: (
        Rule(
            "self.indexHalveAt < self.indexHaltAt",
            "indexHalveAt must be below indexHaltAt: lower it, or raise indexHaltAt",
            ".indexHalveAt",
            "_ordered",
        ),
        Rule(
            "self.minDays <= self.lookBackDays",
            "minDays must not be above lookBackDays: lower it, or raise lookBackDays",
            ".minDays",
            "_ordered",
        ),
    ),
    Limits: (
        Rule(
            "[0, 1].all(i, self.drawdown[i].at < self.drawdown[i + 1].at && "
            "self.drawdown[i].size > self.drawdown[i + 1].size)",
            "drawdown steps must deepen and shrink: each `at` above and each `size` below the one before",
            ".drawdown",
            "_ladder",
        ),
        Rule(
            "self.drawdown[2].size == 0.0",
            "the last drawdown step must have size 0: it flattens",
            ".drawdown",
            "_ladder",
        ),
    ),
    KillSwitch: (
        Rule(
            "!(self.engaged && self.releasedBy != '')",
            "engaged and releasedBy contradict each other: remove one",
            ".releasedBy",
            "_one_or_the_other",
        ),
    ),
    Override: _override_rules(),
    RiskPolicySpec: (
        Rule(
            "self.account == oldSelf.account",
            "account can't be changed: its journal and positions are the other account's; make a new RiskPolicy",
            ".account",
            reason="FieldValueForbidden",
        ),
    ),
    Universe: (
        Rule(
            "!has(self.context) || !self.symbols.exists(s, s == self.context)",
            "context is also in symbols: an index can't be traded, remove it from one",
            ".context",
            "_context_is_not_traded",
        ),
    ),
    Bracket: tuple(
        Rule(
            f"!(has(self.{share}) && has(self.{share}Atr))",
            f"{share} and {share}Atr are both given: give one of the two",
            f".{share}",
            "_one_way",
        )
        for share in ("stopLoss", "takeProfit")
    ),
    Execution: (
        Rule(
            "!(self.orderType in ['Stop', 'StopLimit', 'TrailingStop'] && self.timeInForce in ['Opg', 'Cls'])",
            "an order that waits can't be sent to an auction: set timeInForce Day or Gtc, or another orderType",
            ".timeInForce",
            "_broker_takes_it",
        ),
        Rule(
            "self.orderType != 'TrailingStop' || self.timeInForce in ['Day', 'Gtc']",
            "orderType TrailingStop takes timeInForce Day or Gtc only",
            ".timeInForce",
            "_broker_takes_it",
        ),
        Rule(
            "!self.extendedHours || (self.orderType == 'Limit' && self.timeInForce in ['Day', 'Gtc'])",
            "extendedHours needs orderType Limit and timeInForce Day or Gtc",
            ".extendedHours",
            "_broker_takes_it",
        ),
        Rule(
            "self.algorithm == 'None' || self.orderType in ['Market', 'Limit']",
            "an algorithm works plain Market and Limit orders: set algorithm None, or one of these as orderType",
            ".algorithm",
            "_schedule_fits_the_orders",
        ),
        Rule(
            "self.algorithm == 'None' || !self.extendedHours",
            "an algorithm works in regular hours only: set algorithm None, or leave extendedHours out",
            ".algorithm",
            "_schedule_fits_the_orders",
        ),
        Rule(
            "self.algorithm == 'None' || !(has(self.bracket.stopLoss) || has(self.bracket.stopLossAtr) || "
            "has(self.bracket.takeProfit) || has(self.bracket.takeProfitAtr))",
            "an algorithm works orders without a bracket: set algorithm None, or leave bracket out",
            ".algorithm",
            "_schedule_fits_the_orders",
        ),
        Rule(
            "self.algorithm != 'Participation' || self.participation > 0.0",
            "participation must be more than 0 for the algorithm Participation",
            ".participation",
            "_schedule_makes_sense",
        ),
    ),
    Impact: (
        Rule(
            "self.temporaryBps > self.permanentBps / 2.0",
            "temporaryBps must be more than half of permanentBps",
            ".temporaryBps",
            "_trading_costs_something",
        ),
        Rule(
            "self.riskAversion <= 1000000.0 * ((self.temporaryBps - self.permanentBps / 2.0) * 0.0000000001)",
            "riskAversion is so high for these impacts that all trades in the first slice: lower it",
            ".riskAversion",
            "_trading_costs_something",
        ),
    ),
    Training: (
        Rule(
            "!has(self.start) || !has(self.until) || self.start < self.until",
            "start must be before until",
            ".start",
            "_ordered",
        ),
    ),
    StrategySpec: (
        Rule(
            f"{_PAIRS} || self.execution.timeInForce in ['Gtc', 'Ioc']",
            "pairs trade round the clock: set execution.timeInForce to Gtc or Ioc",
            ".execution.timeInForce",
            "_broker_takes_it",
        ),
        Rule(
            f"{_PAIRS} || self.execution.orderType in ['Market', 'Limit', 'StopLimit']",
            "pairs take execution.orderType Market, Limit or StopLimit only",
            ".execution.orderType",
            "_broker_takes_it",
        ),
        Rule(
            f"{_PAIRS} || self.signal.direction == 'LongOnly'",
            "pairs can't be sold short: set signal.direction to LongOnly",
            ".signal.direction",
            "_broker_takes_it",
        ),
        Rule(
            "!self.sizing.fractional || (self.execution.timeInForce == 'Day' && "
            "self.execution.orderType != 'TrailingStop')",
            "fractions of a share take Day orders and no trailing stops: set execution to match, or remove it",
            ".sizing.fractional",
            "_broker_takes_it",
        ),
        Rule(
            "self.riskPolicy == oldSelf.riskPolicy",
            "riskPolicy can't be changed: positions would stay behind in the other account; delete the Strategy, "
            "which deals with them (onDelete), and apply it anew",
            ".riskPolicy",
            reason="FieldValueForbidden",
        ),
    ),
}

# Validators whose rule is no CEL: a list-type set, and an enumeration with a rule per limit.
# Validators whose complaint an object's condition shows instead: CEL's durations know no days.
NOT_CEL: dict[type[BaseModel], set[str]] = {Execution: {"_schedule_makes_sense"}}
SETS = {(Universe, "symbols"): "_unique"}
LIMIT_PATHS: dict[tuple[type[BaseModel], str], list[str]] = {(Override, "limit"): sorted(_LIMITS)}
ENUMERATED = {RiskPolicySpec: "_overrides_fit"}

# Fields whose null says something else than their absence, and how to say it to `kubectl apply`, which drops nulls.
NULLS: dict[tuple[type[BaseModel], str], str | int] = {(Universe, "context"): "", (VolatilityLimits, "assumed"): 0}

# Sizes that an API server needs to know to bound a rule's cost; the documents themselves have no such limit.
BOUNDS: dict[tuple[type[BaseModel], str], dict[str, Any]] = {
    (RiskPolicySpec, "strategies"): {"maxItems": 200},
    (StrategySpec, "news"): {"maxItems": 64},
    (Limits, "restricted"): {"maxItems": 2000},
    (ExposureLimits, "sectors"): {"maxProperties": 64},
    (ExposureLimits, "sector_of"): {"maxProperties": 2000, "additionalProperties": {"type": "string", "maxLength": 64}},
}
NAMED = Rule(
    f"size(self.metadata.name) <= {NAME_MAX} && self.metadata.name.matches(r'{_pattern(Name)}')",
    f"metadata.name: write at most {NAME_MAX} lower-case letters, digits and dashes (names of pods are made from it)",
)
