"""Shell: what a process says of itself over HTTP: /metrics, /livez and /readyz.

Here, in the lowest member that every process has, because every process answers the same three questions the same way:

- *Is it alive?* Its loop has looked lately whether it is to stop. Each loop of each process does so once a round and in
  each of its waits, so that look is the heartbeat, and no loop has to remember another one.
- *Is it ready?* It has started, and what it depends on answers now.
- *What has it done?* Prometheus's figures, from a registry of this process's own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

from prometheus_client import CollectorRegistry, Gauge, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from tradewind.bus.errors import BusError
from tradewind.bus.interface import Bus
from tradewind.bus.measured import BusMetrics, MeasuredBus
from tradewind.bus.stopping import StopEvent

STALL_S = 120.0
"""After so long without a heartbeat a loop is taken for stuck: longer than any wait that ends by itself."""

_OK, _NOT_FOUND, _UNAVAILABLE = 200, 404, 503
_TEXT = "text/plain; charset=utf-8"

Clock = Callable[[], float]
Check = Callable[[], str]
"""Says in one line what is wrong, or nothing."""


class Probes:
    """One process's probes, and the event that stops its loop.

    Args:
        port: where to serve them, on every address of the host; 0 takes a free one (see `port`), None serves nothing.
        stall_s: see `STALL_S`.
        clock: seconds, whose zero does not matter.

    Raises:
        BusError: the port cannot be used.
    """

    def __init__(self, port: int | None, stall_s: float = STALL_S, clock: Clock = time.monotonic) -> None:
        self.stop = StopEvent(clock)
        self.registry = CollectorRegistry()
        self._stall_s = stall_s
        self._began = False
        self._upstreams: dict[str, Check] = {}
        self._server = None if port is None else self._serve(port)
        self.port = None if self._server is None else int(self._server.server_port)

    def measured(self, bus: Bus) -> Bus:
        """`bus`, with what passes through it counted, and needed for readiness; itself where nothing is served."""
        if self._server is None:
            return bus
        self.upstream("bus", lambda: _reached(bus))
        return MeasuredBus(bus, BusMetrics(self.registry))

    def upstream(self, name: str, check: Check) -> None:
        """The process is not ready while `check` finds something wrong. It is called from the server's threads."""
        self._upstreams[name] = check

    def begin(self) -> None:
        """The loop begins: from here on it must show that it lives, and the process can be ready."""
        self.stop.is_set()
        self._began = True

    def live(self) -> str:
        """What is wrong with the loop, or nothing. Before `begin` nothing is: how long a start may take is for whoever
        started the process to say."""
        age = self.stop.age_s
        if self._began and age > self._stall_s:
            return f"the loop has not gone round for {age:.0f} s: restart this process"
        return ""

    def ready(self) -> str:
        """What this process is waiting for, or nothing."""
        if not self._began:
            return "starting"
        found = [f"{name}: {problem}" for name, check in self._upstreams.items() if (problem := check())]
        return "; ".join(found)

    def close(self) -> None:
        """Stop serving."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _serve(self, port: int) -> ThreadingHTTPServer:
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        age = Gauge("tradewind_loop_age_seconds", "Since the loop last went round.", registry=self.registry)
        age.set_function(lambda: self.stop.age_s)
        probes = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, kind, body = probes.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """A probe every few seconds is not news."""

        try:
            server = ThreadingHTTPServer(("", port), Handler)
        except OSError as error:
            raise BusError(f"probes_port: {port} cannot be used ({error.strerror}): choose another") from error
        threading.Thread(target=server.serve_forever, name="probes", daemon=True).start()
        return server

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Status, content type and body for a request of `path`."""
        if path == "/metrics":
            return _OK, CONTENT_TYPE_LATEST, generate_latest(self.registry)
        checks = {"/livez": self.live, "/readyz": self.ready}
        if path not in checks:
            return _NOT_FOUND, _TEXT, b"see /metrics, /livez or /readyz\n"
        problem = checks[path]()
        return (_UNAVAILABLE, _TEXT, f"{problem}\n".encode()) if problem else (_OK, _TEXT, b"ok\n")


def _reached(bus: Bus) -> str:
    try:
        bus.reach()
    except BusError as error:
        return str(error)
    return ""
