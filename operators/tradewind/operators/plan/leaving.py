"""Documents that are deleted: a Strategy goes when its executor has dealt with what it has, as its onDelete says. Core.

Our finalizer is on a Strategy as long as an executor knows it: before, there is nothing to deal with. A RiskPolicy has
one as long as one of its strategies does, because its executor goes with it.
"""

from __future__ import annotations

from tradewind.operators.plan import documents
from tradewind.operators.plan.conditions import false, status, true
from tradewind.operators.plan.model import FINALIZER, Condition, Object, Plan, Ref, World, is_deleted, is_held
from tradewind.operators.plan.noted import Note, Remains, read_note
from tradewind.planning.legs import is_leg, owner_of
from tradewind.planning.pods import trial_pod_name

CONDITION = "Deleted"
_CLOSED = frozenset({"OUT_OF_SESSION", "SESSION_UNKNOWN"})
_DONE = {"Keep": "Kept", "Cancel": "Cancelled", "Flatten": "Flattened"}
_GIVE_UP = f"to wait no longer remove the finalizer {FINALIZER}: the executor goes on without it"


def wants_finalizer(document: Object, world: World) -> bool | None:
    """Whether a Strategy that isn't being deleted is to get our finalizer; None: as it is."""
    note = _note(world, document["spec"]["riskPolicy"])
    known = note is not None and document["metadata"]["uid"] in note.strategies
    return True if known and not is_held(document) else None


def policy_finalizer(document: Object, world: World) -> bool | None:
    """The same of a RiskPolicy, and whether one that is being deleted may go."""
    held = bool(still_held(world, document["metadata"]["name"]))
    return held if held != is_held(document) else None


def policy_waits(document: Object, world: World) -> list[Condition]:
    """What a RiskPolicy that is being deleted waits for."""
    if not is_deleted(document):
        return []
    names = ", ".join(still_held(world, document["metadata"]["name"]))
    return [false(CONDITION, "StrategiesHeld", f"in force until the last of its strategies is gone: {names}")]


def still_held(world: World, policy: str) -> list[str]:
    """The strategies of a policy that have our finalizer."""
    return [s["metadata"]["name"] for s in documents.naming(world, policy) if is_held(s)]


def plan(document: Object, world: World, now: str) -> Plan:
    """The plan for a Strategy that is being deleted and has our finalizer."""
    running = signal_processes(document, world)
    said = _deleted(document, world, stops=bool(running))
    ready = false("Ready", said.reason, said.message)
    written, news = status(document, [said, ready], now)
    gone = said.status == "True"
    return Plan(delete=running, status=written, events=news, finalizer=False if gone else None)


def signal_processes(document: Object, world: World) -> list[Ref]:
    """Those that a Strategy has: its own, and that of its challenger."""
    name = document["metadata"]["name"]
    found = (Ref("Deployment", f"signals-{name}"), Ref("Deployment", trial_pod_name(name)))
    return [ref for ref in found if world.get(*ref) is not None]


def _deleted(document: Object, world: World, *, stops: bool) -> Condition:
    spec = document.get("spec", {})
    how, account = spec.get("onDelete", "Cancel"), spec["riskPolicy"]
    if stops:
        return false(CONDITION, "SignalsStopping", "its signal process is being ended")
    if world.get("StatefulSet", f"executor-{account}") is None and world.get("Pod", f"executor-{account}-0") is None:
        return true(CONDITION, "NoExecutor", f"RiskPolicy/{account} has no executor: nobody trades for it")
    note = _note(world, account)
    remains = _remains(note, document["metadata"]["uid"]) if note is not None else None
    if note is None or remains is None:
        silent = f"the executor of RiskPolicy/{account} has not said what it has left"
        return false(CONDITION, "ExecutorSilent", f"{silent}; {_GIVE_UP}")
    if _done(how, remains):
        return true(CONDITION, _DONE[how], _left(remains))
    reason, why = _waits(how, note, remains, account)
    return false(CONDITION, reason, f"onDelete is {how}: {_left(remains)}{why}; {_GIVE_UP}")


def _remains(note: Note, uid: str) -> Remains | None:
    """What a strategy and its challenger's leg have left; None while the executor has not said it of both."""
    legs = [uid, *(known for known in note.strategies if is_leg(known) and owner_of(known) == uid)]
    if any(leg not in note.remains for leg in legs):
        return None
    left = [note.remains[leg] for leg in legs]
    refused = next((r.refused for r in left if r.refused), "")
    return Remains(orders=sum(r.orders for r in left), positions=sum(r.positions for r in left), refused=refused)


def _done(how: str, remains: Remains) -> bool:
    if how == "Keep":
        return True
    return remains.orders == 0 and (how == "Cancel" or remains.positions == 0)


def _waits(how: str, note: Note, remains: Remains, account: str) -> tuple[str, str]:
    """Why it takes time, in one word and in more."""
    if note.kill_switch:
        return "KillSwitch", f", and the kill switch of RiskPolicy/{account} is latched; a named person releases it"
    if not note.connected:
        return "BrokerDisconnected", f", and the broker's stream of RiskPolicy/{account} is down"
    if how == "Cancel":
        return "Cancelling", ""
    if remains.refused in _CLOSED:
        return "MarketClosed", f", and the exchange takes no orders now ({remains.refused})"
    if remains.refused:
        return "ExitRefused", f", and the exit was refused ({remains.refused}); it is tried again"
    return "Flattening", ""


def _left(remains: Remains) -> str:
    return f"orders in {remains.orders} and positions in {remains.positions} symbols are left"


def _note(world: World, account: str) -> Note | None:
    return read_note(world.get("Pod", f"executor-{account}-0"))
