"""The Ray of a training run. Shell."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from tradewind.training.errors import TrainingError

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")

# Of a CPU, as Ray counts them, for each process of a training: a predictor, which asks for a tenth, has room beside as
# many of them as there are CPUs. What asks for more than is left waits, and nothing says so.
CPU_SHARE = 0.9
_MOST = 16


@contextmanager
def ray_session(num_cpus: int | None, object_store_mb: int, address: str | None = None) -> Iterator[int]:
    """Connect to the cluster at `address`, or start Ray on this machine, without dashboard and without output, and stop
    it at the end. Gives the number of processes to work with: `num_cpus`; None: as many as there are CPUs.

    Without an address it never joins a Ray that is already there: training for one strategy must not depend on
    another's cluster. Where this process is already connected to one, that one is used and left running.
    """
    import ray

    if ray.is_initialized():
        yield num_cpus or _whole_cpus(ray.nodes())
        return
    own = {
        "num_cpus": num_cpus or min(os.cpu_count() or 1, _MOST),
        "object_store_memory": object_store_mb * 2**20,
        "include_dashboard": False,
    }
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
        yield num_cpus or _whole_cpus(ray.nodes())
    finally:
        ray.shutdown()


def _whole_cpus(nodes: Sequence[dict[str, Any]]) -> int:
    """Those that Ray gives away, not the machines': a pod's Ray has fewer."""
    whole = sum(int(node["Resources"].get("CPU", 0)) for node in nodes if node["Alive"])
    return max(1, min(whole, _MOST))  # a cluster without a worker may get one when something waits for it
