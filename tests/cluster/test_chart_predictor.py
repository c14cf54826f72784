"""TLS of the predictor as the chart has it: what it renders, for helm and for the cluster."""

from __future__ import annotations

import os
import re
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.certificates import Authority
from tests.cluster.plane import CHART, ROOT, Cluster, binaries
from tests.cluster.rendering import found, helm, labelled, pods, render
from tests.haproxy import proxy as beside
from tradewind.operators.config import OperatorConfig
from tradewind.v1 import features_pb2

OWN = ["predictor.tls.secretName=own"]
ISSUED = ["predictor.tls.certManager.issuerRef.name=desk", "predictor.tls.certManager.issuerRef.kind=ClusterIssuer"]
CERT_MANAGER = "--api-versions=cert-manager.io/v1"
ELSEWHERE = ["ray.enabled=false", "ray.grpc=predict.example:443", "ray.dashboard=http://ray.example:8265"]
ROWS = [features_pb2.FeatureVector(symbol="AAPL", event_time=1, values=[0.5, 0.2])]
LIMIT_S = 60.0


def containers(pod: dict[str, Any]) -> list[str]:
    return [container["name"] for container in pod["containers"]]


def way_in(documents: list[dict[str, Any]]) -> tuple[int, list[int]]:
    """The pod's port that the Service leads to, and those that the network lets signal processes reach."""
    (port,) = (p for p in found(documents, "Service", "tradewind-ray")["spec"]["ports"] if p["name"] == "grpc")
    assert port["port"] == 9000
    rules = found(documents, "NetworkPolicy", "tradewind-ray")["spec"]["ingress"]
    asked = [r for r in rules if r["from"][0]["podSelector"]["matchLabels"].get("app.kubernetes.io/name") == "signals"]
    return port["targetPort"], [p["port"] for rule in asked for p in rule["ports"]]


