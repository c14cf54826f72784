"""Whether an executor has CPUs of its own, as seen from inside its container. Core.

What the kubelet was asked for is no proof: without a static CPU manager a whole CPU is a share of all of them. The
executor tells which CPUs it may run on, its follower notes that on the pod.
"""

from __future__ import annotations

from tradewind.operators.plan.conditions import false, true
from tradewind.operators.plan.model import Condition, Object
from tradewind.operators.plan.noted import read_note
from tradewind.specs import RiskPolicy


def cpu_pinned(policy: RiskPolicy, pod: Object | None, asked: int) -> Condition:
    """The condition; `asked` is how many whole CPUs the executor's container asks for."""
    kind, wish = "CPUPinned", policy.spec.execution.pinning
    if wish == "None":
        return Condition(kind, "Unknown", "NotAsked", "spec.execution.pinning is None: the executor shares its CPU")
    note = read_note(pod)
    if note is None:
        return Condition(kind, "Unknown", "NotSeen", "the executor has not told yet on which CPUs it may run")
    cpus, of = note.cpus, note.of
    where = ", ".join(map(str, cpus))
    if len(cpus) == asked < of:
        return true(kind, "Pinned", f"the executor alone has CPU {where}, of {of}")
    fix = "run the kubelet with cpuManagerPolicy static, or set spec.execution.pinning to Preferred or None"
    return false(kind, "SharedCPUs", f"the executor asked for {asked} and may run on CPU {where}, of {of}: {fix}")


def blocks(policy: RiskPolicy, pinned: Condition) -> bool:
    """Whether the account may not count as ready because of it."""
    return policy.spec.execution.pinning == "Required" and pinned.status != "True"
