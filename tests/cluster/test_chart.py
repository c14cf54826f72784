"""The chart: what it renders for several sets of values, against its schema, the processes and a real API server."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.conftest import CHART, ROOT, Cluster
from tests.cluster.plane import VALUES
from tests.cluster.rendering import found, helm, labelled, pods, render
from tradewind.console.default_features import default_features
from tradewind.execution.venue.config import VenueConfig
from tradewind.operators.config import OperatorConfig
from tradewind.streaming.features.config import StoreConfig
from tradewind.streaming.recorder.config import RecorderConfig

NAME = "app.kubernetes.io/name"
ELSEWHERE = [
    "kafka.enabled=false", "kafka.bootstrap=a.example:9092", "kafka.security.secretPrefix=desk-",
    "postgres.enabled=false", "postgres.host=db.example", "postgres.existingSecret=db",
    "redis.enabled=false", "redis.address=cache.example:6379", "redis.existingSecret=c",
    "mlflow.enabled=false", "mlflow.url=https://mlflow.example", "ray.enabled=false", "ray.grpc=ray.example:9000",
    "ray.dashboard=http://ray.example:8265", "data.existingClaim=sets",
]  # fmt: skip
SETS: dict[str, list[str]] = {
    "defaults": [],
    "trying out": ["venue.enabled=true", "venue.policies={paper,second}"],
    "services elsewhere": ELSEWHERE,
    "a replay": ["venue.enabled=true", "data.dataset=daily", "data.replay.enabled=true"],
    "larger": ["operator.replicas=3", "ray.workers.replicas=4", "networkPolicy.metricsFrom.team=observing"],
    "a registry of one's own": ["images.prefix=registry.example/team/", "images.pullSecrets[0].name=pull"],
    "learning": ["data.dataset=megacap"],
    "learning elsewhere": [*ELSEWHERE, "ray.existingSecret=ray", "data.dataset=megacap"],
    "brokers that know no users": [
        "kafka.enabled=false",
        "kafka.bootstrap=a.example:9092",
        "kafka.security.protocol=PLAINTEXT",
    ],
    "users of one's own elsewhere": [
        "kafka.enabled=false",
        "kafka.bootstrap=a.example:9092",
        "kafka.security.admin.secret=root",
        "kafka.security.ca.configMap=brokers",
    ],
    "a certificate of one's own": ["kafka.security.tlsSecret=kafka-certificate"],
    "bare": ["networkPolicy.enabled=false", "podDisruptionBudget.enabled=false", "recorder.enabled=false"],
    "s3": [
        "mlflow.artifacts=s3://models/here",
        "mlflow.envSecret=s3",
        "storageClass=fast",
        "priorityClasses.create=false",
        "priorityClasses.services=system-cluster-critical",
    ],
}
BAD = {
    "kafka.enabled=false": "kafka/bootstrap",
    "postgres.enabled=false": "postgres/host",
    "mlflow.enabled=false": "mlflow/url",
    "ray.enabled=false": "ray/dashboard",
    "kafak.enabled=true": "'kafak' not allowed",
    "operator.replicas=0": "operator/replicas",
    "data.size=ten": "data/size",
    "postgres.user=a;b": "postgres/user",
    "images.prefix=registry.example": "images/prefix",
    "venue.startingCash=lots": "venue/startingCash",
    "monitoring.serviceMonitor=true": "'serviceMonitor' not allowed",
    "monitoring.interval=0s": "monitoring/interval",
    "kafka.security.userPrefix=a b": "kafka/security/userPrefix",
}


# Whose kinds an API server need not know.
MONITORED = ["monitoring.podMonitor=true", "monitoring.prometheusRule=true", "monitoring.dashboards=true"]


@pytest.mark.parametrize("values", [*SETS.values(), MONITORED], ids=[*SETS, "monitored"])
def test_helm_finds_nothing_wrong(values: list[str]) -> None:
    told = [part for value in values for part in ("--set", value)]
    done = helm("lint", "--strict", str(CHART), *told)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", SETS)
def test_an_api_server_takes_it_whole_and_without_a_warning(name: str, cluster: Cluster) -> None:
    cluster.ok("label", "namespace", cluster.namespace, "pod-security.kubernetes.io/enforce=restricted")
    cluster.ok("label", "namespace", cluster.namespace, "pod-security.kubernetes.io/warn=restricted")
    documents = render(SETS[name])
    for document in documents:
        document["metadata"].pop("namespace", None)
    # A pod is refused whose class isn't there, and a dry run makes none.
    classes = [document for document in documents if document["kind"] == "PriorityClass"]
    if classes:
        cluster.apply(*classes)
    done = cluster.run("apply", "--dry-run=server", "--validate=strict", "-f", "-", given=yaml.safe_dump_all(documents))
    for one in classes:
        cluster.ok("delete", "priorityclass", one["metadata"]["name"])
    assert done.returncode == 0, done.stderr
    # Not a fault of the chart: the session's definitions were applied by another way.
    warnings = [w for w in done.stderr.splitlines() if "last-applied-configuration" not in w]
    assert warnings == []
    assert len(done.stdout.splitlines()) == len(documents)


@pytest.mark.parametrize(("value", "named"), BAD.items())
def test_a_wrong_value_is_refused_by_its_name(value: str, named: str) -> None:
    done = helm("template", "tradewind", str(CHART), "--set", value)
    assert done.returncode != 0
    assert named in done.stderr


@pytest.mark.parametrize("name", SETS)
def test_every_pod_asks_for_what_it_needs_and_may_do_nothing_more(name: str) -> None:
    made = pods(render(SETS[name]))
    assert len(made) >= 2
    for of, pod in made.items():
        assert pod["securityContext"]["runAsNonRoot"], of
        assert pod["automountServiceAccountToken"] is (of == "tradewind-operator")
        for container in pod["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"], of
            assert {"cpu", "memory"} <= set(container["resources"]["requests"]), of
            assert "memory" in container["resources"]["limits"], of
            runs = not of.startswith(("tradewind-install-test", "tradewind-provision"))
            assert ({"startupProbe", "livenessProbe"} <= set(container)) is runs, of


def test_what_the_node_of_the_tests_has_is_enough() -> None:
    """One of its two CPUs is an executor's; 850m are left beside the follower for everything that the chart starts."""
    asked = [
        int(container["resources"]["requests"]["cpu"].removesuffix("m"))
        for pod in pods(render([], "--values", str(VALUES))).values()
        for container in pod["containers"]
    ]
    assert sum(asked) <= 650  # the rest is for what strategies become


