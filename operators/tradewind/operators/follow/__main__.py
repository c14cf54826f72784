"""`python -m tradewind.operators.follow`: keeps an executor's configuration file as its RiskPolicy says. Shell.

The policy is watched, so that a limit or the kill switch is in force at once; the strategies, of which the account may
read those that the policy allows, are asked for every few seconds. While the API server doesn't answer the last policy
stays.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Collection, Sequence
from pathlib import Path

import kubernetes
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from tradewind.operators.crds.definitions import GROUP, VERSION
from tradewind.operators.follow.books import Books
from tradewind.operators.follow.gauges import Gauges, gauges
from tradewind.operators.plan.following import bound, configuration, leaving, site
from tradewind.operators.plan.model import Object, is_deleted
from tradewind.operators.plan.noted import ANNOTATION, Note, Remains
from tradewind.operators.run import health
from tradewind.planning.pods import ClusterSite
from tradewind.specs import SpecError

STRATEGIES_EVERY_S = 5.0
WITHOUT_EVERY_S = 10.0
VERDICT_WITHIN_S = 5.0
RETRY_S = 1.0
WATCH_S = 300  # a watch is begun anew after this long
TIMEOUT_S = 10
HTTP_FORBIDDEN, HTTP_NOT_FOUND = 403, 404
_log = logging.getLogger("tradewind.operators.follow")


class Follower:
    """One executor's configuration file."""

    def __init__(self, policy: str, pod: str, namespace: str, where: ClusterSite, books: Books) -> None:
        self._policy, self._pod, self._namespace, self._where, self._books = policy, pod, namespace, where, books
        self._api = kubernetes.client.CustomObjectsApi()
        self._changed = threading.Event()
        self._seen: dict[str, Object | None] = {}
        self._deleted: set[str] = set()
        self._said = self._noted = ""
        self._passed = self._tried = time.monotonic()

    def watch(self) -> None:
        """Sees changes of the policy, for ever."""
        while True:
            try:
                stream = kubernetes.watch.Watch().stream(
                    self._api.list_namespaced_custom_object,
                    GROUP,
                    VERSION,
                    self._namespace,
                    "riskpolicies",
                    field_selector=f"metadata.name={self._policy}",
                    timeout_seconds=WATCH_S,
                    _request_timeout=WATCH_S + TIMEOUT_S,
                )
                for _ in stream:
                    self._changed.set()
            except (ApiException, HTTPError) as error:
                self._say(f"watching RiskPolicy {self._policy}: {error}")
                time.sleep(RETRY_S)

    def follow(self) -> None:
        """Writes the file whenever it should be another, for ever."""
        while True:
            self._changed.clear()
            try:
                self._say(self._pass())
                self._note()
            except SpecError as error:
                self._say(f"the last policy stays: {error}")
            except (ApiException, HTTPError) as error:
                self._say(f"the last policy stays: {error}")
                time.sleep(RETRY_S)
            self._passed = time.monotonic()
            self._changed.wait(STRATEGIES_EVERY_S)

    def _pass(self) -> str:
        """One look at the documents; why the executor isn't configured with just those that are bound, or nothing.

        The executor refuses a configuration without a strategy that still holds something, and a limit or the kill
        switch in it as well. So what left stays in it, and going without is tried from time to time.
        """
        policy = self._get("riskpolicies", self._policy)
        if policy is None:
            raise SpecError(f"RiskPolicy {self._policy} is gone")
        allowed, known = policy.get("spec", {}).get("strategies", []), self._books.known()
        found = self._strategies({*allowed, *(s["metadata"]["name"] for s in known)})
        self._deleted = {s["metadata"]["uid"] for s in found.values() if s is not None and is_deleted(s)}
        trading = bound(policy, [s for s in found.values() if s is not None])
        left = leaving(known, trading, found)
        whole = configuration(policy, trading, self._where, left)
        self._books.remember([*trading, *left])
        self._books.write(whole)
        if not left:
            return ""
        names = ", ".join(s["metadata"]["name"] for s in left)
        if not trading or self._holds(left) or time.monotonic() - self._tried < WITHOUT_EVERY_S:
            return f"{names} left, and may still hold something"
        self._tried = time.monotonic()
        problem = self._try(configuration(policy, trading, self._where))
        if problem:
            self._books.write(whole)
            return f"{names} left: {problem}"
        self._books.remember(trading)
        return ""

    def _holds(self, left: Sequence[Object]) -> bool:
        """Whether the executor says that one of them, being deleted, still has something."""
        remains = self._gauges().remains
        return any(remains.get(s["metadata"]["uid"], Remains()) != Remains() for s in left)

    def _gauges(self) -> Gauges:
        return gauges(json.loads(self._books.out.read_text(encoding="utf-8"))["probes_port"])

    def _note(self) -> None:
        """Notes on the pod what one sees of the executor from within."""
        seen = self._books.cpus()
        if not self._pod or seen is None:
            return
        told = self._gauges()
        known = sorted(s["metadata"]["uid"] for s in self._books.known())
        # Who is deleted and in no books of the executor has nothing there.
        nothing = {uid: Remains() for uid in sorted(self._deleted.difference(known))}
        note = Note(
            cpus=seen[0],
            of=seen[1],
            connected=told.connected,
            kill_switch=told.kill_switch,
            strategies=known,
            remains={**told.remains, **nothing},
            canaries=told.canaries(json.loads(self._books.out.read_text(encoding="utf-8"))),
        ).model_dump_json()
        if note == self._noted:
            return
        body = {"metadata": {"annotations": {ANNOTATION: note}}}
        core = kubernetes.client.CoreV1Api()
        core.patch_namespaced_pod(self._pod, self._namespace, body, _request_timeout=TIMEOUT_S)
        self._noted = note

    def _try(self, text: str) -> str:
        """Writes a configuration; what the executor has against it."""
        before, until = self._books.told_at(), time.monotonic() + VERDICT_WITHIN_S
        self._books.write(text)
        while self._books.told_at() == before:
            if time.monotonic() > until or self._changed.wait(0.05):
                return "the executor didn't say whether it can go without"
        return self._books.verdict()

    def _strategies(self, names: Collection[str]) -> dict[str, Object | None]:
        """Strategies by name, None where there is none; as last seen where they may not be read.

        The operator widens what the account may read. Where it is dead, a strategy allowed since is not there yet, and
        no other must be lost: its positions are in the executor's books.
        """
        for name in sorted(names):
            try:
                self._seen[name] = self._get("strategies", name)
            except ApiException as error:
                if error.status != HTTP_FORBIDDEN:
                    raise
        return {name: self._seen[name] for name in sorted(names) if name in self._seen}

    def _get(self, plural: str, name: str) -> Object | None:
        try:
            found: Object = self._api.get_namespaced_custom_object(
                GROUP, VERSION, self._namespace, plural, name, _request_timeout=TIMEOUT_S
            )
        except ApiException as error:
            if error.status == HTTP_NOT_FOUND:
                return None
            raise
        return found

    def _say(self, problem: str) -> None:
        if problem and problem != self._said:
            _log.warning("%s", problem)
        self._said = problem

    def started(self) -> str:
        """Why the executor can't start yet, or nothing."""
        return "" if self._books.out.exists() else self._said or "the configuration is not written yet"

    def ready(self) -> str:
        """Why the account can't trade, or nothing: the executor's Control service must listen."""
        if not self._books.out.exists():
            return self.started()
        port = json.loads(self._books.out.read_text(encoding="utf-8"))["control_port"]
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError as error:
            return f"the executor doesn't listen on {port}: {error}"
        return ""

    def alive(self) -> str:
        """Why this process should be started anew, or nothing."""
        silence = time.monotonic() - self._passed
        return f"no look at the policy for {silence:.0f} s" if silence > 10 * TIMEOUT_S else ""


