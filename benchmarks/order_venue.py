"""The smallest broker that an order benchmark needs: TLS, a thread per connection, a time stamp on each request read.

Every order is answered as filled, so that a sender's books move and the next order has something to do. The stamps are
CLOCK_MONOTONIC, which all processes of a machine share.
"""

from __future__ import annotations

import base64
import hashlib
import json
import socket
import ssl
import subprocess
import threading
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

_ACCOUNT = (
    b'{"id":"a","account_number":"B1","status":"ACTIVE","cash":"1000000","equity":"1000000","buying_power":"2000000"}'
)
_UNSET = (
    *("expired_at", "expires_at", "canceled_at", "failed_at", "replaced_at", "replaced_by", "replaces", "notional"),
    *("legs", "limit_price", "stop_price", "trail_percent", "trail_price", "hwm"),
)


def make_certificates(directory: Path) -> None:
    """`ca.pem`, and `venue.pem` with `venue.key` for 127.0.0.1 signed by it. Needs the openssl program."""
    ca = ["-CA", str(directory / "ca.pem"), "-CAkey", str(directory / "ca.key")]
    names = ["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    for name, extra in (("ca", []), ("venue", ca + names)):
        files = ["-keyout", str(directory / f"{name}.key"), "-out", str(directory / f"{name}.pem")]
        new = [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            f"/CN=benchmark-{name}",
        ]
        subprocess.run([*new, *files, *extra], check=True, capture_output=True)


def _filled(order: dict[str, str]) -> bytes:
    time_text = "2026-01-02T15:04:05.678901Z"
    quantity = str(order["qty"])
    answer: dict[str, object] = dict.fromkeys(_UNSET)
    answer |= dict.fromkeys(("created_at", "updated_at", "submitted_at", "filled_at"), time_text)
    answer |= {key: order[key] for key in ("client_order_id", "symbol", "side", "type", "time_in_force")}
    answer |= {"id": "61e69015-8549-4bfd-b9c3-01e75843f47d", "asset_id": "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415"}
    answer |= {"asset_class": "us_equity", "order_class": "simple", "order_type": order["type"], "status": "filled"}
    answer |= {"qty": quantity, "filled_qty": quantity, "filled_avg_price": "100", "extended_hours": False}
    return json.dumps(answer).encode()


def _answer(body: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    return head + body


class _Reader:
    """Bytes of one connection, up to a mark or a count."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self._connection = connection
        self._buffer = b""

    def _more(self) -> None:
        received = self._connection.recv(65536)
        if not received:
            raise ConnectionError
        self._buffer += received

    def until(self, mark: bytes) -> bytes:
        while (at := self._buffer.find(mark)) < 0:
            self._more()
        taken, self._buffer = self._buffer[:at], self._buffer[at + len(mark) :]
        return taken

    def exactly(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._more()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken


def _serve_stream(connection: ssl.SSLSocket, reader: _Reader, key: bytes) -> None:
    """RFC 6455, as far as a client goes that authenticates, listens and pings."""
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    connection.sendall(upgrade + accept + b"\r\n\r\n")
    while True:
        kind, size = reader.exactly(2)
        length = size & 0x7F
        if length == 126:
            length = int.from_bytes(reader.exactly(2), "big")
        mask = reader.exactly(4)
        text = bytes(byte ^ mask[i % 4] for i, byte in enumerate(reader.exactly(length)))
        if kind & 0x0F == 9:
            connection.sendall(bytes((0x8A, len(text))) + text)
            continue
        good = b'{"stream":"authorization","data":{"status":"authorized","action":"authenticate"}}'
        reply = good if b"authenticate" in text else b'{"stream":"listening","data":{"streams":["trade_updates"]}}'
        connection.sendall(bytes((0x82, len(reply))) + reply)


def _serve(connection: socket.socket, context: ssl.SSLContext, stamps: list[int]) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with suppress(OSError, ConnectionError), context.wrap_socket(connection, server_side=True) as secure:
        reader = _Reader(secure)
        while True:
            lines = reader.until(b"\r\n\r\n").split(b"\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
            body = reader.exactly(int(headers.get(b"content-length", 0)))
            read_at = time.monotonic_ns()
            if body:
                stamps.append(read_at)
                secure.sendall(_answer(_filled(json.loads(body))))
            elif b"sec-websocket-key" in headers:
                _serve_stream(secure, reader, headers[b"sec-websocket-key"])
            else:
                secure.sendall(_answer(_ACCOUNT if b"/v2/account" in lines[0] else b"[]"))


def run(pipe: Connection, directory: str) -> None:
    """The venue's process: sends its port, then, whenever asked, the stamps of the orders read since the last time."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(Path(directory) / "venue.pem", Path(directory) / "venue.key")
    stamps: list[int] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_serve, args=(connection, context, stamps), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    pipe.send(listener.getsockname()[1])
    while pipe.recv() == "stamps":
        taken = stamps.copy()
        del stamps[: len(taken)]  # before the answer: the next order may be read as soon as that has left
        pipe.send(taken)
