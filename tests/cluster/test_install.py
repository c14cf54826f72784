"""docs/install.md from its first command to its last, on a node: the example learns, serves and trades.

The tests follow the page's order, each from where the one before has left the release.
"""

from __future__ import annotations

import json
import re
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import grpc
import pytest

from tests.cluster.installation import (
    FIRST_SEED,
    PAGE,
    RELEASE,
    REPLAY_S,
    ROUNDS,
    SECTIONS,
    Installation,
    commands,
    keeps,
    lines,
)  # fmt: skip
from tests.cluster.operator_process import eventually
from tests.cluster.storm import Storm
from tradewind.v1.prediction_pb2 import FeatureRow, HealthRequest, ListModelsRequest, PredictRequest
from tradewind.v1.prediction_pb2_grpc import PredictionStub

pytestmark = [pytest.mark.node, pytest.mark.timeout(3600)]

# What the venue has: orders by client order id, of which it takes none twice, with the quantity filled; positions.
TRADED = """
import json, os, ssl, urllib.parse, urllib.request
keys = {f"APCA-API-{name}": os.environ[f"APCA_API_{name.replace('-', '_')}"] for name in ("KEY-ID", "SECRET-KEY")}
trust = ssl.create_default_context(cafile="/run/tls/ca.crt")
def get(path):
    request = urllib.request.Request("https://localhost:8443" + path, headers=keys)
    return json.load(urllib.request.urlopen(request, timeout=20, context=trust))
def whole(quantity):
    return round(float(quantity) * 10**9)
orders, until = {}, ""
while True:
    page = get("/v2/orders?status=all&limit=500&direction=desc" + until)
    if not {o["client_order_id"] for o in page} - set(orders):
        break
    orders.update({o["client_order_id"]: whole(o["filled_qty"]) for o in page})
    until = "&until=" + urllib.parse.quote(page[-1]["submitted_at"])
positions = {p["symbol"]: whole(p["qty"]) for p in get("/v2/positions")}
print(json.dumps({"orders": orders, "positions": positions}))
"""
RECORDED = """
import json, sqlalchemy
address = json.load(open("/run/tradewind/config.json"))["sql"]
with sqlalchemy.create_engine(address).connect() as connection:
    def rows(query):
        return [list(row) for row in connection.execute(sqlalchemy.text(query))]
    orders = rows("SELECT client_order_id, filled_quantity_e9 FROM orders WHERE broker_order_id <> ''")
    fills = rows("SELECT symbol, side, quantity_e9 FROM fills WHERE NOT internal")
    print(json.dumps({"orders": orders, "fills": fills}))
"""


def test_every_shared_service_answers(installation: Installation) -> None:
    said = installation.said["helm test"]
    assert [name for name in ("kafka", "postgres", "redis", "mlflow", "ray", "venue") if f"\n{name} " not in said] == []


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
    with forwarded(installation, f"service/{RELEASE}-ray", 9000) as address, grpc.insecure_channel(address) as channel:
        stub = PredictionStub(channel)
        assert stub.Health(HealthRequest(), timeout=30).ready
        (model,) = stub.ListModels(ListModelsRequest(), timeout=30).models
        assert (model.name, model.version, model.alias) == ("megacap-daily", "1", "candidate")
        row = FeatureRow(symbol="AAPL", event_time=1, values=[0.0] * len(model.features))
        asked = PredictRequest(model=model.name, feature_set_version=model.feature_set_version, rows=[row])
        answer = stub.Predict(asked, timeout=30)
        assert (answer.model_version, [r.symbol for r in answer.rows]) == ("1", ["AAPL"])


def test_the_executor_is_alone_on_its_cpu(installation: Installation) -> None:
    executor = installation.cpus("pod/executor-paper-0", "executor")
    assert len(executor) == 1
    others = [("pod/executor-paper-0", "policy")]
    others += [
        (installation.pods(part)[0], "") for part in ("recorder", "venue", "operator", "signals", "features", "ray")
    ]
    assert [pod for pod, container in others if not executor.isdisjoint(installation.cpus(pod, container))] == []


def test_what_dies_comes_back_with_trading_under_way(installation: Installation) -> None:
    storm = Storm(installation)
    for seed in range(FIRST_SEED, FIRST_SEED + ROUNDS):
        print(json.dumps(storm.strike(seed)))
    # It struck while there was something to trade.
    assert "completionTime" not in installation.cluster.get("job", "feed")["status"]


def test_what_was_traded_is_the_same_at_the_venue_and_on_record(installation: Installation) -> None:
    """After all those deaths: no order twice, none lost, and the same positions."""
    waited = ("wait", "--for=condition=Complete", "job/feed", f"--timeout={2 * REPLAY_S}s")
    assert installation.cluster.run(*waited, timeout_s=2 * REPLAY_S + 60).returncode == 0, installation.look()
    venue, recorder = installation.pods("venue")[0], installation.pods("recorder")[0]

    def traded() -> dict[str, Any]:
        found: dict[str, Any] = json.loads(installation.python(venue, TRADED))
        return found

    def recorded() -> dict[str, Any]:
        told = json.loads(installation.python(recorder, RECORDED))
        held: dict[str, int] = {}
        for symbol, side, quantity in told["fills"]:
            held[symbol] = held.get(symbol, 0) + (quantity if side == "BUY" else -quantity)
        return {"orders": dict(told["orders"]), "positions": {s: quantity for s, quantity in held.items() if quantity}}

    eventually(lambda: recorded() == traded(), 60)
    assert len(traded()["orders"]) > 100


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
    assert sum(len(commands(section)) for section in SECTIONS) == len(lines(PAGE.read_text())) >= 20
