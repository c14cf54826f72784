"""Fixtures of the tests that drive the simulated venue with Alpaca's own client."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from alpaca.trading.client import TradingClient

from tests.integration.venue_process import HEADERS, KEY, SECRET, Venue


@pytest.fixture
def venue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Venue]:
    config = tmp_path / "venue.json"
    config.write_text(json.dumps({"state_dir": str(tmp_path / "state"), "symbols": ["AAPL", "MSFT"]}))
    environment = {**os.environ, "APCA_API_KEY_ID": KEY, "APCA_API_SECRET_KEY": SECRET}
    process = subprocess.Popen(
        [sys.executable, "-m", "tradewind.execution.venue", "--config", str(config)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        ready = json.loads(process.stdout.readline())
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", ready["ca"])
        monkeypatch.setenv("SSL_CERT_FILE", ready["ca"])
        session = requests.Session()
        session.headers.update(HEADERS)
        yield Venue(ready["url"], ready["ca"], session)
        session.close()
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


@pytest.fixture
def client(venue: Venue) -> TradingClient:
    return TradingClient(KEY, SECRET, url_override=venue.url)


@pytest.fixture
def run_stream(venue: Venue) -> Iterator[Callable[[Any], None]]:
    """Runs alpaca-py streams on threads of their own and stops them at the end."""
    running: list[tuple[Any, threading.Thread]] = []

    def start(stream: Any) -> None:
        thread = threading.Thread(target=stream.run, daemon=True)
        thread.start()
        running.append((stream, thread))

    yield start
    for stream, _ in running:
        stream.stop()
    for _, thread in running:
        thread.join(60)
        assert not thread.is_alive()
