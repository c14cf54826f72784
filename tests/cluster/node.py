"""A cluster with a node: one booted on this machine by tools/cluster, or somebody else's."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.cluster.plane import ROOT, TOOLS, Cluster, binaries

NAMESPACE = "tradewind"
STORAGE_CLASS = "tradewind-tests"
VOLUMES = 24  # of two installations, one after the other


@contextmanager
def own_node(state: Path) -> Iterator[Cluster]:
    """A cluster with a node, booted on this machine; nothing of it is left afterwards."""
    assert os.geteuid() == 0, "a node needs root; run as root, or give a cluster with a node by KUBECONFIG"
    subprocess.run([ROOT / "tools" / "system-packages", "cluster"], check=True)
    try:
        up = subprocess.run([TOOLS / "up", "--node", state], check=True, stdout=subprocess.PIPE, text=True)
        cluster = Cluster(str(binaries() / "kubectl"), Path(up.stdout.strip()), NAMESPACE, state)
        cluster.apply(*_storage(state))
        yield cluster
    finally:
        subprocess.run([TOOLS / "down", state], check=True)
    assert leftovers(state) == []


@contextmanager
def given_node() -> Iterator[Cluster]:
    """The cluster of $KUBECONFIG, which has a node and our images."""
    kubectl = shutil.which("kubectl")
    assert kubectl, "KUBECONFIG is given but kubectl is not on the PATH; install it"
    yield Cluster(kubectl, Path(os.environ["KUBECONFIG"]), NAMESPACE, None)


def leftovers(state: Path) -> list[str]:
    """What of a node is still on this machine."""
    found = [str(p) for p in (state, Path("/sys/class/net/twbr0")) if p.exists()]
    found += [line for line in Path("/proc/mounts").read_text().splitlines() if str(state) in line]
    found += [str(p) for p in Path("/sys/fs/cgroup").glob("**/kubepods")]
    rules = subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout
    found += [rule for rule in rules.splitlines() if "KUBE-" in rule or "CNI-" in rule]
    sets = subprocess.run(["ipset", "list", "-name"], capture_output=True, text=True, check=True).stdout
    found += [name for name in sets.split() if name.startswith("KUBE-")]
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            told = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(state) in told and "pytest" not in told:
            found.append(told)
    return found


def processes(of: str) -> dict[int, str]:
    """Command lines, by process id, of those whose control group has `of`, say a pod's uid, in its path."""
    found = {}
    for directory in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if of in (directory / "cgroup").read_text():
                told = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found[int(directory.name)] = told
    return found


def _storage(state: Path) -> list[dict[str, Any]]:
    """A storage class and volumes of it: this cluster makes none by itself."""
    storage = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": STORAGE_CLASS}}
    storage |= {"provisioner": "kubernetes.io/no-provisioner", "volumeBindingMode": "WaitForFirstConsumer"}
    made: list[dict[str, Any]] = [storage]
    for number in range(VOLUMES):
        directory = state / "volumes" / str(number)
        directory.mkdir(parents=True)
        directory.chmod(0o777)  # the kubelet gives a hostPath to nobody
        spec = {
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "storageClassName": STORAGE_CLASS,
            "hostPath": {"path": str(directory), "type": "Directory"},
            "persistentVolumeReclaimPolicy": "Retain",
        }
        metadata = {"name": f"tradewind-tests-{number}"}
        made.append({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec})
    return made
