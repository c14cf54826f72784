"""Time of one pass through the risk gate, all limits on: `python -m benchmarks.risk_gate` prints JSON lines.

A loop in C++ times single checks (an intent's stage and its order's stage of the gate) with the time-stamp counter; the
cost of reading the counter is subtracted. Requests and account states differ from check to check and pass every
limit, so that each check is asked to its end; the run fails if one denies.
"""

from __future__ import annotations

import argparse
import json

from benchmarks.order_path import engine_config
from tradewind.native._core import bench_risk_gate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checks", type=int, default=1_000_000)
    checks = parser.parse_args().checks
    figures = bench_risk_gate(json.dumps(engine_config(["AAPL", "MSFT", "GOOG", "IBM", "FB"])), checks)
    if figures["accepted"] != checks:
        raise RuntimeError(f"only {figures['accepted']} of {checks} checks went through every limit")
    params = {"checks": checks, "clock_ns": round(figures["clock_ns"], 1)}
    for quantile in ("p50", "p99", "p99.9", "max"):
        line = {"bench": "risk_gate", "arm": "tradewind", "metric": f"check_{quantile}"}
        print(json.dumps(line | {"value": figures[quantile], "unit": "ns", "params": params}))


if __name__ == "__main__":
    main()
