"""The chart: what it renders for several sets of values, against its schema, the processes and a real API server."""

from __future__ import annotations

import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.cluster.conftest import CHART, ROOT, Cluster
from tests.cluster.plane import VALUES
from tests.cluster.rendering import found, helm, labelled, pods, render
from tradewind.console.default_features import default_features
from tradewind.execution.venue.config import VenueConfig
from tradewind.operators.config import OperatorConfig
from tradewind.planning.local import ALPACA
from tradewind.streaming.features.config import StoreConfig
from tradewind.streaming.news.alpaca import STREAM_URL as NEWS_URL
from tradewind.streaming.recorder.config import RecorderConfig
from tradewind.streaming.sources.alpaca_rest import DATA_URL
from tradewind.streaming.sources.alpaca_stream import STREAM_URL

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
    "predictions over TLS": ["predictor.tls.secretName=predictor", "data.dataset=megacap"],
    "predictions over TLS elsewhere": [*ELSEWHERE, "predictor.tls.secretName=predictor"],
    "bare": ["networkPolicy.enabled=false", "podDisruptionBudget.enabled=false", "recorder.enabled=false"],
    "nodes of their own": [
        "nodeSelector.pool=general",
        "executor.nodeSelector.pool=trading",
        "executor.tolerations[0].key=trading",
        "executor.tolerations[0].operator=Exists",
    ],
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
    "images.pullSecrets[0].nam=pull": "'nam' not allowed",
    "venue.startingCash=lots": "venue/startingCash",
    "monitoring.serviceMonitor=true": "'serviceMonitor' not allowed",
    "monitoring.interval=0s": "monitoring/interval",
    "networkPolicy.cilium.hosts.feed={https://rss.example}": "networkPolicy/cilium/hosts/feed",
    "networkPolicy.cilium.hosts.signals={a.example}": "'signals' not allowed",
    "executor.tolerations[0].efect=NoSchedule": "'efect' not allowed",
    "kafka.security.userPrefix=a b": "kafka/security/userPrefix",
}


# Whose kinds an API server need not know.
CILIUM = ["networkPolicy.cilium.enabled=true"]
MONITORED = ["monitoring.podMonitor=true", "monitoring.prometheusRule=true", "monitoring.dashboards=true"]


@pytest.mark.parametrize("values", [*SETS.values(), MONITORED, CILIUM], ids=[*SETS, "monitored", "cilium"])
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


def test_executors_run_on_nodes_of_their_own_where_the_values_say_so() -> None:
    made = labelled(render([*SETS["nodes of their own"], "ray.workers.replicas=1"]))
    executor = made.pop("executor")
    assert executor["nodeSelector"] == {"pool": "trading"}
    assert executor["tolerations"] == [{"key": "trading", "operator": "Exists"}]
    assert set(made) >= {"signals", "features", "feed", "kafka", "ray", "mlflow", "operator"}
    assert {name for name, pod in made.items() if pod["nodeSelector"] != {"pool": "general"}} == set()
    assert {name for name, pod in made.items() if "tolerations" in pod} == set()


def test_executors_run_where_everything_runs_unless_the_values_say_otherwise() -> None:
    general = ["nodeSelector.pool=general", "tolerations[0].key=shared", "tolerations[0].operator=Exists"]
    made = labelled(render(general))
    placed = ({"pool": "general"}, [{"key": "shared", "operator": "Exists"}])
    assert {name for name, pod in made.items() if (pod["nodeSelector"], pod["tolerations"]) != placed} == set()


def test_every_pod_may_get_its_image_from_a_registry_of_one_s_own() -> None:
    made = labelled(
        render([*SETS["a registry of one's own"], "images.pullSecrets[1].name=mirror", "venue.enabled=true"])
    )
    assert set(made) >= {
        "executor",
        "signals",
        "features",
        "feed",
        "kafka",
        "ray",
        "venue",
        "provision",
        "install-test",
    }
    secrets = [{"name": "pull"}, {"name": "mirror"}]
    assert {name for name, pod in made.items() if pod.get("imagePullSecrets") != secrets} == set()


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


@pytest.mark.parametrize("more", [[], CILIUM], ids=["plain", "cilium"])
def test_a_network_policy_is_for_one_direction(more: list[str]) -> None:
    """Kube-router lets in, too, what a policy for both directions lets out."""
    policies = [d["spec"] for d in render(["venue.enabled=true", *more]) if d["kind"] == "NetworkPolicy"]
    directions = [policy.get("policyTypes", ["Ingress"]) for policy in policies]
    assert {tuple(d) for d in directions} == {("Ingress",), ("Egress",)}
    other = {"Ingress": "egress", "Egress": "ingress"}
    assert [p for p, (only,) in zip(policies, directions, strict=True) if other[only] in p] == []


