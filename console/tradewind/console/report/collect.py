"""Gathers what a report shows: from the bus, the SQL record, the journal, the venue and the model registry. Shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tradewind.bus import TOPICS, Bus, dead_topic
from tradewind.console.agreement import disagreements
from tradewind.console.documents import Documents
from tradewind.console.report.costs import cost_rows, parent_orders, tapes
from tradewind.console.report.data import MONEY, QUANTITY, EquityPoint, FillPoint, Gate, HopLatency, PricePoint, RunData
from tradewind.console.report.hops import bus_hops
from tradewind.console.report.ledgers import journal_ledger, sql_ledger, topic_ledger, venue_ledger
from tradewind.console.state import StateDirectory
from tradewind.native.engine import replay_journal
from tradewind.planning.local import BROKER_KEYS, Site, venue_ca, venue_url
from tradewind.streaming.datasets import read_dataset
from tradewind.streaming.recorder import Repository
from tradewind.streaming.recorder.repository import Fill
from tradewind.trading.transaction_costs import Bar, parent_cost, summarise_costs
from tradewind.v1 import market_pb2, trading_pb2

_BAR = ("open", "high", "low", "close", "volume", "vwap")


def collect(state: StateDirectory, documents: Documents, site: Site, bus: Bus, keys: dict[str, str]) -> RunData:
    """Everything about the run in `state`. One account per report: the first policy's."""
    account = documents.policies[0].metadata.name
    journal = state.root / "executors" / account / "executor.journal"
    bars, benchmark, opens = _prices(site, documents)
    with Repository(f"sqlite:///{state.root}/record.db") as repository:
        venue, venue_orders = venue_ledger(venue_url(site), venue_ca(site), keys[BROKER_KEYS[0]], keys[BROKER_KEYS[1]])
        others = [journal_ledger(journal, account), topic_ledger(bus, account), sql_ledger(repository, account)]
        problems = disagreements(venue, others)
        replayed = replay_journal(journal)
        decided = replayed["counts"]
        counts = repository.counts()
        recorded = repository.fills(account)
        fills = [_fill_point(f, opens) for f in recorded]
        parents = parent_orders(
            repository.intents(account),
            repository.order_events(account),
            repository.orders(account),
            recorded,
            max((own[-1].time for own in bars.values() if own), default=0),
        )
    markets = tapes(bars)
    costs = [parent_cost(p, markets[p.symbol]) for p in parents]
    equity = _equity(bus, account)
    return RunData(
        run=site.run,
        title=f"{documents.strategies[0].metadata.name}: a replayed session" if site.replay else "live session",
        strategies=[s.metadata.name for s in documents.strategies],
        starting_equity=_starting_equity(state),
        equity=equity,
        fills=fills,
        prices={s: [PricePoint(b.time, round(b.close * MONEY)) for b in own] for s, own in bars.items()},
        benchmark=benchmark,
        rejections=dict(sorted(decided["rejections"].items())),
        latencies=[*bus_hops(bus), *_executor_hops(state, account)],
        gates=_gates(state),
        counts={
            "bars": bus.end_offset("bars"),
            "feature vectors": bus.end_offset("features"),
            "predictions": counts["signals"],
            "intents": counts["intents"],
            "refused intents": decided["rejected"],
            "orders": counts["orders"],
            "orders at the venue": venue_orders,
            "dead letters": sum(bus.end_offset(dead_topic(t)) for t in TOPICS),
            "fills": len({(f.time, f.symbol, f.price) for f in fills}),
        },
        decision_hash=replayed["decision_hash"],
        venue_agrees=not problems,
        disagreements=problems,
        events=_events(bus),
        model=_model(state),
        provenance=_provenance(site),
        costs=summarise_costs(costs, markets),
        parents=cost_rows(costs, markets),
    )


def _starting_equity(state: StateDirectory) -> int:
    config = json.loads((state.configs / "venue.json").read_text(encoding="utf-8"))
    return int(config.get("starting_cash", "100000")) * MONEY


