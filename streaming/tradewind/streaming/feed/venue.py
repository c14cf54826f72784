"""Shell: moves the simulated venue's time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import httpx

from tradewind.streaming.feed.config import VenueConfig
from tradewind.streaming.feed.errors import FeedError, StoppedError
from tradewind.streaming.sources.alpaca_rest import tls_context
from tradewind.streaming.sources.credentials import Credentials
from tradewind.streaming.sources.errors import SourceError
from tradewind.v1 import market_pb2

_RETRY_S = 0.2


class Venue:
    """A connection to the venue. Advancing to a time told before changes nothing and gives the same answer."""

    def __init__(self, config: VenueConfig, stall_s: float, stopped: Callable[[], bool]) -> None:
        self._url = config.url.rstrip("/")
        self._stall_s = stall_s
        self._stopped = stopped
        try:
            headers = Credentials.from_environment().headers()
            self._client = httpx.Client(headers=headers, verify=tls_context(config.ca_file), timeout=30.0)
        except SourceError as error:
            raise FeedError(str(error)) from None

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def advance(self, now: int, bars: Sequence[market_pb2.Bar], session_end: bool) -> int:
        """Trade resting orders against `bars`; returns the id of the last event that belongs before this time.

        Raises:
            FeedError: the venue refuses, or cannot be reached for `stall_s` seconds.
        """
        body = {"time": now, "bars": [_bar(bar) for bar in bars], "session_end": session_end}
        deadline = time.monotonic() + self._stall_s
        while True:
            if self._stopped():
                raise StoppedError
            try:
                response = self._client.post(f"{self._url}/sim/advance", json=body)
            except httpx.HTTPError as error:
                problem = str(error) or type(error).__name__
            else:
                if response.status_code == httpx.codes.OK:
                    return int(response.json()["event_id"])
                problem = f"{response.status_code}: {' '.join(response.text.split())[:200]}"
                if response.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    raise FeedError(f"venue {self._url}: refused to advance to {now} ({problem})")
            if time.monotonic() >= deadline:
                raise FeedError(
                    f"venue {self._url}: not reached for {self._stall_s:.0f} s ({problem}); is it running there?"
                )
            time.sleep(_RETRY_S)


def _bar(bar: market_pb2.Bar) -> dict[str, Any]:
    row: dict[str, Any] = {
        name: getattr(bar, name)
        for name in ("symbol", "open_time", "event_time", "open", "high", "low", "close", "volume")
    }
    if bar.HasField("vwap"):
        row["vwap"] = bar.vwap
    if bar.HasField("trade_count"):
        row["trade_count"] = bar.trade_count
    return row
