"""Shell: what the recorder counts, beside what every process does."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram


class Metrics:
    """The recorder's figures."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.records = Counter(
            "tradewind_recorder_records", "Records written to the database.", ["topic"], registry=registry
        )
        self.refused = Counter(
            "tradewind_recorder_refused", "Records sent to the dead letters.", ["topic"], registry=registry
        )
        self.delay = Histogram(
            "tradewind_recorder_delay_seconds",
            "From a record's publication to its row in the database.",
            registry=registry,
            buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 300),
        )
