"""A Live strategy's rollout in its namespace: what is seen of it, what it asks for, what its status says. Core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tradewind.operators.config import OperatorConfig
from tradewind.operators.plan import documents, gates, models, objects, rollout, serving
from tradewind.operators.plan.conditions import false, true
from tradewind.operators.plan.difference import differing
from tradewind.operators.plan.model import Condition, Object, Request, World
from tradewind.operators.plan.noted import Figures, Note, read_note
from tradewind.operators.plan.rollout import CONDITION, Seen, State, Terms
from tradewind.operators.plan.running import signals_ready
from tradewind.operators.plan.shared import bound_names
from tradewind.planning.legs import (
    CHALLENGER,
    MOST_LEGS,
    Stand,
    challenger_leg,
    champion_leg,
    engine_legs,
    stand_of,
)
from tradewind.planning.pods import signal_pod, trial_pod, trial_pod_name
from tradewind.specs import RiskPolicy, Strategy
from tradewind.specs.base import duration_ns

ALIASES = "/api/2.0/mlflow/registered-models/alias"


@dataclass(frozen=True)
class Rollout:
    """How far it is.

    Attributes:
        stand: what money and processes follow.
        told: the part of the status that remembers it.
        challenger: the version on trial.
        sends: whether orders may leave at all.
    """

    stand: Stand
    told: Object
    condition: Condition
    sends: bool
    challenger: int | None = None
    requests: list[Request] = field(default_factory=list)
    again_s: float | None = None


def look(
    world: World, document: Object, strategy: Strategy, policy: RiskPolicy, config: OperatorConfig, now: str
) -> Rollout | None:
    """The rollout's next step; None of a strategy that isn't Live."""
    if strategy.spec.mode != "Live":
        return None
    confirmed = strategy.spec.rollout.confirm_live
    if not models.trains(config):
        return _elsewhere(confirmed=confirmed)
    before, note = rollout.read(document.get("status")), _note(world, policy)
    figures = _figures(strategy, before, note)
    if not models.reached(world):
        why = "services.ray or services.mlflow does not answer: everything stays as it is"
        unknown = Condition(CONDITION, "Unknown", "RegistryUnknown", why)
        return _made(before, figures, unknown, confirmed=confirmed)
    leader = _leader(strategy, world)
    seen = Seen(
        _versions(strategy, world, config, now) if leader == strategy.metadata.name else {},
        _alias(strategy, world, rollout.CHAMPION),
        _starting(strategy, policy, before, world, config),
        figures,
        policy.spec.kill_switch.engaged or bool(note and note.kill_switch),
        _legs(policy, world, note) >= MOST_LEGS,
    )
    step = rollout.plan(before, _terms(strategy), seen, now)
    condition = step.condition
    if leader != strategy.metadata.name and condition.reason in ("Waiting", "Champion"):
        said = f"Strategy/{leader} leads the rollout of model {strategy.model_name}: {condition.message}"
        condition = Condition(CONDITION, condition.status, "Follows", said)
    requests = [
        Request("mlflow", "POST", ALIASES, {"name": strategy.model_name, "alias": alias, "version": str(version)})
        for alias, version in step.aliases.items()
        if _alias(strategy, world, alias) != version
    ]
    return _made(step.state, figures, condition, requests, step.again_s, confirmed=confirmed)


def processes(
    strategy: Strategy,
    stand: Stand,
    policy: RiskPolicy,
    document: Object,
    sharing: Sequence[Strategy],
    config: OperatorConfig,
) -> list[Object]:
    """The objects of the signal process of each leg; of a strategy that isn't Live, its own.

    `sharing` are those that share its model.
    """
    wanted: list[Object] = []
    if strategy.spec.mode != "Live" or stand.champion:
        own = signal_pod(champion_leg(strategy, stand), policy, sharing, config.site())
        wanted += objects.signals(document, own, config)
    leg = challenger_leg(strategy, stand)
    if leg is not None:
        wanted += objects.signals(document, trial_pod(leg, policy, sharing, config.site()), config, of="trial")
    return wanted


def ready(strategy: Strategy, stand: Stand, world: World) -> Condition:
    """Whether its signal process runs: the champion's, which counts, or the challenger's where there is no other."""
    name = strategy.metadata.name
    trial = strategy.spec.mode == "Live" and not stand.champion and stand.challenger is not None
    return signals_ready(world, trial_pod_name(name) if trial else f"signals-{name}")


def _made(
    state: State,
    figures: Figures | None,
    condition: Condition,
    requests: list[Request] | None = None,
    again_s: float | None = None,
    *,
    confirmed: bool,
) -> Rollout:
    sends = confirmed and (state.champion is not None or state.canary)
    told = rollout.written(state, figures)
    return Rollout(state.stand, told, condition, sends, state.challenger, requests or [], again_s)


def _elsewhere(*, confirmed: bool) -> Rollout:
    """Where the operator knows no registry, whoever sets the alias has decided."""
    said = f"whoever sets the alias {rollout.CHAMPION} decides: services.ray and services.mlflow are not given"
    condition = true(CONDITION, "Champion", said)
    if not confirmed:
        condition = false(CONDITION, "ConfirmLive", "no order is sent before spec.rollout.confirmLive is true")
    return Rollout(Stand(champion=True), {"stage": "Champion"}, condition, confirmed)


def _terms(strategy: Strategy) -> Terms:
    spec = strategy.spec
    return Terms(
        duration_ns(spec.rollout.shadow) / 1e9,
        spec.capital_share * spec.rollout.canary_capital,
        spec.rollout.min_paper_trades,
        spec.training.gates.max_drawdown,
        spec.rollout.confirm_live,
    )


def _versions(strategy: Strategy, world: World, config: OperatorConfig, now: str) -> dict[int, bool]:
    """Versions of what the spec asks for, and whether their gates passed."""
    key = models.wanted_by(strategy, world, config, now).key
    found = gates.versions(world.get("RegisteredModel", strategy.model_name))
    return {v.number: v.passed for v in found if v.learned_until(key) is not None}


def _alias(strategy: Strategy, world: World, alias: str) -> int | None:
    number = (world.get("RegisteredModel", strategy.model_name) or {}).get("aliases", {}).get(alias)
    return None if number is None else int(number)


def _leader(strategy: Strategy, world: World) -> str:
    """The oldest bound Live strategy of those that share the model: one rollout at a time."""
    for other in documents.of_model(world, strategy.model_name):
        policy = documents.policy(world, other.spec.risk_policy) if other.spec.mode == "Live" else None
        if policy is not None and other.metadata.name in bound_names(policy, world):
            return other.metadata.name
    return strategy.metadata.name


def _starting(
    strategy: Strategy, policy: RiskPolicy, before: State, world: World, config: OperatorConfig
) -> Condition | None:
    """Why the challenger of the status doesn't serve yet; None: it does."""
    leg, name = challenger_leg(strategy, before.stand), strategy.model_name
    if leg is None:
        return None
    if _alias(strategy, world, CHALLENGER) != before.challenger:
        return false("Ready", "Aliasing", f"the alias {CHALLENGER} does not point at it yet")
    served = serving.served(name, CHALLENGER, world)
    if served.status != "True":
        return served
    document = world.get("Strategy", strategy.metadata.name)
    assert document is not None
    trial = trial_pod(leg, policy, documents.of_model(world, name), config.site())
    if differing(objects.signals(document, trial, config, of="trial"), world):
        return false("Ready", "SignalsChanging", "its signal process is being made")
    running = signals_ready(world, trial.name)
    return None if running.status == "True" else running


def _legs(policy: RiskPolicy, world: World, note: Note | None) -> int:
    """How many legs the account's executor has, or will have as soon as it looks."""
    names = bound_names(policy, world)
    bound = [s for s in documents.of_policy(world, policy.metadata.name) if s.metadata.name in names]
    stands = {s: stand_of((world.get("Strategy", s) or {}).get("status")) for s in names}
    wanted = sum(len(engine_legs(s, stands[s.metadata.name])) for s in bound)
    return max(wanted, len(note.strategies) if note is not None else 0)


def _note(world: World, policy: RiskPolicy) -> Note | None:
    return read_note(world.get("Pod", f"executor-{policy.metadata.name}-0"))


def _figures(strategy: Strategy, before: State, note: Note | None) -> Figures | None:
    """The canary's, as the executor told them."""
    leg = challenger_leg(strategy, before.stand)
    return note.canaries.get(leg.uid) if note is not None and leg is not None and before.canary else None
