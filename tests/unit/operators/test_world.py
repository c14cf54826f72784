"""What is remembered of a namespace makes no other plan than a namespace that was seen just now."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.operators.test_models import HEARD, MARKET, NOTHING_SERVED
from tests.unit.operators.worlds import NOW, policy, strategy, world
from tradewind.operators.plan import documents
from tradewind.operators.plan.affected import affected, everything
from tradewind.operators.plan.model import FINALIZER, Object, Ref, World, ref_of
from tradewind.operators.run.reconcile import _PLANNERS

NAMES, ACCOUNTS = ("a", "b", "c"), ("p", "q")
METADATA: dict[str, st.SearchStrategy[Any]] = {
    "finalizers": st.sampled_from([[], [FINALIZER]]),
    "deletionTimestamp": st.just("2026-11-21T09:59:00Z"),
}
TIMES = {"observedGeneration": 1, "lastTransitionTime": NOW}
STATUSES: list[Object] = [
    {},
    {"conditions": [{"type": "Ready", "status": "True", "reason": "SignalsRunning", "message": "", **TIMES}]},
    {"rollout": {"stage": "Champion", "champion": 2}},
]
SPECS = st.fixed_dictionaries(
    {"riskPolicy": st.sampled_from(ACCOUNTS), "capitalShare": st.sampled_from([0.2, 0.6])},
    optional={"model": st.sampled_from(["m", "n"]), "mode": st.sampled_from(["Paper", "Live", "Unknown"])},
)


@st.composite
def seen(draw: st.DrawFn) -> Object:
    """A document as an API server could have it."""
    if draw(st.booleans()):
        found = strategy(draw(st.sampled_from(NAMES)), draw(st.integers(1, 3)), **draw(SPECS))
    else:
        allows = tuple(draw(st.lists(st.sampled_from(NAMES), min_size=1, unique=True)))
        found = policy(draw(st.sampled_from(ACCOUNTS)), allows, account=draw(st.sampled_from(["live", "paper"])))
    metadata = {**found["metadata"], **draw(st.fixed_dictionaries({}, optional=METADATA))}
    status = draw(st.sampled_from(STATUSES))
    return {**found, "metadata": metadata, **({"status": status} if status else {})}


CHANGES = st.lists(st.one_of(seen(), st.builds(Ref, st.just("Strategy"), st.sampled_from(NAMES))), max_size=12)


@given(CHANGES)
def test_every_plan_is_that_of_a_namespace_seen_just_now(changes: list[Object | Ref]) -> None:
    """One that has lived through the changes, asked after each, against one of its objects alone."""
    lived = world(*HEARD, NOTHING_SERVED)
    for change in changes:
        if isinstance(change, Ref):
            lived.remove(change)
        else:
            lived.put(ref_of(change), change)
        new = World(copy.deepcopy(lived.objects))
        assert everything(lived) == everything(new)
        for ref in sorted(everything(new)):
            assert _PLANNERS[ref.kind](lived, ref.name, MARKET, NOW, "") == _PLANNERS[ref.kind](
                new, ref.name, MARKET, NOW, ""
            ), ref
        for found in new.objects.values():
            if found["kind"] in ("Strategy", "RiskPolicy"):
                assert affected(lived, found) == affected(new, found)


def test_a_document_is_read_once_for_all_its_statuses_and_again_when_it_changes(monkeypatch: Any) -> None:
    read: list[Object] = []

    def reading(found: Object) -> Any:
        read.append(found)
        return documents.read(found)

    monkeypatch.setattr(documents, "_tried", reading)
    lived, ref = world(strategy()), Ref("Strategy", "momentum")

    def put(**changes: Any) -> None:
        found = lived.get(*ref)
        assert found is not None
        metadata = {**found["metadata"], "resourceVersion": str(len(read)), **changes.pop("metadata", {})}
        lived.put(ref, {**found, "metadata": metadata, **changes})

    documents.known(lived, ref)
    for conditions in ([], [{"type": "Ready", "status": "True"}]):
        put(status={"conditions": conditions})
        documents.known(lived, ref)
        documents.strategies(lived)
    assert len(read) == 1
    changes: list[Object] = [
        {"spec": strategy(riskPolicy="other")["spec"]},
        {"metadata": {"generation": 2}},
        {"metadata": {"labels": {}}},
    ]
    for change in changes:
        put(**change)
        documents.known(lived, ref)
    assert len(read) == 4
