"""The point-in-time dataset: what is joined, and what is refused."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from tradewind.specs.training import ForwardReturnLabel
from tradewind.streaming.features.asof import asof_join
from tradewind.streaming.features.feature_set import FeatureSet
from tradewind.training.dataset import FeatureSource, build_panel
from tradewind.training.errors import LeakageError, TrainingError
from tradewind.training.history import History

DAY, HOUR = 86_400 * 10**9, 3600 * 10**9
NAMES = ("tech_return_1_raw", "vol_std_5_annual")
LABEL = ForwardReturnLabel(horizon_bars=2)


def _history(bars: int = 40, symbols: tuple[str, ...] = ("AAA", "BBB"), delay: int = 0) -> History:
    rng = np.random.default_rng(8)
    frames = []
    for symbol in (*symbols, "^IDX"):
        close = np.round(100 * np.exp(np.cumsum(rng.standard_normal(bars) * 0.02)) * 1e8).astype(np.int64)
        time = np.arange(bars) * DAY
        frames.append(
            pl.DataFrame({"symbol": [symbol] * bars, "open_time": time, "event_time": time + 6 * HOUR})
            .with_columns(available_time=pl.col("event_time") + delay, context=pl.lit(symbol == "^IDX"))
            .with_columns([pl.Series(name, close) for name in ("open", "high", "low", "close")])
        )
    return History(pl.concat(frames).sort("event_time", "symbol"), (), 0, 10**19, "digest")


def _compute(shift: int = 0, late: int = 0):
    """A return and a volatility; `shift` bars of peeking into the future, `late` ns until a vector is known."""

    def compute(bars: pl.DataFrame, events) -> pl.DataFrame:
        price = pl.col("close").cast(pl.Float64).log()
        return (
            bars.filter(~pl.col("context"))
            .sort("symbol", "event_time")
            .with_columns(change=price.diff().over("symbol"))
            .select(
                "symbol",
                "event_time",
                available_time=pl.col("available_time") + late,
                tech_return_1_raw=pl.col("change").shift(-shift).over("symbol").fill_null(float("nan")),
                vol_std_5_annual=pl.col("change").rolling_std(5).over("symbol").fill_null(float("nan")),
            )
            .sort("event_time", "symbol")
        )

    return compute


class _Store:
    """The feature repository's join on rows in memory, with what was there before and an error on request."""

    def __init__(self, rows: pl.DataFrame | None = None, peek: int = 0) -> None:
        self._rows, self._peek = rows, peek

    def write_batch(self, frame: pl.DataFrame) -> None:
        self._rows = frame if self._rows is None else pl.concat([self._rows, frame])

    def historical(self, entities: pl.DataFrame) -> pl.DataFrame:
        names = {"event_time": "event_timestamp", "available_time": "created_timestamp"}
        wanted = entities.select("symbol", event_timestamp=pl.col("time") + self._peek)
        assert self._rows is not None
        return pl.concat([entities, asof_join(wanted, self._rows.rename(names), list(NAMES))], how="horizontal")


def _source(**options) -> FeatureSource:
    return FeatureSource(FeatureSet("test", NAMES, "0123456789abcdef", "1d"), _compute(**options), "vol_std_5_annual")


def _build(history: History, source: FeatureSource | None = None, store: _Store | None = None):
    return build_panel(history, source or _source(), store or _Store(), ("BBB", "AAA"), LABEL)


def test_each_row_holds_its_own_bars_features_and_what_followed():
    history = _history()
    panel = _build(history)
    bars = history.bars.filter(pl.col("symbol") == "BBB").sort("event_time")
    price = bars["close"].to_numpy() / 1e8
    rows = np.flatnonzero(panel.symbol == 0)  # BBB stands first in the universe
    times = bars["event_time"].to_numpy()
    assert len(rows) == 40 - 5 - 3  # five bars of warm-up, two of horizon after the next open
    for row in rows:
        bar = int(np.flatnonzero(times == panel.decision_time[row])[0])
        assert panel.features[row, 0] == pytest.approx(np.log(price[bar] / price[bar - 1]), rel=1e-12)
        assert panel.label[row] == pytest.approx(np.log(price[bar + 3] / price[bar + 1]), rel=1e-9)
        assert panel.t1[row] == times[bar + 3]
        assert panel.annual_volatility[row] == panel.features[row, 1]
    assert panel.feature_names == NAMES
    assert np.all(np.diff(panel.decision_time) >= 0)
    assert np.isfinite(panel.features).all()
    assert set(panel.symbol) == {0, 1}, "the market context is no row"


def test_overlapping_labels_weigh_less():
    panel = _build(_history())
    middle = panel.weight[(panel.symbol == 0)][10:-10]
    assert middle == pytest.approx(np.full(len(middle), 1 / 3))  # three labels are open at any time


def test_a_feature_that_looks_one_bar_ahead_is_found():
    with pytest.raises(LeakageError, match="tech_return_1_raw changes when later bars are taken away"):
        _build(_history(), _source(shift=1))


def test_a_store_that_hands_out_later_vectors_is_found():
    with pytest.raises(LeakageError, match="not the value known at the decision"):
        _build(_history(), store=_Store(peek=DAY))


def test_vectors_of_other_data_in_the_store_are_found():
    history = _history(delay=HOUR)
    foreign = _compute()(history.bars.with_columns(pl.col("close") ** 2 // 10**8), ())
    older = foreign.with_columns(pl.col("event_time") - 60 * 10**9)
    newer = foreign.with_columns(
        pl.col("event_time") + 60 * 10**9
    )  # still before the decision, an hour after the close
    assert len(_build(history, store=_Store(older))) == len(_build(history))  # never the newest: harmless
    with pytest.raises(LeakageError, match="of other data in the state directory's feature store; use a fresh one"):
        _build(history, store=_Store(newer))


def test_a_vector_known_after_the_decision_is_not_used_for_it():
    prompt, late = _build(_history()), _build(_history(), _source(late=HOUR))
    # the decision falls back on the vector of the bar before
    by_time = {(s, t): x for s, t, x in zip(prompt.symbol, prompt.decision_time, prompt.features[:, 0], strict=True)}
    compared = 0
    for symbol, time, value in zip(late.symbol, late.decision_time, late.features[:, 0], strict=True):
        if (symbol, time - DAY) in by_time:
            assert value == by_time[symbol, time - DAY]
            compared += 1
    assert compared > 40


def test_no_row_after_the_warm_up_says_what_to_do():
    with pytest.raises(TrainingError, match="no row has both all 2 features and a label"):
        _build(_history(bars=6))


def test_the_feature_that_sizes_positions_must_be_in_the_set():
    with pytest.raises(TrainingError, match=r"vol_other_5_annual.*add it to spec\.features\.names"):
        FeatureSource(FeatureSet("test", NAMES, "0123456789abcdef", "1d"), _compute(), "vol_other_5_annual")
