"""From intent to the order read by the venue, over TLS: `python -m benchmarks.order_path` prints JSON lines.

Arms, in turns of one round each, one order at a time, each after the last answer: `raw`, prepared bytes by
ssl.SSLSocket.sendall, the floor for any sender; `tradewind`, an intent handed to the native executor, which checks
risk, writes its journal (`sync: none`) and sends (`--wait` blocking or spinning); `tradewind-batch` and
`tradewind-always`, the same with the journal's other two ways to outlive a power cut; `alpaca-py`,
TradingClient.submit_order; `nautilus`, NautilusTrader's Rust HTTP client with the body made by json.dumps, if it is
installed (it has no Alpaca adapter: the composition is ours; `absent` names it where it is not).
The venue is a process of its own with a thread per connection and stamps CLOCK_MONOTONIC when it has read the
request; the clock starts where the caller begins to make the order. Venue and client run on CPUs of their own, as two
machines would. `--no-pin` leaves that to the scheduler: raw's two processes then tend to share a CPU and it becomes
faster, the arms that have threads of their own do not. `hop` figures come from the executor's own histograms.
`ratio_to_raw_p50` sets each arm's median beside raw's of the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import json
import multiprocessing
import os
import socket
import ssl
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import order_venue
from tradewind.native.engine import limit_names
from tradewind.native.executor import Executor

MONEY, SHARE = 100_000_000, 1_000_000_000
Send = Callable[[int], None]


def engine_config(symbols: list[str]) -> dict[str, Any]:
    """Every limit is on, and wide enough that none denies."""
    limits: dict[str, Any] = {name: 1.0 for name in limit_names() if name.endswith("_pct")}
    limits |= dict.fromkeys(("session_skip_first_ns", "session_skip_last_ns", "feed_lost_after_ns"))
    limits |= dict.fromkeys(("extended_before_ns", "extended_after_ns", "feed_silent_after_ns"))
    limits |= {"broker_lost_after_ns": 3_600 * 10**9, "reentry_step": 0.25, "gap_move_sigmas": 0.5}
    limits |= {"breaker_failures": 5, "breaker_pause_ns": 5 * 10**9}
    limits |= {"adverse_move_sigmas": 2.0, "assumed_volatility": 0.5, "max_estimate_age_ns": 3_600 * 10**9}
    limits |= {"max_turnover_pct": 100.0, "max_position_notional": "1000000"}
    limits |= {"max_order_notional": "1000000", "max_price_age_ns": 3_600 * 10**9, "max_orders_per_minute": 10**8}
    limits |= {"max_trades_per_day": 10**8, "max_positions": 100, "max_consecutive_losses": 10**6}
    limits |= {"drawdown_reduce_factor": 0.75, "drawdown_halve_factor": 0.5, "volatility_reduce_at": "80"}
    limits |= {"volatility_reduce_factor": 0.5, "volatility_halt_at": "90", "allow_short": True}
    return {
        "account": "benchmark",
        "symbols": [{"symbol": symbol, "sector": "tech"} for symbol in symbols],
        "strategies": [{"uid": "benchmark"}],
        "limits": limits,
    }


def raw_arm(port: int, directory: Path) -> Send:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    context = ssl.create_default_context(cafile=str(directory / "ca.pem"))
    secure = context.wrap_socket(connection, server_hostname="127.0.0.1")
    order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    body = json.dumps(order | {"client_order_id": "0" * 36}).encode()
    head = "POST /v2/orders HTTP/1.1\r\nHost: x\r\nAPCA-API-KEY-ID: k\r\nAPCA-API-SECRET-KEY: s\r\n"
    head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    before, after = (head.encode() + body).split(b"0" * 36)

    def send(number: int) -> None:
        secure.sendall(before + b"%036d" % number + after)
        while not secure.recv(65536).endswith(b"}"):
            pass

    return send


def tradewind_arm(port: int, directory: Path, wait: str, sync: str = "none") -> tuple[Send, Executor]:
    broker = {"url": f"https://127.0.0.1:{port}", "key_id": "k", "secret": "s", "ca_file": str(directory / "ca.pem")}
    executor = Executor(
        {
            "engine": engine_config(["AAPL"]),
            "journal": {"directory": str(directory / f"journal-{sync}"), "sync": sync},
            "broker": broker | {"requests_per_minute": 0},
            "threads": {"wait": wait, "cpu": None},
        }
    )
    executor.start()
    now = time.time_ns()
    price = 100 * MONEY
    executor.push_bar("AAPL", now, price, price, price, price, 1_000_000)

    def send(number: int) -> None:
        decided = now + number
        executor.push_intent(
            id=f"intent-{number}",
            strategy="benchmark",
            symbol="AAPL",
            target=SHARE if number % 2 else 0,
            decision_time=decided,
            valid_until=decided + 3_600 * 10**9,
            reference_price=price,
            flush=True,
        )
        if not executor.wait_idle(10):
            raise TimeoutError("the executor did not come to rest")

    return send, executor


def alpaca_arm(port: int) -> Send:
    from alpaca.trading.client import TradingClient
    from alpaca.trading.enums import OrderSide, TimeInForce
    from alpaca.trading.requests import MarketOrderRequest

    client = TradingClient("k", "s", paper=True, url_override=f"https://127.0.0.1:{port}")

    def send(_: int) -> None:
        client.submit_order(
            MarketOrderRequest(
                symbol="AAPL",
                qty=1,
                side=OrderSide.BUY,
                time_in_force=TimeInForce.DAY,
                client_order_id=str(uuid.uuid4()),
            )
        )

    return send


def nautilus_arm(port: int) -> Callable[[range], list[int]]:
    """Its client wants one event loop: the arm runs a whole turn and answers when each order began."""
    from nautilus_trader.core.nautilus_pyo3 import HttpClient, HttpMethod

    client = HttpClient(default_headers={"APCA-API-KEY-ID": "k", "APCA-API-SECRET-KEY": "s"})
    url = f"https://127.0.0.1:{port}/v2/orders"
    order = {"symbol": "AAPL", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
    loop = asyncio.new_event_loop()

    async def turn(numbers: range) -> list[int]:
        begun = []
        for _ in numbers:
            begun.append(time.monotonic_ns())
            body = json.dumps(order | {"client_order_id": str(uuid.uuid4())}).encode()
            answer = await client.request(HttpMethod.POST, url, {"Content-Type": "application/json"}, body)
            json.loads(answer.body)
        return begun

    return lambda numbers: loop.run_until_complete(turn(numbers))


def one_by_one(send: Send) -> Callable[[range], list[int]]:
    def turn(numbers: range) -> list[int]:
        begun = []
        for number in numbers:
            begun.append(time.monotonic_ns())
            send(number)
        return begun

    return turn


def emit(arm: str, metric: str, value: float, unit: str, params: dict[str, Any]) -> None:
    line = {
        "bench": "order_path",
        "arm": arm,
        "metric": metric,
        "value": round(value, 2),
        "unit": unit,
        "params": params,
    }
    print(json.dumps(line), flush=True)


def pin_apart(venue: int) -> dict[str, list[int]] | None:
    """The venue alone on the last CPU we may use, everything of ours on the others; None when there is only one."""
    *client, last = sorted(os.sched_getaffinity(0))
    if not client:
        return None
    os.sched_setaffinity(venue, {last})
    os.sched_setaffinity(0, client)
    return {"venue": [last], "client": client}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=2_000, help="measured per arm, over all rounds")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=200)
    parser.add_argument("--wait", choices=("blocking", "spinning"), default="blocking")
    parser.add_argument("--pin", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="order-path-") as name:
        directory = Path(name)
        order_venue.make_certificates(directory)
        # For alpaca-py and the Rust client; they have no argument for it.
        os.environ |= {"REQUESTS_CA_BUNDLE": str(directory / "ca.pem"), "SSL_CERT_FILE": str(directory / "ca.pem")}
        for variable in [key for key in os.environ if key.lower().endswith("_proxy")]:
            del os.environ[variable]
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=order_venue.run, args=(theirs, name), daemon=True)
        process.start()
        options.pinned = pin_apart(process.pid) if options.pin and process.pid else None
        try:
            measure(ours.recv(), ours, directory, options)
        finally:
            ours.send("stop")
            process.join(5)


def measure(port: int, venue: Any, directory: Path, options: argparse.Namespace) -> None:
    ours, executor = tradewind_arm(port, directory, options.wait)
    synced = {sync: tradewind_arm(port, directory, options.wait, sync) for sync in ("batch", "always")}
    arms = {"raw": one_by_one(raw_arm(port, directory)), "tradewind": one_by_one(ours)}
    arms |= {f"tradewind-{sync}": one_by_one(arm) for sync, (arm, _) in synced.items()}
    arms["alpaca-py"] = one_by_one(alpaca_arm(port))
    missing = [] if importlib.util.find_spec("nautilus_trader") else ["nautilus"]
    if not missing:
        arms["nautilus"] = nautilus_arm(port)
    per_round = options.orders // options.rounds
    latencies: dict[str, list[float]] = defaultdict(list)
    number = 1
    for turn in range(options.rounds + 1):
        count = per_round if turn else options.warmup
        for arm, run in arms.items():
            begun = run(range(number, number + count))
            number += count
            venue.send("stamps")
            read = venue.recv()
            if len(read) != count:
                raise RuntimeError(f"{arm}: the venue read {len(read)} orders of {count}")
            if turn:
                latencies[arm] += [(at - start) / 1e3 for start, at in zip(begun, read, strict=True)]
    params = {
        "tls": True,
        "orders": per_round * options.rounds,
        "rounds": options.rounds,
        "cpus": os.cpu_count(),
        "wait": options.wait,
    }
    params |= {"pinned": options.pinned, "absent": missing}
    for arm, values in latencies.items():
        for quantile in (50, 99, 99.9):
            emit(arm, f"intent_to_venue_p{quantile}", float(np.percentile(values, quantile)), "us", params)
        emit(arm, "ratio_to_raw_p50", float(np.median(values) / np.median(latencies["raw"])), "x", params)
    for hop, figures in executor.latencies().items():
        for name in ("p50", "p99", "p99.9"):
            emit(
                "tradewind",
                f"hop_{hop}_{name}",
                figures[name] / 1e3,
                "us",
                params | {"count": figures["count"]},
            )
    for own in (executor, *(other for _, other in synced.values())):
        own.stop()


if __name__ == "__main__":
    main()
