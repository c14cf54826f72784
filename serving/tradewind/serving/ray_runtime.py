"""Shell: a small Ray of this process's own: started, found again after a crash, stopped.

Everything Ray starts is recorded in a pid file. A predictor that was killed leaves at worst a few orphans behind; the
next one with the same directory ends exactly those (pid and start time must match) before it starts its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]

from tradewind.bus import ports
from tradewind.serving.config import ServingConfig

_LONGEST_TEMP_DIR = 40  # Ray puts Unix sockets some 60 characters below it; the kernel allows 107
_PID_FILE = "tradewind-pids.json"


class RayStartError(Exception):
    """Ray cannot be started as configured; the message names the field and the fix."""


def temp_dir(config: ServingConfig) -> Path:
    """Ray's directory: as configured, or one in the system's temporary directory that belongs to this state_dir."""
    if config.ray.temp_dir is not None:
        if len(config.ray.temp_dir) > _LONGEST_TEMP_DIR:
            raise RayStartError(
                f"ray.temp_dir: {config.ray.temp_dir} is longer than {_LONGEST_TEMP_DIR} characters, too long for "
                "Ray's sockets; name a shorter directory"
            )
        return Path(config.ray.temp_dir)
    owner = hashlib.sha256(str(Path(config.state_dir).resolve()).encode()).hexdigest()[:10]
    return Path(tempfile.gettempdir()) / f"tradewind-ray-{owner}"


def set_environment(port: int) -> None:
    """What Ray and Serve read from the environment when they are imported, here and in every process they start.

    The replica's own gRPC server (direct ingress) is the way in: through Serve's proxy a request takes three times as
    long. A range of one port puts it where the configuration says.
    """
    http = ports.reserve()
    os.environ.update(
        {
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_worker_niceness": "0",  # Ray's default is 15: on a busy machine a prediction would wait for everybody
            "RAY_SERVE_THROUGHPUT_OPTIMIZED": "1",
            "RAY_SERVE_ENABLE_DIRECT_INGRESS": "1",
            "RAY_SERVE_DIRECT_INGRESS_MIN_GRPC_PORT": str(port),
            "RAY_SERVE_DIRECT_INGRESS_MAX_GRPC_PORT": str(port + 1),
            "RAY_SERVE_DIRECT_INGRESS_MIN_HTTP_PORT": str(http),
            "RAY_SERVE_DIRECT_INGRESS_MAX_HTTP_PORT": str(http + 1),
            "RAY_SERVE_PORT_QUARANTINE_S": "0",  # a replica that died is replaced at the same port
            "RAY_SERVE_DIRECT_INGRESS_MIN_DRAINING_PERIOD_S": "0",
            "RAY_SERVE_LOG_TO_STDERR": "0",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # spares a warning about accelerators
        }
    )
    os.environ.pop("RAY_ADDRESS", None)  # never join a cluster that happens to run here


def require_free(port: int, patience_s: float) -> None:
    """Refuse a port that somebody still has after `patience_s` (Ray would only say so in its logs)."""
    deadline = time.monotonic() + patience_s
    while True:
        with socket.socket(socket.AF_INET6) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("::", port))
                return
            except OSError:
                if time.monotonic() > deadline:
                    message = f"port: {port} is in use; stop who listens on it or name another port"
                    raise RayStartError(message) from None
        time.sleep(0.1)


def start(config: ServingConfig, directory: Path) -> str:
    """Start Ray and Serve; returns Ray's address. Call `set_environment` before."""
    import ray
    from ray import serve

    for name in ("ray", "ray.serve"):
        logging.getLogger(name).setLevel(logging.ERROR)
    directory.mkdir(parents=True, exist_ok=True)
    context: Any = ray.init(
        address="local",
        num_cpus=config.ray.num_cpus,
        object_store_memory=config.ray.object_store_mb * 1024 * 1024,
        include_dashboard=config.ray.include_dashboard,
        log_to_driver=False,
        logging_level="ERROR",
        _node_ip_address="127.0.0.1",
        _temp_dir=str(directory),
    )
    record_processes(directory)
    serve.start(
        proxy_location="HeadOnly",
        http_options={"host": "127.0.0.1", "port": ports.reserve()},
        grpc_options={
            "port": ports.reserve(),  # the proxy's; clients use the replica's
            "grpc_servicer_functions": ["tradewind.v1.prediction_pb2_grpc.add_PredictionServicer_to_server"],
        },
        logging_config={"log_level": "WARNING", "enable_access_log": False},
    )
    record_processes(directory)
    return str(context.address_info["gcs_address"])


def stop(config: ServingConfig, directory: Path) -> None:
    """Stop Serve and Ray; whatever of theirs is still there after that is ended."""
    import ray
    from ray import serve

    if directory.is_dir():
        record_processes(directory)
    with contextlib.suppress(Exception):  # a Ray that is broken is stopped all the same
        serve.shutdown()
    ray.shutdown()
    clean(config, directory)


def clean(config: ServingConfig, directory: Path) -> None:
    """End what a predecessor left running, and remove its session unless it lies where the configuration says."""
    end_recorded(directory)
    if config.ray.temp_dir is None:
        shutil.rmtree(directory, ignore_errors=True)


def record_processes(directory: Path) -> None:
    """Write down every process below this one."""
    found = []
    for child in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append({"pid": child.pid, "started": child.create_time()})
    temporary = directory / f".{_PID_FILE}"
    temporary.write_text(json.dumps(found))
    temporary.rename(directory / _PID_FILE)


def end_recorded(directory: Path) -> None:
    """End the processes of the pid file that still run, with their children; then forget them."""
    path = directory / _PID_FILE
    try:
        recorded = json.loads(path.read_text())
    except FileNotFoundError:
        return
    except ValueError:
        recorded = []
    alive: set[psutil.Process] = set()
    for entry in recorded:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(entry["pid"])
            if process.create_time() == entry["started"]:  # the pid may belong to somebody else by now
                alive.update([process, *process.children(recursive=True)])
    for process in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, left = psutil.wait_procs(list(alive), timeout=5)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=5)
    path.unlink(missing_ok=True)
