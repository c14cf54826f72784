"""What a training run may see."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from tradewind.specs import Strategy
from tradewind.streaming.datasets.store import write_dataset
from tradewind.training.errors import TrainingError
from tradewind.training.history import load_history
from tradewind.v1.market_pb2 import Event

DAY, HOUR = 86_400 * 10**9, 3600 * 10**9
START = int(datetime(2020, 1, 6, tzinfo=UTC).timestamp()) * 10**9


def _bars(days: int = 10, symbols: tuple[str, ...] = ("AAA", "BBB", "^IDX"), garbage_after: int | None = None):
    rows = []
    for day in range(days):
        for index, symbol in enumerate(symbols):
            price = 100 * 10**8 + day * 10**8 + index
            if garbage_after is not None and day > garbage_after:
                price = 7 * 10**8
            time = START + day * DAY
            rows.append(
                {"symbol": symbol, "interval": "1d", "open_time": time + 14 * HOUR, "event_time": time + 21 * HOUR}
                | {"available_time": time + 21 * HOUR + HOUR * (day == 4), "volume": 1000, "vwap": None}
                | dict.fromkeys(("open", "high", "low", "close"), price)
                | {"trade_count": None, "context": symbol.startswith("^")}
            )
    return pl.DataFrame(rows)


def _dataset(path, bars: pl.DataFrame, interval: str = "1d"):
    bars = bars.with_columns(interval=pl.lit(interval))
    write_dataset(path, bars, name="t", interval=interval, stamps="close", adjustment="forward", source="test")
    return path


def _spec(symbols=("AAA", "BBB"), context: str | None = "^IDX", bars="1d", **training):
    return Strategy.model_validate(
        {
            "apiVersion": "tradewind.dev/v1alpha1",
            "kind": "Strategy",
            "metadata": {"name": "s"},
            "spec": {
                "riskPolicy": "p",
                "bars": bars,
                "universe": {"symbols": list(symbols), "context": context},
                "training": training,
            },
        }
    ).spec


def test_nothing_that_was_not_available_at_until_is_kept(tmp_path):
    path = _dataset(tmp_path / "d", _bars())
    history = load_history(path, _spec(), START + 4 * DAY + 21 * HOUR)
    # the bar of day 4 closed by then, but came an hour later
    assert history.bars["event_time"].max() == START + 3 * DAY + 21 * HOUR
    assert (
        load_history(path, _spec(), START + 4 * DAY + 22 * HOUR).bars["event_time"].max() == START + 4 * DAY + 21 * HOUR
    )


def test_the_strategys_own_dates_bound_it_too_and_the_day_is_whole(tmp_path):
    path = _dataset(tmp_path / "d", _bars())
    history = load_history(path, _spec(start=date(2020, 1, 8), until=date(2020, 1, 13)), 2**62)
    assert history.first == START + 2 * DAY + 21 * HOUR
    assert history.bars["event_time"].max() == START + 7 * DAY + 21 * HOUR
    assert history.until == START + 8 * DAY - 1


def test_what_lies_after_until_does_not_touch_the_digest_and_what_lies_before_does(tmp_path):
    until = START + 6 * DAY
    honest = load_history(_dataset(tmp_path / "a", _bars()), _spec(), until)
    poisoned = load_history(_dataset(tmp_path / "b", _bars(garbage_after=5)), _spec(), until)
    other = load_history(_dataset(tmp_path / "c", _bars(garbage_after=4)), _spec(), until)
    assert honest.bars.equals(poisoned.bars)
    assert honest.digest == poisoned.digest
    assert honest.digest != other.digest


def test_events_known_later_are_left_out_and_count_in_the_digest(tmp_path):
    path = _dataset(tmp_path / "d", _bars())
    known = Event(id="1", type="rate_decision", symbol="*", event_time=START, available_time=START, impact=0.5)
    later = Event(id="2", type="rate_decision", symbol="*", event_time=START, available_time=START + 9 * DAY)
    history = load_history(path, _spec(), START + 6 * DAY, lambda dataset, until: [later, known])
    assert [event.id for event in history.events] == ["1"]
    assert history.digest != load_history(path, _spec(), START + 6 * DAY).digest


def test_only_the_strategys_symbols_are_kept(tmp_path):
    path = _dataset(tmp_path / "d", _bars())
    assert set(load_history(path, _spec(symbols=["BBB"]), 2**62).bars["symbol"]) == {"BBB", "^IDX"}
    assert set(load_history(path, _spec(context=None), 2**62).bars["symbol"]) == {"AAA", "BBB"}


@pytest.mark.parametrize(
    ("spec", "until", "message"),
    [
        (_spec(symbols=["AAA", "ZZZ"]), 2**62, r"universe\.symbols: ZZZ is not in .* \(it has AAA, BBB\); remove"),
        (_spec(context="^VIX"), 2**62, r"universe\.context: \^VIX is not a context symbol .* set universe\.context"),
        (_spec(bars="1m"), 2**62, r"bars: the strategy wants 1m bars, .* has 1d"),
        (_spec(), START, r"training\.until: .* has no bar of AAA, BBB up to 2020-01-06; it begins 2020-01-06"),
    ],
)
def test_data_that_do_not_fit_are_named_with_the_fix(tmp_path, spec, until, message):
    path = _dataset(tmp_path / "d", _bars())
    with pytest.raises(TrainingError, match=message) as raised:
        load_history(path, spec, until)
    assert "\n" not in str(raised.value)


def test_a_missing_data_set_is_named(tmp_path):
    with pytest.raises(TrainingError, match=r"dataset\.json: missing"):
        load_history(tmp_path / "nowhere", _spec(), 2**62)
