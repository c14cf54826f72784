"""Shell: `python -m tradewind.streaming.feed --config FILE.json`."""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import sys
import time
from pathlib import Path

from pydantic import ValidationError

from tradewind.bus import BRINGERS_OUTAGE_S, Bus, BusError, Probes, open_bus
from tradewind.streaming.feed.config import AlpacaConfig, FeedConfig, ReplayConfig
from tradewind.streaming.feed.errors import FeedError, StoppedError
from tradewind.streaming.feed.live import Live
from tradewind.streaming.feed.replaying import Replaying

_REPORT_EVERY_S = 0.5
_LOOK_S = 0.2


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


def run(config: FeedConfig, probes: Probes) -> None:
    """Feed until the data end or `probes.stop` is set."""
    source = config.source
    if isinstance(source, ReplayConfig):
        replaying = Replaying(config, source)
        with probes.measured(open_bus(config.bus, BRINGERS_OUTAGE_S)) as bus:
            probes.begin()
            _say({"ready": True, "accounts": config.accounts, "total": replaying.total})
            replaying.run(bus, Progress(replaying.total, config.progress), probes.stop.is_set)
    else:
        with probes.measured(open_bus(config.bus, BRINGERS_OUTAGE_S)) as bus:
            asyncio.run(_live(config, source, bus, probes))


async def _live(config: FeedConfig, source: AlpacaConfig, bus: Bus, probes: Probes) -> None:
    feed = Live(config, source, bus)
    probes.upstream("stream", feed.problem)
    live = asyncio.ensure_future(feed.run())
    probes.begin()
    _say({"ready": True, "accounts": config.accounts})
    while not live.done():
        if probes.stop.is_set():
            live.cancel()
            await asyncio.wait({live})
            return
        await asyncio.wait({live}, timeout=_LOOK_S)
    await live


def main() -> int:
    """Exit status: 0 at the end of the data or when asked to stop, 2 with one line on stderr if it cannot go on."""
    parser = argparse.ArgumentParser(prog="tradewind.streaming.feed", description=FeedConfig.__doc__)
    parser.add_argument("--config", required=True, type=Path, help="JSON file with the feed's configuration")
    path = parser.parse_args().config
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
    try:
        config = read_config(path)
        with Probes(config.probes_port) as probes:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: probes.stop.set())
            run(config, probes)
    except StoppedError:
        return 0
    except (FeedError, BusError) as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
