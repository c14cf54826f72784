"""Shell: `python -m tradewind.streaming.features --config FILE.json`: the features process.

Prints {"ready": true, ...} on one line when it has caught up with what was committed, then works until SIGTERM.
Bad input: one line on stderr, exit status 2.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path

import polars as pl
from pydantic import ValidationError

from tradewind.bus import BRINGERS_OUTAGE_S, BusError, Probes, open_bus
from tradewind.streaming.datasets import DataError, read_dataset
from tradewind.streaming.features.config import FeaturesConfig, HistoryConfig
from tradewind.streaming.features.engine import NativeVectorEngine, native_feature_set
from tradewind.streaming.features.feature_set import FeatureSetError
from tradewind.streaming.features.history import in_stream_order
from tradewind.streaming.features.process import FeatureProcess, FeatureProcessError
from tradewind.streaming.features.stream import FeatureStream
from tradewind.streaming.features.yielding import YieldingSink
from tradewind.v1.market_pb2 import Bar, Event


def load_config(path: Path) -> FeaturesConfig:
    """The configuration in `path`; raises FeatureProcessError naming the file and the field."""
    try:
        return FeaturesConfig.model_validate_json(path.read_bytes())
    except OSError as error:
        raise FeatureProcessError(f"{path}: cannot be read ({error.strerror}); name the process's JSON file") from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "JSON"
        raise FeatureProcessError(f"{path}: {field}: {first['msg']}") from None


def read_events(path: str) -> list[Event]:
    """Events kept as Parquet: the columns of the Event message."""
    try:
        frame = pl.read_parquet(path)
        return [Event(**row) for row in frame.iter_rows(named=True)]
    except (OSError, pl.exceptions.PolarsError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise FeatureProcessError(f"history.events: {path} is not a Parquet file of events ({reason})") from None


def read_history(config: HistoryConfig | None) -> tuple[list[Bar], list[Event]]:
    """The bars and events before the bus begins, in the order the stream takes them."""
    if config is None:
        return [], []
    bars = list(in_stream_order(read_dataset(config.dataset).between(end=config.until).bars))
    events = read_events(config.events) if config.events else []
    return bars, [event for event in events if event.available_time <= config.until]


def run(config: FeaturesConfig, probes: Probes) -> None:
    """Work until `probes.stop` is set."""
    chosen = config.feature_set
    feature_set = native_feature_set(chosen.name, chosen.names, chosen.interval, chosen.version)
    stream = FeatureStream(
        NativeVectorEngine(chosen.names, chosen.context_symbol),
        chosen.interval,
        chosen.context_symbol,
        int(config.context_timeout_seconds * 1e9),
    )
    from tradewind.streaming.features.repository import FeatureRepository  # Feast takes seconds: bad input fails first

    repository = FeatureRepository.open(config.state_dir, feature_set, store=config.store)
    with probes.measured(open_bus(config.bus, BRINGERS_OUTAGE_S)) as bus:
        sink = YieldingSink(repository)
        process = FeatureProcess(bus, config.group, feature_set, stream, sink, poll_records=config.poll_records)
        process.restore(*read_history(config.history))
        probes.begin()
        print(json.dumps({"ready": True, "feature_set_version": feature_set.version}), flush=True)  # noqa: T201
        try:
            while not probes.stop.is_set():
                process.step(0.5)
        finally:
            process.close()
            sink.close()
            repository.close()


def main() -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="tradewind.streaming.features", description="Bars and events to features.")
    parser.add_argument("--config", type=Path, required=True, help="JSON file of this process")
    path = parser.parse_args().config
    try:
        config = load_config(path)
        with Probes(config.probes_port) as probes:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: probes.stop.set())
            run(config, probes)
    except (FeatureProcessError, FeatureSetError, DataError, BusError) as error:
        sys.stderr.write(f"features: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
