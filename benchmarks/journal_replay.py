"""How fast a journal is replayed, how soon a restart trades: `python -m benchmarks.journal_replay` prints JSON lines.

A journal of `--orders` orders is made by the engine itself, each order with its intent, flush, answer and fill.
`replay`: all of it is fed to a fresh engine and every output compared with the recorded one, as a start does; best and
median of `--rounds`. `restart`: an executor is made on a copy of it and started against a broker on this host that
knows all the orders, from the first line of Python in it to the moment at which intents are accepted; `process` is the
same with the interpreter's start and the process's imports. The aims are 2 million records a second and 2 seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import ServerConnection, serve

from benchmarks.order_path import MONEY, SHARE, engine_config
from tradewind.native.engine import Engine, replay_journal
from tradewind.native.executor import Executor

_T0 = 1_700_000_000 * 10**9
_STEP = 10**8  # the one price must not become too old
_SUBMIT_ACCEPTED, _TRADE_UPDATE, _UP, _ACCOUNT, _SNAPSHOT_END = 1, 11, 12, 15, 17  # BrokerEventKind


def write_journal(path: Path, orders: int) -> list[dict[str, Any]]:
    """A journal of that many filled orders of one share; the orders as the broker's REST tells them."""
    rows: list[dict[str, Any]] = []
    engine = Engine(engine_config(["AAPL", "MSFT"]), journal=path)
    now = _T0

    def step(kind: str, /, **body: Any) -> dict[str, Any]:
        return dict(engine.step({"input": kind, "now": now, "body": body}))  # type: ignore[typeddict-item]

    step("broker", kind=_UP)
    step("broker", kind=_ACCOUNT, cash=10**6 * MONEY, equity=10**6 * MONEY, buying_power=2 * 10**6 * MONEY)
    step("broker", kind=_SNAPSHOT_END)
    price = 100 * MONEY
    step("bar", symbol="AAPL", event_time=now, open=price, high=price, low=price, close=price, volume=10**6)
    for number in range(orders):
        now += _STEP
        buy = number % 2 == 0
        names = {"id": f"i{number}", "strategy": "benchmark", "symbol": "AAPL"}
        times = {"decision_time": now, "valid_until": now + _STEP}
        step("intent", **names, **times, target=SHARE if buy else 0, reference_price=price)
        (request,) = step("control", kind=4)["requests"]
        order = {"client_order_id": request["client_order_id"], "broker_order_id": f"b{number}", "symbol": "AAPL"}
        order |= {"side": 1 if buy else 2, "quantity": SHARE}
        step("broker", kind=_SUBMIT_ACCEPTED, request_id=request["request_id"], order=order | {"state": 4})
        filled = {"state": 6, "filled": SHARE, "filled_avg_price": price}
        step("broker", kind=_TRADE_UPDATE, order=order | filled, execution_id=f"x{number}",
             execution_quantity=SHARE, execution_price=price)  # fmt: skip
        at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 10**9)) + f".{number:09d}Z"
        rows.append(
            {"id": f"b{number}", "client_order_id": request["client_order_id"], "symbol": "AAPL", "status": "filled",
             "side": "buy" if buy else "sell", "qty": "1", "filled_qty": "1", "filled_avg_price": "100",
             "submitted_at": at, "created_at": at, "type": "market", "time_in_force": "day", "limit_price": None}
        )  # fmt: skip
    if engine.counts()["fills"] != orders:
        raise RuntimeError(f"{engine.counts()['fills']} of {orders} orders filled")
    return rows


@contextmanager
def broker(rows: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    """A broker that knows these orders and holds nothing; its addresses."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            path, query = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query)
            if path == "/v2/account":
                return self.reply({"cash": "1000000", "equity": "1000000", "buying_power": "2000000"})
            if path == "/v2/positions":
                return self.reply([])
            after = query.get("after", [""])[0]
            return self.reply([row for row in rows if row["submitted_at"] > after][:500])

        def reply(self, body: Any) -> None:
            data = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None: ...

    def listen(connection: ServerConnection) -> None:
        connection.recv()
        connection.send(b'{"stream":"authorization","data":{"status":"authorized"}}')
        connection.recv()
        connection.send(b'{"stream":"listening","data":{"streams":["trade_updates"]}}')
        with suppress(ConnectionClosed):
            connection.recv()

    rest, stream = ThreadingHTTPServer(("127.0.0.1", 0), Handler), serve(listen, "127.0.0.1", 0)
    threads = [threading.Thread(target=server.serve_forever) for server in (rest, stream)]
    for thread in threads:
        thread.start()
    port = stream.socket.getsockname()[1]
    yield {"url": f"http://127.0.0.1:{rest.server_address[1]}", "stream_url": f"ws://127.0.0.1:{port}/stream"}
    stream.shutdown()
    rest.shutdown()
    for thread in threads:
        thread.join()


def restart(config: dict[str, Any]) -> float:
    """Seconds until an executor of this configuration takes intents."""
    began = time.perf_counter()
    with Executor(config) as executor:
        elapsed = time.perf_counter() - began
        if not executor.ready():
            raise RuntimeError("the executor is not ready")
    return elapsed


def emit(arm: str, metric: str, value: float, unit: str, params: dict[str, Any]) -> None:
    line = {"bench": "journal_replay", "arm": arm, "metric": metric, "value": round(value, 3), "unit": unit}
    print(json.dumps(line | {"params": params}), flush=True)


def run(folder: Path, options: argparse.Namespace) -> None:
    journal = folder / "executor.journal"
    rows = write_journal(journal, options.orders)
    seconds, inputs = [], 0
    for _ in range(options.rounds):
        began = time.perf_counter()
        inputs = replay_journal(journal)["inputs"]
        seconds.append(time.perf_counter() - began)
    params = {"orders": options.orders, "records": inputs, "bytes": journal.stat().st_size, "rounds": options.rounds}
    emit("replay", "records_per_s_best", inputs / min(seconds), "1/s", params)
    emit("replay", "records_per_s_median", inputs / statistics.median(seconds), "1/s", params)
    with broker(rows) as urls:
        config = {
            "engine": engine_config(["AAPL", "MSFT"]),
            "broker": urls | {"key_id": "k", "secret": "s", "requests_per_minute": 0},
        }
        inside, outside = [], []
        for number in range(options.rounds):
            copy = folder / f"restart-{number}"
            copy.mkdir()
            shutil.copy(journal, copy / "executor.journal")
            own = config | {"journal": {"directory": str(copy)}}
            began = time.perf_counter()
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.journal_replay", "--restart", json.dumps(own)],
                capture_output=True, text=True, check=True, env=dict(os.environ),
            )  # fmt: skip
            outside.append(time.perf_counter() - began)
            inside.append(float(done.stdout))
        emit("restart", "to_trading_median", statistics.median(inside), "s", params)
        emit("restart", "to_trading_worst", max(inside), "s", params)
        emit("process", "to_trading_median", statistics.median(outside), "s", params)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--restart", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.restart:
        print(restart(json.loads(options.restart)))
        return
    with tempfile.TemporaryDirectory(prefix="journal-replay-") as name:
        run(Path(name), options)


if __name__ == "__main__":
    main()
