"""`python -m tradewind.operators.run --config FILE`. Shell."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import kubernetes
from pydantic import ValidationError

from tradewind.operators.config import OperatorConfig
from tradewind.operators.plan.serving import SERVING
from tradewind.operators.plan.shared import SHARED
from tradewind.operators.run import health
from tradewind.operators.run.api import Api
from tradewind.operators.run.leader import Election
from tradewind.operators.run.observing import Observing
from tradewind.operators.run.queue import Queue
from tradewind.operators.run.reconcile import Reconciler
from tradewind.operators.run.remote import Remote
from tradewind.operators.run.store import Store
from tradewind.operators.run.watching import Watching

# What many documents share is planned once for changes that come together.
SETTLE_S = 1.0
_log = logging.getLogger("tradewind.operators")


class Operator:
    """One replica: it stands by until it holds the lease, then looks after the documents."""

    def __init__(self, config: OperatorConfig) -> None:
        self._config = config
        self._watching: Watching | None = None
        self._filled = False

    def lead(self) -> None:
        """Works until something ends; the caller ends the process then."""
        asyncio.run(self._lead())

    async def _lead(self) -> None:
        config = self._config
        api, store, queue = (
            Api(config.namespace, config.identity),
            Store(),
            Queue({SHARED.kind: SETTLE_S, SERVING.kind: SETTLE_S}),
        )
        self._watching = watching = Watching(config.namespace, api, store, queue)
        await watching.fill()
        for ref in watching.documents():
            queue.add(ref)
        self._filled = True
        remote = Remote(config.services)
        observing = Observing(config, remote, store, queue)
        reconciler = Reconciler(config, api, store, queue, remote, observing)
        if config.services.ray is not None:
            await observing.look()  # or each start would tell of everything that it isn't known yet
        tasks = [asyncio.create_task(reconciler.work()) for _ in range(config.workers)]
        tasks.append(asyncio.create_task(watching.watch()))
        tasks.append(asyncio.create_task(watching.audit(config.audit_s)))
        if config.services.ray is not None:
            tasks.append(asyncio.create_task(observing.watch()))
        tasks.append(asyncio.create_task(self._resync(watching, queue)))
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()

    async def _resync(self, watching: Watching, queue: Queue) -> None:
        while True:
            await asyncio.sleep(self._config.resync_s)
            for ref in watching.documents():
                queue.add(ref)

    def alive(self) -> str:
        """Why this replica should be started anew, or nothing."""
        if self._watching is None:
            return ""  # standing by
        silence = time.monotonic() - self._watching.audited
        if silence > 10 * self._config.audit_s:
            return f"the API server hasn't answered an audit for {silence:.0f} s"
        return self._watching.problem

    def ready(self) -> str:
        """Why this replica can't work yet, or nothing; standing by is ready."""
        return "" if self._watching is None or self._filled else "the first listing is not complete"


def main() -> None:
    """Reads the configuration, then stands for election until a signal comes."""
    parser = argparse.ArgumentParser(description="Looks after the Strategies and RiskPolicies of a namespace.")
    parser.add_argument("--config", required=True, type=Path, help="JSON file (tradewind.operators.config)")
    parser.add_argument("--identity", help="name of this replica, where replicas share a file")
    given = parser.parse_args()
    path: Path = given.config
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", stream=sys.stderr)
    for noisy in ("kopf.objects", "leaderelection"):  # a line per event, and per renewal of the lease
        logging.getLogger(noisy).setLevel(logging.WARNING)
    try:
        config = OperatorConfig.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        sys.exit(f"{path}: {error}")
    if given.identity:
        config = config.model_copy(update={"identity": given.identity})
    kubernetes.config.load_config()
    operator = Operator(config)
    election = Election(config, operator.lead)

    def stop(_number: int, _frame: FrameType | None) -> None:
        election.release()
        os._exit(0)  # there is nothing to finish: every write is idempotent, and the next leader plans anew

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    port = health.serve(config.port, {"/livez": operator.alive, "/readyz": operator.ready})
    print(json.dumps({"ready": True, "identity": config.identity, "port": port}), flush=True)  # noqa: T201
    election.run()


if __name__ == "__main__":
    main()
