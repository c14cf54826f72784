"""The point-in-time dataset: features as they were known at each decision, joined with what the decision led to. Shell.

Feature history goes into the feature repository and comes back through Feast's point-in-time join, as it would in any
later training; what comes back is then checked against a join of our own, so that neither a bug there nor stale rows in
the store can put a value of the future, or of other data, before a model.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl

from tradewind.streaming.features.feature_set import FeatureSet
from tradewind.training.errors import LeakageError, TrainingError
from tradewind.training.history import History, known_at
from tradewind.training.labels import Label, make_labels
from tradewind.training.panel import Panel
from tradewind.training.weights import average_uniqueness
from tradewind.v1.market_pb2 import Event

# bars, events → symbol, event_time, available_time and one column per feature (NaN: not warm).
ComputeFeatures = Callable[[pl.DataFrame, Sequence[Event]], pl.DataFrame]


@dataclass(frozen=True)
class FeatureSource:
    """A feature set, the function that computes its history, and the feature that sizing takes as annual volatility."""

    feature_set: FeatureSet
    compute: ComputeFeatures
    volatility_feature: str

    def __post_init__(self) -> None:
        if self.volatility_feature not in self.feature_set.names:
            raise TrainingError(
                f"features.names: {self.volatility_feature}, by which positions are sized, is not in the feature set: "
                "add it to spec.features.names"
            )


class PointInTimeStore(Protocol):
    """What training needs of the feature repository."""

    def write_batch(self, frame: pl.DataFrame) -> None:
        """Add feature history."""

    def historical(self, entities: pl.DataFrame) -> pl.DataFrame:
        """The features known to each row (symbol, time) at its time."""


def build_panel(
    history: History, source: FeatureSource, store: PointInTimeStore, symbols: tuple[str, ...], label: Label
) -> Panel:
    """Every warm, labelled decision on `symbols` in `history`.

    Raises LeakageError when a feature depends on later bars or a row holds a value that was not known at its decision;
    TrainingError when no row is left after the features' warm-up.
    """
    names = list(source.feature_set.names)
    features = source.compute(history.bars, history.events)
    assert_causal(features, history, source)
    store.write_batch(features)
    outcomes = make_labels(history.bars.filter(~pl.col("context")), label, history.until)
    entities = outcomes.rename({"decision_time": "time"})
    joined = store.historical(entities)
    assert_point_in_time(joined, features, names)
    warm = joined.filter(pl.all_horizontal(pl.col(names).is_not_null() & pl.col(names).is_not_nan()))
    if warm.is_empty():
        raise TrainingError(
            f"training: no row has both all {len(names)} features and a label ({len(outcomes)} labelled bars, "
            f"{len(features)} vectors): give more history, or fewer features in spec.features.names"
        )
    return _to_panel(warm.sort("time", "symbol"), symbols, names, source.volatility_feature)


def assert_causal(features: pl.DataFrame, history: History, source: FeatureSource) -> None:
    """Raises LeakageError unless features computed on the older half of time are those computed on all of it.

    A feature that peeks at a later bar changes when that bar is taken away; time stamps alone would not show it.
    """
    times = history.bars["available_time"].unique().sort()
    cut = int(times[len(times) // 2])
    events = [event for event in history.events if event.available_time <= cut]
    then = source.compute(known_at(history.bars, cut), events)
    # A vector that waited for a late input was not known at the cut; only those that were must agree.
    now = features.filter(_known_time() <= cut).sort("event_time", "symbol")
    keys = ["symbol", "event_time"]
    then = now.select(keys).join(then, on=keys, how="inner", maintain_order="left")
    if len(then) != len(now):
        raise LeakageError(f"features: {len(now) - len(then)} vectors exist only when later bars are there")
    for name in source.feature_set.names:
        if not np.array_equal(now[name].to_numpy(), then[name].to_numpy(), equal_nan=True):
            raise LeakageError(f"features: {name} changes when later bars are taken away: it sees the future")


def assert_point_in_time(joined: pl.DataFrame, features: pl.DataFrame, names: list[str]) -> None:
    """Raises LeakageError unless each joined row holds the newest vector known at its `time`, and no other.

    `joined`: symbol, time and features. `features`: symbol, event_time, available_time and features.
    """
    known = features.with_columns(known_time=_known_time()).sort("known_time")
    rows = joined.select("symbol", "time", *names).with_row_index("row").sort("time")
    expected = rows.select("row", "symbol", "time").join_asof(
        known.select("symbol", "known_time", *names),
        left_on="time",
        right_on="known_time",
        by="symbol",
        strategy="backward",
        check_sortedness=False,
    )
    for name in names:
        got, want = rows[name].to_numpy(), expected[name].to_numpy()
        if not np.array_equal(got, want, equal_nan=True):
            wrong = int(np.sum(~((got == want) | (np.isnan(got) & np.isnan(want)))))
            raise LeakageError(
                f"features: {wrong} rows of {name} are not the value known at the decision: "
                "a vector of the future, or of other data in the state directory's feature store; use a fresh one"
            )


def _known_time() -> pl.Expr:
    return pl.max_horizontal("event_time", "available_time")


def _to_panel(rows: pl.DataFrame, symbols: tuple[str, ...], names: list[str], volatility_feature: str) -> Panel:
    codes = {symbol: index for index, symbol in enumerate(symbols)}
    symbol = np.array([codes[name] for name in rows["symbol"].to_list()], dtype=np.int64)
    decision_time, t1 = rows["time"].to_numpy(), rows["t1"].to_numpy()
    weight = np.ones(len(rows))
    for code in np.unique(symbol):
        own = symbol == code
        weight[own] = average_uniqueness(decision_time[own], t1[own])
    return Panel(
        symbols=symbols,
        feature_names=tuple(names),
        symbol=symbol,
        decision_time=decision_time,
        t1=t1,
        features=np.ascontiguousarray(rows.select(names).to_numpy()),
        label=rows["label"].to_numpy(),
        log_return=rows["log_return"].to_numpy(),
        weight=weight,
        annual_volatility=rows[volatility_feature].to_numpy(),
    )
