"""Which strategies trade under a policy, and why others don't. Core.

On one machine `tradewind.specs.loading.check_together` refuses the documents of a run as a whole; in a cluster
documents come and go one by one, so each strategy has its own verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tradewind.specs import RiskPolicy, Strategy

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Verdict:
    """Whether a strategy is bound.

    Attributes:
        reason: one word in CamelCase.
        message: one sentence that names the field and the fix.
    """

    bound: bool
    reason: str
    message: str


def bind(policy: RiskPolicy, strategies: Sequence[Strategy]) -> dict[str, Verdict]:
    """The verdict on each strategy that names `policy`, by name. Earlier ones in `strategies` get capital first."""
    verdicts: dict[str, Verdict] = {}
    free = 1.0
    for strategy in strategies:
        if strategy.spec.risk_policy != policy.metadata.name:
            continue
        verdict = _one(policy, strategy, free)
        verdicts[strategy.metadata.name] = verdict
        free -= strategy.spec.capital_share if verdict.bound else 0.0
    return verdicts


def unbound(name: str) -> Verdict:
    """The verdict on a strategy whose policy is not there."""
    return Verdict(
        False, "PolicyMissing", f"spec.riskPolicy: there is no RiskPolicy {name} in this namespace; apply it"
    )


def _one(policy: RiskPolicy, strategy: Strategy, free: float) -> Verdict:
    name, of = strategy.metadata.name, f"RiskPolicy/{policy.metadata.name}"
    if name not in policy.spec.strategies:
        return Verdict(False, "NotAllowed", f"{of} does not allow this strategy; add {name} to its spec.strategies")
    if strategy.spec.mode == "Live" and policy.spec.account != "live":
        return Verdict(False, "PaperAccount", f"spec.mode is Live but {of} is a paper account; use Paper")
    if strategy.spec.capital_share > free + _ROUNDING:
        left = max(free, 0.0)
        message = f"spec.capitalShare is {strategy.spec.capital_share:g} but {of} has {left:g} left; lower it"
        return Verdict(False, "NoCapital", message)
    return Verdict(True, "Bound", f"trades under {of}")
