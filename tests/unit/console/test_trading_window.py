"""Where learning ends and trading begins."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tradewind.console.errors import ConsoleError
from tradewind.console.trading_window import choose_window, write_history_events
from tradewind.specs import Strategy
from tradewind.streaming.datasets import write_dataset
from tradewind.streaming.datasets.store import BAR_SCHEMA

FOMC = Path(__file__).parents[3] / "examples" / "fomc.yaml"
DAYS = [date(2011, 2, day) for day in (24, 25, 28)] + [date(2011, 3, day) for day in (1, 2)]


def close_of(day: date) -> int:
    """16:00 in New York, winter."""
    return int(datetime(day.year, day.month, day.day, 21, tzinfo=UTC).timestamp()) * 10**9


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """AAPL and MSFT until 1 March; the market a day longer."""
    rows = [
        {
            "symbol": symbol,
            "interval": "1d",
            "open_time": close_of(day) - 6 * 3600 * 10**9,
            "event_time": close_of(day),
            "available_time": close_of(day),
            **dict.fromkeys(("open", "high", "low", "close"), 100 * 10**8),
            "volume": 1000,
            "vwap": None,
            "trade_count": None,
            "context": symbol == "^GSPC",
        }
        for symbol in ("AAPL", "MSFT", "^GSPC")
        for day in (DAYS if symbol == "^GSPC" else DAYS[:-1])
    ]
    path = tmp_path / "data"
    bars = pl.DataFrame(rows, schema=BAR_SCHEMA)
    write_dataset(
        path, bars, name="small", interval="1d", stamps="session", adjustment="raw", source="made for this test"
    )
    return path


def strategy(until: str | None = "2011-02-25", name: str = "one", **spec: Any) -> Strategy:
    own = {
        "riskPolicy": "paper",
        "universe": {"symbols": ["AAPL", "MSFT"]},
        "training": {"until": until} if until else {},
        **spec,
    }
    return Strategy.model_validate(
        {"apiVersion": "tradewind.dev/v1alpha1", "kind": "Strategy", "metadata": {"name": name}, "spec": own}
    )


def choose(dataset: Path, *strategies: Strategy, start: date | None = None, end: date | None = None) -> Any:
    return choose_window(str(dataset), strategies or [strategy()], dataset.parent / "state", start, end)


def learnt(boundary: int) -> list[date]:
    return [day for day in DAYS if close_of(day) <= boundary]


@pytest.mark.parametrize(
    ("untils", "start", "last_learnt"),
    [
        (["2011-02-25"], None, date(2011, 2, 25)),  # the day itself is learnt from
        (["2011-02-26"], None, date(2011, 2, 25)),
        (["2011-02-24", "2011-02-28"], None, date(2011, 2, 28)),  # until the last of them has learnt
        (["2011-02-24", None], None, date(2011, 2, 24)),
        (["2011-02-24"], date(2011, 3, 1), date(2011, 2, 28)),  # a later start
        (["2011-02-25"], date(2011, 2, 24), date(2011, 2, 25)),  # never on what a model has seen
        ([None], date(2011, 2, 28), date(2011, 2, 25)),
    ],
)
def test_trading_starts_after_the_last_day_learnt(
    dataset: Path, untils: list[str | None], start: date | None, last_learnt: date
) -> None:
    window = choose(dataset, *[strategy(u, f"s{i}") for i, u in enumerate(untils)], start=start)
    assert learnt(window.trained_until)[-1] == last_learnt
    assert window.end is None
    assert window.dataset == str(dataset.resolve())


def test_the_last_day_traded_is_traded(dataset: Path) -> None:
    window = choose(dataset, end=date(2011, 2, 28))
    assert window.end is not None
    assert [d for d in learnt(window.end) if close_of(d) > window.trained_until] == [date(2011, 2, 28)]


def test_boundaries_are_the_days_own_last_moment(dataset: Path) -> None:
    midnight = int(datetime(2011, 2, 26, tzinfo=UTC).timestamp()) * 10**9
    assert midnight - 10**9 < choose(dataset).trained_until < midnight


@pytest.mark.parametrize(
    ("own", "options", "message"),
    [
        (
            strategy(universe={"symbols": ["AAPL", "IBM"]}),
            {},
            "spec.universe: IBM not in data set DATA; it has AAPL, MSFT, ^GSPC",
        ),
        (strategy(universe={"symbols": ["AAPL"], "context": "SPY"}), {}, "spec.universe: SPY not in data set"),
        (strategy(bars="1m"), {}, "spec.bars is 1m but the bars of DATA are 1d; change one"),
        (strategy(None), {}, "spec.training.until is not set"),
        (strategy("2011-03-02"), {}, "no bar of DATA lies between the end of training and its last bar"),
        (strategy("2011-03-01"), {}, "no bar of DATA lies"),  # the index alone goes on: nothing to trade
        (strategy(), {"end": date(2011, 2, 25)}, "no bar of DATA lies between the end of training and 2011-02-25"),
        (strategy(), {"start": date(2011, 3, 1), "end": date(2011, 2, 28)}, "no bar of DATA lies"),
    ],
)
def test_what_cannot_be_traded_is_refused(dataset: Path, own: Strategy, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConsoleError) as refused:
        choose(dataset, own, **options)
    assert message.replace("DATA", str(dataset)) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (dataset.parent / "state").exists()


def test_a_data_set_that_cannot_be_made_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "bokeh_sampledata.stocks", None)
    with pytest.raises(ConsoleError, match=r"^bokeh_sampledata: not installed"):
        choose_window("demo", [strategy()], tmp_path / "state", None, None)


def test_only_events_known_before_trading_are_history(dataset: Path, tmp_path: Path) -> None:
    window = choose(dataset)
    news = [{"kind": "Calendar", "name": "fomc", "path": str(FOMC)}]
    path = write_history_events(window, news, tmp_path)
    assert path is not None
    times = pl.read_parquet(path)["available_time"]
    # Every decision from March 2000 to that of 26 January 2011, the last before the boundary.
    last = datetime(2011, 1, 26, tzinfo=UTC)
    assert datetime.fromtimestamp(max(times) / 10**9, UTC).date() == last.date()
    assert len(times) > 80


def test_no_news_no_file_and_a_missing_calendar_is_named(dataset: Path, tmp_path: Path) -> None:
    window = choose(dataset)
    assert write_history_events(window, [], tmp_path / "out") is None
    with pytest.raises(ConsoleError, match=r"nowhere\.yaml"):
        write_history_events(window, [{"kind": "Calendar", "name": "x", "path": "/nowhere.yaml"}], tmp_path / "out")
    assert not (tmp_path / "out").exists()
