"""Deaths in a cluster on this machine, from a seed, and how long it takes until everything is as it was."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc

from tests.cluster.installation import Installation
from tests.cluster.node import processes
from tests.cluster.test_restarts import restart
from tradewind.v1.prediction_pb2 import HealthRequest
from tradewind.v1.prediction_pb2_grpc import PredictionStub

# Part → what the command line of its process has.
PROCESSES = {
    "operator": "tradewind.operators.run",
    "executor": "tradewind.execution.executor",
    "signals": "tradewind.execution.signals",
    "ray": "ray::ServeReplica",
    "kafka": "kafka.Kafka",
}
API = "kube-apiserver"
# Who watches the API server waits longer for it after each death, up to a minute, and forgets that only after two
# minutes without one (client-go's reflectors); rounds come faster than that.
WATCHERS = ("kube-controller-manager", "kube-scheduler", "kube-proxy")
PARTS = (*PROCESSES, API)
AGAIN_WITHIN_S = 300.0
CPUS = os.cpu_count() or 1


def blows(seed: int) -> list[tuple[float, str]]:
    """Who dies, and how many seconds after the one before: at once, or one after another; the same for a seed."""
    chance = random.Random(seed)
    together = chance.random() < 0.3
    parts = chance.sample(PARTS, chance.randint(1, len(PARTS)))
    return [(0.0 if together else round(chance.uniform(0, 3), 2), part) for part in parts]


class Storm:
    """Strikes an installation with trading under way."""

    def __init__(self, installation: Installation) -> None:
        assert installation.cluster.state is not None
        self._made = installation
        self._state = installation.cluster.state
        self._api_died = False

    def strike(self, seed: int) -> dict[str, Any]:
        """One round: kill -9 each, then seconds from the last until everything but Ray, and Ray, are as before.

        And how much of the CPUs' time this machine's host took meanwhile: nothing starts faster than what is left.

        Each begins with Kubernetes' own controllers as on the first day, and when the strategy has traded since the
        one before.
        """
        if self._api_died:
            for watcher in WATCHERS:
                restart(self._state, watcher, down_s=0)
            self._until(time.monotonic(), self._predicts)
            self._until(time.monotonic(), lambda: not self._lacking({}))
        filled = self._fills()
        self._until(time.monotonic(), lambda: self._fills() > filled)
        before = self._pods()
        assert before is not None, "the API server does not answer before the first blow"
        killed: dict[str, int] = {}
        for pause, part in blows(seed):
            time.sleep(pause)  # when it dies is what the seed says; nothing is waited for
            if self._kill(part):
                killed[part] = _restarts(before, part)
        last, stolen = time.monotonic(), _stolen()
        self._api_died = API in killed
        again: dict[str, float] = {}

        def complete() -> bool:
            lacking = self._lacking(killed)
            again.update(dict.fromkeys(lacking, round(time.monotonic() - last, 1)))
            return not lacking

        ours = self._until(last, complete)
        taken = round((_stolen() - stolen) / (max(ours, 0.1) * CPUS), 2)
        ray = self._until(last, self._predicts)
        told = {"seed": seed, "killed": sorted(killed), "ready_s": ours, "ray_s": ray if "ray" in killed else None}
        return told | {"stolen": taken, "lacking_until_s": again}

    def _kill(self, part: str) -> bool:
        """Whether there was something to kill: an earlier blow may have ended it."""
        if part == API:
            restart(self._state, API, down_s=1)
            return True
        found = self.processes(part)
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(found)

    def processes(self, part: str) -> set[int]:
        """Its processes now; none while it isn't there."""
        return {pid for pid, told in processes("kubepods").items() if PROCESSES[part] in told}

    def _until(self, since: float, reached: Callable[[], bool]) -> float:
        while not reached():
            waited = time.monotonic() - since
            assert waited < AGAIN_WITHIN_S, f"not as before after {waited:.0f} s\n{self._made.look()}"
            time.sleep(0.2)
        return round(time.monotonic() - since, 1)

    def _fills(self) -> float:
        ended = self._made.cluster.get("job", "feed")["status"].get("completionTime")
        assert not ended, f"the replay ended at {ended}, before the last round"
        return self._made.executor_says("fills_total")

    def _lacking(self, killed: dict[str, int]) -> set[str]:
        """Who was killed and doesn't run again, and which kinds of pods and documents don't say that they are ready."""
        # A strategy's Ready is the predictor's, too.
        kinds = "riskpolicies" if "ray" in killed else "strategies,riskpolicies"
        pods, documents = self._pods(), self._get(kinds)
        if pods is None or not documents:
            return {API}
        lacking = {_part(pod) for pod in pods if _part(pod) != "ray" and not _is_ready(pod)}
        lacking |= {document["kind"] for document in documents if not _is_ready(document)}
        ended = {part: restarts for part, restarts in killed.items() if part not in ("ray", API)}
        return lacking | {part for part, restarts in ended.items() if _restarts(pods, part) <= restarts}

    def _predicts(self) -> bool:
        """Whether the predictor answers with a model, and every strategy is ready."""
        pods, strategies = self._pods(), self._get("strategies")
        address = next((pod["status"].get("podIP") for pod in pods or [] if _part(pod) == "ray"), None)
        if address is None or not strategies or not all(map(_is_ready, strategies)):
            return False
        with self._made.predictor(f"{address}:9443") as channel:
            try:
                health = PredictionStub(channel).Health(HealthRequest(), timeout=5)
            except grpc.RpcError:
                return False
        return bool(health.ready)

    def _pods(self) -> list[dict[str, Any]] | None:
        """Those that have work left to do; None while nobody can say."""
        found = self._get("pods")
        return None if found is None else [p for p in found if p.get("status", {}).get("phase") != "Succeeded"]

    def _get(self, kinds: str) -> list[dict[str, Any]] | None:
        told = self._made.cluster.run("get", kinds, "-o", "json", timeout_s=20)
        if told.returncode != 0:
            return None
        found: list[dict[str, Any]] = json.loads(told.stdout)["items"]
        return found


def _stolen() -> float:
    """Seconds of all CPUs that the host has taken since this machine came up (proc(5): steal)."""
    return int(Path("/proc/stat").read_text().split(maxsplit=9)[8]) / os.sysconf("SC_CLK_TCK")


def _part(pod: dict[str, Any]) -> str:
    return str(pod["metadata"].get("labels", {}).get("app.kubernetes.io/name"))


def _restarts(pods: list[dict[str, Any]], part: str) -> int:
    """How often its containers were started again."""
    return sum(c["restartCount"] for pod in pods if _part(pod) == part for c in _containers(pod))


def _containers(pod: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = pod.get("status", {}).get("containerStatuses", [])
    return found


def _is_ready(found: dict[str, Any]) -> bool:
    conditions = found.get("status", {}).get("conditions", [])
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
