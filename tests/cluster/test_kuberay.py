"""The example on a Ray cluster of KubeRay's, by docs/install.md: the head has no CPU for Ray, a worker has four.

So training and predictions happen in a worker's pod, or nowhere.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import grpc
import pytest
import yaml

from tests.cluster.books import agree, recorded, traded
from tests.cluster.installation import (
    EXAMPLE,
    KUBERAY,
    PAGE,
    REPLAY_S,
    SECTIONS,
    Beside,
    Installation,
    commands,
    installed,
)
from tests.cluster.operator_process import eventually
from tests.cluster.plane import VALUES as NODE_VALUES
from tests.cluster.plane import Cluster, binaries
from tradewind.bus.ports import reserve
from tradewind.v1.prediction_pb2 import ListModelsRequest
from tradewind.v1.prediction_pb2_grpc import PredictionStub

pytestmark = [pytest.mark.node, pytest.mark.timeout(3600)]
SECRET, APPLY, WAIT, DELETE = commands(KUBERAY)
CLUSTER, VALUES = (
    yaml.safe_load(block)
    for block in re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text().split(f"\n## {KUBERAY}\n")[1], re.M | re.S)[:2]
)
HEAD, MODEL = "service/trading-head-svc", [(EXAMPLE, "1", "candidate")]


@contextmanager
def kuberay(cluster: Cluster, log: Path) -> Iterator[None]:
    """KubeRay's operator, for this cluster alone; where one is given, it has its own."""
    if cluster.state is None:
        yield
        return
    programs = binaries("--kuberay")
    for definition in sorted((programs / "kuberay-definitions").iterdir()):
        cluster.ok("apply", "--server-side", "-f", str(definition))
    cluster.ok("wait", "--for=condition=Established", "--timeout=60s", "crd/rayclusters.ray.io")
    addresses = [f"--{name}=127.0.0.1:{reserve()}" for name in ("metrics-addr", "health-probe-bind-address")]
    command = [str(programs / "kuberay"), "--enable-leader-election=false", *addresses]
    with log.open("w") as told:
        process = subprocess.Popen(
            command, env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig)}, stdout=told, stderr=told
        )
        try:
            yield
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def installation(node: Cluster, images: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """The release beside a RayCluster, whose pods ask for what this node has."""
    here = tmp_path_factory.mktemp("installation")
    for group in (CLUSTER["spec"]["headGroupSpec"], *CLUSTER["spec"]["workerGroupSpecs"]):
        (container,) = group["template"]["spec"]["containers"]
        container["resources"] = {"requests": {"cpu": "50m", "memory": "1Gi"}, "limits": {"memory": "6Gi"}}
    (here / "raycluster.yaml").write_text(yaml.safe_dump(CLUSTER))
    kafka = yaml.safe_load(NODE_VALUES.read_text())["kafka"]
    kafka["resources"]["requests"]["cpu"] = "100m"  # a worker's init container of KubeRay's asks for 200m
    beside = Beside({**VALUES, "predictor": {}, "kafka": kafka}, (SECRET, APPLY), (WAIT,), (DELETE,))
    with kuberay(node, here / "kuberay.log"), installed(node, here, EXAMPLE, beside) as made:
        yield made


def pods(installation: Installation, kind: str) -> dict[str, str]:
    """Address by name of the Ray cluster's heads or workers."""
    found = installation.cluster.ok("get", "pods", "-l", f"ray.io/node-type={kind}", "-o", "json")
    return {p["metadata"]["name"]: p["status"].get("podIP", "") for p in json.loads(found)["items"]}


def workers_that_predict(installation: Installation) -> set[str]:
    """Those workers in whose pods one of Serve's replicas runs."""
    asked = ("--container=ray", "--", "pgrep", "--full", "ray::ServeReplica")
    found = pods(installation, "worker")
    return {name for name in found if installation.cluster.run("exec", name, *asked).returncode == 0}


def served(installation: Installation) -> list[tuple[str, str, str]]:
    """Name, version and alias of each model that the predictor answers with; none while it doesn't answer."""
    (address,) = pods(installation, "head").values()
    with grpc.insecure_channel(f"{address}:9000") as channel, suppress(grpc.RpcError):
        models = PredictionStub(channel).ListModels(ListModelsRequest(), timeout=30).models
        return [(m.name, m.version, m.alias) for m in models]
    return []


def test_the_release_asks_the_cluster_that_it_was_told_of(installation: Installation) -> None:
    assert "\nray " in installation.said["helm test"]
    assert installation.cluster.run("get", "deployment/tradewind-ray").returncode != 0
    nodes = (
        "import ray; ray.init('auto'); print(sorted(n['Resources'].get('CPU', 0) for n in ray.nodes() if n['Alive']))"
    )
    assert installation.python(HEAD, nodes, container="ray").splitlines()[-1] == "[0, 4.0]"


def test_a_worker_trains_and_predicts(installation: Installation) -> None:
    installation.follow(*(line.replace("deployment/tradewind-ray", HEAD) for line in commands(SECTIONS[1])))
    assert len(workers_that_predict(installation)) == 1
    assert served(installation) == MODEL


def test_a_worker_that_dies_is_replaced_and_the_strategy_goes_on(installation: Installation) -> None:
    (dead,) = pods(installation, "worker")
    installation.cluster.ok("delete", "pod", dead, "--grace-period=0", "--force")
    ready = partial(installation.condition, "strategy", EXAMPLE, "Ready")
    eventually(lambda: ready()["reason"] == "PredictorNotRunning")
    eventually(lambda: workers_that_predict(installation) - {dead}, 300)
    eventually(lambda: served(installation) == MODEL)
    eventually(lambda: ready()["status"] == "True")
    before = recorded(installation)["signals"]
    eventually(lambda: recorded(installation)["signals"] > before)


def test_venue_and_record_agree(installation: Installation) -> None:
    waited = ("wait", "--for=condition=Complete", "job/feed", f"--timeout={2 * REPLAY_S[EXAMPLE]}s")
    assert installation.cluster.run(*waited, timeout_s=2 * REPLAY_S[EXAMPLE] + 60).returncode == 0, installation.look()
    agree(installation)
    assert len(traded(installation)["orders"]) > 100
