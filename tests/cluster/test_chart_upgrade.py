"""Installed and upgraded by helm on an API server of its own, without a node: what stays, and what is made again."""

from __future__ import annotations

import copy
import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.installation import EXAMPLE, SECTIONS, commands
from tests.cluster.operator_process import eventually
from tests.cluster.plane import CHART, ROOT, Cluster
from tests.cluster.rendering import helm, planned, render

VALUES = ("--set", "venue.enabled=true", "--set", "data.dataset=daily")
(PREVIOUS,) = (Path(__file__).parent / "charts").glob("tradewind-*.tgz")
# What somebody who runs the previous chart may have in a file.
THEIRS = {
    "images": {"prefix": "registry.example/team/"},
    "storageClass": "fast",
    "operator": {"replicas": 2, "podResources": {"executor_memory": "1Gi"}},
    "data": {"dataset": "daily", "replay": {"enabled": True}},
    "kafka": {"retentionHours": 48},
    "venue": {"enabled": True, "policies": ["paper", "second"]},
    "networkPolicy": {"metricsFrom": {"team": "observing"}},
}
# All that a release is made of, but for the Jobs, which are made anew.
KINDS = "secrets,configmaps,services,serviceaccounts,persistentvolumeclaims,deployments,statefulsets,roles,rolebindings"
KINDS += ",networkpolicies,poddisruptionbudgets,priorityclasses,clusterroles"
KINDS += ",validatingadmissionpolicies,validatingadmissionpolicybindings"


def done(plane: Cluster, *arguments: str) -> str:
    told = helm(*arguments, f"--kubeconfig={plane.kubeconfig}", "--namespace=here")
    assert told.returncode == 0, told.stderr
    return told.stdout


def listed(plane: Cluster, kind: str) -> dict[str, dict[str, Any]]:
    items = json.loads(plane.ok("get", kind, "-l", "app.kubernetes.io/part-of=tradewind", "-o", "json"))["items"]
    return {item["metadata"]["name"]: item for item in items}


def templates(plane: Cluster) -> dict[str, dict[str, Any]]:
    """Pods as their owners make them: a change of one is a restart."""
    kinds = ("deployments", "statefulsets")
    return {f"{kind}/{name}": one["spec"]["template"] for kind in kinds for name, one in listed(plane, kind).items()}


def test_an_upgrade_restarts_nothing_that_is_the_same_and_keeps_every_secret(plane: Cluster) -> None:
    done(plane, "install", "tradewind", str(CHART), "--create-namespace", *VALUES)
    secrets, pods, jobs = listed(plane, "secrets"), templates(plane), listed(plane, "jobs")
    assert len(secrets) >= 14
    assert len(pods) >= 8
    assert len(jobs) == 1
    done(plane, "upgrade", "tradewind", str(CHART), *VALUES)
    assert {n: s["data"] for n, s in listed(plane, "secrets").items()} == {n: s["data"] for n, s in secrets.items()}
    assert templates(plane) == pods
    again = listed(plane, "jobs")
    assert len(again.keys() - jobs.keys()) == 1, "topics and rights are made again"
    # Another setting of Kafka's is another start of Kafka and of nothing else.
    done(plane, "upgrade", "tradewind", str(CHART), *VALUES, "--set", "kafka.retentionHours=24")
    changed = {name for name, template in templates(plane).items() if template != pods[name]}
    assert changed == {"statefulsets/tradewind-kafka"}
    done(plane, "uninstall", "tradewind")
    assert listed(plane, "priorityclasses") == {}
    assert templates(plane) == {}


@pytest.fixture
def theirs(tmp_path: Path) -> str:
    (tmp_path / "my-values.yaml").write_text(yaml.safe_dump(THEIRS))
    return f"--values={tmp_path / 'my-values.yaml'}"


