"""The example on a Ray cluster of KubeRay's, by docs/install.md: the head has no CPU for Ray, a worker has four.

So training and predictions happen in a worker's pod, or nowhere.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml

from tests.cluster.books import agree, traded
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
HEAD = "service/trading-head-svc"


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
    beside = Beside({**VALUES, "predictor": {}}, (SECRET, APPLY), (WAIT,), (DELETE,))
    with kuberay(node, here / "kuberay.log"), installed(node, here, EXAMPLE, beside) as made:
        yield made


def pod(installation: Installation, kind: str) -> dict[str, Any]:
    """The Ray cluster's head or worker."""
    found = installation.cluster.ok("get", "pods", "-l", f"ray.io/node-type={kind}", "-o", "json")
    (one,) = json.loads(found)["items"]
    return dict(one)


def replicas(installation: Installation) -> str:
    """How many of Serve's replicas run in the worker's pod."""
    worker = pod(installation, "worker")["metadata"]["name"]
    asked = ("exec", worker, "--container=ray", "--", "pgrep", "--full", "--count", "ray::ServeReplica")
    return installation.cluster.run(*asked).stdout.strip()


def is_ready(installation: Installation) -> bool:
    """Whether the strategy is, which needs its predictor."""
    return bool(installation.condition("strategy", EXAMPLE, "Ready").get("status") == "True")


def test_the_release_asks_the_cluster_that_it_was_told_of(installation: Installation) -> None:
    assert "\nray " in installation.said["helm test"]
    assert installation.cluster.run("get", "deployment/tradewind-ray").returncode != 0
    nodes = (
        "import ray; ray.init('auto'); print(sorted(n['Resources'].get('CPU', 0) for n in ray.nodes() if n['Alive']))"
    )
    assert installation.python(HEAD, nodes, container="ray").splitlines()[-1] == "[0, 4.0]"


def test_a_worker_trains_and_predicts(installation: Installation) -> None:
    installation.follow(*(line.replace("deployment/tradewind-ray", HEAD) for line in commands(SECTIONS[1])))
    assert replicas(installation) == "1"
    with grpc.insecure_channel(f"{pod(installation, 'head')['status']['podIP']}:9000") as channel:
        (model,) = PredictionStub(channel).ListModels(ListModelsRequest(), timeout=30).models
    assert (model.name, model.version, model.alias) == (EXAMPLE, "1", "candidate")


def test_a_worker_that_dies_comes_back_and_trading_goes_on(installation: Installation) -> None:
    """KubeRay makes another pod; Serve starts the replica there, and the strategy is ready again."""
    eventually(lambda: is_ready(installation))
    worker = pod(installation, "worker")["metadata"]["name"]
    installation.cluster.ok("delete", "pod", worker, "--grace-period=0", "--force")
    eventually(lambda: not is_ready(installation), 120)
    eventually(lambda: is_ready(installation), 300)
    assert pod(installation, "worker")["metadata"]["name"] != worker
    assert replicas(installation) == "1"


def test_venue_and_record_agree(installation: Installation) -> None:
    waited = ("wait", "--for=condition=Complete", "job/feed", f"--timeout={2 * REPLAY_S[EXAMPLE]}s")
    assert installation.cluster.run(*waited, timeout_s=2 * REPLAY_S[EXAMPLE] + 60).returncode == 0, installation.look()
    eventually(lambda: agree(installation), 60)
    assert len(traded(installation)["orders"]) > 100
