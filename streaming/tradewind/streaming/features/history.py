"""Core: the features of recorded bars, computed as the stream would have.

The arithmetic is the native engine's own batch loop; this file sorts out which bars of a table the stream would have
used, so that training sees the very vectors that serving will.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import polars as pl

from tradewind.native.features import BarArrays, compute_batch
from tradewind.streaming.features.engine import native_event
from tradewind.streaming.features.feature_set import FeatureSetError
from tradewind.v1.market_pb2 import Bar, Event

_BAR_COLUMNS = ("open", "high", "low", "close", "volume")


def compute_history(
    bars: pl.DataFrame, events: Iterable[Event], names: Sequence[str], context_symbol: str | None
) -> pl.DataFrame:
    """The feature vectors of every symbol that is not context, at each of its bars.

    bars: columns of the data set format (prices int64 at 1e-8), one interval. events: in any order. Returns symbol,
    event_time, available_time (int64 ns) and one float64 column per name (NaN = not yet warm), ordered by event_time
    and symbol: what `FeatureRepository.write_batch` takes.
    """
    if bars["interval"].n_unique() > 1:
        raise FeatureSetError("bars: more than one interval; compute one feature set per interval")
    ordered = bars.sort("event_time", maintain_order=True).unique(
        ["symbol", "event_time"], keep="first", maintain_order=True
    )
    context = ordered.filter(pl.col("context") & (pl.col("symbol") == (context_symbol or "")))
    own = ordered.filter(~pl.col("context"))
    known = [native_event(event) for event in {event.id: event for event in events}.values()]
    frames = []
    for (symbol,), rows in own.group_by(["symbol"], maintain_order=True):
        matrix = compute_batch(
            names,
            _arrays(rows),
            _arrays(context),
            known,
            symbol=str(symbol),
            context_symbol=context_symbol or "",
        )
        columns = pl.from_numpy(matrix, schema=list(names), orient="row")
        frames.append(pl.concat([_keys(rows, context), columns], how="horizontal"))
    if not frames:
        raise FeatureSetError("bars: no symbol to compute features of; every row is market context")
    return pl.concat(frames).sort("event_time", "symbol")


def _arrays(rows: pl.DataFrame) -> BarArrays:
    return BarArrays(rows["event_time"].to_numpy(), *(rows[name].to_numpy() for name in _BAR_COLUMNS))


def _keys(rows: pl.DataFrame, context: pl.DataFrame) -> pl.DataFrame:
    """symbol, event_time and available_time; a vector is known when the last of its inputs is."""
    keys = rows.select("symbol", "event_time", "available_time")
    if context.is_empty():
        return keys
    known = context.select("event_time", pl.col("available_time").cum_max().alias("__context"))
    return keys.join_asof(known, on="event_time", strategy="backward").select(
        "symbol", "event_time", pl.max_horizontal("available_time", "__context").alias("available_time")
    )


def in_stream_order(bars: pl.DataFrame) -> Iterator[Bar]:
    """The bars of a data set as messages, by event_time, the context of a time first."""
    ordered = bars.sort("event_time", pl.col("context").not_(), "symbol")
    for row in ordered.iter_rows(named=True):
        yield Bar(**{name: value for name, value in row.items() if value is not None})
