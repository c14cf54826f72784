"""A cluster with a node, and Tradewind installed there by the commands of docs/install.md."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.certificates import Authority
from tests.cluster.node import NAMESPACE
from tests.cluster.operator_process import eventually
from tests.cluster.plane import ROOT, TOOLS, VALUES, Cluster, binaries

RELEASE = "tradewind"
PAGE, OPERATIONS = ROOT / "docs" / "install.md", ROOT / "docs" / "operations.md"
COMMAND_LIMIT_S = 1300
# The page's replay takes two minutes; here it lasts until the storm (storm.py), which mostly waits for Ray, or the last
# challenger is through.
ROUNDS, FIRST_SEED = int(os.environ.get("TRADEWIND_ROUNDS", "5")), int(os.environ.get("TRADEWIND_SEED", "1"))
EXAMPLE = "megacap-daily"
REPLAYED_S, REPLAY_S = 731 * 86400, {EXAMPLE: max(120, 75 * ROUNDS), "megacap-live": 420}
# What `helm test` asks.
ANSWERING = ("kafka", "postgres", "redis", "mlflow", "ray", "venue", "operator", "recorder")
SECTIONS = (
    "On a cluster of your own",
    "An account and a strategy",
    "A core of its own for the executor",
    "Upgrading and removing",
)
KUBERAY = "A Ray cluster of KubeRay's"
PREDICTOR, PREDICTOR_SECRET = f"{RELEASE}-ray", "predictor-tls"


def commands(section: str, page: Path = PAGE) -> list[str]:
    """The commands of a section of a page, in its order: the fenced blocks that name no language."""
    found = lines(page.read_text().split(f"\n## {section}\n", 1)[1].split("\n## ", 1)[0])
    assert found, f"{page}: no commands in section {section}"
    return found


def lines(text: str) -> list[str]:
    """The commands of a text."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.M | re.S)
    return [line for language, block in blocks if not language for line in block.splitlines()]


@dataclass(frozen=True)
class Installation:
    """The release, spoken to as people do: in a shell.

    Attributes:
        here: working directory of the commands; has the project's charts and examples.
        said: what each command of the page printed.
    """

    cluster: Cluster
    here: Path
    path: str
    said: dict[str, str] = field(default_factory=dict)

    def follow(self, *lines: str) -> None:
        """Does what the page says; fails with what a person would look at when a command does."""
        for line in lines:
            done = subprocess.run(
                ["bash", "-o", "pipefail", "-c", line],
                capture_output=True, text=True, timeout=COMMAND_LIMIT_S, cwd=self.here, env=self.environment(),
            )  # fmt: skip
            assert done.returncode == 0, f"{line}: {done.stdout}\n{done.stderr}\n{self.look()}"
            self.said[" ".join(line.split()[:2])] = done.stdout

    def environment(self) -> dict[str, str]:
        """Of a person who works with this cluster."""
        keys = {"APCA_API_KEY_ID": "", "APCA_API_SECRET_KEY": ""}
        told = self.cluster.run("get", "secret", f"{RELEASE}-venue", "-o", "json")
        if told.returncode == 0:
            keys = {key: b64decode(value).decode() for key, value in json.loads(told.stdout)["data"].items()}
        return {**os.environ, **keys, "PATH": self.path, "KUBECONFIG": str(self.cluster.kubeconfig)}

    def look(self) -> str:
        """What a person would look at when something isn't ready."""
        pods = self.cluster.run("get", "pods,strategies,riskpolicies", "-o", "wide").stdout
        events = self.cluster.run("get", "events", "--sort-by=.lastTimestamp").stdout.splitlines()[-40:]
        described = self.cluster.run("describe", "strategies,riskpolicies").stdout
        return "\n".join([pods, *events, described])

    def left(self) -> set[str]:
        """What of a release is still there, volumes apart."""
        kinds = "all,secrets,configmaps,serviceaccounts,roles,rolebindings,leases,jobs,strategies,riskpolicies"
        return set(self.cluster.ok("get", kinds, "-o", "name").split())

    def pods(self, part: str) -> list[str]:
        """Names of the pods of a part."""
        return self.cluster.ok("get", "pods", "-l", f"app.kubernetes.io/name={part}", "-o", "name").split()

    def python(self, pod: str, program: str, *arguments: str, container: str = "") -> str:
        """What a program printed that ran in a pod."""
        chosen = ["-c", container] if container else []
        done = self.cluster.run("exec", "-i", pod, *chosen, "--", "python", "-", *arguments, given=program)
        assert done.returncode == 0, f"in {pod}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def versions(self) -> dict[str, str]:
        """What the operator writes, and which version of it there is."""
        kinds = "strategies,riskpolicies,statefulsets,configmaps,services,roles,jobs"
        found: list[Any] = json.loads(self.cluster.ok("get", kinds, "-o", "json"))["items"]
        return {f"{o['kind']}/{o['metadata']['name']}": o["metadata"]["resourceVersion"] for o in found}

    def condition(self, kind: str, name: str, of: str) -> dict[str, Any]:
        """A condition of a document."""
        found = self.cluster.get(kind, name).get("status", {}).get("conditions", [])
        return next((c for c in found if c["type"] == of), {})

    def executor_says(self, figure: str, **labels: str) -> float:
        """A figure of the executor's metrics; 0 while it has none."""
        address = self.cluster.get("pod", "executor-paper-0")["status"]["podIP"]
        told = urllib.request.urlopen(f"http://{address}:9103/metrics", timeout=10).read().decode()
        wanted = {"account": "paper", **labels}
        samples = (s for family in text_string_to_metric_families(told) for s in family.samples)
        return next((s.value for s in samples if s.name == f"tradewind_executor_{figure}" and s.labels == wanted), 0)

    @contextmanager
    def predictor(self, address: str) -> Iterator[grpc.Channel]:
        """A channel to the predictor at HOST:PORT, trusted as whoever has the release's CA trusts it."""
        trusted = grpc.ssl_channel_credentials((self.here / "ca.crt").read_bytes())
        name = [("grpc.ssl_target_name_override", PREDICTOR)]
        with grpc.secure_channel(address, trusted, options=name) as channel:
            yield channel

    def cpus(self, pod: str, container: str = "") -> set[int]:
        """The CPUs that a container may run on, as it sees them itself."""
        program = "import json, os; print(json.dumps(sorted(os.sched_getaffinity(0))))"
        return set(json.loads(self.python(pod, program, container=container)))


