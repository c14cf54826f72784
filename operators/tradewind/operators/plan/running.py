"""What pods and their controllers say about themselves, as conditions. Core."""

from __future__ import annotations

from tradewind.operators.plan.conditions import false, true
from tradewind.operators.plan.model import Condition, Object, Ref, World

_HASH = "controller-revision-hash"


def executor_ready(world: World, name: str) -> Condition:
    """Whether the executor's one pod is ready and of the newest template."""
    found = world.get("StatefulSet", name)
    if found is None:
        return false("Ready", "ExecutorMissing", f"StatefulSet {name} is not there yet")
    seen = found.get("status", {})
    current = seen.get("observedGeneration") == found["metadata"].get("generation")
    newest = seen.get("updatedReplicas", 0) >= 1 and seen.get("readyReplicas", 0) >= 1
    if current and newest:
        return true("Ready", "ExecutorReady", f"pod {name}-0 runs and follows this policy")
    return _trouble(world.get("Pod", f"{name}-0"), "ExecutorStarting", f"waiting for pod {name}-0")


def signals_ready(world: World, name: str) -> Condition:
    """Whether the signal process runs, of the newest template."""
    found = world.get("Deployment", name)
    if found is None:
        return false("Ready", "SignalsMissing", f"Deployment {name} is not there yet")
    seen = found.get("status", {})
    current = seen.get("observedGeneration") == found["metadata"].get("generation")
    if current and seen.get("updatedReplicas", 0) >= 1 and seen.get("availableReplicas", 0) >= 1:
        return true("Ready", "SignalsRunning", f"Deployment {name} runs")
    pods = [p for p in world.of("Pod") if p["metadata"]["name"].startswith(f"{name}-")]
    return _trouble(pods[-1] if pods else None, "SignalsStarting", f"waiting for Deployment {name}")


def stuck_pods(world: World, name: str) -> list[Ref]:
    """A pod that isn't ready and is of an older template: a StatefulSet waits for it for ever (kubernetes#67250)."""
    found, pod = world.get("StatefulSet", name), world.get("Pod", f"{name}-0")
    if found is None or pod is None or "deletionTimestamp" in pod["metadata"] or _is_ready(pod):
        return []
    seen = found.get("status", {})
    if seen.get("observedGeneration") != found["metadata"].get("generation"):
        return []
    newest = seen.get("updateRevision")
    stuck = newest is not None and pod["metadata"].get("labels", {}).get(_HASH) != newest
    return [Ref("Pod", f"{name}-0")] if stuck else []


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _trouble(pod: Object | None, reason: str, message: str) -> Condition:
    """Why a pod isn't ready, as it says itself."""
    if pod is None:
        return false("Ready", reason, message)
    seen = pod.get("status", {})
    if seen.get("phase") == "Failed":
        return false("Ready", seen.get("reason", "PodFailed"), seen.get("message", "the pod has failed"))
    for container in (*seen.get("initContainerStatuses", []), *seen.get("containerStatuses", [])):
        waiting = container.get("state", {}).get("waiting", {})
        if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            said = waiting.get("message", "")
            return false("Ready", waiting["reason"], f"container {container['name']}: {said or waiting['reason']}")
    for condition in seen.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return false("Ready", condition.get("reason", "Unschedulable"), condition.get("message", message))
    return false("Ready", reason, message)
