"""Carries plans out. Shell; the plans are made by `tradewind.operators.plan`."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from functools import partial

from prometheus_client import Counter, Histogram

from tradewind.operators.config import OperatorConfig
from tradewind.operators.plan import models, policies, serving, shared, strategies
from tradewind.operators.plan.affected import affected
from tradewind.operators.plan.model import Plan, Ref
from tradewind.operators.plan.times import written
from tradewind.operators.run.api import Api, ApiError
from tradewind.operators.run.observing import Observing
from tradewind.operators.run.queue import Queue
from tradewind.operators.run.remote import Remote
from tradewind.operators.run.store import Store

LOOKS = Histogram("tradewind_operator_look_seconds", "Time of one look at a document.", ["kind"])
FAILURES = Counter("tradewind_operator_failures_total", "Looks that failed and are tried again.", ["kind"])
_PLANNERS = {
    "RiskPolicy": policies.plan,
    "Strategy": strategies.plan,
    shared.SHARED.kind: shared.plan,
    models.MODEL: models.plan,
    serving.SERVING.kind: serving.plan,
}
_log = logging.getLogger(__name__)


def timestamp() -> str:
    """Now, as Kubernetes writes times."""
    return written(datetime.now(UTC))


class Reconciler:
    """Workers that take documents off the queue, plan, and do what the plan says."""

    def __init__(
        self, config: OperatorConfig, api: Api, store: Store, queue: Queue, remote: Remote, observing: Observing
    ) -> None:
        self._config = config
        self._api = api
        self._store = store
        self._queue = queue
        self._remote = remote
        self._observing = observing
        self._problems: dict[Ref, str] = {}
        self._later: dict[Ref, asyncio.TimerHandle] = {}

    async def work(self) -> None:
        """One worker; runs until it is cancelled."""
        while True:
            ref = await self._queue.get()
            try:
                with LOOKS.labels(ref.kind).time():
                    await self._look(ref)
            except ApiError as error:
                FAILURES.labels(ref.kind).inc()
                _log.warning("%s/%s: %s; again in %.1f s", *ref, error, self._queue.failed(ref))
            except Exception:  # noqa: BLE001 - a defect of ours must not end the worker: other documents go on
                FAILURES.labels(ref.kind).inc()
                _log.exception("%s/%s: again in %.1f s", *ref, self._queue.failed(ref))
            else:
                self._queue.done(ref)

    async def _look(self, ref: Ref) -> None:
        plan = self._plan(ref)
        try:
            if plan.status_first:
                await self._tell(ref, plan)
            for wanted in plan.apply:
                self._heard(await asyncio.to_thread(self._api.apply, wanted))
            for unwanted in plan.delete:
                await asyncio.to_thread(self._api.delete, unwanted)
            await self._ask(ref, plan)
            if plan.apply:
                plan = self._plan(ref)  # of what the server made of it: one status instead of two
        except ApiError as error:
            self._problems[ref] = str(error)
            await self._tell(ref, self._plan(ref))
            raise
        self._problems.pop(ref, None)
        await self._tell(ref, plan)
        document = self._store.world.get(*ref)
        if plan.finalizer is not None and document is not None:
            self._heard(await asyncio.to_thread(partial(self._api.set_finalizer, document, wanted=plan.finalizer)))
        self._look_again(ref, plan.again_s)

    def _look_again(self, ref: Ref, after_s: float | None) -> None:
        """One look, whenever the newest plan says: each look would leave one more behind, for as long as we live."""
        before = self._later.pop(ref, None)
        if before is not None:
            before.cancel()
        if after_s is not None:
            self._later[ref] = asyncio.get_running_loop().call_later(after_s, self._queue.add, ref)

    async def _ask(self, ref: Ref, plan: Plan) -> None:
        """Sends requests to other services, and looks what came of them before the next plan."""
        try:
            for request in plan.requests:
                await asyncio.to_thread(self._remote.send, request)
        except ApiError as error:
            self._observing.refused(ref, str(error))
            raise
        self._observing.refused(ref, "")
        if plan.requests:
            await self._observing.look()

    def _plan(self, ref: Ref) -> Plan:
        return _PLANNERS[ref.kind](self._store.world, ref.name, self._config, timestamp(), self._problems.get(ref, ""))

    async def _tell(self, ref: Ref, plan: Plan) -> None:
        """Writes the status if it says something new, and events about what changed."""
        document = self._store.world.get(*ref)
        if document is None or plan.status is None or document.get("status") == plan.status:
            return
        self._heard(await asyncio.to_thread(self._api.set_status, document, plan.status))
        for news in plan.events:
            await asyncio.to_thread(self._api.tell, document, news, timestamp())

    def _heard(self, answer: dict[str, object]) -> None:
        """Reads our own writes: the watch tells of them only later."""
        if self._store.put(answer):
            for ref in affected(self._store.world, answer):
                self._queue.add(ref)
