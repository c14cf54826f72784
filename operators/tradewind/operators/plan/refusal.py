"""A pod that the kubelet refuses: tried again later and later instead of in a loop. Core.

A kubelet that can't give whole CPUs, or none that are aligned, doesn't leave the pod pending: the pod fails at once,
and its StatefulSet makes another, and another (kubernetes: pkg/kubelet/lifecycle, reasons of admission failures).
"""

from __future__ import annotations

from dataclasses import dataclass

from tradewind.operators.plan.model import Condition, Object
from tradewind.operators.plan.times import parsed

REASONS = frozenset(
    {"SMTAlignmentError", "TopologyAffinityError", "UnexpectedAdmissionError", "OutOfcpu", "OutOfmemory"}
)
FIRST_WAIT_S, LAST_WAIT_S = 10, 600


@dataclass(frozen=True)
class Refusal:
    """The refusals of an executor's pod until now.

    Attributes:
        count: how many in a row.
        at: when the last one was seen.
        pod: uid of the pod that was refused last.
        wait_s: seconds until the next attempt; 0 or less: now.
    """

    count: int
    at: str
    pod: str
    reason: str
    message: str
    wait_s: float

    def as_status(self) -> Object:
        """The part of the policy's status that remembers it."""
        return {"count": self.count, "at": self.at, "pod": self.pod, "reason": self.reason, "message": self.message}

    def as_condition(self) -> Condition:
        """Ready, while it isn't."""
        times = "once" if self.count == 1 else f"{self.count} times in a row"
        wait = f"waiting {wait_after(self.count)} s after {self.at}"
        text = f"the kubelet refused the executor's pod {times}: {self.message}; {wait}"
        return Condition("Ready", "False", self.reason, text)


def wait_after(count: int) -> int:
    """Seconds between a refusal and the next attempt: doubling, up to LAST_WAIT_S."""
    return int(min(FIRST_WAIT_S * 2 ** (count - 1), LAST_WAIT_S))


def refused(before: Object | None, pod: Object | None, now: str) -> Refusal | None:
    """What is known of refusals: those of the status `before`, and that of the `pod` that is there now."""
    count, at, uid = (before["count"], before["at"], before["pod"]) if before else (0, now, "")
    reason, message = (before["reason"], before["message"]) if before else ("", "")
    seen = (pod or {}).get("status", {})
    failed = pod is not None and seen.get("phase") == "Failed" and seen.get("reason") in REASONS
    if pod is not None and failed and pod["metadata"]["uid"] != uid:
        count, at, uid = count + 1, now, pod["metadata"]["uid"]
        reason, message = seen["reason"], seen.get("message", "it gave no message")
    if count == 0:
        return None
    wait = wait_after(count) - (parsed(now) - parsed(at)).total_seconds()
    return Refusal(count, at, uid, reason, message, wait)
