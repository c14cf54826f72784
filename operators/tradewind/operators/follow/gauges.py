"""What an executor's metrics say of its account. Shell."""

from __future__ import annotations

import urllib3
from prometheus_client.parser import text_string_to_metric_families
from urllib3.exceptions import HTTPError

_CONNECTED, _KILLED = "tradewind_executor_connected", "tradewind_executor_kill_switch"


def gauges(port: int) -> tuple[bool | None, bool | None]:
    """Whether the broker's stream is up, and whether the kill switch is latched; None: it doesn't say."""
    try:
        answer = urllib3.request("GET", f"http://127.0.0.1:{port}/metrics", timeout=2.0, retries=False)
        families = list(text_string_to_metric_families(answer.data.decode()))
    except (HTTPError, ValueError):
        return None, None
    found = {sample.name: bool(sample.value) for family in families for sample in family.samples}
    return found.get(_CONNECTED), found.get(_KILLED)
