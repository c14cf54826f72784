"""What pods and their controllers say about themselves, as conditions. Core.

Which template is the newest, its controller says, and it says so once. Whether a pod runs, the pod says itself:
controllers count their pods from what they last heard, which after a restart of the API server is half a minute old.
"""

from __future__ import annotations

from dataclasses import replace

from tradewind.operators.plan.conditions import false, true
from tradewind.operators.plan.model import Condition, Object, Ref, World
from tradewind.operators.plan.shared import FEED
from tradewind.planning.pods import feature_pod_name
from tradewind.specs import Strategy

_HASH = "controller-revision-hash"
_TEMPLATE = "pod-template-hash"


def executor_ready(world: World, name: str) -> Condition:
    """Whether the executor's one pod is ready and of the newest template."""
    found = world.get("StatefulSet", name)
    if found is None:
        return false("Ready", "ExecutorMissing", f"StatefulSet {name} is not there yet")
    seen = found.get("status", {})
    pod = world.get("Pod", f"{name}-0")
    current = seen.get("observedGeneration") == found["metadata"].get("generation")
    if current and pod is not None and _runs(pod) and _revision(pod) == seen.get("updateRevision"):
        return true("Ready", "ExecutorReady", f"pod {name}-0 runs and follows this policy")
    return _trouble(pod, "ExecutorStarting", f"waiting for pod {name}-0")


def signals_ready(world: World, name: str) -> Condition:
    """Whether the signal process runs, of the newest template."""
    return _deployed(world, name, "Signals")


def features_ready(world: World, strategy: Strategy, *, replayed: bool) -> Condition:
    """Whether the strategy's vectors are computed: its features process and, but for a replay, the feed run.

    A replay begins only when everybody is ready.
    """
    computing = _deployed(world, feature_pod_name(strategy), "Features")
    if computing.status != "True" or replayed:
        return computing
    return _deployed(world, f"{FEED}-{strategy.spec.bars}", "Feed")


def features_fresh(world: World, ready: Condition, *, replayed: bool) -> Condition:
    """Whether new vectors come. `ready` is what `features_ready` says."""
    if ready.status != "True":
        return replace(ready, type="FeaturesFresh")
    job = world.get("Job", FEED)
    if not replayed:
        return true("FeaturesFresh", "Computing", "the feed and the features process run")
    if job is None:
        return false("FeaturesFresh", "FeedWaiting", "the replay begins when every strategy and policy is ready")
    ends = {c["type"]: c for c in job.get("status", {}).get("conditions", []) if c["status"] == "True"}
    if "Complete" in ends:
        return false("FeaturesFresh", "ReplayEnded", "the replay has come to its end")
    if "Failed" in ends:
        return false("FeaturesFresh", "FeedFailed", f"Job {FEED}: {ends['Failed'].get('message', 'has failed')}")
    pods = _pods_of(world, "Job", FEED)
    if not any(map(_runs, pods)):
        return _trouble(_last(pods), "FeedStarting", f"waiting for Job {FEED}", "FeaturesFresh")
    return true("FeaturesFresh", "Computing", "the replay and the features process run")


def _deployed(world: World, name: str, what: str) -> Condition:
    found = world.get("Deployment", name)
    if found is None:
        return false("Ready", f"{what}Missing", f"Deployment {name} is not there yet")
    seen = found.get("status", {})
    current = seen.get("observedGeneration") == found["metadata"].get("generation")
    # While pods of two templates are there, it alone knows which are which.
    alone = seen.get("updatedReplicas", 0) == seen.get("replicas", 0) >= 1
    pods = _pods_of(world, "Deployment", name)
    if current and (any(map(_runs, pods)) if alone else min(seen.get("updatedReplicas", 0), _available(seen)) >= 1):
        return true("Ready", f"{what}Running", f"Deployment {name} runs")
    return _trouble(_last(pods), f"{what}Starting", f"waiting for Deployment {name}")


def _available(seen: Object) -> int:
    return int(seen.get("availableReplicas", 0))


def _pods_of(world: World, kind: str, name: str) -> list[Object]:
    """Those that a controller made; a Deployment's are its ReplicaSet's, whose name has the template's hash."""
    found = []
    for pod in world.of("Pod"):
        about = pod["metadata"]
        maker = ("Job", name) if kind == "Job" else ("ReplicaSet", f"{name}-{about.get('labels', {}).get(_TEMPLATE)}")
        if maker in {(owner["kind"], owner["name"]) for owner in about.get("ownerReferences", [])}:
            found.append(pod)
    return found


def _last(pods: list[Object]) -> Object | None:
    return pods[-1] if pods else None


def _runs(pod: Object) -> bool:
    """Whether it is ready, and isn't being ended."""
    return "deletionTimestamp" not in pod["metadata"] and _is_ready(pod)


def _revision(pod: Object) -> str | None:
    found: str | None = pod["metadata"].get("labels", {}).get(_HASH)
    return found


def stuck_pods(world: World, name: str) -> list[Ref]:
    """A pod that isn't ready and is of an older template: a StatefulSet waits for it for ever (kubernetes#67250)."""
    found, pod = world.get("StatefulSet", name), world.get("Pod", f"{name}-0")
    if found is None or pod is None or "deletionTimestamp" in pod["metadata"] or _is_ready(pod):
        return []
    seen = found.get("status", {})
    if seen.get("observedGeneration") != found["metadata"].get("generation"):
        return []
    newest = seen.get("updateRevision")
    stuck = newest is not None and _revision(pod) != newest
    return [Ref("Pod", f"{name}-0")] if stuck else []


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def _trouble(pod: Object | None, reason: str, message: str, of: str = "Ready") -> Condition:
    """Why a pod isn't ready, as it says itself."""
    if pod is None:
        return false(of, reason, message)
    seen = pod.get("status", {})
    if seen.get("phase") == "Failed":
        return false(of, seen.get("reason", "PodFailed"), seen.get("message", "the pod has failed"))
    for container in (*seen.get("initContainerStatuses", []), *seen.get("containerStatuses", [])):
        waiting = container.get("state", {}).get("waiting", {})
        if waiting.get("reason") not in (None, "PodInitializing", "ContainerCreating"):
            said = waiting.get("message", "")
            return false(of, waiting["reason"], f"container {container['name']}: {said or waiting['reason']}")
    for condition in seen.get("conditions", []):
        if condition["type"] == "PodScheduled" and condition["status"] == "False":
            return false(of, condition.get("reason", "Unschedulable"), condition.get("message", message))
    return false(of, reason, message)
