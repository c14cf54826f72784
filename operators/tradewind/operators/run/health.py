"""/livez, /readyz and /metrics. Shell."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

Probe = Callable[[], str]


def serve(port: int, probes: dict[str, Probe]) -> int:
    """Answers each path of `probes` with 200 while its probe says nothing, with 503 and the text otherwise.

    Runs in a thread of its own; the port it listens on.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/metrics":
                return self._answer(200, generate_latest(), CONTENT_TYPE_LATEST)
            if self.path not in probes:
                return self._answer(404, f"see {', '.join([*probes, '/metrics'])}\n".encode())
            problem = probes[self.path]()
            return self._answer(503 if problem else 200, f"{problem or 'ok'}\n".encode())

        def _answer(self, code: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Probes are not worth a line each."""

    server = ThreadingHTTPServer(("", port), Handler)
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server.server_port
