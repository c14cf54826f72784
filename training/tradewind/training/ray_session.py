"""The Ray of a training run. Shell."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tradewind.training.errors import TrainingError

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")


@contextmanager
def ray_session(num_cpus: int, object_store_mb: int, address: str | None = None) -> Iterator[None]:
    """Connect to the cluster at `address`, or start Ray on this machine, without dashboard and without output, and stop
    it at the end.

    Without an address it never joins a Ray that is already there: training for one strategy must not depend on
    another's cluster. Where this process is already connected to one, that one is used and left running.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    own = {"num_cpus": num_cpus, "object_store_memory": object_store_mb * 2**20, "include_dashboard": False}
    try:
        ray.init(
            address=address or "local",
            configure_logging=True,
            logging_level="ERROR",
            log_to_driver=False,
            **({} if address else own),
        )
    except (RuntimeError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        fix = "ray.address: no cluster is reached" if address else "ray: cannot start on this machine"
        way = "run this as a job of the cluster" if address else "check ray.object_store_mb"
        raise TrainingError(f"{fix} ({reason}); {way}") from None
    try:
        yield
    finally:
        ray.shutdown()
