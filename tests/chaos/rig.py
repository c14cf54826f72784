"""One account as real processes: the simulated venue, executors, a file bus; and what a run of it must have kept."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tradewind.bus import Outgoing, open_bus, ports
from tradewind.native.engine import read_journal
from tradewind.planning.engine_config import engine_config
from tradewind.specs import RiskPolicy, Strategy
from tradewind.v1 import market_pb2, trading_pb2

ACCOUNT = "paper"
SHARE, DOLLAR, SECOND = 10**9, 10**8, 10**9
KEYS = {"APCA_API_KEY_ID": "CHAOS", "APCA_API_SECRET_KEY": "chaos-secret"}
_HEADERS = {"APCA-API-KEY-ID": "CHAOS", "APCA-API-SECRET-KEY": "chaos-secret", "Content-Type": "application/json"}
_PATIENCE_S = 60.0


class Process:
    """A Python module with a configuration file, started again under the same name as often as one likes."""

    def __init__(self, folder: Path, name: str, module: str, config: dict[str, Any]) -> None:
        self.name = name
        self.config = folder / f"{name}.json"
        self.log = folder / f"{name}.log"
        self._module = module
        self.config.write_text(json.dumps(config))
        self._process: subprocess.Popen[str] | None = None

    def spawn(self) -> None:
        with self.log.open("a") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module, "--config", str(self.config)],
                env={**os.environ, **KEYS},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def start(self) -> dict[str, Any]:
        """Starts it and waits until it says that it is ready."""
        self.spawn()
        return self.ready()

    def ready(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"{self.name} did not start: {self.log.read_text()[-800:]}"
        said: dict[str, Any] = json.loads(line)
        return said

    def send(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def ended(self) -> int | None:
        """Exit status, or None while it runs."""
        return None if self._process is None else self._process.poll()

    def wait(self, timeout: float = _PATIENCE_S) -> int:
        assert self._process is not None
        try:
            status = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGUSR1)  # says in its log where it hangs
            time.sleep(1)
            raise AssertionError(f"{self.name} did not end in {timeout:g} s\n{self.log.read_text()[-6000:]}") from None
        if self._process.stdout is not None:
            self._process.stdout.close()
        return status

    def kill(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
        if self._process is not None:
            self.wait()

    def terminate(self) -> None:
        """Tells it to end, and does not wait."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()

    def stop(self) -> None:
        self.terminate()
        if self._process is not None:
            self.wait()


def policy(symbols: tuple[str, ...], **limits: Any) -> tuple[Strategy, RiskPolicy]:
    """A strategy and limits so wide that only what a test narrows can refuse."""
    head = {"apiVersion": "tradewind.dev/v1alpha1"}
    wide: dict[str, Any] = {
        "loss": {"daily": 1.0, "weekly": 1.0, "monthly": 1.0, "consecutive": 100, "perTrade": 1.0, "perTradeHard": 1.0},
        "drawdown": [{"at": 0.97, "size": 0.75}, {"at": 0.98, "size": 0.5}, {"at": 0.99, "size": 0}],
        "position": {"maxShare": 1.0, "maxCount": 2000},
        "exposure": {"gross": 4, "net": 4, "shortShareOfGross": 1.0, "sector": 1.0, "correlatedGroup": 1.0},
        "order": {"maxNotional": "1000000", "perMinute": 10000, "tradesPerDay": 10**8},
        "volatility": {"indexHalveAt": 99998, "indexHaltAt": 99999, "var95": 1.0, "portfolio": 1.0},
        "session": {"calendar": "24/7", "skipFirst": "0s", "skipLast": "0s"},
    }
    strategy = {"mode": "Paper", "riskPolicy": ACCOUNT, "bars": "1m", "universe": {"symbols": list(symbols)}}
    spec = {"account": "paper", "strategies": ["chaos"], "limits": wide | limits}
    return (
        Strategy.model_validate({**head, "kind": "Strategy", "metadata": {"name": "chaos"}, "spec": strategy}),
        RiskPolicy.model_validate({**head, "kind": "RiskPolicy", "metadata": {"name": ACCOUNT}, "spec": spec}),
    )


