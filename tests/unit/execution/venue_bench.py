"""What the tests of the venue's core drive it with."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from tradewind.execution.venue import core, queries
from tradewind.execution.venue.account import Account
from tradewind.execution.venue.market import Asset
from tradewind.execution.venue.matching import Terms
from tradewind.execution.venue.session import advance
from tradewind.execution.venue.state import State
from tradewind.execution.venue.wire import order_json

ONE = 10**8
SHARE = 10**9
CASH = 100_000 * ONE


def dollars(text: str) -> int:
    return int(Decimal(text) * ONE)


class Bench:
    """A state with short ways to drive it."""

    def __init__(self, **terms: Any) -> None:
        conditions = {"starting_cash": CASH, "slippage_ppm": 100, **terms}
        self.state = State(Terms(**conditions), Account(CASH, CASH, now=0, opened_at=0, last_equity=CASH))
        for symbol in ("AAPL", "MSFT"):
            self.state.add_asset(Asset(symbol))
        self.time = 0

    def bar(
        self,
        symbol: str = "AAPL",
        *,
        o: str = "100",
        h: str | None = None,
        low: str | None = None,
        c: str | None = None,
        volume: int = 10**6,
    ) -> dict[str, Any]:
        close = c or o
        prices = [dollars(price) for price in (o, close, h or o, low or o)]
        return {
            "symbol": symbol,
            "open_time": self.time,
            "event_time": self.time + 60 * 10**9,
            "open": prices[0],
            "high": max(prices),
            "low": min(prices),
            "close": prices[1],
            "volume": volume,
        }

    def step(self, *bars: dict[str, Any], end: bool = True, **more: Any) -> dict[str, Any]:
        self.time += 60 * 10**9
        return advance(self.state, {"time": self.time, "bars": list(bars), "session_end": end, **more})

    def send(self, side: str = "buy", qty: object = 10, symbol: str = "AAPL", **more: Any) -> dict[str, Any]:
        kind = "limit" if "limit_price" in more else "market"
        body = {"symbol": symbol, "qty": qty, "side": side, "type": kind, "time_in_force": "day", **more}
        return core.submit(self.state, {key: value for key, value in body.items() if value is not None}, self.now)

    @property
    def now(self) -> int:
        return self.state.account.now

    def order(self, order: dict[str, Any]) -> dict[str, Any]:
        return order_json(core.find_order(self.state, order["id"]))

    def shown(self, order: dict[str, Any]) -> tuple[str, str, str | None]:
        row = self.order(order)
        return row["status"], row["filled_qty"], row["filled_avg_price"]

    def buying_power(self) -> str:
        return str(queries.account_view(self.state)["buying_power"])

    def events(self) -> list[tuple[str, str]]:
        return [(data["event"], data["order"]["id"]) for _, data in self.state.take_changes().events]


def opened(**terms: Any) -> Bench:
    """A bench after its first step: prices known, nothing left to be written."""
    bench = Bench(**terms)
    bench.step(bench.bar(), bench.bar("MSFT"))
    bench.state.take_changes()
    return bench