def test_with_cilium_the_way_out_is_by_host_name_alone() -> None:
    """In its own words; no plain policy leads out any more, for what any policy allows is allowed."""
    of = {"app.kubernetes.io/part-of": "tradewind"}
    out = {"ports": [{"port": "443", "protocol": "TCP"}]}
    feed = "networkPolicy.cilium.hosts.feed={data.alpaca.markets,*.example}"
    documents = render([*CILIUM, feed, "networkPolicy.apiServerPorts={6443}"])
    made = {d["metadata"]["name"]: d["spec"] for d in documents if d["kind"] == "CiliumNetworkPolicy"}
    assert made.pop("tradewind-dns") == {
        "endpointSelector": {"matchLabels": of},
        "egress": [
            {
                "toEndpoints": [
                    {"matchLabels": {"k8s:io.kubernetes.pod.namespace": "kube-system", "k8s:k8s-app": "kube-dns"}}
                ],
                # Addresses are known of names that were looked up within its sight.
                "toPorts": [{"ports": [{"port": "53", "protocol": "ANY"}], "rules": {"dns": [{"matchPattern": "*"}]}}],
            }
        ],
    }
    assert made.pop("tradewind-way-out-executor") == {
        "endpointSelector": {"matchLabels": {**of, NAME: "executor"}},
        "egress": [
            {
                "toFQDNs": [{"matchName": "paper-api.alpaca.markets"}, {"matchName": "api.alpaca.markets"}],
                "toPorts": [out],
            }
        ],
    }
    assert made.pop("tradewind-way-out-feed") == {
        "endpointSelector": {"matchLabels": {**of, NAME: "feed"}},
        "egress": [
            {"toFQDNs": [{"matchName": "data.alpaca.markets"}, {"matchPattern": "*.example"}], "toPorts": [out]}
        ],
    }
    assert made.pop("tradewind-api-server") == {
        "endpointSelector": {
            "matchLabels": of,
            "matchExpressions": [{"key": NAME, "operator": "In", "values": ["operator", "executor"]}],
        },
        "egress": [{"toEntities": ["kube-apiserver"], "toPorts": [{"ports": [{"port": "6443", "protocol": "TCP"}]}]}],
    }
    assert made == {}
    plain = [rule for d in documents if d["kind"] == "NetworkPolicy" for rule in d["spec"].get("egress", [])]
    assert plain == [{"to": [{"podSelector": {"matchLabels": of}}]}]


def test_the_hosts_let_out_to_by_default_are_those_that_the_processes_ask() -> None:
    hosts = yaml.safe_load((CHART / "values.yaml").read_text())["networkPolicy"]["cilium"]["hosts"]
    asked = {"executor": list(ALPACA.values()), "feed": [DATA_URL, STREAM_URL, NEWS_URL]}
    assert {part: set(known) for part, known in hosts.items()} == {
        part: {urlsplit(url).hostname for url in urls} for part, urls in asked.items()
    }


@pytest.mark.parametrize("more", [[], CILIUM], ids=["plain", "cilium"])
def test_policies_name_pods_that_somebody_makes(more: list[str]) -> None:
    documents = render([*SETS["trying out"], *SETS["learning"], *more])
    policies = [d["spec"] for d in documents if d["kind"].endswith("NetworkPolicy")]
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
    wanted += ["files/alerts.yaml", "files/dashboard.json", "files/predictor/haproxy.cfg", "files/predictor/run.sh"]
    assert {f"tradewind/{name}" for name in wanted} <= names


def test_skaffold_builds_what_it_installs() -> None:
    """Each artifact is a target of the Dockerfile, and the chart takes each image by the value that it is given."""
    told = yaml.safe_load((ROOT / "skaffold.yaml").read_text())
    artifacts = {a["image"]: a["docker"] for a in told["build"]["artifacts"]}
    (release,) = told["deploy"]["helm"]["releases"]
    assert ROOT / release["chartPath"] == CHART
    for docker in artifacts.values():
        assert f" AS {docker['target']}\n" in (ROOT / docker["dockerfile"]).read_text()
    names = {f"{{{{.IMAGE_FULLY_QUALIFIED_{image.replace('/', '_')}}}}}": image for image in artifacts}
    images = {value: names.pop(template) for value, template in release["setValueTemplates"].items()}
    assert names == {}
    switches = [f"{value}={str(on).lower()}" for value, on in release["setValues"].items()]
    documents = render([*switches, *(f"{value}={image}:built" for value, image in images.items())])
    used = {c["image"] for pod in pods(documents).values() for c in pod["containers"]}
    config = OperatorConfig.model_validate_json(
        found(documents, "ConfigMap", "tradewind-operator")["data"]["operator.json"]
    )
    used |= set(config.images.model_dump().values())
    assert {f"{image}:built" for image in artifacts} <= used


def test_the_values_on_the_page_are_taken(tmp_path: Path) -> None:
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "install.md").read_text(), re.M | re.S)
    (values,) = (block for block in blocks if "images:" in block)
    (tmp_path / "my-values.yaml").write_text(values)
    made = render([], f"--values={tmp_path / 'my-values.yaml'}")
    assert found(made, "Deployment", "tradewind-operator")["spec"]["template"]["spec"]["containers"][0]["image"] == (
        "registry.example.com/trading/tradewind/operator:dev"
    )
    assert not [d for d in made if d["kind"] == "StatefulSet" and "kafka" in d["metadata"]["name"]]
