"""Monitors, alerts and dashboard: against the Prometheus Operator's kinds, Prometheus itself and what processes say."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import REGISTRY, CollectorRegistry

import tradewind.operators.run.api
import tradewind.operators.run.leader
import tradewind.operators.run.reconcile
import tradewind.operators.run.remote  # noqa: F401 - they register what they count
from tests.cluster.conftest import Cluster
from tests.cluster.plane import CHART, binaries
from tests.cluster.rendering import found, labelled, render
from tests.unit.native.test_link_executor import Broker
from tradewind.bus.measured import BusMetrics
from tradewind.bus.probes import Probes
from tradewind.execution.executor.metrics import ExecutorMetrics
from tradewind.native.executor import Executor
from tradewind.streaming.recorder.metrics import Metrics

ASKED = ["monitoring.podMonitor=true", "monitoring.prometheusRule=true", "monitoring.dashboards=true"]
PROMETHEUS_OWN = {"up"}
BASE = 'namespace="here", pod="executor-paper-0", account="paper"'
WELL = f"""load 1m
  up{{namespace="here", job="executor", container="executor", pod="executor-paper-0"}} 1x60
  up{{namespace="here", job="recorder", container="recorder", pod="recorder-1"}} 1x60
  tradewind_executor_connected{{{BASE}}} 1x60
  tradewind_executor_kill_switch{{{BASE}}} 0x60
  tradewind_executor_breaker{{{BASE}, dependency="market_data"}} 0x60
  tradewind_executor_breaker{{{BASE}, dependency="broker_rest"}} 0x60
  tradewind_executor_accepted_total{{{BASE}}} 0+1x60
  tradewind_executor_rejected_total{{{BASE}}} 0+1x60
  tradewind_loop_age_seconds{{namespace="here", job="signals", pod="signals-1"}} 1x60
  tradewind_bus_lag_records{{namespace="here", job="recorder", pod="recorder-1", topic="orders"}} 3x60
  tradewind_bus_lag_records{{namespace="here", job="signals", pod="signals-1", topic="features"}} 3x60
  tradewind_bus_records_written_total{{namespace="here", job="features", pod="features-1", topic="bars.dead"}} 7x60
  tradewind_bus_records_written_total{{namespace="here", job="features", pod="features-1", topic="features"}} 0+9x60
  tradewind_operator_leading{{namespace="here", pod="operator-1"}} 1x60
  tradewind_operator_leading{{namespace="here", pod="operator-2"}} 0x60
  tradewind_operator_failures_total{{namespace="here", kind="Strategy"}} 2x60
"""
# What changes half an hour in, and what fires then within a quarter of an hour.
WRONG = [
    ("TradewindExecutorDown", "up{", 'container="executor"', "1x30 0x30"),
    ("TradewindExecutorDown", "tradewind_executor_connected", "", "1x30"),
    ("TradewindKillSwitch", "tradewind_executor_kill_switch", "", "0x44 1x10"),
    ("TradewindBrokerDisconnected", "tradewind_executor_connected", "", "1x30 0x30"),
    ("TradewindFeedStale", "tradewind_executor_breaker", "market_data", "0x30 1x30"),
    ("TradewindOrdersBlocked", "tradewind_executor_breaker", "broker_rest", "0x30 1x1 2x30"),
    ("TradewindEveryIntentRefused", "tradewind_executor_accepted_total", "", "9x60"),
    ("TradewindProcessDown", "up{", 'job="recorder"', "1x30 0x30"),
    ("TradewindLoopStuck", "tradewind_loop_age_seconds", "", "1x30 61+60x30"),
    ("TradewindBusLag", "tradewind_bus_lag_records", 'job="signals"', "3x30 1001+9x30"),
    ("TradewindRecorderLag", "tradewind_bus_lag_records", 'job="recorder"', "3x30 1001+9x30"),
    ("TradewindRecordsRefused", "tradewind_bus_records_written_total", "bars.dead", "7x40 8x20"),
    ("TradewindNoOperator", "tradewind_operator_leading", "operator-1", "1x30 0x30"),
    ("TradewindOperatorFails", "tradewind_operator_failures_total", "", "2x30 2+1x30"),
]


@pytest.fixture(scope="module")
def documents() -> list[dict[str, Any]]:
    return render(["venue.enabled=true", *ASKED])


@pytest.fixture(scope="module")
def alerts(documents: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rules that Prometheus gets."""
    path = tmp_path_factory.mktemp("rules") / "alerts.yaml"
    path.write_text(yaml.safe_dump(found(documents, "PrometheusRule", "tradewind")["spec"]))
    return path


