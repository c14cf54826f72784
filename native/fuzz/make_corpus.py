"""Writes the fuzzers' seeds: what Alpaca documents, as the tests use it, and what an engine journals in a session.

Run after a change of a message's fields: .venv/bin/python native/fuzz/make_corpus.py. It replaces the files named
seed-* in native/fuzz/corpus and leaves the others, which are findings.
"""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tradewind.native.engine import Engine
from tradewind.planning.engine_config import engine_config
from tradewind.specs import RiskPolicy, Strategy

CORPUS = Path(__file__).parent / "corpus"
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND

ORDER: dict[str, Any] = {
    "id": "61e69015-8549-4bfd-b9c3-01e75843f47d",
    "client_order_id": "tw-0123456789abcdef",
    "submitted_at": "2024-01-02T15:04:05.123456789Z",
    "symbol": "BTC/USD",
    "asset_class": "crypto",
    "notional": None,
    "qty": "1.000000001",
    "filled_qty": "0.5",
    "filled_avg_price": "27123.123456785",
    "type": "limit",
    "side": "buy",
    "time_in_force": "gtc",
    "limit_price": "27500.5",
    "status": "partially_filled",
    "extended_hours": False,
    "legs": [{"id": "leg", "status": "held"}],
}
ACCOUNT = {
    "id": "a",
    "status": "ACTIVE",
    "cash": "1000.5",
    "equity": "2000.25",
    "buying_power": "4000",
    "daytrade_count": 0,
}
POSITION = {
    "symbol": "AAPL",
    "qty": "-1.5",
    "side": "short",
    "avg_entry_price": "190.33333333",
    "qty_available": "-1.5",
}
FILL = {
    "event": "partial_fill",
    "event_id": 12,
    "execution_id": "2f63ea93-423d-4169-b3f6-3fdafc10c418",
    "timestamp": "2024-01-02T10:04:05.5-05:00",
    "price": "27123.1",
    "qty": "0.5",
    "position_qty": "0.5",
    "order": ORDER,
}
ERRORS = [
    {"code": 40310000, "message": "insufficient buying power", "buying_power": "0"},
    {"code": 42210000, "message": "client_order_id must be unique"},
    {"message": "unauthorized."},
]
HEAD = {"apiVersion": "tradewind.dev/v1alpha1"}
STRATEGY = {"mode": "Paper", "riskPolicy": "demo", "universe": {"symbols": ["IBM"]}}
PLANNED = engine_config(
    RiskPolicy.model_validate(
        {
            **HEAD,
            "kind": "RiskPolicy",
            "metadata": {"name": "demo"},
            "spec": {"account": "paper", "strategies": ["long"]},
        }
    ),
    [Strategy.model_validate({**HEAD, "kind": "Strategy", "metadata": {"name": "long"}, "spec": STRATEGY})],
)
# Always open: the session of the seeds has no calendar.
LIMITS = {**PLANNED["limits"], "session_skip_first_ns": None, "session_skip_last_ns": None}
CONFIG: dict[str, Any] = PLANNED | {"limits": LIMITS, "max_orders": 64, "max_intents": 64}
EXECUTOR = {
    "engine": CONFIG,
    "journal": {"directory": "journal", "sync": "batch"},
    "broker": {"url": "https://paper-api.alpaca.markets", "key_id": "key", "secret": "secret"},
    "threads": {},
}


def text(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def protocol() -> list[bytes]:
    """The first byte names the parser: frame, order, orders, positions, account, or an answer's body."""
    frames = [
        {"stream": "trade_updates", "data": FILL},
        {"stream": "trade_updates", "data": {"event": "canceled", "order": {**ORDER, "status": "canceled"}}},
        {"stream": "authorization", "data": {"status": "authorized", "action": "authenticate"}},
        {"data": {"streams": ["trade_updates"], "event_id": 9}, "stream": "listening"},
    ]
    bodies = [(0, frame) for frame in frames]
    bodies += [(1, ORDER), (2, [ORDER, ORDER]), (3, [POSITION]), (4, ACCOUNT), (5, ORDER)]
    bodies += [(5, error) for error in ERRORS]
    return [bytes([which]) + text(body) for which, body in bodies]


def http() -> list[bytes]:
    """The first byte says where the fuzzer cuts."""
    body = text(ORDER)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Ratelimit-Remaining: 199\r\n"
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:99], body[99:])) + b"0\r\n\r\n"
    return [
        b"\x40" + head + b"Content-Length: %d\r\n\r\n" % len(body) + body,
        b"\x80" + head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks,
        b"\xc0" + head + b"Connection: close\r\n\r\n" + body,
        b"\x10HTTP/1.1 204 No Content\r\n\r\n",
        b"\xffHTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n",
    ]


