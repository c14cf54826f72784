"""The executor's gRPC door: commands and status. Shell."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent import futures
from pathlib import Path

import grpc

from tradewind.execution.executor.lease import LeaseLostError
from tradewind.execution.process import ProcessError
from tradewind.v1 import control_pb2, control_pb2_grpc

Command = Callable[[control_pb2.ControlCommand], str]
Status = Callable[[], control_pb2.StatusReply]


class ControlServicer(control_pb2_grpc.ControlServicer):
    """Passes commands on; refuses what names another account or nobody."""

    def __init__(self, account: str, command: Command, status: Status) -> None:
        self._account = account
        self._command = command
        self._status = status

    def Command(  # noqa: N802 - the service's own name
        self,
        request: control_pb2.ControlRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 - gRPC's signature
    ) -> control_pb2.ControlReply:
        """A named person's (or trigger's) command."""
        problem = refusal(request.command, self._account)
        if problem:
            return control_pb2.ControlReply(accepted=False, message=problem)
        try:
            return control_pb2.ControlReply(accepted=True, message=self._command(request.command))
        except LeaseLostError as error:
            return control_pb2.ControlReply(accepted=False, message=str(error))

    def Status(  # noqa: N802
        self,
        request: control_pb2.StatusRequest,  # noqa: ARG002
        context: grpc.ServicerContext,  # noqa: ARG002
    ) -> control_pb2.StatusReply:
        """How the account stands."""
        return self._status()


def refusal(command: control_pb2.ControlCommand, account: str) -> str:
    """Why a command can't be taken, or nothing."""
    if command.account != account:
        return f"this executor's account is {account}, not {command.account or 'empty'}"
    if not command.issued_by.strip():
        return "issued_by is empty: a command needs a name"
    if command.action not in (
        control_pb2.CONTROL_ACTION_HALT,
        control_pb2.CONTROL_ACTION_RESUME,
        control_pb2.CONTROL_ACTION_PAUSE,
    ):
        return "action is missing: halt, resume or pause"
    return ""


def serve(account: str, port: int, state_dir: Path, command: Command, status: Status) -> grpc.Server:
    """Starts the service on loopback and writes its address beside the journal. Raises ProcessError."""
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2), options=[("grpc.so_reuseport", 0)])
    control_pb2_grpc.add_ControlServicer_to_server(ControlServicer(account, command, status), server)
    try:
        bound = server.add_insecure_port(f"127.0.0.1:{port}")
    except RuntimeError:
        raise ProcessError(f"port {port} on 127.0.0.1 is in use; set another control_port") from None
    server.start()
    path = state_dir / f"{account}.json"
    temporary = path.with_suffix(f".{os.getpid()}")
    temporary.write_text(json.dumps({"account": account, "address": f"127.0.0.1:{bound}"}), encoding="utf-8")
    temporary.replace(path)
    return server
