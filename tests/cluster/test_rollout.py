"""From shadow to champion and back on a real API server and a real registry, with the operator killed in each stage.

There is no node: what pods would say is written on them. Ray's dashboard is a stand-in that takes what it is told;
tests/cluster/test_training_and_serving.py has a real one.
"""

from __future__ import annotations

import json
import re
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from tests.cluster.conftest import ROOT, Cluster
from tests.cluster.manifests import RISK_POLICY, STRATEGY, changed
from tests.cluster.operator_process import OperatorProcess, Process, as_account, eventually
from tests.cluster.test_operator import condition, quiet, reason
from tests.mlflow.server import Server as MlflowServer
from tradewind.execution.executor.config import ExecutorConfig
from tradewind.operators.plan.noted import ANNOTATION
from tradewind.planning.legs import LEFT_SHARE

pytestmark = [pytest.mark.usefixtures("followers"), pytest.mark.timeout(900)]
SHADOW_S = 15
ROLLOUT = {"shadow": f"{SHADOW_S}s", "canaryCapital": 0.1, "minPaperTrades": 3}
LIVE = changed(STRATEGY, spec__mode="Live", spec__capitalShare=0.5, spec__rollout=ROLLOUT)
ACCOUNT = changed(RISK_POLICY, spec__account="live")


