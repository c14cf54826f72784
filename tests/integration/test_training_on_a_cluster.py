"""Training joins the Ray cluster that it runs in."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tradewind.bus import ports

pytestmark = pytest.mark.timeout(600)
PATIENCE_S = 240.0
TOKEN = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 4}  # Ray lets in who has the cluster's
JOIN = """
import ray
from tradewind.training.ray_session import ray_session
with ray_session(None, 100, "auto") as workers:
    print("workers", workers)
    print("nodes", len(ray.nodes()), "house", ray.cluster_resources().get("house"))
    print("worked", ray.get(ray.remote(lambda: 6 * 7).remote()))
"""


@pytest.fixture
def cluster() -> Iterator[str]:
    """Address of a Ray that is not ours, as a cluster's pods run it; it has one `house`, and
    fewer CPUs than this machine."""
    port = ports.reserve()
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as session:  # sockets lie in it: short
        own = ["--num-cpus=1", "--include-dashboard=false", "--disable-usage-stats", '--resources={"house": 1}']
        where = [f"--port={port}", "--node-ip-address=127.0.0.1", f"--temp-dir={session}"]
        command = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", *own, *where]
        said = Path(session, "head.out")
        with said.open("w") as out:
            head = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=os.environ | TOKEN)
        try:
            deadline = time.monotonic() + PATIENCE_S
            while "Ray runtime started" not in said.read_text():
                assert head.poll() is None, said.read_text()
                assert time.monotonic() < deadline, said.read_text()
                time.sleep(0.2)
            yield f"127.0.0.1:{port}"
        finally:
            head.terminate()
            head.wait(60)


def test_it_works_on_the_clusters_node_and_leaves_the_cluster_running(cluster: str) -> None:
    for _ in range(2):
        environment = os.environ | TOKEN | {"RAY_ADDRESS": cluster}
        done = subprocess.run([sys.executable, "-c", JOIN], capture_output=True, text=True, env=environment)
        assert done.stdout.split("\n")[:3] == ["workers 1", "nodes 1 house 1.0", "worked 42"], done.stderr
