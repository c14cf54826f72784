"""Time of one pass through the risk gate, all limits on: `python -m benchmarks.risk_gate` prints JSON lines.

A loop in C++ puts one small order after another to an engine that is connected, in session, has an estimate of each
symbol and an order working in some of them. Timed is what an order meets: the account's snapshot and every limit,
with the time-stamp counter; the cost of reading the counter is subtracted. Every order passes every limit, so that
each check is asked to its end; the run fails if one denies. An engine works at most one order per symbol, so that
more open orders come with more symbols.

`nautilus` is NautilusTrader's RiskEngine up to a client that only counts, if it is installed: fewer limits, one symbol.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
from typing import Any

from benchmarks.order_path import engine_config
from tradewind.native._core import bench_risk_gate

_PEER_CHECKS = 20_000

# (symbols, open orders)
ARMS = ((500, 100), (500, 500), (5_000, 5_000), (10_000, 100), (10_000, 10_000))


def wide(symbols: int) -> dict[str, Any]:
    """Every limit is on and none denies."""
    config = engine_config([f"S{i:05d}" for i in range(symbols)])
    config["limits"] |= {"max_positions": 10**6, "session_skip_first_ns": 300 * 10**9}
    config["limits"] |= {"session_skip_last_ns": 300 * 10**9, "feed_lost_after_ns": 120 * 10**9}
    return config | {"max_orders": 3 * symbols + 16, "max_intents": 3 * symbols + 16}


def nautilus() -> None:
    """The peer's arm, or a word that it is not there."""
    if importlib.util.find_spec("nautilus_trader") is None:
        print("risk_gate: nautilus_trader is not installed; its arm is left out", file=sys.stderr)
        return
    from benchmarks.nautilus_risk_gate import measure

    times = sorted(measure(_PEER_CHECKS))
    params = {"checks": _PEER_CHECKS, "symbols": 1}
    for quantile, share in (("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999), ("max", 1.0)):
        value = times[min(int(share * len(times)), len(times) - 1)]
        line = {"bench": "risk_gate", "arm": "nautilus", "metric": f"check_{quantile}"}
        print(json.dumps(line | {"value": value, "unit": "ns", "params": params}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checks", type=int, default=1_000_000)
    checks = parser.parse_args().checks
    nautilus()
    for symbols, orders in ARMS:
        figures = bench_risk_gate(json.dumps(wide(symbols)), orders, checks)
        if figures["accepted"] != checks or figures["working"] != orders:
            raise RuntimeError(
                f"only {figures['accepted']} of {checks} orders went through every limit, {figures['working']} worked"
            )
        params = {
            "checks": checks,
            "symbols": symbols,
            "open_orders": orders,
            "clock_ns": round(figures["clock_ns"], 1),
        }
        for quantile in ("p50", "p99", "p99.9", "max"):
            line = {"bench": "risk_gate", "arm": "tradewind", "metric": f"check_{quantile}"}
            print(json.dumps(line | {"value": figures[quantile], "unit": "ns", "params": params}))


if __name__ == "__main__":
    main()