def _equity(bus: Bus, account: str) -> list[EquityPoint]:
    points: dict[int, EquityPoint] = {}
    for record in bus.read("positions"):
        snapshot = record.message
        assert isinstance(snapshot, trading_pb2.PositionSnapshot)
        if snapshot.account != account:
            continue
        values = [p.quantity * p.market_price // QUANTITY for p in snapshot.positions if not p.strategy]
        gross, net = sum(map(abs, values)), sum(values)
        points[snapshot.event_time] = EquityPoint(snapshot.event_time, snapshot.equity, gross, net)
    return [points[t] for t in sorted(points)]


def _fill_point(fill: Fill, opens: dict[tuple[str, int], int]) -> FillPoint:
    quantity = int(fill.quantity * QUANTITY) * (1 if fill.side.endswith("BUY") else -1)
    price = int(fill.price * MONEY)
    # A market order trades at the open of its bar; what it paid beyond that is slippage.
    reference = price if fill.internal else opens.get((fill.symbol, fill.event_time_ns), price)
    return FillPoint(
        fill.event_time_ns,
        fill.symbol,
        fill.strategy,
        quantity,
        price,
        int(fill.fee * MONEY),
        fill.internal,
        quantity * (price - reference) // QUANTITY,
    )


def _prices(
    site: Site, documents: Documents
) -> tuple[dict[str, list[Bar]], list[tuple[int, float]], dict[tuple[str, int], int]]:
    """Bars of the traded symbols, growth of equal parts bought at their first traded closes, and each bar's open."""
    assert site.replay is not None
    symbols = sorted({s for strategy in documents.strategies for s in strategy.spec.universe.symbols})
    bars = read_dataset(Path(site.replay.dataset)).bars.filter(pl.col("event_time") > site.replay.trained_until)
    if site.replay.end is not None:
        bars = bars.filter(pl.col("event_time") <= site.replay.end)
    own = bars.filter(pl.col("symbol").is_in(symbols)).select("event_time", "symbol", *_BAR)
    market = {
        symbol: [_bar(*row) for row in own.filter(pl.col("symbol") == symbol).select("event_time", *_BAR).rows()]
        for symbol in symbols
    }
    wide = own.pivot(on="symbol", index="event_time", values="close").sort("event_time")
    closes = wide.drop("event_time").fill_null(strategy="forward").to_numpy().astype(float)
    # A symbol that lists later is held as cash until then.
    first = np.array([column[~np.isnan(column)][0] for column in closes.T])
    growth = np.where(np.isnan(closes), 1.0, closes / first).mean(axis=1)
    times = wide["event_time"].to_list()
    opens = {(symbol, time): price for time, symbol, price in own.select("event_time", "symbol", "open").rows()}
    return market, list(zip(times, growth.tolist(), strict=True)), opens


def _bar(time: int, open_: int, high: int, low: int, close: int, volume: int, vwap: int | None) -> Bar:
    own = None if vwap is None else vwap / MONEY
    return Bar(time, open_ / MONEY, high / MONEY, low / MONEY, close / MONEY, volume, own)


def _events(bus: Bus) -> list[tuple[int, str]]:
    items = [r.message for r in bus.read("news")]
    return [(n.event_time, n.headline) for n in items if isinstance(n, market_pb2.NewsItem)]


def _executor_hops(state: StateDirectory, account: str) -> list[HopLatency]:
    path = state.root / "executors" / f"{account}.latency.json"
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return [HopLatency(r["hop"], r["count"], r["p50_us"], r["p99_us"], r["p999_us"]) for r in rows if r["count"]]


def _training_results(state: StateDirectory) -> list[dict[str, Any]]:
    return [json.loads(p.read_text(encoding="utf-8")) for p in sorted((state.root / "training").glob("*.json"))]


def _gates(state: StateDirectory) -> list[Gate]:
    return [
        Gate(result["model"], g["name"], g["verdict"], g["value"], g["threshold"], g["comparison"])
        for result in _training_results(state)
        for g in result["gates"]
    ]


def _model(state: StateDirectory) -> dict[str, str]:
    return {
        f"{result['model']} version {result['version']}": (
            "gates passed" if result["gates_passed"] else "gates failed: trades in Paper under the alias candidate"
        )
        for result in _training_results(state)
    }


def _provenance(site: Site) -> list[str]:
    assert site.replay is not None
    manifest = read_dataset(Path(site.replay.dataset)).manifest
    return [f"{manifest.name}: {manifest.source} ({manifest.licence}), {manifest.adjustment}"]