class Dashboard:
    """Ray's dashboard as far as the operator asks it: every job succeeds, every application runs."""

    def __init__(self) -> None:
        self.jobs: list[dict[str, Any]] = []
        self.applications: dict[str, Any] = {}
        told = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path == "/api/serve/applications/":
                    self._answer({"applications": told.applications})
                elif self.path.endswith("/logs"):
                    self._answer({"logs": ""})
                else:
                    self._answer(told.jobs)

            def do_POST(self) -> None:
                job = self._read()
                told.jobs.append({**job, "status": "SUCCEEDED", "end_time": datetime.now(UTC).timestamp() * 1000})
                self._answer({"submission_id": job["submission_id"]})

            def do_PUT(self) -> None:
                wanted = self._read()["applications"]
                told.applications = {a["name"]: {"deployed_app_config": a, "status": "RUNNING"} for a in wanted}
                self._answer({})

            def _read(self) -> dict[str, Any]:
                found: dict[str, Any] = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                return found

            def _answer(self, body: Any) -> None:
                data = json.dumps(body).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def served(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = []
        for application in self.applications.values():
            found = application["deployed_app_config"]["deployments"][0]["user_config"]["models"]
        return found

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Desk:
    """An operator that is killed and started anew, a follower, a registry, and a namespace without a node."""

    def __init__(self, cluster: Cluster, directory: Path, ray: Dashboard, mlflow: str) -> None:
        self.cluster, self.ray, self.mlflow = cluster, ray, MlflowClient(mlflow, mlflow)
        self._directory, self.url, self._number = directory, mlflow, 0
        self.uid, self.out = "", directory / "executor.json"
        self.operator: OperatorProcess | None = None
        self.follower: Process | None = None

    def killed(self) -> None:
        """SIGKILL for the operator, if there is one; another takes its place."""
        if self.operator is not None:
            self.operator.kill()
        self._number += 1
        services = {"bus": "kafka://kafka:9092", "predictor": "predictor:9000", "ray": self.ray.url}
        services |= {"mlflow": self.url, "data": {"dataset": "megacap"}}  # type: ignore[dict-item]
        images = dict.fromkeys(("executor", "operator", "streaming"), "tradewind/any:dev")
        more: dict[str, Any] = {"services": services, "images": images, "observe_s": 0.5, "resync_s": 2}
        self.operator = OperatorProcess(self.cluster, self._directory, f"operator-{self._number}", **more)

    def follow(self) -> None:
        site = self.cluster.get("configmap", "executor-paper")["data"]["site.json"]
        (self._directory / "site.json").write_text(site)
        arguments = ["tradewind.operators.follow", "--policy=paper", "--port=0"]
        arguments += [f"--namespace={self.cluster.namespace}", f"--site={self._directory / 'site.json'}"]
        arguments += [f"--out={self.out}", f"--state={self._directory}"]
        account = as_account(self.cluster, "executor-paper", self._directory)
        self.follower = Process(arguments, account, self._directory / "follower.log")

    def registers(self, version: int) -> None:
        """What a training does that the operator asked for: a new version, whose gates passed."""
        training = json.loads(self.ray.jobs[0]["runtime_env"]["env_vars"]["TRADEWIND_TRAINING"])["request"]
        tags = {"gates_passed": "true", "gates": "[]", f"request.{training['key']}": str(training["until"])}
        if version == 1:
            self.mlflow.create_registered_model("momentum")
        made = self.mlflow.create_model_version("momentum", "s3://nowhere/model", tags=tags)
        assert int(made.version) == version
        self.mlflow.set_registered_model_alias("momentum", "candidate", str(version))

    def pod_runs(self, name: str) -> None:
        """The kubelet's part: the newest pod of a Deployment is ready."""
        ready = {"type": "Ready", "status": "True", "lastTransitionTime": datetime.now(UTC).isoformat()[:19] + "Z"}
        patch = json.dumps({"status": {"phase": "Running", "conditions": [ready]}})
        pods = [pod for pod in self.cluster.ok("get", "pods", "-o", "name").split() if pod.startswith(f"pod/{name}-")]
        for pod in pods:
            self.cluster.run("patch", pod, "--subresource=status", "--type=merge", f"--patch={patch}")

    def executor_says(self, version: int, **figures: int) -> None:
        """The follower's note on the pod, of a canary."""
        note = {"cpus": [1], "of": 2, "connected": True, "kill_switch": False, "strategies": [self.uid]}
        note["canaries"] = {f"{self.uid}.v{version}": figures}
        text = f"{ANNOTATION}={json.dumps(note)}"
        self.cluster.ok("annotate", "pod", "executor-paper-0", "--overwrite", text)

    def rollout(self) -> dict[str, Any]:
        found = self.cluster.get("strategy", "momentum").get("status", {}).get("rollout", {})
        assert isinstance(found, dict)
        return found

    def stage(self) -> str:
        return str(self.rollout().get("stage"))

    def engine(self) -> dict[str, tuple[float, str | None]]:
        """Share and leaving of each entry in the configuration that the follower wrote, by version; 0: the own leg."""
        entries = ExecutorConfig.model_validate_json(self.out.read_bytes()).engine["strategies"]
        told = {e["uid"].removeprefix(self.uid): (e["capital_share"], e["leaving"]) for e in entries}
        return {leg or "own": share for leg, share in told.items()}

    def canaries(self) -> dict[str, str]:
        found = ExecutorConfig.model_validate_json(self.out.read_bytes()).canaries
        return {uid.removeprefix(self.uid): version for uid, version in found.items()}

    def champion(self) -> str | None:
        found = self.mlflow.get_registered_model("momentum").aliases.get("champion")
        return None if found is None else str(found)

    def close(self) -> None:
        for process in (self.operator, self.follower):
            if process is not None:
                process.kill()
                print(process.log.read_text()[-4000:])


@pytest.fixture
def desk(cluster: Cluster, tmp_path: Path) -> Iterator[Desk]:
    ray = Dashboard()
    with MlflowServer(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path) as mlflow:
        made = Desk(cluster, tmp_path, ray, mlflow.url)
        try:
            yield made
        finally:
            made.close()
            ray.close()


def becomes(desk: Desk, why: str) -> None:
    """Waits for the reason of the condition; pods of a challenger run as soon as they are there."""

    def told() -> bool:
        desk.pod_runs("trial-momentum")
        return reason(desk.cluster, "strategy", "momentum", "Rollout") == why

    try:
        eventually(told, 180)
    except AssertionError:
        raise AssertionError(json.dumps(desk.cluster.get("strategy", "momentum")["status"], indent=1)) from None


def deployments(desk: Desk) -> set[str]:
    found = desk.cluster.ok("get", "deployments", "-l", "tradewind.dev/strategy=momentum", "-o", "name").split()
    return {name.removeprefix("deployment.apps/") for name in found}


def test_a_model_goes_to_money_in_steps_whoever_dies(desk: Desk) -> None:
    cluster = desk.cluster
    cluster.apply(ACCOUNT, LIVE)
    desk.uid = cluster.get("strategy", "momentum")["metadata"]["uid"]
    desk.killed()
    becomes(desk, "Waiting")
    eventually(lambda: desk.ray.jobs)
    eventually(lambda: cluster.run("get", "rolebinding", "executor-paper").returncode == 0)
    desk.follow()
    eventually(desk.out.exists)
    assert desk.engine() == {"own": (LEFT_SHARE, None)}

    # A shadow: signals and no orders, and no further without confirmation.
    desk.registers(1)
    becomes(desk, "Shadow")
    began = desk.rollout()["challenger"]["since"]
    assert desk.ray.served() == [{"name": "momentum", "alias": "challenger"}]
    assert deployments(desk) == {"trial-momentum"}
    # A status is written before its event: who dies in between never tells it.
    eventually(lambda: "Shadow" in cluster.ok("get", "events", "-o", "jsonpath={.items[*].reason}").split())
    desk.killed()
    becomes(desk, "ConfirmLive")
    assert desk.rollout() == {"stage": "Shadow", "challenger": {"version": 1, "stage": "Shadow", "since": began}}
    assert "spec.rollout.confirmLive" in condition(cluster, "strategy", "momentum", "Trading")["message"]
    assert (desk.engine(), desk.canaries()) == ({"own": (LEFT_SHARE, None)}, {})
    assert desk.champion() is None

    # A canary: a share of the capital, until its trades are good.
    cluster.apply(changed(LIVE, spec__rollout__confirmLive=True))
    becomes(desk, "Canary")
    eventually(lambda: desk.engine() == {"own": (LEFT_SHARE, None), ".v1": (0.05, None)})
    assert desk.canaries() == {".v1": "1"}
    desk.killed()
    desk.executor_says(1, trades=2, intents=2)
    eventually(lambda: desk.rollout()["challenger"].get("trades") == 2)
    assert "2 of 3 trades" in condition(cluster, "strategy", "momentum", "Rollout")["message"]
    assert desk.champion() is None

    # The champion: all of the capital, and what the canary held is closed.
    desk.executor_says(1, trades=3, intents=3)
    becomes(desk, "Champion")
    assert desk.champion() == "1"
    eventually(lambda: deployments(desk) == {"signals-momentum"})
    eventually(lambda: desk.engine() == {"own": (0.5, None), ".v1": (LEFT_SHARE, "flatten")})
    assert desk.canaries() == {}
    assert desk.operator is not None
    eventually(lambda: quiet(desk.operator))  # type: ignore[arg-type]
    desk.killed()
    eventually(lambda: desk.operator is not None and desk.operator.leads())
    eventually(lambda: quiet(desk.operator))  # type: ignore[arg-type]
    assert desk.operator.metric("tradewind_operator_writes_total") == 0

    # Retrained: tried beside the champion, and refused.
    desk.registers(2)
    becomes(desk, "Canary")
    assert desk.rollout()["champion"] == 1
    assert deployments(desk) == {"signals-momentum", "trial-momentum"}
    eventually(lambda: desk.engine().get("own") == (0.45, None) and desk.engine().get(".v2") == (0.05, None))
    desk.killed()
    desk.executor_says(2, trades=1, intents=9, errors=3)
    becomes(desk, "RolledBack")
    assert desk.champion() == "1"
    assert [r["version"] for r in desk.rollout()["refused"]] == [2]
    assert "3 errors in 9 intents" in condition(cluster, "strategy", "momentum", "Rollout")["message"]
    eventually(lambda: desk.engine().get("own") == (0.5, None) and desk.engine().get(".v2") == (LEFT_SHARE, "flatten"))
    eventually(lambda: deployments(desk) == {"signals-momentum"})
    row = cluster.ok("get", "strategies").splitlines()[1].split()
    assert "Champion" in row
    told = cluster.ok("describe", "strategy", "momentum")
    for event in ("Shadow", "Canary", "Champion", "RolledBack"):
        assert re.search(rf"(Normal|Warning) +{event} ", told), told


def test_a_person_goes_back_as_the_page_says(desk: Desk) -> None:
    cluster = desk.cluster
    cluster.apply(ACCOUNT, changed(LIVE, spec__rollout__confirmLive=True))
    desk.uid = cluster.get("strategy", "momentum")["metadata"]["uid"]
    desk.killed()
    eventually(lambda: desk.ray.jobs)
    for version in (1, 2):
        desk.registers(version)
    page = (ROOT / "docs" / "kubernetes.md").read_text()
    (command,) = re.findall(r"`(curl [^`]*registered-models/alias)`", page)

    def move(version: int) -> None:
        line = command.replace('"5"', f'"{version}"').replace("$MLFLOW_TRACKING_URI", desk.url)
        subprocess.run(["bash", "-ec", line], check=True, capture_output=True)

    move(2)
    becomes(desk, "Champion")
    assert desk.rollout() == {"stage": "Champion", "champion": 2}
    desk.killed()
    move(1)
    becomes(desk, "RolledBack")
    assert desk.rollout()["champion"] == 1
    assert [r["version"] for r in desk.rollout()["refused"]] == [2]
    eventually(lambda: quiet(desk.operator))  # type: ignore[arg-type]
    assert desk.champion() == "1"