class Rig:
    """The venue on the wall clock, where a market order trades at once at the last quote, and executors to trade."""

    def __init__(
        self,
        folder: Path,
        *,
        symbols: tuple[str, ...] = ("AAPL", "MSFT"),
        lease_s: float | None = 30.0,
        limits: dict[str, Any] | None = None,
        timeout_ms: int = 1500,
        bus: str | None = None,
        **engine: Any,
    ) -> None:
        self.folder = folder
        self.bus_url = bus or f"file://{folder}/bus.db"
        self.symbols = symbols
        self.lease_s = lease_s
        self.strategy, self.policy = policy(symbols, **(limits or {}))
        self._engine = engine_config(self.policy, [self.strategy]) | engine
        self.bus = open_bus(self.bus_url)
        self._port = ports.reserve()
        self._number = 0
        self.timeout_ms = timeout_ms
        self.venue = Process(
            folder,
            "venue",
            "tradewind.execution.venue",
            {
                "state_dir": str(folder / "venue"),
                "port": self._port,
                "tls": False,
                "clock": "wall",
                "starting_cash": "1000000",
                "symbols": list(symbols),
            },
        )
        self.executors: list[Process] = []

    def __enter__(self) -> Rig:
        self.venue.start()
        self.quote(dict.fromkeys(self.symbols, 100))
        return self

    def __exit__(self, *_: object) -> None:
        for process in [*self.executors, self.venue]:
            process.kill()
        self.bus.close()

    @property
    def url(self) -> str:
        """REST base of the venue."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def state_dir(self) -> Path:
        return self.folder / "executors"

    @property
    def journal(self) -> Path:
        return self.state_dir / ACCOUNT / "executor.journal"

    def executor(self, name: str = "executor", **more: Any) -> Process:
        """A process that trades the account; not started yet."""
        config = {
            "bus": self.bus_url,
            "group": f"executor-{ACCOUNT}",
            "account": ACCOUNT,
            "clock": "wall",
            "calendar": self.policy.spec.limits.session.calendar,
            "state_dir": str(self.state_dir),
            "lease_s": self.lease_s,
            "broker": {
                "url": self.url,
                "requests_per_minute": None,
                "timeout_ms": self.timeout_ms,
            },
            "engine": self._engine,
        }
        process = Process(self.folder, name, "tradewind.execution.executor", config | more)
        self.executors.append(process)
        return process

    # ---- what happens in the market, and what strategies want -----------------------------------------------------

    def quote(self, prices: dict[str, float]) -> None:
        """New prices: at the venue, and as a bar for the executor."""
        now = time.time_ns()
        rows = [
            {"symbol": s, "bid_price": int(p * DOLLAR), "ask_price": int(p * DOLLAR), "time": now}
            for s, p in prices.items()
        ]
        self.ask("POST", "/sim/quotes", {"quotes": rows})
        self.bars(prices)

    def bars(self, prices: dict[str, float]) -> None:
        """New prices for the executor alone."""
        now = time.time_ns()
        bars = [
            market_pb2.Bar(
                symbol=s, interval="1m", open_time=now - 60 * SECOND, event_time=now, available_time=now,
                open=int(p * DOLLAR), high=int(p * DOLLAR), low=int(p * DOLLAR), close=int(p * DOLLAR), volume=10**6,
            )
            for s, p in prices.items()
        ]  # fmt: skip
        self.bus.publish_many([Outgoing("bars", bar.symbol, bar) for bar in bars])

    def want(self, symbol: str, shares: int, **more: Any) -> str:
        """An intent for a target position, valid for a minute; its id."""
        self._number += 1
        now = time.time_ns()
        intent = trading_pb2.OrderIntent(
            id=f"intent-{self._number:05d}", strategy=self.strategy.uid, account=ACCOUNT, symbol=symbol,
            target_quantity=shares * SHARE, decision_time=now, valid_until=now + 60 * SECOND,
            order_type=trading_pb2.ORDER_TYPE_MARKET, time_in_force=trading_pb2.TIME_IN_FORCE_DAY,
            reference_price=100 * DOLLAR, model_alias="candidate",
        )  # fmt: skip
        for name, value in more.items():
            setattr(intent, name, value)
        self.bus.publish("intents", ACCOUNT, intent)
        return intent.id

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The venue's answer; asserts that it took the call."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE_S)) as connection:
            connection.request(method, path, None if body is None else json.dumps(body), _HEADERS)
            response = connection.getresponse()
            text = response.read()
        assert response.status < 300, f"{method} {path}: {response.status} {text[:300]!r}"
        return json.loads(text) if text else None

    # ---- what can be looked at ------------------------------------------------------------------------------------

    def venue_orders(self) -> list[dict[str, Any]]:
        """Every order that the venue ever took, oldest first."""
        found: list[dict[str, Any]] = []
        while True:
            after = f"&after_order_id={found[-1]['id']}" if found else ""
            page = self.ask("GET", f"/v2/orders?status=all&limit=500&direction=asc&nested=false{after}")
            found += page
            if len(page) < 500:
                return found

    def venue_position(self, symbol: str) -> int:
        """Whole shares that the venue says are held."""
        rows = self.ask("GET", "/v2/positions")
        return sum(int(row["qty"]) for row in rows if row["symbol"] == symbol)

    def records(self, kind: str) -> Iterator[dict[str, Any]]:
        """Of the journal."""
        if self.journal.exists():
            for entry in read_journal(self.journal):
                yield from (r for r in entry.get("records", []) if r["record"] == kind)

    def until(self, what: str, reached: Callable[[], bool], timeout: float = _PATIENCE_S) -> None:
        """Waits for something that other processes do."""
        deadline = time.monotonic() + timeout
        while not reached():
            assert time.monotonic() < deadline, f"{what}: not after {timeout:.0f} s\n{self.logs()}"
            time.sleep(0.02)

    def verdicts(self) -> dict[str, dict[str, Any]]:
        """The first verdict on each intent, from the journal."""
        found: dict[str, dict[str, Any]] = {}
        for record in self.records("verdict"):
            found.setdefault(record["intent"], record)
        return found

    def settled(self, intents: set[str]) -> bool:
        """Every intent has its verdict and every order has ended."""
        decided = set(self.verdicts())  # first: an order stands in the journal with its verdict
        last = {r["client_order_id"]: r["state"] for r in self.records("order")}
        done = {trading_pb2.ORDER_STATE_FILLED, trading_pb2.ORDER_STATE_CANCELED, trading_pb2.ORDER_STATE_REJECTED}
        return intents <= decided and all(state in done for state in last.values())

    def logs(self) -> str:
        """The last words of each process."""
        return "\n".join(f"== {p.log.name}\n{p.log.read_text()[-1500:]}" for p in [*self.executors, self.venue])