def test_an_upgrade_from_the_previous_chart_keeps_state(plane: Cluster, theirs: str) -> None:
    done(plane, "install", "tradewind", str(PREVIOUS), "--create-namespace", theirs)
    example = str(ROOT / "examples" / f"{EXAMPLE}.yaml")
    plane.ok("wait", "--for=condition=Established", "--timeout=60s", "-f", str(CHART / "crds"))
    plane.ok("apply", "-f", example)
    made = ("data-tradewind-kafka-0", "data-tradewind-postgres-0", "data-tradewind-redis-0", "books-tradewind-venue-0")
    eventually(lambda: set(made) <= set(claims(plane)))
    secrets, volumes, pods, objects = listed(plane, "secrets"), claims(plane), templates(plane), identities(plane)
    wanted = {name: one["spec"]["volumeClaimTemplates"] for name, one in listed(plane, "statefulsets").items()}
    assert len(secrets) >= 15
    assert set(volumes) == {*made, "tradewind-data", "tradewind-mlflow"}
    documents = identities(plane, "strategies,riskpolicies", "")
    assert len(documents) == 2
    # The previous chart's definitions are these as yet; an older one's would lack something.
    missing = [{"op": "remove", "path": "/spec/versions/0/additionalPrinterColumns/0"}]
    for definition in ("strategies", "riskpolicies"):
        plane.ok("patch", "crd", f"{definition}.tradewind.dev", "--type=json", f"--patch={json.dumps(missing)}")
    assert defined(plane).returncode == 1

    first, second = (shlex.split(line) for line in commands(SECTIONS[3])[:2])
    assert second[:2] == ["helm", "upgrade"]
    plane.ok(*(str(ROOT / part) if part.startswith("charts/") else part for part in first[1:]))
    reused = json.loads(
        done(plane, "upgrade", "tradewind", str(CHART), "--reuse-values", "--dry-run=server", "-o=json")
    )
    done(plane, "upgrade", "tradewind", str(CHART), theirs)
    assert reused["manifest"].strip() == done(plane, "get", "manifest", "tradewind").strip()

    assert {n: s["data"] for n, s in listed(plane, "secrets").items()} == {n: s["data"] for n, s in secrets.items()}
    assert claims(plane) == volumes
    assert {n: one["spec"]["volumeClaimTemplates"] for n, one in listed(plane, "statefulsets").items()} == wanted
    again = identities(plane)
    assert {name: again.get(name) for name in objects} == objects, "nothing is deleted or made in another's place"
    # Generations, too: nobody has written to them.
    assert identities(plane, "strategies,riskpolicies", "") == documents
    assert defined(plane).returncode == 0, "the definitions are this chart's"
    for document in yaml.safe_load_all(Path(example).read_text()):
        name = f"{document['metadata']['name']}-again"
        kept = plane.get(document["kind"], document["metadata"]["name"])["spec"]
        new = {**document, "metadata": {"name": name}, "spec": kept}
        plane.ok("create", "--dry-run=server", "-f", "-", given=json.dumps(new))

    # Every pod is made anew, because the previous chart has written its version on it; but for that only the
    # operator's, whose configuration names what is new, and Kafka's, which starts with classes from an archive.
    now = templates(plane)
    assert now.keys() == pods.keys()
    assert {name for name in pods if now[name] == pods[name]} == set()
    differ = {name for name in pods if now[name] != unversioned(pods[name])}
    assert differ == {"deployments/tradewind-operator", "statefulsets/tradewind-kafka"}


def test_another_version_alone_restarts_nothing(plane: Cluster, theirs: str, tmp_path: Path) -> None:
    done(plane, "install", "tradewind", str(CHART), "--create-namespace", theirs)
    pods = templates(plane)
    told = helm("package", str(CHART), "--version=99.0.0", "--app-version=99.0.0", f"--destination={tmp_path}")
    assert told.returncode == 0, told.stderr
    done(plane, "upgrade", "tradewind", str(tmp_path / "tradewind-99.0.0.tgz"), theirs)
    assert templates(plane) == pods
    chart = {one["metadata"]["labels"]["helm.sh/chart"] for one in listed(plane, "statefulsets").values()}
    assert chart == {"tradewind-99.0.0"}


def test_what_the_operator_makes_is_the_same_under_the_previous_chart(theirs: str) -> None:
    before = planned(render([], theirs, chart=PREVIOUS))
    assert {o["metadata"]["name"] for o in before if o["kind"] == "StatefulSet"} == {"executor-paper"}
    assert planned(render([], theirs)) == before


def test_the_chart_is_a_later_version_than_the_previous_one() -> None:
    def version(chart: Path) -> tuple[int, ...]:
        told = helm("show", "chart", str(chart))
        return tuple(map(int, yaml.safe_load(told.stdout)["version"].split(".")))

    assert version(CHART) > version(PREVIOUS)


def claims(plane: Cluster) -> dict[str, Any]:
    """Volume claims, those of StatefulSets among them: which they are and what they ask for."""
    items = json.loads(plane.ok("get", "persistentvolumeclaims", "-o", "json"))["items"]
    return {item["metadata"]["name"]: (item["metadata"]["uid"], item["spec"]) for item in items}


def identities(
    plane: Cluster, kinds: str = KINDS, of: str = "app.kubernetes.io/managed-by=Helm"
) -> dict[str, tuple[str, int | None]]:
    """UIDs of objects, and the generation of those documents that a person writes."""
    items = json.loads(plane.ok("get", kinds, f"--selector={of}", "-o", "json"))["items"]
    written = ("Strategy", "RiskPolicy")
    return {
        f"{item['kind']}/{item['metadata']['name']}": (
            item["metadata"]["uid"],
            item["metadata"]["generation"] if item["kind"] in written else None,
        )
        for item in items
    }


def defined(plane: Cluster) -> subprocess.CompletedProcess[str]:
    """Whether the definitions differ from this chart's: status 1, as of diff."""
    return plane.run("diff", "--server-side", "--force-conflicts", "-f", str(CHART / "crds"))


def unversioned(template: dict[str, Any]) -> dict[str, Any]:
    """A pod's template without the labels that name the chart's version."""
    made = copy.deepcopy(template)
    for label in ("app.kubernetes.io/version", "helm.sh/chart"):
        del made["metadata"]["labels"][label]
    return made
