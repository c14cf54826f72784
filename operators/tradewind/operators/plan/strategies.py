"""What to do about one Strategy: its signal process, and what its status says. Core."""

from __future__ import annotations

from dataclasses import replace

from tradewind.operators.config import OperatorConfig
from tradewind.operators.plan import documents, gates, leaving, models, objects, serving
from tradewind.operators.plan.conditions import false, status, true
from tradewind.operators.plan.difference import differing
from tradewind.operators.plan.model import Condition, Object, Plan, Ref, World, is_deleted, is_held
from tradewind.operators.plan.running import features_fresh, features_ready, signals_ready
from tradewind.operators.plan.trading import is_trading
from tradewind.planning.binding import Verdict, bind, unbound
from tradewind.planning.local import model_alias
from tradewind.planning.pods import signal_pod
from tradewind.specs import SpecError, Strategy


def plan(world: World, name: str, config: OperatorConfig, now: str, problem: str = "") -> Plan:
    """The plan for the strategy `name`. `problem` is what went wrong with the last plan, if anything did."""
    document = world.get("Strategy", name)
    if document is None or (is_deleted(document) and not is_held(document)):
        return Plan()  # what it owns goes with it
    if is_deleted(document):
        return leaving.plan(document, world, now)
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
    told, causes = _surroundings(world, strategy, every, config, now)
    # What comes first is the cause of what comes later: a signal process waits for its predictor.
    ready = replace(next((c for c in (*causes, ready) if c.status != "True"), ready), type="Ready")
    fresh = next((c for c in told if c.type == "FeaturesFresh"), None)
    trades = is_trading(strategy, policy, world, ready, fresh)
    conditions = [_risk_bound(verdict), _reconciled(apply, problem), *told, trades, ready]
    written, news = status(document, conditions, now, **_model(world, strategy, every, config))
    return Plan(apply, status=written, events=news, finalizer=leaving.wants_finalizer(document, world))


def _surroundings(
    world: World, strategy: Strategy, every: list[Strategy], config: OperatorConfig, now: str
) -> tuple[list[Condition], list[Condition]]:
    """Conditions of model and features, and those that the strategy can't be ready without."""
    told, causes = [], []
    if models.trains(config):
        name, alias = strategy.model_name, model_alias(strategy, every)
        trained = models.model_ready(strategy, world, config, now)
        passed = gates.gates_passed(name, alias, world.get("RegisteredModel", name))
        told += [trained, passed]
        causes += [trained, *([passed] if strategy.spec.mode == "Live" else []), serving.served(name, alias, world)]
    if config.services.data is not None:
        replayed = config.services.data.replay is not None
        computing = features_ready(world, strategy, replayed=replayed)
        told.append(features_fresh(world, computing, replayed=replayed))
        causes.append(computing)
    return told, causes


def _model(world: World, strategy: Strategy, every: list[Strategy], config: OperatorConfig) -> Object:
    """The part of the status that says which model is served."""
    name, alias = strategy.model_name, model_alias(strategy, every)
    found = gates.aliased(world.get("RegisteredModel", name), alias) if models.trains(config) else None
    return {} if found is None else {"model": {"name": name, "version": found.number, "alias": alias}}


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
