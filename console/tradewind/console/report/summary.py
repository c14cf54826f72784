"""The run's figures for programs (`summary.json`). Core."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tradewind.console.report.data import MONEY, RunData
from tradewind.console.report.statistics import performance, round_trips


def summarise(data: RunData, report: Path, seconds: float) -> dict[str, Any]:
    """Counts, money as decimal text, shares as numbers, latencies in microseconds."""
    figures = performance(data)
    last = data.equity[-1].equity if data.equity else data.starting_equity
    return {
        "run": data.run,
        "bars": data.counts.get("bars", 0),
        "features": data.counts.get("feature vectors", 0),
        "predictions": data.counts.get("predictions", 0),
        "intents": data.counts.get("intents", 0),
        "rejections": data.counts.get("refused intents", 0),
        "rejections_by_code": data.rejections,
        "orders": data.counts.get("orders", 0),
        "fills": data.counts.get("fills", 0),
        "dead_letters": data.counts.get("dead letters", 0),
        "trades": len(round_trips(data.fills)),
        "equity": text(last),
        "pnl": text(last - data.starting_equity),
        "costs": text(sum(f.fee + f.slippage for f in data.fills)),
        "transaction_costs": [{k: _rounded(v) for k, v in asdict(c).items()} for c in data.costs],
        "return": figures.total_return,
        "sharpe": figures.sharpe if math.isfinite(figures.sharpe) else None,  # NaN is no JSON
        "max_drawdown": figures.max_drawdown,
        "buy_and_hold_return": figures.benchmark_return,
        "decision_hash": data.decision_hash,
        "venue_agrees": data.venue_agrees,
        "disagreements": data.disagreements,
        "latency_us": {h.hop: {"p50": h.p50, "p99": h.p99, "p99.9": h.p999, "n": h.count} for h in data.latencies},
        "gates": [
            {"model": g.model, "name": g.name, "verdict": g.verdict, "value": g.value, "threshold": g.threshold}
            for g in data.gates
        ],
        "seconds": round(seconds, 1),
        "report": str(report),
    }


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def text(amount: int) -> str:
    """Money (1e-8) as decimal text with cents."""
    sign = "-" if amount < 0 else ""
    cents = (abs(amount) * 100 + MONEY // 2) // MONEY
    return f"{sign}{cents // 100}.{cents % 100:02d}"
