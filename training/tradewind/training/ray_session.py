"""A Ray of our own for the length of a training run. Shell."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from tradewind.training.errors import TrainingError

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")


@contextmanager
def ray_session(num_cpus: int, object_store_mb: int) -> Iterator[None]:
    """Start Ray on this machine, without dashboard and without output, and stop it at the end.

    Never joins a Ray that is already there: training for one strategy must not depend on another's cluster. Where this
    process is already connected to one, that one is used and left running.
    """
    import ray

    if ray.is_initialized():
        yield
        return
    try:
        ray.init(
            address="local",
            num_cpus=num_cpus,
            object_store_memory=object_store_mb * 2**20,
            include_dashboard=False,
            configure_logging=True,
            logging_level="ERROR",
            log_to_driver=False,
        )
    except (RuntimeError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:200]
        raise TrainingError(f"ray: cannot start on this machine ({reason}); check ray.object_store_mb") from None
    try:
        yield
    finally:
        ray.shutdown()
