"""What to do about one RiskPolicy: its executor, and what its status says. Core."""

from __future__ import annotations

from dataclasses import replace

from tradewind.operators.config import OperatorConfig
from tradewind.operators.plan import documents, objects
from tradewind.operators.plan.conditions import false, status, true
from tradewind.operators.plan.difference import differing
from tradewind.operators.plan.leaving import policy_finalizer, policy_waits, still_held
from tradewind.operators.plan.model import Condition, Object, Plan, World, is_deleted, is_held, ref_of
from tradewind.operators.plan.pinning import blocks, cpu_pinned
from tradewind.operators.plan.refusal import refused
from tradewind.operators.plan.running import executor_ready, stuck_pods
from tradewind.planning.binding import bind
from tradewind.planning.pods import executor_pod, fixed_part
from tradewind.specs import RiskPolicy, SpecError, Strategy


def plan(world: World, name: str, config: OperatorConfig, now: str, problem: str = "") -> Plan:
    """The plan for the policy `name`. `problem` is what went wrong with the last plan, if anything did."""
    document = world.get("RiskPolicy", name)
    if document is None or (is_deleted(document) and not is_held(document)):
        return Plan()  # what it owns goes with it
    made = _plan(world, document, config, now, problem)
    return replace(made, finalizer=policy_finalizer(document, world))


def _plan(world: World, document: Object, config: OperatorConfig, now: str, problem: str) -> Plan:
    name = document["metadata"]["name"]
    try:
        policy = documents.known(world, ref_of(document))
        assert isinstance(policy, RiskPolicy)
    except SpecError as error:
        return _refused(world, document, str(error), now)
    strategies = documents.of_policy(world, name)
    verdicts = bind(policy, strategies)
    bound = [s for s in strategies if verdicts[s.metadata.name].bound]
    names = [s.metadata.name for s in bound]
    if not bound:
        return _idle(world, document, policy, now)
    pod = world.get("Pod", f"executor-{name}-0")
    refusal = refused(document.get("status", {}).get("refused"), pod, now)
    try:
        replicas = 1 if refusal is None or refusal.wait_s <= 0 else 0
        wanted = _objects(document, policy, bound, still_held(world, name), config, replicas=replicas)
    except ValueError as error:
        return _refused(world, document, str(error), now, names)
    apply = differing(wanted, world)
    ready = executor_ready(world, f"executor-{name}")
    if refusal is not None and ready.status != "True":
        ready = refusal.as_condition()
    ready, pinned = ready if not apply else _starting(ready), cpu_pinned(policy, pod, config.resources.executor_cpus)
    if ready.status == "True" and blocks(policy, pinned):
        ready = false("Ready", pinned.reason, pinned.message)
    conditions = [_reconciled(apply, problem), pinned, ready]
    more = {"refused": refusal.as_status()} if refusal is not None and ready.status != "True" else {}
    conditions += policy_waits(document, world)
    written, news = status(document, conditions, now, boundStrategies=names, **more)
    again = refusal.wait_s if refusal is not None and refusal.wait_s > 0 else None
    stuck = stuck_pods(world, f"executor-{name}")
    # Scaled to 0, the refused pod is gone, and with it all that tells of the refusal.
    remembers = written.get("refused") != document.get("status", {}).get("refused")
    return Plan(apply, stuck, status=written, events=news, status_first=remembers, again_s=again)


def _objects(
    document: Object,
    policy: RiskPolicy,
    bound: list[Strategy],
    held: list[str],
    config: OperatorConfig,
    *,
    replicas: int,
) -> list[Object]:
    """The executor's; `held` are the strategies that it must see go, whether the policy still allows them or not."""
    workload = executor_pod(policy, bound, config.site())
    shares = policy.spec.execution.pinning == "None"
    fixed = fixed_part(workload.config, policy, bound)
    names = sorted({*policy.spec.strategies, *held})
    return objects.executor(document, workload, names, fixed, config, replicas=replicas, shares=shares)


def _refused(world: World, document: Object, why: str, now: str, names: list[str] | None = None) -> Plan:
    """A policy that can't be followed: the executor goes on with the last one that could."""
    bound = document.get("status", {}).get("boundStrategies", []) if names is None else names
    conditions = [false("Reconciled", "InvalidSpec", why), false("Ready", "InvalidSpec", why)]
    conditions += policy_waits(document, world)
    written, news = status(document, conditions, now, boundStrategies=bound)
    return Plan(status=written, events=news)


def _idle(world: World, document: Object, policy: RiskPolicy, now: str) -> Plan:
    """A policy that nobody trades under needs no executor; one that runs already is left to its positions."""
    allowed = ", ".join(policy.spec.strategies)
    why = f"no Strategy is bound to this policy; it allows {allowed}, and a Strategy names it in spec.riskPolicy"
    conditions = [true("Reconciled", "Applied", "nothing to apply"), false("Ready", "NoStrategies", why)]
    conditions += policy_waits(document, world)
    written, news = status(document, conditions, now, boundStrategies=[])
    return Plan(status=written, events=news)


def _reconciled(apply: list[Object], problem: str) -> Condition:
    if problem:
        return false("Reconciled", "ApplyFailed", problem)
    if apply:
        changed = ", ".join(f"{o['kind']}/{o['metadata']['name']}" for o in apply)
        return false("Reconciled", "Applying", f"applying {changed}")
    return true("Reconciled", "Applied", "every object is as it should be")


def _starting(ready: Condition) -> Condition:
    """While its objects change, what is seen of the executor is of the one before."""
    if ready.status == "True":
        return false("Ready", "ExecutorChanging", "the executor is being changed")
    return ready
