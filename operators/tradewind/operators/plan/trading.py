"""Whether a strategy's decisions become orders. Core."""

from __future__ import annotations

from tradewind.operators.plan.conditions import false, true
from tradewind.operators.plan.model import Condition, World
from tradewind.operators.plan.noted import read_note
from tradewind.specs import RiskPolicy, Strategy


def is_trading(
    strategy: Strategy,
    policy: RiskPolicy,
    world: World,
    ready: Condition,
    fresh: Condition | None,
    held: Condition | None = None,
) -> Condition:
    """The condition. `ready` and `fresh` are the strategy's; without `fresh` somebody else computes its features.

    `held`: what of its rollout keeps it from sending orders.
    """
    kind, account = "Trading", policy.metadata.name
    if strategy.spec.mode == "DryRun":
        return false(kind, "DryRun", "spec.mode is DryRun: signals without orders")
    if held is not None:
        return false(kind, held.reason, held.message)
    if policy.spec.kill_switch.engaged:
        return false(kind, "KillSwitch", f"spec.killSwitch.engaged of RiskPolicy/{account}")
    note = read_note(world.get("Pod", f"executor-{account}-0"))
    if note is None or note.connected is None:
        return false(kind, "ExecutorSilent", f"the executor of RiskPolicy/{account} has not said how it stands")
    if note.kill_switch:
        return false(
            kind, "KillSwitch", f"the kill switch of RiskPolicy/{account} is latched; a named person releases it"
        )
    if not note.connected:
        return false(
            kind, "BrokerDisconnected", f"the broker's stream of RiskPolicy/{account} is down: no order leaves"
        )
    for cause in (ready, fresh):
        if cause is not None and cause.status != "True":
            return false(kind, cause.reason, cause.message)
    return true(kind, "Trading", f"its signals become orders of RiskPolicy/{account}")
