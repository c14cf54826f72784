"""Shell: `python -m tradewind.streaming.feed --config FILE.json`."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
import threading
import time
from pathlib import Path

from pydantic import ValidationError

from tradewind.bus import Bus, BusError, open_bus
from tradewind.streaming.feed.config import AlpacaConfig, FeedConfig, ReplayConfig
from tradewind.streaming.feed.errors import FeedError, StoppedError
from tradewind.streaming.feed.live import Live
from tradewind.streaming.feed.replaying import Replaying

_REPORT_EVERY_S = 0.5


class Progress:
    """JSON lines on standard output, no more than two a second, and always the last."""

    def __init__(self, total: int, enabled: bool) -> None:
        self._total = total
        self._enabled = enabled
        self._next = 0.0

    def __call__(self, step: int, at: int) -> None:
        """`step` steps are done; virtual time is `at`."""
        now = time.monotonic()
        if self._enabled and (now >= self._next or step == self._total):
            self._next = now + _REPORT_EVERY_S
            _say({"step": step, "total": self._total, "time": at})


def _say(message: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def read_config(path: Path) -> FeedConfig:
    """The configuration in `path`.

    Raises:
        FeedError: naming the file and the field.
    """
    try:
        return FeedConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise FeedError(f"{path}: cannot be read ({error.strerror}); check --config") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "document"
        raise FeedError(f"{path}: {field}: {first['msg']}") from None


def run(config: FeedConfig, stop: threading.Event) -> None:
    """Feed until the data end or `stop` is set."""
    source = config.source
    if isinstance(source, ReplayConfig):
        replaying = Replaying(config, source)
        with open_bus(config.bus) as bus:
            _say({"ready": True, "accounts": config.accounts, "total": replaying.total})
            replaying.run(bus, Progress(replaying.total, config.progress), stop.is_set)
    else:
        with open_bus(config.bus) as bus:
            asyncio.run(_live(config, source, bus, stop))


async def _live(config: FeedConfig, source: AlpacaConfig, bus: Bus, stop: threading.Event) -> None:
    live = asyncio.ensure_future(Live(config, source, bus).run())
    _say({"ready": True, "accounts": config.accounts})
    stopping = asyncio.ensure_future(asyncio.to_thread(stop.wait))
    await asyncio.wait({live, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stop.set()
    if not live.done():
        live.cancel()
        await asyncio.wait({live})
        return
    await live


def main() -> int:
    """Exit status: 0 at the end of the data or when asked to stop, 2 with one line on stderr if it cannot go on."""
    parser = argparse.ArgumentParser(prog="tradewind.streaming.feed", description=FeedConfig.__doc__)
    parser.add_argument("--config", required=True, type=Path, help="JSON file with the feed's configuration")
    path = parser.parse_args().config
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        run(read_config(path), stop)
    except StoppedError:
        return 0
    except (FeedError, BusError) as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
