"""What an executor's metrics say of its account. Shell."""

from __future__ import annotations

from dataclasses import dataclass, field

import urllib3
from prometheus_client.parser import text_string_to_metric_families
from urllib3.exceptions import HTTPError

from tradewind.operators.plan.noted import Remains

_CONNECTED, _KILLED = "tradewind_executor_connected", "tradewind_executor_kill_switch"
_LEAVING = "tradewind_executor_leaving_"


@dataclass(frozen=True)
class Gauges:
    """Whether the broker's stream is up and the kill switch latched (None: it doesn't say), and who is leaving."""

    connected: bool | None = None
    kill_switch: bool | None = None
    remains: dict[str, Remains] = field(default_factory=dict)


def gauges(port: int) -> Gauges:
    """What the executor says now; of one that doesn't answer nothing is known."""
    try:
        answer = urllib3.request("GET", f"http://127.0.0.1:{port}/metrics", timeout=2.0, retries=False)
        return read(answer.data.decode())
    except (HTTPError, ValueError):
        return Gauges()


def read(text: str) -> Gauges:
    """The same of the metrics' text. Raises ValueError when it is none."""
    found: dict[str, bool] = {}
    leaving: dict[str, dict[str, int | str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = bool(sample.value)
            if sample.name.startswith(_LEAVING):
                figure = sample.name.removeprefix(_LEAVING)
                value = sample.labels["code"] if figure == "refused" else int(sample.value)
                leaving.setdefault(sample.labels["strategy"], {})[figure] = value
    remains = {uid: Remains.model_validate(figures) for uid, figures in sorted(leaving.items())}
    return Gauges(found.get(_CONNECTED), found.get(_KILLED), remains)