@dataclass(frozen=True)
class Beside:
    """What somebody brings to the release: values, and commands before it, once it is installed, and when it is gone.

    Attributes:
        kept: objects that are left to them.
    """

    values: dict[str, Any]
    first: tuple[str, ...]
    then: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    kept: frozenset[str] = frozenset()


def certified(here: Path) -> Beside:
    """A certificate for predictions, as the page makes it."""
    Authority(here / "ca", "tests").sign(here, PREDICTOR)
    (secret,) = re.findall(rf"^kubectl create secret generic {PREDICTOR_SECRET} .*", PAGE.read_text(), re.M)
    return Beside({}, (secret,), kept=frozenset({f"secret/{PREDICTOR_SECRET}"}))


def load_images(cluster: Cluster) -> None:
    """Ours, for a node of this machine; another cluster has them."""
    if cluster.state is not None:
        subprocess.run([TOOLS / "images", "build"], check=True)
        subprocess.run([TOOLS / "images", "load", str(cluster.state)], check=True)


@contextmanager
def installed(cluster: Cluster, here: Path, example: str, beside: Beside) -> Iterator[Installation]:
    """Tradewind by helm in a namespace of its own that allows PodSecurity `restricted` alone, for one example."""
    own = cluster.state is not None
    tools = [str(Path(sys.executable).parent), str(Path(cluster.kubectl).parent)]
    if own:
        tools.append(str(binaries("--node")))
    values = yaml.safe_load(VALUES.read_text()) | ({} if own else {"storageClass": ""}) | beside.values
    (here / "my-values.yaml").write_text(yaml.safe_dump(values))
    for name in ("charts", "examples"):
        (here / name).symlink_to(ROOT / name)
    made = Installation(cluster, here, os.pathsep.join([*tools, os.environ["PATH"]]))
    assert shutil.which("helm", path=made.path), "KUBECONFIG is given but helm is not on the PATH; install it"
    # What is not ours is neither used nor, at the end, deleted.
    there = cluster.run("get", "namespace", NAMESPACE, "--output=name")
    assert there.returncode != 0, f"the cluster has a namespace {NAMESPACE}: delete it, or give another cluster"
    try:
        for line in commands(SECTIONS[0]):
            install = line.startswith("helm install")
            made.follow(*(beside.first if install else ()), _of(example, line), *(beside.then if install else ()))
        yield made
        made.follow(*(_of(example, line) for line in commands(SECTIONS[3]) if not keeps(line)), *beside.last)
        # Kubernetes' own; what a helm test made, so that its logs can be read; the password of a volume that stays; the
        # operators' Lease, which is nobody's.
        kept = {"configmap/kube-root-ca.crt", "serviceaccount/default", "lease.coordination.k8s.io/tradewind-operator"}
        kept |= {f"pod/{RELEASE}-install-test", f"configmap/{RELEASE}-install-test", f"secret/{RELEASE}-postgres"}
        eventually(lambda: made.left() == kept | beside.kept, 120)
    finally:
        cluster.run("delete", "namespace", NAMESPACE, "--timeout=180s", timeout_s=200)


def _of(example: str, line: str) -> str:
    """A command of the page, with another example and for as long as the tests need."""
    return re.sub(r"--speed \d+", f"--speed {REPLAYED_S // REPLAY_S[example]}", line).replace(EXAMPLE, example)


def keeps(line: str) -> bool:
    """Whether a command upgrades, rather than removes."""
    return line.split()[1] in ("apply", "upgrade")
