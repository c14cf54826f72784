"""Shell: `python -m tradewind.streaming.recorder --config FILE.json`."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from tradewind.bus import BusError, Probes
from tradewind.streaming.recorder.config import RecorderConfig
from tradewind.streaming.recorder.errors import RecorderError
from tradewind.streaming.recorder.process import run

_BAD_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Record until SIGTERM or SIGINT; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tradewind.streaming.recorder", description="The bus, kept in SQL.")
    parser.add_argument("--config", type=Path, required=True, metavar="FILE", help="JSON of a RecorderConfig")
    path: Path = parser.parse_args(arguments).config
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        config = _load(path)
        with Probes(config.probes_port) as probes:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: probes.stop.set())
            run(config, probes)
    except (RecorderError, BusError) as error:
        sys.stderr.write(f"recorder: {error}\n")
        return _BAD_INPUT
    return 0


def _load(path: Path) -> RecorderConfig:
    try:
        return RecorderConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RecorderError(f"{path}: {error.strerror}: give the recorder's JSON file with --config") from error
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the file"
        raise RecorderError(f"{path}: {field}: {first['msg']}") from error


if __name__ == "__main__":
    sys.exit(main())
