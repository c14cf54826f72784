"""From a frame of `trade_updates` to moved books: `python -m benchmarks.trade_updates` prints JSON lines.

A loop in C++: an order is decided and accepted, then one frame with all that Alpaca says of a fill is parsed, taken by
the engine and written to the journal; fill, position, account and risk records included. Counted is the frame alone,
by CLOCK_MONOTONIC (some 25 ns a reading), in one thread: the hand-over from the link's thread to the engine's is not in
it. The aim is 10 µs at the 99th percentile.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks.order_path import engine_config
from tradewind.native._core import bench_trade_updates


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=50_000, help="below the intents that an engine remembers, 65,536")
    parser.add_argument("--symbols", type=int, default=20, help="configured beside the one that trades")
    options = parser.parse_args()
    config = engine_config(["AAPL", *(f"S{number:03d}" for number in range(options.symbols - 1))])
    with tempfile.TemporaryDirectory(prefix="trade-updates-") as folder:
        figures = bench_trade_updates(json.dumps(config), str(Path(folder)), options.frames)
    params = {"frames": figures["fills"], "symbols": options.symbols}
    for stage in ("parse", "books"):
        for quantile in ("p50", "p99", "p99.9", "max"):
            line = {"bench": "trade_updates", "arm": "tradewind", "metric": f"{stage}_{quantile}"}
            print(json.dumps(line | {"value": figures[stage][quantile], "unit": "ns", "params": params}))


if __name__ == "__main__":
    main()
