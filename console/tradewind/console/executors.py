"""Speaks to the executors of a local run. Shell."""

from __future__ import annotations

import json
from pathlib import Path

import grpc

from tradewind.console.errors import ConsoleError
from tradewind.console.state import StateDirectory
from tradewind.v1 import control_pb2, control_pb2_grpc


class ExecutorClient:
    """The Control service of one executor."""

    def __init__(self, account: str, address: str) -> None:
        self.account = account
        self._address = address

    def command(self, command: control_pb2.ControlCommand) -> str:
        """Sends a command; what the executor says to it. Raises ConsoleError when it refuses or can't be reached."""
        with self._channel() as channel:
            try:
                stub = control_pb2_grpc.ControlStub(channel)
                reply = stub.Command(control_pb2.ControlRequest(command=command), timeout=10)
            except grpc.RpcError as error:
                raise ConsoleError(f"executor of {self.account} at {self._address}: {error.details()}") from None
        if not reply.accepted:
            raise ConsoleError(f"executor of {self.account} refused: {reply.message}")
        return str(reply.message)

    def status(self) -> control_pb2.StatusReply | None:
        """How the account stands, or None when the executor doesn't answer."""
        with self._channel() as channel:
            try:
                return control_pb2_grpc.ControlStub(channel).Status(
                    control_pb2.StatusRequest(account=self.account), timeout=5
                )
            except grpc.RpcError:
                return None

    def _channel(self) -> grpc.Channel:
        return grpc.insecure_channel(self._address, options=[("grpc.enable_http_proxy", 0)])


def executors(state: Path, account: str | None = None) -> list[ExecutorClient]:
    """The running executors of a state directory. Raises ConsoleError when there are none."""
    alive = {p.name for p in StateDirectory(state).alive()}
    found = []
    for path in sorted((state / "executors").glob("*.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record, dict) or "address" not in record:
            continue  # its latencies lie there too
        if f"executor-{record['account']}" in alive and account in (None, record["account"]):
            found.append(ExecutorClient(record["account"], record["address"]))
    if not found:
        wanted = f"executor of {account}" if account else "executor"
        raise ConsoleError(f"no {wanted} runs in {state}; start one with tradewind up --state {state}")
    return found
