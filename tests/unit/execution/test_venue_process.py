"""The venue as a process: what it survives, and how it refuses to start. Plain HTTP on a free port."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import random
import signal
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from tradewind.execution.venue.certificate import server_context

ENVIRONMENT = {**os.environ, "APCA_API_KEY_ID": "AK", "APCA_API_SECRET_KEY": "secret"}
HEADERS = {"APCA-API-KEY-ID": "AK", "APCA-API-SECRET-KEY": "secret", "Content-Type": "application/json"}
STEP = 60 * 10**9
ONE = 10**8


class Process:
    """One venue process on a state directory."""

    def __init__(self, folder: Path, **more: Any) -> None:
        config = folder / "venue.json"
        settings = {
            "state_dir": str(folder / "state"),
            "tls": False,
            "symbols": ["AAPL"],
            "participation": None,
            **more,
        }
        config.write_text(json.dumps(settings))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tradewind.execution.venue", "--config", str(config)],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self._process.stderr and self._process.stderr.read()
        self.port = int(json.loads(line)["url"].rpartition(":")[2])

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        with contextlib.closing(self.connect()) as connection:
            return ask(connection, method, path, body)

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._end()

    def stop(self) -> int:
        self._process.terminate()
        return self._end()

    def _end(self) -> int:
        self._process.wait(60)
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None
            stream.close()
        return self._process.returncode


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    connection.request(method, path, None if body is None else json.dumps(body), HEADERS)
    response = connection.getresponse()
    text = response.read()
    return response.status, json.loads(text) if text else None


def step(venue: Process, number: int) -> Any:
    price = (100 + number % 7) * ONE
    bar = {
        "symbol": "AAPL",
        "open_time": (number - 1) * STEP,
        "event_time": number * STEP,
        **dict.fromkeys(("open", "high", "low", "close"), price),
        "volume": 1_000,
    }
    status, answer = venue.ask("POST", "/sim/advance", {"time": number * STEP, "bars": [bar], "session_end": True})
    assert status == 200, answer
    return answer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def market(qty: int, **more: Any) -> dict[str, Any]:
    return {"symbol": "AAPL", "qty": qty, "side": "buy", "type": "market", "time_in_force": "day", **more}


def events_of(folder: Path) -> list[dict[str, Any]]:
    with sqlite3.connect(folder / "state" / "books.sqlite") as db:
        return [json.loads(body) for (body,) in db.execute("SELECT body FROM events ORDER BY event_id")]


def test_books_survive_sigkill_in_the_middle_of_orders(folder: Path) -> None:
    """Three times: orders stream in, the process dies at a random moment; whatever was answered is still there."""
    rng = random.Random(7)
    answered: dict[str, str] = {}
    steps = 0
    for round_number in range(3):
        venue = Process(folder)
        steps += 1
        step(venue, steps)
        enough = threading.Event()
        target = len(answered) + rng.randint(20, 60)

        def send(venue: Process, prefix: str, enough: threading.Event, target: int) -> None:
            connection = venue.connect()
            number = 0
            try:
                while True:
                    number += 1
                    body = market(1, time_in_force="gtc", client_order_id=f"{prefix}-{number}")
                    status, order = ask(connection, "POST", "/v2/orders", body)
                    assert status == 200, order
                    answered[order["client_order_id"]] = order["id"]
                    if len(answered) >= target:
                        enough.set()
            except (OSError, http.client.HTTPException):
                return
            finally:
                connection.close()

        sender = threading.Thread(target=send, args=(venue, f"r{round_number}", enough, target))
        sender.start()
        assert enough.wait(60)
        venue.kill()
        sender.join(60)
    venue = Process(folder)
    try:
        _, kept = venue.ask("GET", "/v2/orders?status=all&limit=500&direction=asc")
        by_client = {order["client_order_id"]: order["id"] for order in kept}
        assert answered.items() <= by_client.items()
        # At most the one order in flight at each death was kept without its answer having arrived.
        assert len(by_client) - len(answered) <= 3
        status, refusal = venue.ask("POST", "/v2/orders", market(1, client_order_id="r0-1"))
        assert (status, refusal["code"]) == (422, 40010001)
        answer = step(venue, steps + 1)
        _, position = venue.ask("GET", "/v2/positions/AAPL")
        assert position["qty"] == str(len(by_client))
    finally:
        assert venue.stop() == 0
    events = events_of(folder)
    assert [event["event_id"] for event in events] == list(range(1, answer["event_id"] + 1))
    filled = [event["order"]["id"] for event in events if event["event"] == "fill"]
    assert sorted(filled) == sorted(by_client.values())


def test_a_step_is_whole_or_not_at_all_and_its_answer_is_remembered(folder: Path) -> None:
    venue = Process(folder)
    step(venue, 1)
    for _ in range(5):
        venue.ask("POST", "/v2/orders", market(2))
    answer = step(venue, 2)
    _, before = venue.ask("GET", "/sim/state")
    _, account = venue.ask("GET", "/v2/account")
    venue.kill()
    venue = Process(folder, starting_cash="5")
    assert step(venue, 2) == answer
    assert answer["fills"] == 5
    assert venue.ask("GET", "/sim/state")[1] == before
    assert venue.ask("GET", "/v2/account")[1] == account
    venue.stop()


def test_the_same_run_twice_keeps_the_same_books(tmp_path: Path) -> None:
    kept = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        venue = Process(folder)
        for number in range(1, 4):
            step(venue, number)
            venue.ask("POST", "/v2/orders", market(number))
        venue.stop()
        kept.append(events_of(folder))
    assert kept[0] == kept[1]


def test_the_rate_limit_answers_429_and_counts_down(folder: Path) -> None:
    venue = Process(folder, rate_limit_per_minute=3)
    connection = venue.connect()
    statuses, remaining = [], []
    for _ in range(8):
        connection.request("GET", "/v2/account", headers=HEADERS)
        response = connection.getresponse()
        body = json.loads(response.read())
        statuses.append(response.status)
        remaining.append(response.headers["X-RateLimit-Remaining"])
    connection.close()
    venue.stop()
    # A minute may turn in between, which gives up to three more; it cannot turn twice.
    assert 3 <= statuses.count(200) <= 6
    assert remaining[0] == "2"
    if statuses[-1] == 429:
        assert (body, remaining[-1]) == ({"code": 42910000, "message": "rate limit exceeded"}, "0")
        assert 0 <= int(response.headers["Retry-After"]) <= 60


def refused(folder: Path, environment: dict[str, str] | None = None, **settings: Any) -> str:
    """Start a venue that must refuse: exit status 2 and one line on stderr, which is returned."""
    config = folder / "venue.json"
    config.write_text(json.dumps({"state_dir": str(folder / "state"), "tls": False, **settings}))
    done = subprocess.run(
        [sys.executable, "-m", "tradewind.execution.venue", "--config", str(config)],
        env=ENVIRONMENT if environment is None else environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_a_port_in_use_is_named(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"port {port}" in refused(folder, port=port)
    assert not (folder / "state").exists()


def test_missing_credentials_are_named(folder: Path) -> None:
    environment = {name: value for name, value in ENVIRONMENT.items() if name != "APCA_API_SECRET_KEY"}
    assert "APCA_API_SECRET_KEY is not set" in refused(folder, environment)


def test_an_unusable_state_dir_is_named(folder: Path) -> None:
    (folder / "file").write_text("")
    assert f"state_dir {folder / 'file' / 'below'}" in refused(folder, state_dir=str(folder / "file" / "below"))


def test_a_state_dir_in_use_is_refused(folder: Path) -> None:
    venue = Process(folder)
    assert "another venue is using it" in refused(folder)
    assert venue.stop() == 0


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"prot": 1}, "prot"),
        ({"port": 70_000}, "port"),
        ({"participation": 2}, "participation"),
        ({"certificate": "tls.crt", "tls": True}, "document"),
    ],
)
def test_a_wrong_configuration_names_its_field(folder: Path, settings: dict[str, Any], named: str) -> None:
    assert f"venue.json: {named}:" in refused(folder, **settings)


def test_a_given_certificate_is_shown_to_all_who_reach_it(folder: Path) -> None:
    """As in a cluster: every address, a certificate for the service's name, the key in a file of its own."""
    given = folder / "given"
    given.mkdir()
    server_context(given, "tradewind-venue")
    key, mark, chain = (given / "server.pem").read_text().partition("-----BEGIN CERTIFICATE-----")
    (given / "tls.key").write_text(key)
    (given / "tls.crt").write_text(mark + chain)
    files = {"certificate": str(given / "tls.crt"), "key": str(given / "tls.key")}
    venue = Process(folder, tls=True, host="0.0.0.0", **files)
    trust = ssl.create_default_context(cafile=given / "ca.pem")
    with (
        socket.create_connection(("127.0.0.1", venue.port), 10) as plain,
        trust.wrap_socket(plain, server_hostname="tradewind-venue") as secured,
    ):
        secured.sendall(b"GET /v2/clock HTTP/1.1\r\nHost: tradewind-venue\r\nConnection: close\r\n\r\n")
        assert secured.recv(12) == b"HTTP/1.1 401"
    assert not (folder / "state" / "ca.pem").exists()
    assert venue.stop() == 0
    crossed: dict[str, Any] = {"certificate": files["key"], "key": files["certificate"]}
    assert f"certificate {files['key']}, key {files['certificate']}: cannot be used" in refused(
        folder, tls=True, **crossed
    )


def test_damaged_books_are_one_line_too(folder: Path) -> None:
    (folder / "state").mkdir()
    (folder / "state" / "books.sqlite").write_bytes(b"not a database" * 500)
    assert "books.sqlite: the books are damaged" in refused(folder)
