"""What the strategies of a namespace share: features processes and the feed. Core.

They are made of the union of the bound strategies and go with the last of them; but no feed loses a symbol, or goes,
while an executor still knows a strategy that trades no more. Each policy that is traded under owns them, so that they
go with the last of those where no operator is left. They are planned as a document of their own, `SHARED`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tradewind.operators.config import OperatorConfig
from tradewind.operators.plan import documents, podspec
from tradewind.operators.plan.difference import differing, fingerprint, holds
from tradewind.operators.plan.model import LABEL_POLICY, LABEL_SHARED, Object, Plan, Ref, World, ref_of
from tradewind.operators.plan.noted import read_note
from tradewind.planning import Workload
from tradewind.planning.binding import bind
from tradewind.planning.legs import owner_of
from tradewind.planning.local import BROKER_KEYS
from tradewind.planning.pods import feature_pods, feed_pods
from tradewind.specs import RiskPolicy, Strategy

SHARED = Ref("Shared", "namespace")
FEED = "feed"


def plan(world: World, name: str, config: OperatorConfig, now: str, problem: str = "") -> Plan:  # noqa: ARG001
    """The plan for what is shared; it has no status of its own, the strategies' conditions tell of it."""
    wanted: list[Object] = []
    bound, policies = trading(world) if config.services.data is not None else ([], [])
    prices_needed = _left_somewhere(world, bound)
    if bound:
        for workload in feature_pods(bound, config.site()):
            wanted += _service(workload, "features", config)
        for feed in feed_pods(bound, policies, config.site()):
            workload = _with_known_symbols(feed, world) if prices_needed else feed
            wanted += _job(workload, config) if workload.kind == "Job" else _service(workload, "feed", config)
        if not _may_begin(world, bound, policies):
            wanted = [o for o in wanted if o["kind"] != "Job"]
    unwanted = {ref for ref in _ours(world) - {ref_of(o) for o in wanted} if not (prices_needed and _feeds(ref, world))}
    owners = [found for p in policies if (found := world.get("RiskPolicy", p.metadata.name)) is not None]
    wanted = [podspec.shared_by(owners, o) for o in wanted]
    begun = [o for o in wanted if o["kind"] == "Job" and world.get(*ref_of(o)) is not None]
    replaced = {ref_of(o) for o in begun if _is_outdated(o, world)}
    handed_on = [_handed_on(o, world) for o in begun if ref_of(o) not in replaced]
    changed = differing([o for o in wanted if o not in begun], world)
    return Plan([*changed, *(o for o in handed_on if o is not None)], sorted(unwanted | replaced))


def _left_somewhere(world: World, bound: Sequence[Strategy]) -> bool:
    """Whether an executor knows a strategy that is not bound: what that holds is closed, or protected, by prices."""
    notes = [read_note(pod) for pod in world.of("Pod") if LABEL_POLICY in pod["metadata"].get("labels", {})]
    return not {owner_of(uid) for note in notes if note for uid in note.strategies} <= {s.uid for s in bound}


def _with_known_symbols(feed: Workload, world: World) -> Workload:
    """The feed with those symbols, too, that it has now. A replay has every symbol anyway."""
    there, source = world.get("ConfigMap", feed.name), feed.config["source"]
    known = json.loads(there["data"]["config.json"])["source"]["symbols"] if there is not None else []
    if source["symbols"] is None or known is None:
        return feed
    return replace(feed, config={**feed.config, "source": {**source, "symbols": sorted({*known, *source["symbols"]})}})


def _feeds(ref: Ref, world: World) -> bool:
    found = world.get(*ref)
    return found is not None and found["metadata"]["labels"]["app.kubernetes.io/name"] == FEED


def trading(world: World) -> tuple[list[Strategy], list[RiskPolicy]]:
    """Every bound strategy, oldest first, and every policy that one is bound to."""
    every = documents.strategies(world)
    names: set[str] = set()
    used = []
    for account in {s.spec.risk_policy for s in every}:
        policy = documents.policy(world, account)
        bound = bound_names(policy, world) if policy is not None else set()
        if policy is not None and bound:
            names |= bound
            used.append(policy)
    return [s for s in every if s.metadata.name in names], sorted(used, key=lambda p: p.metadata.name)


def bound_names(policy: RiskPolicy, world: World) -> set[str]:
    """Names of the strategies that trade under the policy."""
    verdicts = bind(policy, documents.of_policy(world, policy.metadata.name))
    return {name for name, verdict in verdicts.items() if verdict.bound}


def _may_begin(world: World, bound: list[Strategy], policies: list[RiskPolicy]) -> bool:
    """Whether everybody is ready: a replay waits for nobody, so it begins when all can follow."""
    if world.get("Job", FEED) is not None:
        return True
    return all(_ready(world.get(document.kind, document.metadata.name)) for document in (*bound, *policies))


