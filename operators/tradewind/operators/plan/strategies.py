"""What to do about one Strategy: its signal process, and what its status says. Core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tradewind.operators.config import OperatorConfig
from tradewind.operators.plan import documents, gates, leaving, models, serving, stages
from tradewind.operators.plan.conditions import false, status, true
from tradewind.operators.plan.difference import differing
from tradewind.operators.plan.model import Condition, Object, Plan, Ref, World, is_deleted, is_held, ref_of
from tradewind.operators.plan.running import features_fresh, features_ready
from tradewind.operators.plan.stages import Rollout
from tradewind.operators.plan.trading import is_trading
from tradewind.planning.binding import Verdict, bind, unbound
from tradewind.planning.legs import CHALLENGER, Stand, stand_of
from tradewind.planning.local import model_alias
from tradewind.specs import SpecError, Strategy


def plan(world: World, name: str, config: OperatorConfig, now: str, problem: str = "") -> Plan:
    """The plan for the strategy `name`. `problem` is what went wrong with the last plan, if anything did."""
    document = world.get("Strategy", name)
    if document is None or (is_deleted(document) and not is_held(document)):
        return Plan()  # what it owns goes with it
    if is_deleted(document):
        return leaving.plan(document, world, now)
    try:
        strategy = documents.known(world, ref_of(document))
        assert isinstance(strategy, Strategy)
    except SpecError as error:
        return _stopped(world, document, false("RiskBound", "InvalidSpec", str(error)), now)
    account, sharing = strategy.spec.risk_policy, documents.of_model(world, strategy.model_name)
    policy = documents.policy(world, account)
    verdict = unbound(account) if policy is None else bind(policy, documents.of_policy(world, account))[name]
    if policy is None or not verdict.bound:
        return _stopped(world, document, _risk_bound(verdict), now)
    rolled = stages.look(world, document, strategy, policy, config, now)
    stand = rolled.stand if rolled is not None else Stand()
    wanted = stages.processes(strategy, stand, policy, document, sharing, config)
    apply, unwanted = differing(wanted, world), _unwanted(document, wanted, world)
    ready = stages.ready(strategy, stand, world)
    if apply and ready.status == "True":
        ready = false("Ready", "SignalsChanging", "the signal process is being changed")
    told, causes = _surroundings(world, strategy, rolled, sharing, config, now)
    # What comes first is the cause of what comes later: a signal process waits for its predictor.
    ready = replace(next((c for c in (*causes, ready) if c.status != "True"), ready), type="Ready")
    fresh = next((c for c in told if c.type == "FeaturesFresh"), None)
    held = rolled.condition if rolled is not None and not rolled.sends else None
    trades = is_trading(strategy, policy, world, ready, fresh, held)
    conditions = [_risk_bound(verdict), _reconciled(apply, problem), *told, trades, ready]
    more = {"rollout": rolled.told} if rolled is not None else {}
    written, news = status(document, conditions, now, **more, **_model(world, strategy, rolled, sharing, config))
    return Plan(
        apply,
        unwanted,
        rolled.requests if rolled is not None else [],
        status=written,
        events=news,
        # Money follows the status, so it is told before anybody sends by it.
        status_first=rolled is not None and stand_of(document.get("status")) != stand,
        finalizer=leaving.wants_finalizer(document, world),
        again_s=rolled.again_s if rolled is not None else None,
    )


def _unwanted(document: Object, wanted: list[Object], world: World) -> list[Ref]:
    """Signal processes of legs that are no more."""
    kept = {ref_of(o) for o in wanted}
    return [ref for ref in leaving.signal_processes(document, world) if ref not in kept]


def _surroundings(
    world: World,
    strategy: Strategy,
    rolled: Rollout | None,
    sharing: Sequence[Strategy],
    config: OperatorConfig,
    now: str,
) -> tuple[list[Condition], list[Condition]]:
    """Conditions of model, rollout and features, and those that the strategy can't be ready without."""
    told, causes = [], []
    if models.trains(config):
        name, alias = strategy.model_name, _alias(strategy, rolled, sharing)
        trained = models.model_ready(strategy, world, config, now)
        challenger = rolled.challenger if rolled is not None else None
        passed = gates.gates_passed(
            name, model_alias(strategy, sharing), world.get("RegisteredModel", name), challenger
        )
        told += [trained, passed]
        causes += [trained, *([passed] if rolled is not None else []), serving.served(name, alias, world)]
    told += [rolled.condition] if rolled is not None else []
    if config.services.data is not None:
        replayed = config.services.data.replay is not None
        computing = features_ready(world, strategy, replayed=replayed)
        told.append(features_fresh(world, computing, replayed=replayed))
        causes.append(computing)
    return told, causes


def _alias(strategy: Strategy, rolled: Rollout | None, sharing: Sequence[Strategy]) -> str:
    """The alias under which it is served: the champion's, or the challenger's where there is no champion."""
    alone = rolled is not None and rolled.challenger is not None and not rolled.stand.champion
    return CHALLENGER if alone else model_alias(strategy, sharing)


def _model(
    world: World, strategy: Strategy, rolled: Rollout | None, sharing: Sequence[Strategy], config: OperatorConfig
) -> Object:
    """The part of the status that says which model is served."""
    name, alias = strategy.model_name, _alias(strategy, rolled, sharing)
    found = gates.aliased(world.get("RegisteredModel", name), alias) if models.trains(config) else None
    return {} if found is None else {"model": {"name": name, "version": found.number, "alias": alias}}


def _stopped(world: World, document: Object, bound: Condition, now: str) -> Plan:
    """A strategy that may not trade has no signal process. How far its rollout was is not forgotten."""
    running = leaving.signal_processes(document, world)
    done = true("Reconciled", "Stopped", "no signal process runs")
    stopping = false("Reconciled", "Stopping", "the signal process is being ended")
    ready = false("Ready", bound.reason, bound.message)
    before = document.get("status", {})
    more = {"rollout": before["rollout"]} if "rollout" in before else {}
    written, news = status(document, [bound, stopping if running else done, ready], now, **more)
    return Plan(delete=running, status=written, events=news)


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
