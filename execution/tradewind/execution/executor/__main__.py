"""`python -m tradewind.execution.executor --config FILE`. Shell."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tradewind.bus import Bus, BusError, Probes, open_bus
from tradewind.execution.executor.config import ExecutorConfig
from tradewind.execution.executor.control import serve
from tradewind.execution.executor.estimates import RiskEstimates
from tradewind.execution.executor.intake import Intake
from tradewind.execution.executor.lease import FileLease, Keeper, Lease, LeaseLostError, NoLease
from tradewind.execution.executor.metrics import ExecutorMetrics
from tradewind.execution.executor.policy import PolicyFile
from tradewind.execution.executor.process import FreeLoop, LockstepLoop
from tradewind.execution.executor.publisher import Publisher
from tradewind.execution.executor.sessions import ExchangeCalendar
from tradewind.execution.executor.volatility import VolatilityIndex
from tradewind.execution.process import (
    ProcessError,
    StoppedError,
    TakenOverError,
    config_path,
    main,
    run_until_signalled,
)
from tradewind.native.executor import Executor, ExecutorError
from tradewind.v1 import control_pb2

_LAST_WORDS_S = 5.0
_STALL_S = 300.0  # one round of its loop may wait for the broker, and a minute each time
_HOPS = {
    "queue": "intent → engine thread",
    "decide": "engine thread → risk decided and journalled",
    "wait": "decided → a connection free (orders that found none)",
    "encode": "decided → request bytes (orders that found one)",
    "write": "request bytes → written to TLS",
    "total": "intent → order written",
    "answer": "order written → broker's answer in the books",
}


def run(config: ExecutorConfig) -> None:
    """Takes the account's lease, starts the native executor, reconciles, then follows the bus until SIGTERM."""
    directory = Path(config.state_dir)
    directory.mkdir(parents=True, exist_ok=True)
    with Probes(config.probes_port, _STALL_S) as probes, probes.measured(open_bus(config.bus)) as bus:
        _serve(config, directory, bus, probes)


def _serve(config: ExecutorConfig, directory: Path, bus: Bus, probes: Probes) -> None:
    with contextlib.ExitStack() as closing:
        lease = _lease(config)
        until = lease.acquire(threading.Event()) if lease is not None else 0
        if lease is not None:
            closing.callback(lease.release)
        try:
            executor = Executor(native_config(config, os.environ))
            keeper = _keeper(config, executor, lease, until)
            closing.callback(keeper.close)
            executor.start()
        except ExecutorError as error:
            raise ProcessError(str(error)) from None
        symbols = [entry["symbol"] for entry in config.engine["symbols"]]
        estimates = RiskEstimates(executor, symbols, config.estimates)
        estimates.rebuild(bus, executor.offsets()["bars"])
        volatility = VolatilityIndex(bus, config.volatility)
        calendar = ExchangeCalendar(config.calendar)
        wall = config.clock == "wall"
        publisher = Publisher(bus, executor, config.account, config.policy_generation, keeper.guard)
        intake = Intake(
            executor,
            config.account,
            volatility,
            estimates,
            calendar,
            publisher.bury,
            wall=wall,
            canaries=config.canaries,
        )
        policy = PolicyFile(config_path(ExecutorConfig), config, executor, intake, publisher)
        server = serve(
            config.account,
            config.control_port,
            directory,
            lambda command: _command(executor, intake, keeper, command),
            lambda: status(config.account, executor),
        )
        loop: LockstepLoop | FreeLoop = (
            LockstepLoop(executor, intake, publisher, policy, bus, config.group)
            if config.clock == "lockstep"
            else FreeLoop(executor, intake, publisher, policy, bus, config.group, wall=wall)
        )
        intake.note("started", f"lease {lease.token}" if lease is not None else "")
        watcher = threading.Event()
        threading.Thread(target=_tell_latencies, args=(executor, config, watcher), daemon=True).start()
        policy.begin()
        if config.probes_port is not None:
            ExecutorMetrics(config.account, executor, probes.registry)
        probes.upstream("broker", lambda: "" if executor.ready() else f"{config.broker.url} is not connected")
        try:
            run_until_signalled(partial(_run, loop, intake, executor), {"account": config.account}, probes)
        except ExecutorError as error:
            raise ProcessError(str(error)) from None
        finally:
            watcher.set()
            _write_latencies(executor, config)
            server.stop(1)
            _lay_down(executor, intake, publisher)
            executor.stop()


