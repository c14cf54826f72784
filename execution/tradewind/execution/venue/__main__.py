"""Shell. `python -m tradewind.execution.venue --config FILE.json`: the simulated Alpaca as a process.

Prints one JSON line when it listens; SIGTERM ends it in order. What stops it from starting is one line on stderr and
exit status 2.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import ssl
import sys
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import Counter
from pydantic import ValidationError

from tradewind.bus import BusError, Probes
from tradewind.execution.venue.books import Books, BooksError
from tradewind.execution.venue.certificate import given_context, server_context
from tradewind.execution.venue.config import VenueConfig
from tradewind.execution.venue.server import create_app
from tradewind.execution.venue.service import Service

# A client's warm connection outlives the pauses between its orders.
_KEEPALIVE_SECONDS = 3_600
_BEAT_S = 1.0


class StartError(Exception):
    """Why the venue cannot start, as one line."""


def read_config(path: Path) -> VenueConfig:
    """The configuration of `--config`. Raises StartError naming the field."""
    try:
        return VenueConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise StartError(f"{path}: cannot be read ({error.strerror})") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "document"
        raise StartError(f"{path}: {field}: {first['msg']}") from error


def credential(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise StartError(f"{name} is not set: the venue takes the credentials it accepts from the environment")
    return value


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises StartError when the address is taken or not ours."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(256)
    except OSError as error:
        listener.close()
        raise StartError(f"port {port} on {host}: {error.strerror}; free it or set another port") from error
    return listener


def _context(config: VenueConfig) -> ssl.SSLContext | None:
    if not config.tls:
        return None
    if config.certificate is not None:
        try:
            return given_context(config.certificate, config.key)
        except OSError as error:
            raise StartError(f"certificate {config.certificate}, key {config.key}: cannot be used ({error})") from error
    try:
        return server_context(config.state_dir, config.host)
    except (OSError, ValueError) as error:
        raise StartError(f"state_dir {config.state_dir}: no certificate can be kept there ({error})") from error


def _counting(probes: Probes) -> Middleware:
    requests = Counter("tradewind_venue_requests", "Requests answered.", ["method", "status"], registry=probes.registry)

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        response = await handler(request)
        requests.labels(request.method, response.status).inc()
        return response

    return count


async def serve(
    config: VenueConfig, service: Service, listener: socket.socket, context: ssl.SSLContext | None, probes: Probes
) -> None:
    """Serve until SIGTERM or SIGINT."""
    app = create_app(service, [_counting(probes)] if config.probes_port is not None else [])
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=_KEEPALIVE_SECONDS)
    await runner.setup()
    await web.SockSite(runner, listener, ssl_context=context, shutdown_timeout=0.5).start()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    host = f"[{config.host}]" if ":" in config.host else config.host
    ready = {
        "ready": True,
        "url": f"{'https' if context else 'http'}://{host}:{listener.getsockname()[1]}",
        "ca": str((config.state_dir / "ca.pem").resolve()) if context and config.certificate is None else None,
    }
    probes.begin()
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()
    try:
        while not ended.is_set():
            probes.stop.is_set()  # the heartbeat: the event loop goes round
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(ended.wait(), _BEAT_S)
    finally:
        await runner.cleanup()


def start(path: Path) -> None:
    """Run the venue of a configuration file. Raises StartError or BooksError when it cannot start."""
    config = read_config(path)
    key_id, secret = credential(config.key_id_env), credential(config.secret_env)
    listener = listen(config.host, config.port)
    try:
        books = Books(config.state_dir)
        service = Service(config, books, key_id, secret)
        context = _context(config)
        with Probes(config.probes_port) as probes:
            asyncio.run(serve(config, service, listener, context, probes))
    finally:
        listener.close()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="tradewind venue", description="A simulated Alpaca with durable books.")
    parser.add_argument("--config", type=Path, required=True, help="JSON document of the venue's configuration")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        start(options.config)
    except (StartError, BooksError, BusError) as error:
        sys.stderr.write(f"tradewind venue: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
