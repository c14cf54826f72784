"""Core: the point-in-time join of training rows with feature rows, in time linear in their number after one sort.

A feature row is *known* from max(event, created) on: before its event it lies in the future, before it was created
nobody had it. At time T a symbol's value is, among the rows known at T, the one with the latest event, and among
several versions of that event the one created last (docs/features.md). With rows in the order they became known,
"the best known so far" is a running maximum, so the join needs one backward look-up per training row instead of the
pairing of every training row with every feature row of its symbol that Feast's own file stores make.
"""

from __future__ import annotations

import polars as pl

SYMBOL = "symbol"
EVENT = "event_timestamp"
CREATED = "created_timestamp"
_ROW, _BEST, _KNOWN, _RANK = "__row", "__best", "__known", "__rank"


def asof_join(entities: pl.DataFrame, rows: pl.DataFrame, features: list[str], ttl_ns: int = 0) -> pl.DataFrame:
    """The feature values known to each entity row.

    entities: columns symbol (str) and event_timestamp (int64 ns), the moment of the decision. rows: symbol,
    event_timestamp, created_timestamp (int64 ns) and the features, in the order they were written. ttl_ns: a value
    whose event is more than this before the entity row's time is missing (0 = never). Returns one row per entity row,
    in its order, with the columns of `features`; null where nothing was known.
    """
    # Position in the order (event, created, written): the larger of two is the one to use once both are known.
    ranked = rows.sort(SYMBOL, EVENT, CREATED, maintain_order=True).with_row_index(_RANK)
    known = (
        ranked.select(SYMBOL, _RANK, pl.max_horizontal(EVENT, CREATED).alias(_KNOWN))
        .sort(_KNOWN, maintain_order=True)
        .with_columns(pl.col(_RANK).cum_max().over(SYMBOL).alias(_BEST))
        .unique([SYMBOL, _KNOWN], keep="last", maintain_order=True)
        .select(SYMBOL, _KNOWN, _BEST)
    )
    wanted = entities.select(SYMBOL, pl.col(EVENT).alias(_KNOWN)).with_row_index(_ROW).sort(_KNOWN)
    matched = wanted.join_asof(known, on=_KNOWN, by=SYMBOL, strategy="backward", check_sortedness=False)
    values = matched.join(
        ranked.select(pl.col(_RANK).alias(_BEST), EVENT, *features), on=_BEST, how="left", maintain_order="left"
    )
    if ttl_ns:
        fresh = pl.col(EVENT) >= pl.col(_KNOWN) - ttl_ns
        values = values.with_columns([pl.when(fresh).then(pl.col(name)).alias(name) for name in features])
    return values.sort(_ROW).select(features)


def latest(rows: pl.DataFrame) -> pl.DataFrame:
    """The newest row of each symbol: latest event, then latest created, then last written."""
    return rows.sort(EVENT, CREATED, maintain_order=True).unique(SYMBOL, keep="last", maintain_order=True).sort(SYMBOL)


def deduplicated(rows: pl.DataFrame) -> pl.DataFrame:
    """One row per (symbol, event, created): a row written again after a restart counts once (the last one)."""
    return rows.unique([SYMBOL, EVENT, CREATED], keep="last", maintain_order=True)
