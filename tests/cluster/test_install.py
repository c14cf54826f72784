"""The commands of docs/install.md, but for its shell blocks, on a node: the example learns, serves and trades.

The tests follow the page's order, each from where the one before has left the release.
"""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import grpc
import pytest

from tests.cluster.books import agree, traded
from tests.cluster.installation import (
    ANSWERING,
    EXAMPLE,
    FIRST_SEED,
    KUBERAY,
    PAGE,
    PREDICTOR,
    RELEASE,
    REPLAY_S,
    ROUNDS,
    SECTIONS,
    Installation,
    commands,
    keeps,
    lines,
)  # fmt: skip
from tests.cluster.node import processes
from tests.cluster.operator_process import eventually
from tests.cluster.storm import Storm
from tradewind.v1.prediction_pb2 import FeatureRow, HealthRequest, ListModelsRequest, PredictRequest
from tradewind.v1.prediction_pb2_grpc import PredictionStub

pytestmark = [pytest.mark.node, pytest.mark.timeout(3600)]


def test_every_shared_service_answers(installation: Installation) -> None:
    said = installation.said["helm test"]
    assert [name for name in ANSWERING if f"\n{name} " not in said] == []


def test_the_release_reads_well(installation: Installation) -> None:
    told = installation.said["helm status"]
    assert "STATUS: deployed" in told
    assert "kubectl -n tradewind apply -f examples/megacap-daily.yaml" in told


def test_two_documents_become_a_strategy_that_trades(installation: Installation) -> None:
    installation.follow(*commands(SECTIONS[1]))
    assert re.search(r"megacap-daily +Paper +paper +1 +Trained", installation.said["kubectl get"])
    # Each gate's figure beside its threshold.
    assert re.search(r"sharpe -?[\d.]+ \(>= 1\).*max_drawdown [\d.]+ \(<= 0.1\)", installation.said["kubectl describe"])


