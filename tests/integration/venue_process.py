"""The venue as a process of its own, and what it takes to talk to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import requests

KEY, SECRET = "AKTEST", "not-a-real-secret"
HEADERS = {"APCA-API-KEY-ID": KEY, "APCA-API-SECRET-KEY": SECRET}
# Monday 3 June 2024, 16:00 in New York; one daily step a day from there.
CLOSE = int(datetime(2024, 6, 3, 20, 0, tzinfo=UTC).timestamp()) * 10**9
DAY = 86_400 * 10**9


@dataclass
class Venue:
    """A venue process and what it takes to talk to it."""

    url: str
    ca: str
    session: requests.Session

    @property
    def socket_url(self) -> str:
        return self.url.replace("https", "wss")

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        response = self.session.post(self.url + path, json=body, timeout=30)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def advance(self, day: int, **closes: str) -> dict[str, Any]:
        """Daily bars `day` days on: flat at each symbol's price, a million shares."""
        time = CLOSE + day * DAY
        bars = [daily_bar(symbol, price, time) for symbol, price in closes.items()]
        return self.post("/sim/advance", {"time": time, "bars": bars, "session_end": True})

    def bar(self, day: int, symbol: str, *prices: str) -> None:
        """One daily bar: open, high, low, close."""
        names = ("open", "high", "low", "close")
        fixed = {name: int(Decimal(price) * 10**8) for name, price in zip(names, prices, strict=True)}
        time = CLOSE + day * DAY
        body = {"time": time, "bars": [{**daily_bar(symbol, prices[0], time), **fixed}], "session_end": True}
        self.post("/sim/advance", body)

    def misbehave(self, *rules: dict[str, Any]) -> None:
        """Put rules of misbehaviour in force."""
        response = self.session.put(self.url + "/sim/faults", json={"rules": rules}, timeout=30)
        assert response.status_code == 200, response.text


def daily_bar(symbol: str, price: str, time: int) -> dict[str, Any]:
    fixed = int(Decimal(price) * 10**8)
    opened = time - 65 * 360 * 10**9
    return {
        "symbol": symbol,
        "open_time": opened,
        "event_time": time,
        **dict.fromkeys(("open", "high", "low", "close"), fixed),
        "volume": 1_000_000,
    }