def test_the_processes_understand_what_they_are_told() -> None:
    for values in SETS.values():
        documents = render([*values, "recorder.enabled=true", "venue.enabled=true"])
        told = found(documents, "ConfigMap", "tradewind-operator")["data"]["operator.json"]
        operator = OperatorConfig.model_validate_json(told)
        assert operator.namespace == "here"
        assert operator.services.store is not None
        StoreConfig.model_validate(operator.services.store.model_dump())
        learns = any(value.startswith("data.dataset=") for value in values)
        assert (operator.services.ray is not None, operator.services.mlflow is not None) == (learns, learns)
        assert list(operator.default_features.items()) == list(default_features().items())
        recorder = found(documents, "ConfigMap", "tradewind-recorder")["data"]["config.json"]
        assert RecorderConfig.model_validate_json(recorder).bus == operator.services.bus
        VenueConfig.model_validate_json(found(documents, "ConfigMap", "tradewind-venue")["data"]["config.json"])


def test_executors_go_first_and_ray_goes_last() -> None:
    documents = render([*SETS["trying out"], "ray.workers.replicas=1"])
    value = {d["metadata"]["name"]: d["value"] for d in documents if d["kind"] == "PriorityClass"}
    made = {name: value[pod["priorityClassName"]] for name, pod in labelled(documents).items()}
    assert set(made) >= {"executor", "signals", "features", "feed", "kafka", "recorder", "operator", "ray"}
    executor, ray = made.pop("executor"), made.pop("ray")
    assert all(ray < other < executor for other in made.values())
    assert len(value) == 3


