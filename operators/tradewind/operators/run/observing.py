"""What Ray and MLflow tell goes into the world, as objects that planners look at. Shell."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from typing import Any

from tradewind.operators.config import OperatorConfig
from tradewind.operators.plan.affected import observed
from tradewind.operators.plan.model import Object, Ref, ref_of
from tradewind.operators.run.api import ApiError
from tradewind.operators.run.queue import Queue
from tradewind.operators.run.remote import Remote
from tradewind.operators.run.store import Store

OURS = "tradewind-"
LAST_LINES = 5
WITHOUT_REPLICA = "WITHOUT_REPLICA"
_ENDED = ("SUCCEEDED", "FAILED", "STOPPED")
_KINDS = {"ray": ("RayJob", "ServeApplications"), "mlflow": ("RegisteredModel",)}
_BROKEN = ("DEPLOY_FAILED", "UNHEALTHY")
_RAYS = " job_manager.py:"
_log = logging.getLogger(__name__)


class Observing:
    """Asks every few seconds; what changed puts the documents concerned on the queue."""

    def __init__(self, config: OperatorConfig, remote: Remote, store: Store, queue: Queue) -> None:
        self._every_s = config.observe_s
        self._remote = remote
        self._store = store
        self._queue = queue
        self._ended: dict[str, Object] = {}
        self._one = asyncio.Lock()

    async def watch(self) -> None:
        """Runs until it is cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._every_s)

    async def look(self) -> None:
        """One look at everything. Jobs before models: what a job that ended has registered is seen with its end."""
        async with self._one:
            for service, ask in (("ray", self._ray), ("mlflow", self._models)):
                await self._take(service, ask)

    async def _take(self, service: str, ask: Callable[[], list[Object]]) -> None:
        world = self._store.world
        try:
            found, problem = await asyncio.to_thread(ask), ""
        except ApiError as error:
            found, problem = [], str(error)
            known = world.get("Heard", service)
            if known is None or known["problem"] != problem:
                _log.warning("%s", problem)
        told = {ref_of(o): o for o in [*found, _object("Heard", service, problem=problem)]}
        # What is not told of any more is gone; a service that doesn't answer has told nothing.
        gone = [] if problem else [o for kind in _KINDS[service] for o in world.of(kind) if ref_of(o) not in told]
        news = [o for ref, o in told.items() if world.get(*ref) != o]
        for o in gone:
            world.remove(ref_of(o))
        for o in news:
            world.put(ref_of(o), o)
        self._concern(*gone, *news)

    def refused(self, ref: Ref, problem: str) -> None:
        """Notes that a request for `ref` was refused, or (no problem) that one was not."""
        world, name = self._store.world, f"{ref.kind}/{ref.name}"
        known = world.get("Refused", name)
        if problem:
            told = _object("Refused", name, problem=problem, model=ref.name)
            world.put(ref_of(told), told)
            self._concern(told)
        elif known is not None:
            world.remove(ref_of(known))
            self._concern(known)

    def _concern(self, *told: Object) -> None:
        for ref in set().union(*(observed(self._store.world, o) for o in told)):
            self._queue.add(ref)

    def _ray(self) -> list[Object]:
        jobs = [self._job(job) for job in self._remote.jobs() if str(job.get("submission_id", "")).startswith(OURS)]
        self._ended = {job["metadata"]["name"]: job for job in jobs if job["status"] in _ENDED}
        applications = {
            name: {
                "config": a.get("deployed_app_config"),
                "status": _status(a),
                "message": _cause(a),
                "deployed": a.get("last_deployed_time_s", 0),
            }
            for name, a in self._remote.applications().items()
        }
        return [*jobs, _object("ServeApplications", "all", applications=applications)]

    def _job(self, job: Object) -> Object:
        name, status = job["submission_id"], job["status"]
        if name in self._ended:
            return self._ended[name]  # it ended, and says nothing new
        log = "" if status == "PENDING" else self._remote.log(name)
        return _object(
            "RayJob",
            name,
            model=(job.get("metadata") or {}).get("model", ""),
            status=status,
            message=_one_line(job.get("message") or ""),
            ended=(job.get("end_time") or 0) / 1000,
            progress=_progress(log),
            lines=_one_line(" | ".join(_words(log)[-LAST_LINES:]))[-1000:] if status in _ENDED else "",
        )

    def _models(self) -> list[Object]:
        found: dict[str, Object] = {}
        for model in self._remote.models():
            aliases = {a["alias"]: a["version"] for a in model.get("aliases", [])}
            found[model["name"]] = _object("RegisteredModel", model["name"], aliases=aliases, versions=[])
        for version in self._remote.versions():
            if version["name"] in found:
                tags = {tag["key"]: tag["value"] for tag in version.get("tags", [])}
                found[version["name"]]["versions"].append({"version": str(version["version"]), "tags": tags})
        for model in found.values():
            model["versions"].sort(key=lambda v: int(v["version"]))
        return list(found.values())


def _object(kind: str, name: str, **content: Any) -> Object:
    return {"kind": kind, "metadata": {"name": name}, **content}


def _status(application: Object) -> str:
    """As Serve says it, but RUNNING only with a replica of each deployment that is.

    Where a replica's node has died Serve goes on to say RUNNING while it waits for another.
    """
    deployments = (application.get("deployments") or {}).values()
    lacking = [d for d in deployments if all(r["state"] != "RUNNING" for r in d.get("replicas") or [])]
    return WITHOUT_REPLICA if application["status"] == "RUNNING" and lacking else str(application["status"])


def _cause(application: Object) -> str:
    """Why an application does not run: the last line of what its deployment, or itself, says; the error of a traceback.

    While it is being deployed and when it runs, what it says changes nothing, and is left out.
    """
    if application["status"] not in _BROKEN:
        return ""
    deployments = (application.get("deployments") or {}).values()
    said = [str(d["message"]) for d in deployments if d.get("message") and d.get("status") in _BROKEN]
    lines = [line.strip() for line in (said or [application.get("message") or ""])[0].splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def _progress(log: str) -> str:
    """The stage that training told last, to a tenth: more would be a write of every status each time."""
    for line in reversed(log.splitlines()):
        try:
            told = json.loads(line)
            return f"{told['stage']} {int(told['fraction'] * 10) * 10}%"
        except (ValueError, TypeError, KeyError):
            continue
    return ""


def _words(log: str) -> list[str]:
    """The lines that are for people: not progress, and not Ray's own."""
    lines = [line.strip() for line in log.splitlines()]
    return [line for line in lines if line and not line.startswith(("{", "Running entrypoint")) and _RAYS not in line]


def _one_line(text: str) -> str:
    return " ".join(text.split())