def session(journal: Path) -> None:
    """A broker that accepts everything: one order sent and filled, one refused, a halt."""
    engine = Engine(CONFIG, journal=journal)
    now = START

    def step(kind: str, body: dict[str, Any], offset: int = -1) -> list[dict[str, Any]]:
        message = {"input": kind, "now": now, "offset": offset, "topic": 2 if offset >= 0 else 0, "body": body}
        return engine.step(message)["requests"]  # type: ignore[arg-type]

    request = step("broker", {"kind": 12})[0]["request_id"]  # the link is up: a snapshot is asked for
    account = {"kind": 15, "request_id": request, "cash": 10**13, "equity": 10**13, "buying_power": 4 * 10**13}
    step("broker", account)
    step("broker", {"kind": 17, "request_id": request})
    price = 100 * 10**8
    bar = {"symbol": "IBM", "event_time": now, "open": price, "high": price, "low": price, "close": price, "volume": 9}
    step("bar", bar)
    for number, target in enumerate([10, 10**6]):
        intent = {
            "id": f"intent-{number}",
            "strategy": CONFIG["strategies"][0]["uid"],
            "symbol": "IBM",
            "target": target * 10**9,
            "decision_time": now,
            "valid_until": now + SECOND,
            "order_type": 1,
        }
        step("intent", intent, number)
        for order in step("control", {"kind": 4}):
            view = {
                "client_order_id": order["client_order_id"],
                "broker_order_id": "b-1",
                "symbol": "IBM",
                "side": 1,
                "state": 6,
                "quantity": order["quantity"],
                "filled": order["quantity"],
                "filled_avg_price": price,
            }
            step("broker", {"kind": 11, "order": view, "execution_id": "x-1", "execution_price": price})
    if engine.counts()["accepted"] != 1 or engine.counts()["rejected"] != 1:
        raise RuntimeError(f"the session of the seeds is not what it says: {engine.counts()}")
    step("time", {})
    step("control", {"kind": 1, "issued_by": "ada", "reason": "test", "flatten": True})


def journal() -> list[bytes]:
    """The first byte says what follows: a file, an input, an answer, or an input in a journal to be damaged."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "engine.journal"
        session(path)
        whole = path.read_bytes()
    seeds = [b"\x00" + whole, b"\x00" + whole[:-5]]
    at = 76
    while at < len(whole):
        (size,) = struct.unpack_from("<I", whole, at)
        payload = whole[at + 12 : at + 12 + size]
        at += 12 + size
        if payload[8] != 1:
            continue
        (length,) = struct.unpack_from("<I", payload, 9)
        record = payload[13 : 13 + length]
        seeds += [b"\x01" + record, b"\x02" + payload[13 + length :], b"\x03" + bytes([0, 100, 1]) + record]
    return seeds


SEEDS: dict[str, Callable[[], list[bytes]]] = {
    "protocol_fuzz": protocol,
    "http_answer_fuzz": http,
    "journal_fuzz": journal,
    "json_reader_fuzz": lambda: (
        [text(body) for body in (ORDER, [POSITION], FILL, ERRORS)] + [b'"\\ud83d\\ude00\\u00e9\\n"']
    ),
    "decimal_fuzz": lambda: [b"-12.5", b"0.000000015", b"92233720368.54775807", b"2024-01-02T15:04:05.5-05:00", b"1.0"],
    "engine_config_fuzz": lambda: [text(CONFIG), text(EXECUTOR)],
}


def main() -> None:
    for fuzzer, seeds in SEEDS.items():
        folder = CORPUS / fuzzer
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("seed-*"):
            old.unlink()
        for number, seed in enumerate(seeds()):
            (folder / f"seed-{number:02}").write_bytes(seed)


if __name__ == "__main__":
    main()
