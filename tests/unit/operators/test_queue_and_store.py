"""The queue looks at each document once at a time; the store never goes back in time."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.unit.operators.worlds import CONFIG
from tradewind.operators.plan.model import Object, Plan, Ref
from tradewind.operators.run.observing import Observing
from tradewind.operators.run.queue import LAST_RETRY_S, Queue, retry_after
from tradewind.operators.run.reconcile import _PLANNERS, Reconciler
from tradewind.operators.run.store import Store

A, B = Ref("Strategy", "a"), Ref("Strategy", "b")


async def test_what_is_added_twice_is_worked_on_once() -> None:
    queue = Queue()
    for ref in (A, B, A):
        queue.add(ref)
    assert [await queue.get(), await queue.get()] == [A, B]
    assert len(queue) == 0


async def test_what_changes_while_it_is_worked_on_comes_again_and_not_before() -> None:
    queue = Queue()
    queue.add(A)
    assert await queue.get() == A
    queue.add(A)
    queue.add(A)
    assert len(queue) == 0
    queue.done(A)
    assert await queue.get() == A
    queue.done(A)
    assert len(queue) == 0


async def test_a_failure_comes_again_by_itself_and_later_each_time(monkeypatch: Any) -> None:
    monkeypatch.setattr("tradewind.operators.run.queue.FIRST_RETRY_S", 0.01)
    queue = Queue()
    queue.add(A)
    waits = []
    for _ in range(3):
        assert await asyncio.wait_for(queue.get(), 30) == A
        waits.append(queue.failed(A))
    assert waits == [0.01, 0.02, 0.04]
    await asyncio.wait_for(queue.get(), 30)
    queue.done(A)
    queue.add(A)
    await queue.get()
    assert queue.failed(A) == 0.01


async def test_changes_of_what_is_shared_are_looked_at_together() -> None:
    queue = Queue({"Shared": 0.05})
    shared = Ref("Shared", "namespace")
    for ref in (shared, A, shared):
        queue.add(ref)
    assert len(queue) == 1
    assert await queue.get() == A
    assert await asyncio.wait_for(queue.get(), 30) == shared
    queue.add(shared)
    await asyncio.sleep(0.2)
    assert len(queue) == 0  # it is worked on: it comes again afterwards
    queue.done(shared)
    assert await queue.get() == shared


def test_the_wait_has_an_end() -> None:
    assert retry_after(1) < retry_after(2)
    assert retry_after(50) == LAST_RETRY_S


def at(version: int, **more: Any) -> Object:
    return {"kind": "Strategy", "metadata": {"name": "a", "resourceVersion": str(version), **more}}


def test_an_older_state_is_no_news() -> None:
    store = Store()
    assert store.put(at(5))
    assert not store.put(at(4))
    assert not store.put(at(5))
    assert store.put(at(10))
    assert store.world.objects[A]["metadata"]["resourceVersion"] == "10"


def test_what_was_deleted_stays_deleted_until_it_is_made_anew() -> None:
    store = Store()
    store.put(at(5))
    assert store.remove(at(7))
    assert not store.put(at(6))  # an answer to a write of ours that was overtaken
    assert store.world.objects == {}
    assert store.put(at(9))
    assert not store.remove(at(7))
    assert A in store.world.objects


def test_an_audit_finds_what_is_behind_missing_or_gone() -> None:
    store = Store()
    store.put(at(5))
    assert store.stale("Strategy", {A: 5}) == set()
    assert store.stale("Strategy", {A: 6}) == {A}
    assert store.stale("Strategy", {A: 4}) == set()
    assert store.stale("Strategy", {A: 5, B: 6}) == {B}
    assert store.stale("Strategy", {}) == {A}


async def test_a_document_is_looked_at_again_once_however_often_it_is_looked_at(monkeypatch: Any) -> None:
    looks: list[Ref] = []

    class Counting(Queue):
        def add(self, ref: Ref) -> None:
            looks.append(ref)

    store, queue, ref = Store(), Counting(), Ref("Model", "momentum")
    observing = Observing(CONFIG, None, store, queue)  # type: ignore[arg-type]
    reconciler = Reconciler(CONFIG, None, store, queue, None, observing)  # type: ignore[arg-type]
    waits = iter([3600.0, 0.02, 0.02, None, 0.02])
    monkeypatch.setitem(_PLANNERS, "Model", lambda *_: Plan(again_s=next(waits)))
    for _ in range(3):
        await reconciler._look(ref)
    await asyncio.sleep(0.2)
    assert looks == [ref]
    for _ in range(2):
        await reconciler._look(ref)
    await asyncio.sleep(0.2)
    assert looks == [ref, ref]
