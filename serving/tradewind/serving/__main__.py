"""Shell: `python -m tradewind.serving --config FILE.json`: the predictor.

Starts a small Ray with one Serve application, writes `predictor.json` into the state directory and prints
{"ready": true, "address": "HOST:PORT"} on one line, then serves until SIGTERM. Bad input: one line on stderr, status 2.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time
from pathlib import Path

import grpc
from pydantic import ValidationError

from tradewind.bus import ports
from tradewind.bus.stopping import StopEvent
from tradewind.serving import ray_runtime
from tradewind.serving.config import ServingConfig
from tradewind.serving.ray_runtime import RayStartError
from tradewind.v1.prediction_pb2 import HealthRequest, HealthResponse
from tradewind.v1.prediction_pb2_grpc import PredictionStub

_UNHEALTHY_SECONDS = 60.0
_ORPHANS_END_S = 10.0


class ServingError(Exception):
    """The predictor cannot start; the message is one line with the cause and the fix."""


def load_config(path: Path) -> ServingConfig:
    """The configuration in `path`; raises ServingError naming the file and the field."""
    try:
        return ServingConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ServingError(f"{path}: cannot be read ({error.strerror}); name the process's JSON file") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "JSON"
        raise ServingError(f"{path}: {field}: {first['msg']}") from None


def serve(config: ServingConfig, stop: threading.Event) -> None:
    """Serve until `stop` is set. Raises ServingError when the models are not served in time."""
    directory = ray_runtime.temp_dir(config)
    # Of a predecessor that was killed, a worker that was started after the last record ends only with its raylet.
    patience_s = _ORPHANS_END_S if directory.exists() else 0.0
    ray_runtime.clean(config, directory)
    if config.port:
        ray_runtime.require_free(config.port, patience_s)
    port = config.port or ports.reserve()
    ray_runtime.set_environment(port)
    state = Path(config.state_dir)
    state.mkdir(parents=True, exist_ok=True)
    (state / "predictor.json").unlink(missing_ok=True)
    address = f"{config.host}:{port}"
    try:
        ray_address = ray_runtime.start(config, directory)
        _stop_on_signals(stop)  # Ray has put its own handlers in place, which abort
        _deploy(config)
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            health = PredictionStub(channel).Health
            _await_ready(health, config.startup_seconds, stop)
            if stop.is_set():
                return
            ray_runtime.record_processes(directory)
            _announce(state, {"address": address, "ray_address": ray_address})
            print(json.dumps({"ready": True, "address": address}), flush=True)  # noqa: T201
            _supervise(health, stop)
    finally:
        (state / "predictor.json").unlink(missing_ok=True)
        ray_runtime.stop(config, directory)


def _deploy(config: ServingConfig) -> None:
    from ray import serve as ray_serve

    from tradewind.planning.local import PREDICTOR_APPLICATION
    from tradewind.serving.predictor import application

    try:
        ray_serve.run(application(config), name=PREDICTOR_APPLICATION, route_prefix="/", blocking=False)
    except RuntimeError as error:
        raise ServingError(f"the predictor did not come up: {' '.join(str(error).split())[-400:]}") from None


def _ask(health: object) -> HealthResponse:
    assert callable(health)
    try:
        response = health(HealthRequest(), timeout=5)
    except grpc.RpcError as error:
        return HealthResponse(ready=False, message=f"no answer ({' '.join(str(error).split())[:200]})")
    assert isinstance(response, HealthResponse)
    return response


def _await_ready(health: object, seconds: float, stop: threading.Event) -> None:
    deadline = time.monotonic() + seconds
    while not stop.is_set():
        answer = _ask(health)
        if answer.ready:
            return
        if time.monotonic() > deadline:
            raise ServingError(f"not ready after {seconds:.0f} s: {answer.message}")
        stop.wait(0.2)


def _supervise(health: object, stop: threading.Event) -> None:
    """Ray replaces a replica that died; a predictor that stays silent ends, for whoever runs it to start it again."""
    last = time.monotonic()
    while not stop.wait(5.0):
        if not _ask(health).message.startswith("no answer"):
            last = time.monotonic()
        elif time.monotonic() - last > _UNHEALTHY_SECONDS:
            raise ServingError(f"no answer to Health for {_UNHEALTHY_SECONDS:.0f} s; see Ray's logs")


def _announce(state: Path, content: dict[str, str]) -> None:
    temporary = state / ".predictor.json"
    temporary.write_text(json.dumps(content) + "\n")
    temporary.rename(state / "predictor.json")


def _stop_on_signals(stop: threading.Event) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="tradewind.serving", description="Features to predictions over gRPC.")
    parser.add_argument("--config", type=Path, required=True, help="JSON file of this process")
    stop = StopEvent()
    arguments = parser.parse_args()
    _stop_on_signals(stop)
    try:
        serve(load_config(arguments.config), stop)
    except (ServingError, RayStartError) as error:
        sys.stderr.write(f"serving: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
