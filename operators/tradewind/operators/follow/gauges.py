"""What an executor's metrics say of its account. Shell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import urllib3
from prometheus_client.parser import text_string_to_metric_families
from urllib3.exceptions import HTTPError

from tradewind.operators.plan.noted import ERRORS, Figures, Remains

_CONNECTED, _KILLED = "tradewind_executor_connected", "tradewind_executor_kill_switch"
_LEAVING, _STRATEGY = "tradewind_executor_leaving_", "tradewind_executor_strategy_"
_EQUITY = "tradewind_executor_equity_usd"


@dataclass
class Record:
    """What became of one strategy's decisions."""

    trades: int = 0
    intents: int = 0
    errors: int = 0
    gain: float = 0.0

    def figures(self, capital: float) -> Figures:
        """The same of a canary with this much capital; a loss counts in whole percent, or each bar would be news."""
        loss = math.floor(max(-self.gain, 0.0) / capital * 100) if capital > 0 else 0
        return Figures(trades=self.trades, intents=self.intents, errors=self.errors, loss=loss)


@dataclass(frozen=True)
class Gauges:
    """Whether the broker's stream is up and the kill switch latched (None: it doesn't say), and who is leaving.

    And the account's equity (USD; 0: it doesn't say) with the record of each strategy.
    """

    connected: bool | None = None
    kill_switch: bool | None = None
    remains: dict[str, Remains] = field(default_factory=dict)
    equity: float = 0.0
    records: dict[str, Record] = field(default_factory=dict)

    def canaries(self, configuration: Mapping[str, Any]) -> dict[str, Figures]:
        """The figures of the canaries of an executor's configuration, of which the executor says any."""
        share = {entry["uid"]: entry["capital_share"] for entry in configuration["engine"]["strategies"]}
        found = sorted(set(configuration["canaries"]) & set(self.records))
        return {uid: self.records[uid].figures(share[uid] * self.equity) for uid in found if self.equity > 0}


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
    records: dict[str, Record] = {}
    equity = 0.0
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = bool(sample.value)
            if sample.name == _EQUITY:
                equity = sample.value
            if sample.name.startswith(_STRATEGY):
                of = records.setdefault(sample.labels["strategy"], Record())
                _note(of, sample.name.removeprefix(_STRATEGY), sample.value, sample.labels.get("code", ""))
            if sample.name.startswith(_LEAVING):
                figure = sample.name.removeprefix(_LEAVING)
                value = sample.labels["code"] if figure == "refused" else int(sample.value)
                leaving.setdefault(sample.labels["strategy"], {})[figure] = value
    remains = {uid: Remains.model_validate(figures) for uid, figures in sorted(leaving.items())}
    return Gauges(found.get(_CONNECTED), found.get(_KILLED), remains, equity, records)


def _note(record: Record, figure: str, value: float, code: str) -> None:
    if figure == "trades_total":
        record.trades = int(value)
    elif figure == "intents_total":
        record.intents = int(value)
    elif figure == "rejections_total" and code in ERRORS:
        record.errors += int(value)
    elif figure == "gain_usd":
        record.gain = value
