"""Shell: what the recorder tells about itself: /metrics, /livez and /readyz over HTTP."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from tradewind.streaming.recorder.errors import RecorderError

_OK, _NOT_FOUND, _NOT_READY = 200, 404, 503


class Metrics:
    """The recorder's figures."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.records = Counter(
            "tradewind_recorder_records", "Records written to the database.", ["topic"], registry=self.registry
        )
        self.refused = Counter(
            "tradewind_recorder_refused", "Records sent to the dead letters.", ["topic"], registry=self.registry
        )
        self.delay = Histogram(
            "tradewind_recorder_delay_seconds",
            "From a record's publication to its row in the database.",
            registry=self.registry,
            buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30, 300),
        )
        self.ready = threading.Event()


class MetricsServer:
    """Serves `metrics` on every address of the host until closed. `port` is the one it got."""

    def __init__(self, metrics: Metrics, port: int) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, body = answer(metrics, self.path)
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class names it)
                """A probe every few seconds is not news."""

        try:
            self._server = ThreadingHTTPServer(("", port), Handler)
        except OSError as error:
            raise RecorderError(f"metrics_port: {port} cannot be used ({error.strerror}): choose another") from error
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


def answer(metrics: Metrics, path: str) -> tuple[int, bytes]:
    """Status and body for a request of `path`."""
    if path == "/metrics":
        return _OK, generate_latest(metrics.registry)
    if path == "/livez":
        return _OK, b"ok\n"
    if path == "/readyz":
        return (_OK, b"ok\n") if metrics.ready.is_set() else (_NOT_READY, b"not reading the bus yet\n")
    return _NOT_FOUND, b"see /metrics, /livez or /readyz\n"
