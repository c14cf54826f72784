"""What the hop benchmark feeds to the processes: a market, a model, the documents of a run. Shell (writes files)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import lightgbm
import numpy as np
import polars as pl

from benchmarks.serving import MODEL, register
from tradewind.specs import RiskPolicy, Strategy
from tradewind.streaming.datasets import SessionCalendar, write_dataset
from tradewind.streaming.features.history import compute_history
from tradewind.v1.market_pb2 import Bar

INDEX = "^BENCH"
ACCOUNT = "benchmark"
MINUTE = 60_000_000_000
_FIRST_SESSION = np.datetime64("2024-03-04")
_VOLATILITY = 0.001  # of a one-minute log return
_PRICES = ("open", "high", "low", "close")


def make_market(symbols: Sequence[str], count: int) -> list[list[Bar]]:
    """`count` consecutive one-minute bar times of regular sessions, random walks; the index leads each time."""
    calendar = SessionCalendar.load("XNYS", 2024)
    first = int(np.searchsorted(calendar.days, _FIRST_SESSION))
    closes = np.concatenate([calendar.slot_closes(first + day, MINUTE) for day in range(count // 200 + 1)])[:count]
    rng = np.random.default_rng(0)
    names = [INDEX, *symbols]
    walks = 100.0 * np.exp(np.cumsum(rng.normal(0.0, _VOLATILITY, (count, len(names))), axis=0))
    return [
        [
            _bar(name, int(closes[row]), float(walks[max(row - 1, 0), n]), float(walks[row, n]))
            for n, name in enumerate(names)
        ]
        for row in range(count)
    ]


def _bar(symbol: str, time: int, before: float, after: float) -> Bar:
    opened, closed = (round(price, 2) for price in (before, after))
    low, high = min(opened, closed) - 0.01, max(opened, closed) + 0.01
    fixed = [round(price * 100) * 10**6 for price in (opened, high, low, closed)]
    return Bar(
        symbol=symbol, interval="1m", open_time=time - MINUTE, event_time=time, available_time=time,
        open=fixed[0], high=fixed[1], low=fixed[2], close=fixed[3], volume=1_000_000, context=symbol == INDEX,
    )  # fmt: skip


def write_history(directory: Path, market: Sequence[Sequence[Bar]]) -> pl.DataFrame:
    """The bars before the run as a data set in `directory`; returns its table."""
    columns = ("symbol", "interval", "open_time", "event_time", "available_time", *_PRICES, "volume", "context")
    rows = {name: [getattr(bar, name) for step in market for bar in step] for name in columns}
    absent = [pl.lit(None, pl.Int64).alias(name) for name in ("vwap", "trade_count")]
    table = pl.DataFrame(rows).with_columns(absent)
    write_dataset(
        directory, table, name="benchmark", interval="1m", stamps="close", adjustment="raw", source="random walks"
    )
    return table


def register_model(root: Path, history: pl.DataFrame, names: Sequence[str]) -> None:
    """300 trees of 31 leaves on the history's own vectors and random labels, so that its opinion changes every bar."""
    matrix = compute_history(history, [], names, INDEX).select(names).to_numpy()
    rng = np.random.default_rng(1)
    data = lightgbm.Dataset(matrix, rng.integers(0, 3, len(matrix)), feature_name=list(names))
    parameters = {"objective": "multiclass", "num_class": 3, "verbose": -1, "num_threads": 1, "num_leaves": 31}
    root.mkdir(parents=True, exist_ok=True)
    register(root, lightgbm.train(parameters, data, 100), names)


def documents(symbols: Sequence[str]) -> tuple[Strategy, RiskPolicy]:
    """A strategy that wants another position at nearly every bar, and limits that let it."""
    head = {"apiVersion": "tradewind.dev/v1alpha1"}
    share = round(0.8 / len(symbols), 4)
    strategy = {
        "mode": "Paper",
        "riskPolicy": ACCOUNT,
        "bars": "1m",
        "universe": {"symbols": list(symbols), "context": INDEX},
        "model": MODEL,
        "signal": {"threshold": 0.0, "fullStrengthAt": 0.5},
        "sizing": {"method": "PercentEquity", "maxPositionPct": share, "minPositionPct": 0, "rebalanceThreshold": 0},
        "execution": {"orderType": "Market"},
    }
    limits = {
        "loss": {"daily": 1.0, "weekly": 1.0, "monthly": 1.0, "consecutive": 100, "perTrade": 1.0, "perTradeHard": 1.0},
        "drawdown": [{"at": 0.97, "size": 0.75}, {"at": 0.98, "size": 0.5}, {"at": 0.99, "size": 0}],
        "position": {"maxShare": 1.0, "maxCount": 2000},
        "exposure": {"gross": 4, "net": 4, "shortShareOfGross": 1.0, "sector": 1.0, "correlatedGroup": 1.0},
        "order": {"maxNotional": "1000000", "perMinute": 10000, "tradesPerDay": 10**8},
        "volatility": {"indexHalveAt": 99998, "indexHaltAt": 99999, "var95": 1.0, "portfolio": 1.0, "assumed": 0.001},
        "session": {"calendar": "24/7", "skipFirst": "0s", "skipLast": "0s"},
    }
    return (
        Strategy.model_validate({**head, "kind": "Strategy", "metadata": {"name": "hops"}, "spec": strategy}),
        RiskPolicy.model_validate(
            {
                **head,
                "kind": "RiskPolicy",
                "metadata": {"name": ACCOUNT},
                "spec": {"account": "paper", "strategies": ["hops"], "limits": limits},
            }
        ),
    )
