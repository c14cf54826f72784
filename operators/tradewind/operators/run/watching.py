"""kopf as the watcher, and nothing more: events go to the store, and affected documents to the queue. Shell."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import kopf

from tradewind.operators.plan.affected import affected, everything
from tradewind.operators.plan.model import Object, Ref
from tradewind.operators.run.api import KINDS, Api, ApiError
from tradewind.operators.run.queue import Queue
from tradewind.operators.run.store import Store

_log = logging.getLogger(__name__)


class Watching:
    """The watches of one namespace, and an audit that sees when one of them is dead."""

    def __init__(self, namespace: str, api: Api, store: Store, queue: Queue) -> None:
        self._namespace = namespace
        self._api = api
        self._store = store
        self._queue = queue
        self._suspect: dict[Ref, int] = {}
        self.problem = ""
        self.audited = time.monotonic()

    async def fill(self) -> None:
        """Lists everything, so that the first plan sees the whole namespace. Raises ApiError."""
        for kind in KINDS:
            self._store.fill(await asyncio.to_thread(self._api.all, kind))

    def documents(self) -> list[Ref]:
        """Every document there is, and what they share."""
        return sorted(everything(self._store.world))

    async def watch(self) -> None:
        """Runs kopf until it is cancelled or ends."""
        registry, settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
        settings.posting.enabled = False
        settings.scanning.disabled = True
        settings.process.ultimate_exiting_timeout = None
        kopf.on.login(registry=registry)(kopf.login_via_client)
        for kind, served in KINDS.items():
            kopf.on.event(served.group, served.version, served.plural, registry=registry, id=kind)(self._heard)
            if served.selector:
                settings.watching.label_selectors[served.group, served.version, served.plural] = served.selector
        await kopf.operator(registry=registry, settings=settings, standalone=True, namespaces=[self._namespace])

    async def _heard(self, event: Any, **_: Any) -> None:
        found: Object = dict(event["object"])
        news = self._store.remove(found) if event["type"] == "DELETED" else self._store.put(found)
        if news:
            for ref in affected(self._store.world, found):
                self._queue.add(ref)

    async def audit(self, every_s: float) -> None:
        """Compares the store with the API server for ever. A difference that stays is a watch that is dead."""
        while True:
            await asyncio.sleep(every_s)
            try:
                behind = await self._behind()
            except ApiError as error:
                _log.warning("audit: %s", error)
                continue
            stuck = sorted(ref for ref, at in behind.items() if self._suspect.get(ref) == at)
            self._suspect = behind
            self.audited = time.monotonic()
            self.problem = (
                f"no word of {stuck[0].kind}/{stuck[0].name} for {every_s:g} s: its watch is dead" if stuck else ""
            )
            if stuck:
                _log.error("%s", self.problem)

    async def _behind(self) -> dict[Ref, int]:
        """What the store lacks, with the version it lacks (0: it should not have the object)."""
        found: dict[Ref, int] = {}
        for kind in KINDS:
            actual = dict(await asyncio.to_thread(lambda of: list(self._api.versions(of)), kind))
            found |= {ref: actual.get(ref, 0) for ref in self._store.stale(kind, actual)}
        return found
