"""Shell: Alpaca's market-data REST: historical bars and news, page by page."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tradewind.streaming.sources.alpaca_wire import TIMEFRAMES
from tradewind.streaming.sources.credentials import Credentials
from tradewind.streaming.sources.errors import SourceError

DATA_URL = "https://data.alpaca.markets"
_BARS_PER_PAGE = 10_000
_NEWS_PER_PAGE = 50
_ATTEMPTS = 5
_LONGEST_WAIT_S = 60.0


def tls_context(ca_file: Path | str | None) -> ssl.SSLContext:
    """The system's trust, and `ca_file` besides (a private venue's certificate).

    Raises:
        SourceError: the file is missing or holds no certificate.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=str(ca_file))
        except (OSError, ssl.SSLError) as error:
            raise SourceError(f"ca_file: {ca_file}: no usable certificate ({error}); give a PEM file") from None
    return context


class AlpacaData:
    """A client of the data REST. One thread at a time."""

    def __init__(
        self,
        base_url: str,
        credentials: Credentials,
        *,
        ca_file: Path | str | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._base = base_url.rstrip("/")
        self._pause = pause
        self._client = httpx.Client(
            headers=credentials.headers(), timeout=httpx.Timeout(30.0, connect=10.0), verify=tls_context(ca_file)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def bars(
        self,
        symbols: Sequence[str],
        interval: str,
        start: int,
        end: int,
        *,
        feed: str | None = None,
        adjustment: str = "raw",
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """(symbol, bar) with start <= open time <= end; numbers with a point come as text, exactly as sent."""
        query = {
            "symbols": ",".join(symbols),
            "timeframe": TIMEFRAMES[interval],
            "start": rfc3339(start),
            "end": rfc3339(end),
            "adjustment": adjustment,
            "limit": str(_BARS_PER_PAGE),
            "sort": "asc",
        }
        for page in self._pages("/v2/stocks/bars", query | ({"feed": feed} if feed else {})):
            for symbol, rows in (page.get("bars") or {}).items():
                for row in rows:
                    yield symbol, row

    def news(self, symbols: Sequence[str], start: int, end: int) -> Iterator[dict[str, Any]]:
        """Articles with start <= updated_at <= end, oldest first."""
        query = {
            "start": rfc3339(start),
            "end": rfc3339(end),
            "sort": "asc",
            "limit": str(_NEWS_PER_PAGE),
            "include_content": "false",
        }
        for page in self._pages("/v1beta1/news", query | ({"symbols": ",".join(symbols)} if symbols else {})):
            yield from page.get("news") or []

    def _pages(self, path: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        token: str | None = None
        while True:
            page = self._get(path, query | ({"page_token": token} if token else {}))
            yield page
            token = page.get("next_page_token")
            if not token:
                return

    def _get(self, path: str, query: dict[str, str]) -> dict[str, Any]:
        problem = ""
        for attempt in range(_ATTEMPTS):
            wait = min(2.0**attempt, _LONGEST_WAIT_S)
            try:
                response = self._client.get(self._base + path, params=query)
            except httpx.HTTPError as error:
                problem = str(error) or type(error).__name__
            else:
                if response.status_code == httpx.codes.OK:
                    return _body(response)
                problem = self._refusal(response)
                wait = _retry_after(response, wait)
            if attempt + 1 < _ATTEMPTS:
                self._pause(wait)
        raise SourceError(
            f"{self._base}{path}: no answer after {_ATTEMPTS} attempts ({problem}); check the address and the network"
        )

    def _refusal(self, response: httpx.Response) -> str:
        """The problem of an answer worth asking again for; raises for one that is final."""
        status = response.status_code
        if status in (401, 403):
            raise SourceError(
                f"{self._base}: refused our key ({status}); check APCA_API_KEY_ID and APCA_API_SECRET_KEY "
                "and that your plan includes this feed"
            )
        text = " ".join(response.text.split())[:200]
        if status != httpx.codes.TOO_MANY_REQUESTS and status < httpx.codes.INTERNAL_SERVER_ERROR:
            raise SourceError(f"{response.request.url.path}: refused ({status}: {text}); check symbols, dates and feed")
        return f"{status}: {text}"


def _body(response: httpx.Response) -> dict[str, Any]:
    try:
        body = json.loads(response.text, parse_float=str)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise SourceError(
            f"{response.request.url.path}: answer is not a JSON object; check that the address is Alpaca's data REST"
        )
    return body


def _retry_after(response: httpx.Response, otherwise: float) -> float:
    reset = response.headers.get("X-RateLimit-Reset", "")
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS and reset.isdigit():
        return min(max(int(reset) - time.time(), 0.1), _LONGEST_WAIT_S)
    return otherwise


def rfc3339(ns: int) -> str:
    """ns UTC as RFC 3339 with nine digits."""
    seconds, nanos = divmod(ns, 10**9)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{nanos:09d}Z"
