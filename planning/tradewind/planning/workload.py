"""A neutral workload: what should run, with what, after what. Core."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Workload:
    """One process, however it is run.

    Attributes:
        name: unique in a plan; a DNS label.
        module: what `python -m` starts; it reads `--config FILE`.
        config: the content of that file.
        kind: a Service runs until it is stopped and is started again when it dies; a Job ends by itself.
        secrets: environment variables it needs and no other workload gets by chance.
        after: workloads that must be ready (services) or done (jobs) before it starts.
    """

    name: str
    module: str
    config: dict[str, Any]
    kind: Literal["Service", "Job"] = "Service"
    secrets: tuple[str, ...] = ()
    after: tuple[str, ...] = field(default=())