def main() -> None:
    """Follows until a signal comes."""
    parser = argparse.ArgumentParser(description="Keeps an executor's configuration as its RiskPolicy says.")
    parser.add_argument("--policy", required=True, help="name of the RiskPolicy")
    parser.add_argument("--pod", default="", help="the pod it runs in, for notes about it; empty: none")
    parser.add_argument("--namespace", required=True, help="its namespace")
    parser.add_argument("--site", required=True, type=Path, help="JSON file that the operator wrote")
    parser.add_argument("--out", required=True, type=Path, help="the executor's configuration file")
    parser.add_argument("--state", required=True, type=Path, help="directory of the executor's volume")
    parser.add_argument("--port", type=int, default=9101, help="of /startz, /livez, /readyz, /metrics; 0: a free one")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    kubernetes.config.load_config()
    books = Books(given.out, given.state, given.policy)
    follower = Follower(given.policy, given.pod, given.namespace, site(json.loads(given.site.read_bytes())), books)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))  # every write of the file is whole
    port = health.serve(given.port, {"/startz": follower.started, "/livez": follower.alive, "/readyz": follower.ready})
    print(json.dumps({"ready": True, "policy": given.policy, "port": port}), flush=True)  # noqa: T201
    threading.Thread(target=follower.watch, name="watch", daemon=True).start()
    follower.follow()


if __name__ == "__main__":
    main()