def _run(loop: LockstepLoop | FreeLoop, intake: Intake, executor: Executor, stop: threading.Event) -> None:
    """The loop; an error that nobody foresaw trips the kill switch before it ends the process."""
    try:
        loop.run(stop)
    except (StoppedError, ProcessError, ExecutorError, BusError, TakenOverError):
        raise
    except Exception as error:
        intake.halt("executor", f"system error: {type(error).__name__}: {error}"[:200], flatten=False)
        executor.wait_idle(10)
        raise


def _lease(config: ExecutorConfig) -> Lease | None:
    if config.lease_s is None:
        return None
    directory = Path(config.state_dir) / config.account / "lease"
    return FileLease(directory, config.lease_s, config.broker.timeout_ms / 1e3)


def _keeper(config: ExecutorConfig, executor: Executor, lease: Lease | None, until: int) -> Keeper | NoLease:
    if lease is None or config.lease_s is None:
        return NoLease()
    return Keeper(lease, executor.extend_lease, config.lease_s, until)


def native_config(config: ExecutorConfig, environment: Mapping[str, str]) -> dict[str, Any]:
    """The native executor's configuration. Raises ProcessError without the keys."""
    key, secret = environment.get("APCA_API_KEY_ID"), environment.get("APCA_API_SECRET_KEY")
    if not key or not secret:
        raise ProcessError("APCA_API_KEY_ID and APCA_API_SECRET_KEY are not both set: export the account's keys")
    broker: dict[str, Any] = {
        "url": config.broker.url,
        "key_id": key,
        "secret": secret,
        "requests_per_minute": config.broker.requests_per_minute or 0,
        "timeout_ms": config.broker.timeout_ms,
        "connections": config.broker.connections,
    }
    if config.broker.ca_file:
        broker["ca_file"] = config.broker.ca_file
    return {
        "engine": config.native_engine,
        "journal": {"directory": str(Path(config.state_dir) / config.account), "sync": config.sync},
        "broker": broker,
        "lease": config.lease_s is not None,
        "threads": {
            "wait": config.wait,
            "cpu": config.cpu,
            "clock": "wall" if config.clock == "wall" else "virtual",
        },
    }


def status(account: str, executor: Executor) -> control_pb2.StatusReply:
    """How the account stands."""
    stats = executor.stats()
    return control_pb2.StatusReply(
        account=account,
        connected=executor.ready(),
        kill_switch=stats["risk"]["kill_switch"],
        kill_reason=stats["risk"]["kill_reason"],
        journal_sequence=stats["last_sequence"],
        decision_hash=stats["decision_hash"],
        intents=stats["intents"],
        accepted_intents=stats["accepted"],
        rejected_intents=stats["rejected"],
        orders=stats["orders"],
        fills=stats["fills"],
        equity=stats["account"]["equity"],
    )


def _lay_down(executor: Executor, intake: Intake, publisher: Publisher) -> None:
    """The last words. After a failure there may be none: the next start says as much."""
    with contextlib.suppress(ExecutorError, BusError, LeaseLostError):
        intake.note("stopped")
        if executor.wait_idle(_LAST_WORDS_S):
            publisher.publish(None)


def _command(executor: Executor, intake: Intake, keeper: Keeper | NoLease, command: control_pb2.ControlCommand) -> str:
    """Takes a command; the answer stands for the account only if the lease was held once it was in the journal."""
    intake.command(command, -1)
    executor.wait_idle(_LAST_WORDS_S)
    if not keeper.held():
        raise LeaseLostError("this process has lost the account's lease: ask again")
    return control_pb2.ControlAction.Name(command.action).removeprefix("CONTROL_ACTION_").lower() + " taken"


def _tell_latencies(executor: Executor, config: ExecutorConfig, stop: threading.Event) -> None:
    while not stop.wait(2.0):
        _write_latencies(executor, config)


def _write_latencies(executor: Executor, config: ExecutorConfig) -> None:
    hops = executor.latencies()
    rows = [
        {
            "hop": words,
            "count": hops[hop]["count"],
            "p50_us": hops[hop]["p50"] / 1e3,
            "p99_us": hops[hop]["p99"] / 1e3,
            "p999_us": hops[hop]["p99.9"] / 1e3,
        }
        for hop, words in _HOPS.items()
    ]
    path = Path(config.state_dir) / f"{config.account}.latency.json"
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(rows), encoding="utf-8")
    temporary.replace(path)


if __name__ == "__main__":
    raise SystemExit(main(ExecutorConfig, run))
