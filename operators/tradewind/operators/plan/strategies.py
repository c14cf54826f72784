"""What to do about one Strategy: its signal process, and what its status says. Core."""

from __future__ import annotations

from tradewind.operators.config import OperatorConfig
from tradewind.operators.plan import documents, objects
from tradewind.operators.plan.conditions import false, status, true
from tradewind.operators.plan.difference import differing
from tradewind.operators.plan.model import Condition, Object, Plan, Ref, World
from tradewind.operators.plan.running import features_fresh, features_ready, signals_ready
from tradewind.planning.binding import Verdict, bind, unbound
from tradewind.planning.pods import signal_pod
from tradewind.specs import SpecError, Strategy


def plan(world: World, name: str, config: OperatorConfig, now: str, problem: str = "") -> Plan:
    """The plan for the strategy `name`. `problem` is what went wrong with the last plan, if anything did."""
    document = world.get("Strategy", name)
    if document is None or "deletionTimestamp" in document["metadata"]:
        return Plan()  # what it owns goes with it
    try:
        strategy = documents.read(document)
        assert isinstance(strategy, Strategy)
    except SpecError as error:
        return _stopped(world, document, false("RiskBound", "InvalidSpec", str(error)), now)
    every = documents.strategies(world)
    policy = documents.policy(world, strategy.spec.risk_policy)
    verdict = unbound(strategy.spec.risk_policy) if policy is None else bind(policy, every)[name]
    if policy is None or not verdict.bound:
        return _stopped(world, document, _risk_bound(verdict), now)
    wanted = objects.signals(document, signal_pod(strategy, policy, every, config.site()), config)
    apply = differing(wanted, world)
    ready = signals_ready(world, f"signals-{name}")
    if apply and ready.status == "True":
        ready = false("Ready", "SignalsChanging", "the signal process is being changed")
    conditions = [_risk_bound(verdict), _reconciled(apply, problem)]
    if config.services.data is not None:
        replayed = config.services.data.replay is not None
        computing = features_ready(world, strategy, replayed=replayed)
        conditions.append(features_fresh(world, computing, replayed=replayed))
        ready = _both(ready, computing)
    conditions.append(ready)
    written, news = status(document, conditions, now)
    return Plan(apply, [], written, news)


def _both(first: Condition, second: Condition) -> Condition:
    """What is wrong, the second only where nothing is with the first."""
    return second if first.status == "True" and second.status != "True" else first


def _stopped(world: World, document: Object, bound: Condition, now: str) -> Plan:
    """A strategy that may not trade has no signal process."""
    running = Ref("Deployment", f"signals-{document['metadata']['name']}")
    there = world.get(*running) is not None
    done = true("Reconciled", "Stopped", "no signal process runs")
    stopping = false("Reconciled", "Stopping", "the signal process is being ended")
    ready = false("Ready", bound.reason, bound.message)
    written, news = status(document, [bound, stopping if there else done, ready], now)
    return Plan(delete=[running] if there else [], status=written, events=news)


def _risk_bound(verdict: Verdict) -> Condition:
    make = true if verdict.bound else false
    return make("RiskBound", verdict.reason, verdict.message)


def _reconciled(apply: list[Object], problem: str) -> Condition:
    if problem:
        return false("Reconciled", "ApplyFailed", problem)
    if apply:
        changed = ", ".join(f"{o['kind']}/{o['metadata']['name']}" for o in apply)
        return false("Reconciled", "Applying", f"applying {changed}")
    return true("Reconciled", "Applied", "every object is as it should be")