def certificates(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [d for d in documents if d["kind"] == "Certificate"]


def test_without_a_secret_it_is_plain_text() -> None:
    documents = render([], CERT_MANAGER)
    assert way_in(documents) == (9000, [9000])
    assert containers(pods(documents)["tradewind-ray"]) == ["ray"]
    assert certificates(documents) == []
    assert "predictor-ca" not in str(labelled(documents)["signals"])
    assert not [d for d in documents if d["metadata"]["name"] == "tradewind-predictor"]


@pytest.mark.parametrize(
    ("values", "secret", "made"),
    [(OWN, "own", 0), (ISSUED, "tradewind-predictor-tls", 1), ([*ISSUED, *OWN], "own", 1)],
    ids=["a secret", "an issuer", "an issuer and the secret's name"],
)
def test_tls_ends_beside_the_head_and_nobody_else_has_the_key(values: list[str], secret: str, made: int) -> None:
    documents = render([*values, "ray.workers.replicas=1"], CERT_MANAGER)
    assert way_in(documents) == (9443, [9443])
    of = pods(documents)
    assert (containers(of["tradewind-ray"]), containers(of["tradewind-ray-worker"])) == (["ray", "tls"], ["ray"])
    ray, proxy = of["tradewind-ray"]["containers"]
    assert [p["containerPort"] for p in proxy["ports"]] == [beside.PORT]
    assert proxy["command"] == beside.COMMAND
    assert {m["name"]: m["mountPath"] for m in proxy["volumeMounts"]} == beside.MOUNTS
    files = {file.name: file.read_text() for file in beside.FILES.iterdir()}
    assert found(documents, "ConfigMap", "tradewind-predictor")["data"] == files
    assert "predictor-tls" not in {m["name"] for m in ray["volumeMounts"]}
    assert [c["spec"]["secretName"] for c in certificates(documents)] == [secret] * made
    everybody = {**labelled(documents), **of}
    seen = {name: v["secret"] for name, pod in everybody.items() for v in uses(pod, secret)}
    assert set(seen) == {"tradewind-ray", "signals"}
    assert seen["signals"]["items"] == [{"key": "ca.crt", "path": "ca.pem"}]


def uses(pod: dict[str, Any], secret: str) -> list[dict[str, Any]]:
    return [v for v in pod.get("volumes", []) if v.get("secret", {}).get("secretName") == secret]


def test_the_certificate_is_for_the_name_that_signal_processes_ask() -> None:
    documents = render([*ISSUED, "predictor.tls.certManager.dnsNames={predict.example}"], CERT_MANAGER)
    (certificate,) = certificates(documents)
    assert certificate["spec"]["issuerRef"] == {"name": "desk", "kind": "ClusterIssuer", "group": "cert-manager.io"}
    told = found(documents, "ConfigMap", "tradewind-operator")["data"]["operator.json"]
    host = OperatorConfig.model_validate_json(told).services.predictor.rsplit(":", 1)[0]
    assert {host, f"{host}.here.svc", "predict.example"} <= set(certificate["spec"]["dnsNames"])
    assert "server auth" in certificate["spec"]["usages"]


def test_of_a_predictor_elsewhere_the_ca_alone_is_needed() -> None:
    documents = render([*ELSEWHERE, *OWN])
    seen = {name: v["secret"] for name, pod in labelled(documents).items() for v in uses(pod, "own")}
    assert seen == {"signals": {"secretName": "own", "items": [{"key": "ca.crt", "path": "ca.pem"}]}}
    assert not [d for d in documents if d["metadata"]["name"] == "tradewind-predictor"]


@pytest.mark.parametrize(
    ("values", "more", "said"),
    [
        (ISSUED, [], "predictor.tls.certManager: the cluster does not know cert-manager.io/v1; install cert-manager"),
        ([*ELSEWHERE, *ISSUED], [CERT_MANAGER], "predictor.tls.certManager: the predictor runs elsewhere"),
        (["predictor.tls.secretName=A b"], [], "predictor/tls/secretName"),
        (["predictor.tls.enabled=true"], [], "'enabled' not allowed"),
        (["predictor.tls.certManager.issuerRef.kind=issuer"], [], "predictor/tls/certManager/issuerRef/kind"),
    ],
)
def test_what_is_wrong_is_one_line_with_the_value_s_name(values: list[str], more: list[str], said: str) -> None:
    done = helm("template", "tradewind", str(CHART), *more, *[p for v in values for p in ("--set", v)])
    assert done.returncode != 0
    assert len([line for line in done.stderr.splitlines() if said in line]) == 1, done.stderr


def test_the_page_s_values_are_values(tmp_path: Path) -> None:
    examples = re.findall(r"^```yaml\n(.*?)^```", page(), re.M | re.S)
    assert len(examples) == 2
    for number, example in enumerate(examples):
        (tmp_path / f"{number}.yaml").write_text(example)
        documents = render([], "--values", str(tmp_path / f"{number}.yaml"), CERT_MANAGER)
        assert way_in(documents) == (9443, [9443])
        assert len(certificates(documents)) == example.count("issuerRef")


def test_helm_asks_the_cluster_for_cert_manager_and_cert_manager_s_own_kind_takes_it(plane: Cluster) -> None:
    def told(command: str, *values: str) -> subprocess.CompletedProcess[str]:
        where = [f"--kubeconfig={plane.kubeconfig}", "--namespace=here", "--create-namespace"]
        return helm(command, "tradewind", str(CHART), *where, *[p for v in values for p in ("--set", v)])

    refused = told("install", *ISSUED)
    assert refused.returncode != 0
    assert "the cluster does not know cert-manager.io/v1" in refused.stderr
    definitions = str(binaries("--cert-manager") / "cert-manager")
    plane.ok("apply", "--server-side", "-f", definitions)
    plane.ok("wait", "--for=condition=Established", "--timeout=30s", "-f", definitions)
    issued = told("install", *ISSUED)
    assert issued.returncode == 0, issued.stderr
    # Rendered again for the real kind, which refuses a field that it doesn't know.
    (certificate,) = certificates(render(ISSUED, CERT_MANAGER))
    plane.ok("apply", "--dry-run=server", "--validate=strict", "-f", "-", given=yaml.safe_dump(certificate))
    assert plane.get("certificate", "tradewind-predictor")["spec"] == certificate["spec"]
    own = told("upgrade", *OWN)
    assert own.returncode == 0, own.stderr
    assert plane.ok("get", "certificates", "-o", "name") == ""


def page() -> str:
    """The section on TLS of the page on installing."""
    text = (ROOT / "docs" / "install.md").read_text()
    return text[text.index("## Predictions over TLS") :].split("\n## ", 2)[0]


def test_the_page_s_secret_is_one_that_the_chart_takes(plane: Cluster, tmp_path: Path) -> None:
    create, read, _ = re.findall(r"^kubectl .*", page(), re.M)
    plane.ok("create", "namespace", "tradewind")
    Authority(tmp_path / "ca", "ours").sign(tmp_path, "tradewind-ray")
    trusted = (tmp_path / "ca.crt").read_text()
    shell = partial(subprocess.run, shell=True, check=True, cwd=tmp_path)
    environment = {"PATH": f"{Path(plane.kubectl).parent}:{os.environ['PATH']}", "KUBECONFIG": str(plane.kubeconfig)}
    shell(create, env=environment)
    kept = plane.get("secret", "predictor-tls", "--namespace=tradewind")
    assert (kept["type"], set(kept["data"])) == ("kubernetes.io/tls", {"tls.crt", "tls.key", "ca.crt"})
    (tmp_path / "ca.crt").unlink()
    shell(read, env=environment)
    assert (tmp_path / "ca.crt").read_text() == trusted
    (example,) = re.findall(r"^```yaml\n(.*secretName.*)\n```", page(), re.M)
    assert yaml.safe_load(example)["predictor"]["tls"]["secretName"] == kept["metadata"]["name"]