def test_priority_classes_are_the_cluster_s_where_it_has_some() -> None:
    named = ["priorityClasses.executors=first", "priorityClasses.ray=last"]
    made = labelled(render([*named, "priorityClasses.create=false"]))
    classes = {name: pod.get("priorityClassName") for name, pod in made.items()}
    assert {name: one for name, one in classes.items() if one} == {"executor": "first", "ray": "last"}
    documents = render(named)
    assert [d["metadata"]["name"] for d in documents if d["kind"] == "PriorityClass"] == ["here-tradewind-services"]
    assert labelled(documents)["executor"]["priorityClassName"] == "first"


def test_whoever_speaks_to_ray_has_its_token() -> None:
    made = pods(render(SETS["learning"]))
    for name in ("tradewind-ray", "tradewind-operator"):
        (container,) = made[name]["containers"]
        (told,) = [v for v in container["env"] if v["name"] == "RAY_AUTH_TOKEN"]
        assert told["valueFrom"]["secretKeyRef"] == {"name": "tradewind-ray", "key": "RAY_AUTH_TOKEN"}
    assert {"name": "RAY_AUTH_MODE", "value": "token"} in made["tradewind-ray"]["containers"][0]["env"]


def test_the_features_by_default_are_the_engine_s() -> None:
    written = (CHART / "files" / "default-features.json").read_text()
    assert list(json.loads(written).items()) == list(default_features().items())


def test_no_password_is_in_a_configuration() -> None:
    documents = render(SETS["trying out"])
    secrets = [v for d in documents if d["kind"] == "Secret" for v in d["data"].values()]
    assert len(secrets) >= 8
    rest = yaml.safe_dump([d for d in documents if d["kind"] != "Secret"])
    assert [s for s in secrets if s in rest] == []


def test_only_executors_and_feeds_have_a_way_out() -> None:
    out = []
    for document in render([]):
        if document["kind"] == "NetworkPolicy":
            for rule in document["spec"].get("egress", []):
                if any("ipBlock" in peer for peer in rule.get("to", [])):
                    out += document["spec"]["podSelector"]["matchExpressions"][0]["values"]
    assert sorted(out) == ["executor", "feed"]


def test_policies_name_pods_that_somebody_makes() -> None:
    documents = render([*SETS["trying out"], *SETS["learning"]])
    policies = [d["spec"] for d in documents if d["kind"] == "NetworkPolicy"]
    named = set(_named(policies))
    assert "executor" in named
    assert named - set(labelled(documents)) == set()


def _named(spec: Any) -> Iterator[str]:
    """The names by which a part of a policy chooses pods."""
    if isinstance(spec, list):
        for item in spec:
            yield from _named(item)
    elif isinstance(spec, dict):
        if (name := spec.get(NAME)) is not None:
            yield name
        if spec.get("key") == NAME:
            yield from spec["values"]
        for item in spec.values():
            yield from _named(item)


def test_the_chart_is_packaged_with_its_definitions(tmp_path: Path) -> None:
    done = helm("package", str(CHART), "--destination", str(tmp_path))
    assert done.returncode == 0, done.stderr
    with tarfile.open(next(tmp_path.glob("tradewind-*.tgz"))) as packed:
        names = set(packed.getnames())
    wanted = ["crds/riskpolicies.yaml", "crds/strategies.yaml", "files/install-test.py", "files/default-features.json"]
    wanted += ["files/alerts.yaml", "files/dashboard.json"]
    assert {f"tradewind/{name}" for name in wanted} <= names


def test_the_values_on_the_page_are_taken(tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "install.md").read_text(), re.M | re.S)
    (values,) = (block for block in blocks if "images:" in block)
    (tmp_path / "my-values.yaml").write_text(values)
    made = render([], f"--values={tmp_path / 'my-values.yaml'}")
    assert found(made, "Deployment", "tradewind-operator")["spec"]["template"]["spec"]["containers"][0]["image"] == (
        "registry.example.com/trading/tradewind/operator:dev"
    )
    assert not [d for d in made if d["kind"] == "StatefulSet" and "kafka" in d["metadata"]["name"]]
