"""Shell: the executor's figures for Prometheus, read from the native engine when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from tradewind.execution.executor.messages import BREAKERS
from tradewind.native.executor import Executor

_COUNTS = {
    "intents": "Intents taken from the bus.",
    "accepted": "Intents accepted.",
    "rejected": "Intents rejected.",
    "orders": "Orders sent to the broker.",
    "fills": "Fills.",
}
_QUANTILES = {"p50": "0.5", "p99": "0.99", "p99.9": "0.999"}
_CENTS = 1e8  # money is fixed-point at 1e-8
_QUANTITY_SCALE = 10**9


def gains_of(positions: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """What each strategy has gained or lost, realised and at the last prices, 1e-8; the account is "".

    Its sub-book is as long as the strategy is configured.
    """
    gains: dict[str, int] = {}
    for p in positions:
        held = p["quantity"] * (p["market_price"] - p["average_price"]) // _QUANTITY_SCALE
        gains[p["strategy"]] = gains.get(p["strategy"], 0) + p["realized_pnl"] + held
    return gains


class ExecutorMetrics(Collector):
    """Counters since the journal began, so a restart does not reset them; latencies since the process began."""

    def __init__(self, account: str, executor: Executor, registry: CollectorRegistry) -> None:
        self._account = account
        self._executor = executor
        registry.register(self)

    def describe(self) -> list[Metric]:
        """Nothing in advance: registering must not ask an engine that has not started."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures now."""
        stats = self._executor.stats()
        for name, words in _COUNTS.items():
            count = CounterMetricFamily(f"tradewind_executor_{name}", words, labels=["account"])
            count.add_metric([self._account], stats[name])
            yield count
        rejections = CounterMetricFamily(
            "tradewind_executor_rejections", "Rejections by the gate's code.", labels=["account", "code"]
        )
        for code, number in stats["rejections"].items():
            rejections.add_metric([self._account, code], number)
        yield rejections
        gauges = {
            "connected": (float(self._executor.ready()), "1 while the broker's stream is up."),
            "kill_switch": (float(stats["risk"]["kill_switch"]), "1 while the kill switch is latched."),
            "working_orders": (stats["working_orders"], "Orders at the broker."),
            "equity_usd": (stats["account"]["equity"] / _CENTS, "The account's equity."),
        }
        for name, (value, words) in gauges.items():
            gauge = GaugeMetricFamily(f"tradewind_executor_{name}", words, labels=["account"])
            gauge.add_metric([self._account], value)
            yield gauge
        breakers = GaugeMetricFamily(
            "tradewind_executor_breaker", "0 closed, 1 open, 2 half open.", labels=["account", "dependency"]
        )
        for name in BREAKERS:
            breakers.add_metric([self._account, name], stats["risk"][name])
        yield breakers
        yield from self._strategies(stats["strategies"])
        yield from self._remains(stats["remains"])
        yield from self._latencies()

    def _strategies(self, records: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
        """What became of each strategy's decisions since it is configured, and what they have earned."""
        labels = ["account", "strategy"]
        intents = CounterMetricFamily("tradewind_executor_strategy_intents", "Intents decided.", labels=labels)
        trades = CounterMetricFamily("tradewind_executor_strategy_trades", "Orders that filled.", labels=labels)
        refused = CounterMetricFamily(
            "tradewind_executor_strategy_rejections",
            "Rejections of its intents, and of its orders by the broker for good.",
            labels=[*labels, "code"],
        )
        gain = GaugeMetricFamily(
            "tradewind_executor_strategy_gain_usd", "Realised, and of what it holds.", labels=labels
        )
        gains = gains_of(self._executor.positions())
        for record in records:
            own = [self._account, record["strategy"]]
            intents.add_metric(own, record["intents"])
            trades.add_metric(own, record["trades"])
            for code, number in record["rejections"].items():
                refused.add_metric([*own, code], number)
            gain.add_metric(own, gains.get(record["strategy"], 0) / _CENTS)
        yield from (intents, trades, refused, gain)

    def _remains(self, remains: Sequence[Mapping[str, Any]]) -> Iterator[Metric]:
        """Of strategies that are being deleted; one that isn't listed isn't known to be."""
        labels = ["account", "strategy"]
        orders = GaugeMetricFamily("tradewind_executor_leaving_orders", "Symbols with orders of it.", labels=labels)
        positions = GaugeMetricFamily("tradewind_executor_leaving_positions", "Symbols that it holds.", labels=labels)
        refused = GaugeMetricFamily(
            "tradewind_executor_leaving_refused", "1: closing them was refused.", labels=[*labels, "code"]
        )
        for left in remains:
            orders.add_metric([self._account, left["strategy"]], left["orders"])
            positions.add_metric([self._account, left["strategy"]], left["positions"])
            if left["refused"]:
                refused.add_metric([self._account, left["strategy"], left["refused"]], 1)
        yield from (orders, positions, refused)

    def _latencies(self) -> Iterator[Metric]:
        for hop, figures in self._executor.latencies().items():
            if figures["count"] == 0:
                continue  # no quantile of nothing
            family = Metric(f"tradewind_executor_{hop}_seconds", f"Latency of the hop {hop!r}.", "summary")
            for key, quantile in _QUANTILES.items():
                labels = {"account": self._account, "quantile": quantile}
                family.add_sample(family.name, labels, figures[key] / 1e9)
            family.add_sample(f"{family.name}_count", {"account": self._account}, figures["count"])
            yield family