def read(rules: Path, *arguments: str) -> list[dict[str, Any]]:
    """What Prometheus makes of rules."""
    done = subprocess.run(
        [binaries("--monitoring") / "rules", rules, *arguments], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    told: list[dict[str, Any]] = json.loads(done.stdout)
    return told


@pytest.fixture
def definitions(cluster: Cluster) -> Iterator[Cluster]:
    """An API server that knows the Prometheus Operator's kinds."""
    folder = str(binaries("--monitoring") / "monitoring")
    there = cluster.run("get", "crd", "podmonitors.monitoring.coreos.com").returncode == 0
    if not there:
        cluster.ok("apply", "--server-side", "-f", folder)
        cluster.ok("wait", "--for=condition=Established", "--timeout=30s", "-f", folder)
    yield cluster
    if not there:
        cluster.ok("delete", "-f", folder)


def test_the_prometheus_operator_s_kinds_take_it_whole(definitions: Cluster, documents: list[dict[str, Any]]) -> None:
    own = [d for d in documents if d["metadata"].get("labels", {}).get("app.kubernetes.io/name") == "monitoring"]
    assert sorted(d["kind"] for d in own) == ["ConfigMap", "PodMonitor", "PrometheusRule"]
    for document in own:
        document["metadata"].pop("namespace", None)
    definitions.ok("apply", "--dry-run=server", "--validate=strict", "-f", "-", given=yaml.safe_dump_all(own))


def test_nothing_of_it_is_there_unless_asked() -> None:
    assert [
        d for d in render([]) if d["metadata"].get("labels", {}).get("app.kubernetes.io/name") == "monitoring"
    ] == []


def test_every_process_that_serves_metrics_is_looked_at_by_all_its_doors(documents: list[dict[str, Any]]) -> None:
    monitor = found(documents, "PodMonitor", "tradewind")["spec"]
    doors = {endpoint["port"] for endpoint in monitor["podMetricsEndpoints"]}
    (chosen,) = [e["values"] for e in monitor["selector"]["matchExpressions"]]
    (reached,) = [
        {port["port"] for port in d["spec"]["ingress"][0]["ports"]}
        for d in render(["networkPolicy.metricsFrom.team=observing"])
        if d["kind"] == "NetworkPolicy" and d["metadata"]["name"] == "tradewind-metrics"
    ]
    serving: dict[str, set[int]] = {}
    for name, pod in labelled(documents).items():
        ports = [p for c in (*pod["containers"], *pod.get("initContainers", [])) for p in c.get("ports", [])]
        own = {p["containerPort"] for p in ports if p["containerPort"] in (9101, 9103)}
        if own:
            serving[name] = own
        seen = {p["containerPort"] for p in ports if p["name"] in doors} if name in chosen else set()
        assert seen == own, name
    assert set(serving) == set(chosen)
    assert set().union(*serving.values()) == reached == {9101, 9103}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of everything that processes tell, from the objects that tell it."""
    broker = Broker()
    try:
        registry = CollectorRegistry()
        BusMetrics(registry)
        Metrics(registry)
        executor = Executor(broker.config(tmp_path_factory.mktemp("journal")) | {"threads": {"clock": "wall"}})
        with executor, Probes(0) as probes:
            ExecutorMetrics("paper", executor, registry)
            families = [f for r in (registry, probes.registry, REGISTRY) for f in r.collect()]
            hops = {f"tradewind_executor_{hop}_seconds" for hop in executor.latencies()}
    finally:
        broker.close()
    suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"], "summary": ["", "_count"]}
    return hops | {f.name + end for f in families for end in suffixes.get(f.type, [""])}


def test_the_alerts_ask_for_what_processes_tell(alerts: Path, told: set[str]) -> None:
    rules = read(alerts)
    assert len(rules) >= 12
    asked = {metric for rule in rules for metric in rule["metrics"]}
    assert asked - told == PROMETHEUS_OWN


def test_the_dashboard_asks_for_what_processes_tell(
    documents: list[dict[str, Any]], told: set[str], tmp_path: Path
) -> None:
    board = found(documents, "ConfigMap", "tradewind-dashboard")
    assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
    panels = json.loads(board["data"]["tradewind.json"])["panels"]
    asked = [target["expr"].replace("$__rate_interval", "1m") for panel in panels for target in panel["targets"]]
    rules = [{"alert": f"Panel{number}", "expr": expression} for number, expression in enumerate(asked)]
    path = tmp_path / "panels.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    read_back = read(path)
    assert len(read_back) >= 15
    assert {metric for rule in read_back for metric in rule["metrics"]} - told == set()
    assert all('namespace="$namespace"' in expression for expression in asked)


def test_nothing_fires_while_all_is_well(alerts: Path, tmp_path: Path) -> None:
    series = tmp_path / "series"
    series.write_text(WELL)
    assert {rule["name"]: rule["firing"] for rule in read(alerts, str(series), "45m") if rule["firing"]} == {}


@pytest.mark.parametrize(("name", "metric", "label", "values"), WRONG)
def test_what_is_wrong_fires(alerts: Path, tmp_path: Path, name: str, metric: str, label: str, values: str) -> None:
    lines = WELL.splitlines()
    (at,) = [n for n, line in enumerate(lines) if line.strip().startswith(metric) and label in line]
    lines[at] = f"{lines[at].rpartition('}')[0]}}} {values}"
    series = tmp_path / "series"
    series.write_text("\n".join(lines) + "\n")
    firing = {rule["name"]: rule["firing"] for rule in read(alerts, str(series), "45m") if rule["firing"]}
    assert len(firing.get(name, [])) == 1, firing
    assert not re.search(r"\{\{|<no value>|%!", firing[name][0])
    assert set(firing) == {name}, firing


def test_every_alert_is_tried(alerts: Path) -> None:
    assert {rule["name"] for rule in read(alerts)} == {name for name, *_ in WRONG}


def test_the_page_s_values_are_values_and_it_names_every_alert(tmp_path: Path) -> None:
    page = (CHART.parents[1] / "docs" / "monitoring.md").read_text()
    (example,) = re.findall(r"^```yaml\n(.*?)^```", page, re.M | re.S)
    (tmp_path / "values.yaml").write_text(example)
    monitor = found(render([], "--values", str(tmp_path / "values.yaml")), "PodMonitor", "tradewind")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    names = [
        r["alert"] for g in yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"] for r in g["rules"]
    ]
    assert re.findall(r"^\| `(Tradewind\w+)` \|", page, re.M) == names