@contextmanager
def forwarded(installation: Installation, service: str, port: int) -> Iterator[str]:
    """HOST:PORT on this machine by which a service is reached from outside the cluster."""
    command = ["kubectl", "port-forward", f"--namespace={installation.cluster.namespace}", service, f":{port}"]
    with subprocess.Popen(command, env=installation.environment(), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            readable, _, _ = select.select([process.stdout], [], [], 60)
            line = process.stdout.readline() if readable else ""
            found = re.match(r"Forwarding from (127.0.0.1:\d+)", line)
            assert found, line
            yield found[1]
        finally:
            process.kill()


def test_a_prediction_is_answered_outside_the_cluster(installation: Installation) -> None:
    with forwarded(installation, f"service/{PREDICTOR}", 9000) as address, installation.predictor(address) as channel:
        stub = PredictionStub(channel)
        assert stub.Health(HealthRequest(), timeout=30).ready
        (model,) = stub.ListModels(ListModelsRequest(), timeout=30).models
        assert (model.name, model.version, model.alias) == ("megacap-daily", "1", "candidate")
        row = FeatureRow(symbol="AAPL", event_time=1, values=[0.0] * len(model.features))
        asked = PredictRequest(model=model.name, feature_set_version=model.feature_set_version, rows=[row])
        answer = stub.Predict(asked, timeout=30)
        assert (answer.model_version, [r.symbol for r in answer.rows]) == ("1", ["AAPL"])
        with grpc.insecure_channel(address) as plain, pytest.raises(grpc.RpcError) as refused:
            PredictionStub(plain).Health(HealthRequest(), timeout=10)
        assert refused.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


def test_the_executor_is_alone_on_its_cpu(installation: Installation) -> None:
    executor = installation.cpus("pod/executor-paper-0", "executor")
    assert len(executor) == 1
    others = [("pod/executor-paper-0", "policy")]
    others += [
        (installation.pods(part)[0], "") for part in ("recorder", "venue", "operator", "signals", "features", "ray")
    ]
    assert [pod for pod, container in others if not executor.isdisjoint(installation.cpus(pod, container))] == []


@pytest.mark.ours
def test_no_process_of_another_pod_may_run_there(installation: Installation) -> None:
    """As the kernel has it, of every pod; their sandboxes apart, which sleep, on all CPUs."""
    executor = installation.cpus("pod/executor-paper-0", "executor")
    own = installation.cluster.get("pod", "executor-paper-0")["metadata"]["uid"]
    running = {pid: told for pid, told in processes("kubepods").items() if not told.startswith("/pause")}
    others = {pid: told for pid, told in running.items() if pid not in processes(own)}
    assert [
        name
        for name in ("kafka.Kafka", "postgres", "redis-server", "mlflow")
        if not any(name in told for told in others.values())
    ] == []
    there = []
    for pid, told in others.items():
        with suppress(ProcessLookupError):
            if not executor.isdisjoint(os.sched_getaffinity(pid)):
                there.append(told)
    assert there == []


def test_operator_and_executor_carry_no_compiler_and_no_machine_learning(installation: Installation) -> None:
    program = """
import importlib.util, shutil
programs = [p for p in ("cc", "gcc", "g++", "c++", "clang", "ld", "make", "cmake") if shutil.which(p)]
modules = [m for m in ("ray", "mlflow", "lightgbm", "sklearn", "feast") if importlib.util.find_spec(m)]
print(programs + modules)
"""
    for pod, container in ((installation.pods("operator")[0], ""), ("pod/executor-paper-0", "executor")):
        assert installation.python(pod, program, container=container) == "[]\n", pod


def test_a_limit_refuses_the_next_order(installation: Installation) -> None:
    """From the patch to the first order that it refuses, with trading under way; a figure, not a limit of time."""

    def patch(limit: str) -> None:
        change = {"spec": {"limits": {"order": {"maxNotional": limit}}}}
        installation.cluster.ok("patch", "riskpolicy", "paper", "--type=merge", f"--patch={json.dumps(change)}")

    def refused() -> float:
        return installation.executor_says("rejections_total", code="MAX_ORDER_NOTIONAL")

    before = installation.cluster.get("riskpolicy", "paper")["spec"]["limits"]["order"]["maxNotional"]
    already = refused()
    began = time.monotonic()
    patch("1")
    try:
        eventually(lambda: refused() > already, 60)
        print(json.dumps({"limit_apply_to_refused_order_s": round(time.monotonic() - began, 2)}))
    finally:
        patch(before)


@pytest.mark.ours
def test_what_dies_comes_back_with_trading_under_way(installation: Installation) -> None:
    storm = Storm(installation)
    for seed in range(FIRST_SEED, FIRST_SEED + ROUNDS):
        print(json.dumps(storm.strike(seed)))


def test_what_was_traded_is_the_same_at_the_venue_and_on_record(installation: Installation) -> None:
    """After all those deaths: no order twice, none lost, and the same positions."""
    waited = ("wait", "--for=condition=Complete", "job/feed", f"--timeout={2 * REPLAY_S[EXAMPLE]}s")
    assert installation.cluster.run(*waited, timeout_s=2 * REPLAY_S[EXAMPLE] + 60).returncode == 0, installation.look()
    agree(installation)
    assert len(traded(installation)["orders"]) >= ROUNDS


def test_a_core_of_its_own_can_be_required(installation: Installation) -> None:
    installation.follow(*commands(SECTIONS[2]))
    assert re.fullmatch(r"\{\d+\}\n", installation.said["kubectl exec"])
    pinned = installation.condition("riskpolicy", "paper", "CPUPinned")
    assert "the executor alone has CPU" in pinned["message"]


def test_another_operator_changes_nothing(installation: Installation) -> None:
    """Of what is as it should be, a start writes nothing, and tells of nothing."""

    before = installation.versions()
    (old,) = installation.pods("operator")
    installation.cluster.ok("delete", old)
    installation.cluster.ok("rollout", "status", f"deployment/{RELEASE}-operator", "--timeout=120s")
    (new,) = installation.pods("operator")
    working = (
        "import urllib.request as u; print(u.urlopen('http://localhost:9101/metrics', timeout=10).read().decode())"
    )
    eventually(lambda: 'look_seconds_count{kind="Strategy"}' in installation.python(new, working))
    told = installation.python(new, working)
    assert [line for line in told.splitlines() if line.startswith("tradewind_operator_writes_total{")] == []
    assert installation.versions() == before


def test_an_upgrade_keeps_what_was_made_once(installation: Installation) -> None:
    def secrets() -> dict[str, dict[str, str]]:
        names = ("tradewind-postgres", "tradewind-redis", "tradewind-venue", "tradewind-venue-tls", "broker-paper")
        return {name: installation.cluster.get("secret", name)["data"] for name in names}

    before = secrets()
    executor = installation.cluster.get("pod", "executor-paper-0")["metadata"]["uid"]
    kept = [line for line in commands(SECTIONS[3]) if keeps(line)]
    assert len(kept) == 2
    installation.follow(*kept)
    assert secrets() == before
    assert installation.cluster.get("pod", "executor-paper-0")["metadata"]["uid"] == executor
    assert installation.condition("riskpolicy", "paper", "Ready")["status"] == "True"


def test_every_command_of_the_page_is_in_a_section_that_is_followed() -> None:
    # tests/cluster/test_kuberay.py follows the last.
    assert sum(len(commands(section)) for section in (*SECTIONS, KUBERAY)) == len(lines(PAGE.read_text())) >= 20