def _is_outdated(wanted: Object, world: World) -> bool:
    """Whether a Job was made of something else than is wanted now, and neither runs nor has come to its end.

    One whose pod could not start never would: the pod of a Job can't be changed. One that died in the middle goes on
    where it was, as what is wanted now. Another is made when it is gone, with its pods: of a run there is one feed.
    """
    there = world.get(*ref_of(wanted)) or {}
    metadata, seen = there["metadata"], there.get("status", {})
    made_of, asked = (m.get("annotations", {}).get(podspec.FIXED) for m in (metadata, wanted["metadata"]))
    ended = any(c["type"] == "Complete" and c["status"] == "True" for c in seen.get("conditions", []))
    lives = ended or seen.get("succeeded", 0) or seen.get("ready", 0)
    return made_of != asked and not lives and "deletionTimestamp" not in metadata


def _handed_on(wanted: Object, world: World) -> Object | None:
    """A replay that has begun goes on as it is (the pod of a Job can't be changed), under its owners of today."""
    there = world.get(*ref_of(wanted)) or {}
    metadata, owners = there["metadata"], wanted["metadata"]["ownerReferences"]
    if "deletionTimestamp" in metadata or holds(metadata.get("ownerReferences"), owners):
        return None
    kept = {key: metadata.get(key, {}) for key in ("labels", "annotations")}
    return {**wanted, "metadata": {**wanted["metadata"], **kept}, "spec": there["spec"]}


def _ready(document: Object | None) -> bool:
    if document is None:
        return False
    found = document.get("status", {}).get("conditions", [])
    newest = document["metadata"]["generation"]
    return any(c["type"] == "Ready" and c["status"] == "True" and c["observedGeneration"] == newest for c in found)


def _ours(world: World) -> set[Ref]:
    return {
        ref_of(o)
        for kind in ("Deployment", "Job", "ConfigMap")
        for o in world.of(kind)
        if LABEL_SHARED in o["metadata"].get("labels", {}) and "deletionTimestamp" not in o["metadata"]
    }


def _service(workload: Workload, part: Any, config: OperatorConfig) -> list[Object]:
    spec = {
        "replicas": 1,
        "strategy": {"type": "Recreate"},  # two of one consumer group would each see half of the bars
        "selector": {"matchLabels": podspec.chosen(_tags(part, workload.name))},
        "template": _template(workload, part, config),
    }
    return [_configuration(workload, part, config), _object("apps/v1", "Deployment", workload, part, config, spec)]


def _job(workload: Workload, config: OperatorConfig) -> list[Object]:
    """A replay. While it runs, what it was begun with can't be changed: another data set is another installation's."""
    template = _template(workload, FEED, config)
    pod = {**template["spec"], "restartPolicy": "OnFailure"}
    del template["metadata"]["annotations"]
    # What dies is started again for as long as it takes: the kubelet backs off, and FeaturesFresh tells of it.
    spec = {"backoffLimit": 1_000_000, "template": {**template, "spec": pod}}
    job = _object("batch/v1", "Job", workload, FEED, config, spec)
    job["metadata"]["annotations"] = {podspec.FIXED: fingerprint([spec, workload.config])}
    return [_configuration(workload, FEED, config), job]


def _configuration(workload: Workload, part: str, config: OperatorConfig) -> Object:
    tags = _tags(part, workload.name)
    data = {"config.json": json.dumps(workload.config, sort_keys=True)}
    return podspec.made("v1", "ConfigMap", workload.name, config.namespace, tags, data=data)


def _object(api: str, kind: str, workload: Workload, part: str, config: OperatorConfig, spec: Object) -> Object:
    name = workload.name
    return podspec.made(api, kind, name, config.namespace, _tags(part, name), spec=spec)


def _template(workload: Workload, part: Any, config: OperatorConfig) -> Object:
    data, wanted = config.services.data, config.resources
    assert data is not None
    size = (wanted.feed_cpu, wanted.feed_memory) if part == FEED else (wanted.features_cpu, wanted.features_memory)
    volumes = podspec.Volumes().config(workload.name).certificates(config, broker=part == FEED).data(config)
    # The features process has no secret of the workload's; a feed has the market's.
    keys = podspec.keys_of(data.secret, BROKER_KEYS) if workload.secrets else []
    container = {
        "name": part,
        "image": config.images.streaming,
        **podspec.PROBED,
        "command": ["python", "-m", workload.module, "--config", f"{podspec.CONFIG_DIR}/config.json"],
        **podspec.told(part, config, keys),
        "resources": podspec.at_least(*size),
        "securityContext": podspec.RESTRICTED,
        "volumeMounts": volumes.mounts,
    }
    return {
        "metadata": {
            "labels": _tags(part, workload.name),
            "annotations": {podspec.FIXED: fingerprint(workload.config)},
        },
        "spec": {**podspec.pod(part, config), "containers": [container], "volumes": volumes.volumes},
    }


def _tags(part: str, name: str) -> dict[str, str]:
    return podspec.labels(part, name, **{LABEL_SHARED: "true"})
