"""The operator as a real process, with an account of its own."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cluster.plane import CHART, Cluster

FEATURES = {"tech_rsi_14_raw": 15, "vol_historical_20_annual": 21, "ctx_realvol_21_annual": 22}


def config(namespace: str, identity: str, **more: Any) -> dict[str, Any]:
    """A configuration for tests: short times, images that nobody pulls."""
    return {
        "namespace": namespace,
        "identity": identity,
        "images": {
            "executor": "tradewind/executor:dev",
            "operator": "tradewind/operator:dev",
        },
        "services": {"bus": "kafka://kafka:9092", "predictor": "predictor:9000"},
        "default_features": FEATURES,
        "election": {"lease_s": 4, "renew_s": 3, "retry_s": 1},
        "port": 0,
        "resync_s": 3600,
        **more,
    }


class Process:
    """A process of ours that says in one line when it is ready and serves its health."""

    def __init__(self, arguments: list[str], kubeconfig: Path, log: Path) -> None:
        self.log = log
        with log.open("w") as told:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                env={**os.environ, "KUBECONFIG": str(kubeconfig)},
                stdout=subprocess.PIPE,
                stderr=told,
                text=True,
            )
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], [], [], 120)
        line = self.process.stdout.readline() if readable else ""
        if not line:
            self.kill()
        assert line, f"{arguments[0]} did not start: {log.read_text()}"
        self.port = json.loads(line)["port"]

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of its health server."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=60) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()
        self._close()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=30)
        self._close()
        return status

    def _close(self) -> None:
        if self.process.stdout is not None:
            self.process.stdout.close()


class OperatorProcess(Process):
    """One replica of the operator."""

    def __init__(
        self, cluster: Cluster, directory: Path, identity: str, kubeconfig: Path | None = None, **more: Any
    ) -> None:
        path = directory / f"{identity}.json"
        path.write_text(json.dumps(config(cluster.namespace, identity, **more)))
        arguments = ["tradewind.operators.run", "--config", str(path)]
        own = kubeconfig or operators_account(cluster, directory)
        super().__init__(arguments, own, directory / f"{identity}.log")

    def metric(self, name: str) -> float:
        """Sum of a metric over its labels, or one of them: `name{label="value"}`."""
        lines = self.get("/metrics")[1].splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((f"{name}{{", f"{name} ")))

    def leads(self) -> bool:
        """Whether it holds the lease."""
        return self.metric("tradewind_operator_leading") == 1


def operators_account(cluster: Cluster, directory: Path) -> Path:
    """A kubeconfig of the chart's account for the operator, in the test's namespace."""
    template = (CHART / "templates" / "operator-account.yaml").read_text()
    cluster.ok("apply", "-f", "-", given=template.replace("{{ .Release.Namespace }}", cluster.namespace))
    return as_account(cluster, "tradewind-operator", directory)


def as_account(cluster: Cluster, account: str, directory: Path) -> Path:
    """A kubeconfig of a service account."""
    token = cluster.ok("create", "token", account).strip()
    told = json.loads(cluster.ok("config", "view", "--raw", "-o", "json"))
    told["users"][0]["user"] = {"token": token}
    path = directory / account
    path.write_text(json.dumps(told))
    return path


def write_whole(path: Path, text: str) -> None:
    """As an executor writes what it says: who reads it at any moment reads one text or the other."""
    new = path.with_suffix(".new")
    new.write_text(text)
    new.replace(path)


def eventually(what: Callable[[], Any], within_s: float = 120) -> Any:
    """What `what` returns, as soon as it is true."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        found = what()
        if found:
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {within_s} s: {what}")
