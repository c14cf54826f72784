"""A Kubernetes API server to test against: the one of $KUBECONFIG, or a control plane started for the session."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.cluster.installation import (
    EXAMPLE,
    PAGE,
    SECTIONS,
    Installation,
    certified,
    commands,
    installed,
    load_images,
)
from tests.cluster.node import given_node, own_node
from tests.cluster.plane import CHART, ROOT, TOOLS, Cluster, binaries

__all__ = ["CHART", "ROOT", "TOOLS", "Cluster"]

BROUGHT = (CHART / "crds", CHART / "templates" / "admission.yaml", CHART / "templates" / "people.yaml")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("KUBECONFIG"):
        for item in items:
            if "ours" in item.keywords:
                item.add_marker(pytest.mark.skip("needs processes of a cluster on this machine: without KUBECONFIG"))


@contextmanager
def defined(cluster: Cluster) -> Iterator[None]:
    """A given cluster with the definitions, admission policies and roles of people: none before, none afterwards.

    Workers share it: the first brings them, the last takes them away.
    """
    lock = Path(tempfile.gettempdir()) / f"tradewind-{hashlib.sha256(bytes(cluster.kubeconfig)).hexdigest()[:16]}"
    with lock.with_suffix(".turn").open("w") as turn, lock.with_suffix(".users").open("w") as users:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if alone(users):
            there = cluster.run("get", "crd", "strategies.tradewind.dev", "--output=name")
            assert there.returncode != 0, "the cluster has Tradewind's definitions: give one without"
            define(cluster)
        fcntl.flock(users, fcntl.LOCK_SH)
        fcntl.flock(turn, fcntl.LOCK_UN)
        yield
        fcntl.flock(turn, fcntl.LOCK_EX)
        if alone(users):
            for path in BROUGHT:
                cluster.ok("delete", "--ignore-not-found", "-f", str(path))


def alone(users: IO[str]) -> bool:
    """Whether no other worker uses it; then none comes before this one shares it or is gone."""
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def define(cluster: Cluster) -> None:
    # The definitions are longer than what client-side apply can note in an annotation of its own.
    cluster.ok("apply", "--server-side", "-f", str(BROUGHT[0]))
    cluster.ok("wait", "--for=condition=Established", "--timeout=100s", "-f", str(BROUGHT[0]))
    for path in BROUGHT[1:]:
        cluster.ok("apply", "--server-side", "-f", str(path))
    cluster.ok(
        "wait", "--for=jsonpath={.status.typeChecking}", "--timeout=100s", "validatingadmissionpolicies", "--all"
    )


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, Path | None]]:
    """kubectl, kubeconfig and state directory, with Tradewind's definitions and admission policies in place."""
    given = os.environ.get("KUBECONFIG")
    state = None if given else tmp_path_factory.mktemp("control-plane")
    try:
        if state is None:
            kubectl, kubeconfig = shutil.which("kubectl") or "", Path(str(given))
            assert kubectl, "KUBECONFIG is given but kubectl is not on the PATH; install it"
        else:
            kubectl = str(binaries() / "kubectl")
            up = subprocess.run([TOOLS / "up", state], check=True, stdout=subprocess.PIPE, text=True)
            kubeconfig = Path(up.stdout.strip())
        plain = Cluster(kubectl, kubeconfig, "default", state)
        if state is None:
            with defined(plain):
                yield kubectl, kubeconfig, state
        else:
            define(plain)
            yield kubectl, kubeconfig, state
    finally:
        if state is not None:
            subprocess.run([TOOLS / "down", state], check=True)


@pytest.fixture
def cluster(control_plane: tuple[str, Path, Path | None]) -> Iterator[Cluster]:
    """The API server with a namespace of the test's own."""
    kubectl, kubeconfig, state = control_plane
    cluster = Cluster(kubectl, kubeconfig, f"test-{uuid.uuid4().hex[:8]}", state)
    cluster.ok("create", "namespace", cluster.namespace)
    yield cluster
    cluster.ok("delete", "namespace", cluster.namespace, "--wait=false")


@pytest.fixture
def plane(tmp_path: Path) -> Iterator[Cluster]:
    """An API server of the test's own. Nothing of Tradewind is on it, so that helm owns all."""
    try:
        up = subprocess.run([TOOLS / "up", tmp_path], check=True, stdout=subprocess.PIPE, text=True)
        yield Cluster(str(binaries() / "kubectl"), Path(up.stdout.strip()), "here", tmp_path)
    finally:
        subprocess.run([TOOLS / "down", tmp_path], check=True)


@pytest.fixture(scope="module")
def followers() -> Iterator[None]:
    """Followers ask the executor at a port that is the same everywhere: one module of one worker at a time has any."""
    with (Path(tempfile.gettempdir()) / "tradewind-followers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with a node: $KUBECONFIG's, or one booted here."""
    given = os.environ.get("KUBECONFIG")
    with given_node() if given else own_node(tmp_path_factory.mktemp("node") / "state") as cluster:
        yield cluster


@pytest.fixture(scope="session")
def images(node: Cluster) -> None:
    """What the node's pods are made of."""
    load_images(node)


@pytest.fixture(scope="session")
def installation(
    node: Cluster, images: None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """Tradewind as helm installs it; one with another example (by `indirect`) begins when this one is gone."""
    here = tmp_path_factory.mktemp("installation")
    with installed(node, here, getattr(request, "param", EXAMPLE), certified(here)) as made:
        yield made


@pytest.fixture(scope="module")
def release(installation: Installation) -> Installation:
    """The release with the example; where test_install.py has not run before, from the page's commands."""
    if installation.cluster.run("get", f"strategy/{EXAMPLE}").returncode != 0:
        installation.follow(*commands(SECTIONS[1], PAGE))
    return installation
