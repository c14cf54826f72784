"""Shell: a sink whose work gives way to whoever trades on the vectors that were just published."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from tradewind.streaming.features.feature_set import FeatureRow
from tradewind.streaming.features.process import FeatureSink

_NICENESS = 10  # of 19; Linux keeps it per thread


class YieldingSink:
    """Pushes on a thread of low priority and waits for it: same order, same errors, another turn on the CPU.

    A push to Feast costs tens of milliseconds of CPU at just the moment at which predictor, signal process and executor
    work on the same vectors, which are on the topic already.
    """

    def __init__(self, sink: FeatureSink) -> None:
        self._sink = sink
        self._thread = ThreadPoolExecutor(1, "feature-push", initializer=_give_way)

    def push(self, rows: Sequence[FeatureRow]) -> None:
        """As the sink's own."""
        self._thread.submit(self._sink.push, rows).result()

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown()


def _give_way() -> None:
    thread = threading.get_native_id()
    # A process that gives way already must not ask for more.
    os.setpriority(os.PRIO_PROCESS, thread, max(_NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))
