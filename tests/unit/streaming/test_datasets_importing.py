"""A user's files: what is read, what is refused, and that stamps mean what was said."""

from __future__ import annotations

import os
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
import pandas as pd
import polars as pl
import pytest

from tradewind.streaming.datasets import (
    DataError,
    ImportSummary,
    SessionCalendar,
    SymbolFrom,
    import_bars,
    read_dataset,
)

NS = 10**9
# 2019-02-11 and 12, both regular sessions: 14:30 to 21:00 UTC.
FIRST = datetime(2019, 2, 11, 14, 30, tzinfo=UTC)


def ns(moment: datetime) -> int:
    return int(moment.timestamp()) * NS


def csv(path: Path, rows: list[str], header: str = "symbol,time,open,high,low,close,volume") -> Path:
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def do(files: list[Path], out: Path, **over: Any) -> ImportSummary:
    arguments: dict[str, Any] = {"format": "csv", "stamps": "close", "timezone": "UTC", "interval": "1m"}
    return import_bars(files, out, **(arguments | over))


def test_decimal_text_arrives_exactly(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", ["A,2019-02-11T14:31:00Z,0.1,0.30000001,0.1,0.2,5"])
    do([path], tmp_path / "d")
    (row,) = read_dataset(tmp_path / "d").bars.iter_rows(named=True)
    assert (row["open"], row["high"], row["low"], row["close"], row["volume"]) == (
        10**7,
        30_000_001,
        10**7,
        2 * 10**7,
        5,
    )
    assert (row["open_time"], row["event_time"]) == (ns(FIRST), ns(FIRST) + 60 * NS)
    assert row["available_time"] == row["event_time"]


def test_open_stamps_close_one_interval_later(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", ["A,2019-02-11 14:30:00,1,1,1,1,5"])
    do([path], tmp_path / "d", stamps="open")
    (row,) = read_dataset(tmp_path / "d").bars.iter_rows(named=True)
    assert (row["open_time"], row["event_time"]) == (ns(FIRST), ns(FIRST) + 60 * NS)


def test_wall_times_are_read_in_their_zone_on_both_sides_of_the_change(tmp_path: Path) -> None:
    # New York left winter time on 2019-03-10.
    rows = ["A,2019-03-08 09:31,1,1,1,1,5", "A,2019-03-11 09:31,1,1,1,1,5"]
    do([csv(tmp_path / "a.csv", rows)], tmp_path / "d", timezone="America/New_York")
    found = read_dataset(tmp_path / "d").bars["event_time"].to_list()
    assert found == [ns(datetime(2019, 3, 8, 14, 31, tzinfo=UTC)), ns(datetime(2019, 3, 11, 13, 31, tzinfo=UTC))]


def test_a_z_that_is_not_true_can_be_set_aside(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", ["A,2019-02-11T09:31:00Z,1,1,1,1,5"])
    do([path], tmp_path / "d", timezone="America/New_York", ignore_offset=True)
    assert read_dataset(tmp_path / "d").bars["event_time"].to_list() == [ns(FIRST) + 60 * NS]


def test_written_offsets_count(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", ["A,2019-02-11T09:31:00-05:00,1,1,1,1,5", "A,2019-02-11T20:02:00+0530,1,1,1,1,5"])
    do([path], tmp_path / "d", timezone="Asia/Tokyo")
    assert read_dataset(tmp_path / "d").bars["event_time"].to_list() == [ns(FIRST) + 60 * NS, ns(FIRST) + 120 * NS]


def test_times_that_the_wall_clock_skips_are_refused(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv", ["A,2019-03-10 02:30,1,1,1,1,5", "A,2019-03-11 09:31,1,1,1,1,5"])
    with pytest.raises(DataError, match=r"a\.csv: row 1: time"):
        do([path], tmp_path / "d", timezone="America/New_York")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("A,2019-02-11T14:32:00Z,2,1,2,2,5", "high: below low"),
        ("A,2019-02-11T14:32:00Z,1,1,1,x,5", "close: no price"),
        ("A,2019-02-11T14:32:00Z,1,1,1,1,1.5", "volume: not a whole number"),
        ("A,2019-02-11T14:32:00Z,1,1,1,1,-1", "volume: negative"),
        ("A,2019-02-11T14:31:00Z,1,1,1,1,5", "event_time: duplicate"),
        ("A,2019-02-11T14:30:00Z,1,1,1,1,5", "event_time: earlier"),
        ("A,2100-02-11T14:32:00Z,1,1,1,1,5", "event_time: in the future"),
        ("A,2999-02-11T14:32:00Z,1,1,1,1,5", "time: not a time"),
        ("A,noon,1,1,1,1,5", "time: not a time"),
        (",2019-02-11T14:32:00Z,1,1,1,1,5", "symbol: empty"),
        ("a b,2019-02-11T14:32:00Z,1,1,1,1,5", "symbol: not a ticker"),
    ],
)
def test_a_bad_row_is_named_or_set_aside(tmp_path: Path, bad: str, reason: str) -> None:
    path = csv(tmp_path / "a.csv", ["A,2019-02-11T14:31:00Z,1,1,1,1,5", bad])
    with pytest.raises(DataError, match=rf"a\.csv: row 2: {reason}") as error:
        do([path], tmp_path / "d")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "d").exists()
    summary = do([path], tmp_path / "d", on_bad="set-aside")
    assert (summary.rows, summary.bars, sum(summary.rejected.values())) == (2, 1, 1)
    rejected = pl.read_parquet(tmp_path / "d" / "rejected.parquet")
    assert rejected["row"].to_list() == [2]
    assert reason.split(":")[0] in rejected["reason"][0]


def test_symbols_from_file_names(tmp_path: Path) -> None:
    header = "when,o,h,l,c,vol"
    files = [
        csv(tmp_path / "aapl_1min.csv", ["2019-02-11T14:31:00Z,1,1,1,1,5"], header),
        csv(tmp_path / "MSFT.csv", ["2019-02-11T14:31:00Z,1,1,1,1,5"], header),
    ]
    columns = {"time": "when", "open": "o", "high": "h", "low": "l", "close": "c", "volume": "vol"}
    summary = do(files, tmp_path / "d", columns=columns, symbol=SymbolFrom("file"))
    assert summary.manifest.symbols == ["AAPL", "MSFT"]


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({"timezone": "Mars/Olympus"}, "timezone: 'Mars/Olympus'"),
        ({"interval": "7m"}, "interval: '7m'"),
        ({"columns": {"close": "Adj"}}, "column 'Adj' for close is missing"),
        ({"columns": {"colour": "x"}}, "columns: 'colour'"),
        ({"calendar": "NOPE"}, "calendar: 'NOPE'"),
        ({"format": "parquet"}, "not a readable parquet file"),
        ({"format": "hdf5"}, "not a readable hdf5 file"),
    ],
)
def test_wrong_arguments_are_named(tmp_path: Path, over: dict[str, Any], reason: str) -> None:
    path = csv(tmp_path / "a.csv", ["A,2019-02-11T14:31:00Z,1,1,1,1,5"])
    with pytest.raises(DataError, match=reason):
        do([path], tmp_path / "d", **over)


def test_missing_and_empty_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"gone\.csv: no such file"):
        do([tmp_path / "gone.csv"], tmp_path / "d")
    (tmp_path / "empty.csv").touch()
    with pytest.raises(DataError, match=r"empty\.csv: empty"):
        do([tmp_path / "empty.csv"], tmp_path / "d")


def test_daily_bars_belong_to_their_session_half_days_too(tmp_path: Path) -> None:
    # The day after Thanksgiving 2018 closed at 13:00 Eastern.
    path = csv(tmp_path / "a.csv", ["A,2018-11-21,1,1,1,1,5", "A,2018-11-23,1,1,1,1,5"])
    do([path], tmp_path / "d", interval="1d", timezone="America/New_York")
    found = read_dataset(tmp_path / "d").bars.select("open_time", "event_time").rows()
    assert found == [
        (ns(datetime(2018, 11, 21, 14, 30, tzinfo=UTC)), ns(datetime(2018, 11, 21, 21, 0, tzinfo=UTC))),
        (ns(datetime(2018, 11, 23, 14, 30, tzinfo=UTC)), ns(datetime(2018, 11, 23, 18, 0, tzinfo=UTC))),
    ]
    holiday = csv(tmp_path / "b.csv", ["A,2018-11-22,1,1,1,1,5"])
    with pytest.raises(DataError, match="row 1: time: no session"):
        do([holiday], tmp_path / "e", interval="1d", timezone="America/New_York")


@pytest.mark.parametrize(("stamps", "clocks"), [("close", ("20:30", "21:00")), ("open", ("19:30", "20:30"))])
def test_the_last_hour_of_a_session_is_half_an_hour(tmp_path: Path, stamps: str, clocks: tuple[str, str]) -> None:
    rows = [f"A,2019-02-11T{clock}:00Z,1,1,1,1,5" for clock in clocks]
    do([csv(tmp_path / "a.csv", rows)], tmp_path / "d", interval="1h", stamps=stamps)
    found = read_dataset(tmp_path / "d").bars.select("open_time", "event_time").rows()
    half = 1800 * NS
    close = ns(FIRST) + 13 * half
    assert found == [(close - 3 * half, close - half), (close - half, close)]


def test_where_sessions_begin_and_end() -> None:
    calendar = SessionCalendar.load("XNYS", 2019)
    day = calendar.index_of_day(FIRST.date())
    edges = np.array([ns(FIRST) - 1, ns(FIRST), ns(FIRST) + 390 * 60 * NS, ns(FIRST) + 390 * 60 * NS + 1])
    assert calendar.session_of(edges, closed_right=False).tolist() == [-1, day, -1, -1]
    assert calendar.session_of(edges, closed_right=True).tolist() == [-1, -1, day, -1]
    assert calendar.session_of(np.array([0]), closed_right=False).tolist() == [-1]


def minutes(days: int, first: str) -> list[tuple[datetime, float]]:
    """Close (or open) stamps of full sessions, with a price."""
    rows = []
    generator = random.Random(5)
    for day in range(days):
        start = FIRST + timedelta(days=day, minutes=1 if first == "close" else 0)
        rows += [(start + timedelta(minutes=k), round(100 + generator.random(), 2)) for k in range(390)]
    return rows


@pytest.mark.parametrize(("truth", "said"), [("open", "close"), ("close", "open")])
def test_mixed_up_stamps_are_refused(tmp_path: Path, truth: str, said: str) -> None:
    lines = [f"A,{at:%Y-%m-%dT%H:%M:%SZ},{p},{p},{p},{p},5" for at, p in minutes(2, truth)]
    path = csv(tmp_path / "a.csv", lines)
    with pytest.raises(DataError, match=f"these are stamps of the {truth}"):
        do([path], tmp_path / "d", stamps=said)
    assert do([path], tmp_path / "d", stamps=truth).bars == 780


def test_coverage_counts_what_is_missing(tmp_path: Path) -> None:
    rows = minutes(2, "close")
    kept = [row for index, row in enumerate(rows) if not 100 <= index < 140]
    lines = [f"A,{at:%Y-%m-%dT%H:%M:%SZ},{p},{p},{p},{p},5" for at, p in kept]
    summary = do([csv(tmp_path / "a.csv", lines)], tmp_path / "d")
    (coverage,) = summary.coverage
    assert (coverage.present, coverage.expected, coverage.longest_gap, coverage.outside) == (740, 780, 40, 0)
    assert len(summary.warnings) == 1
    assert summary.warnings[0].startswith("A: 94.9%")


def frame_of(rows: list[tuple[datetime, float]]) -> pd.DataFrame:
    prices = [p for _, p in rows]
    return pd.DataFrame(
        {
            "symbol": "A",
            "time": pd.DatetimeIndex([at for at, _ in rows]).tz_localize(None),
            "open": prices,
            "high": prices,
            "low": prices,
            "close": prices,
            "volume": 5,
        }
    )


def write_pandas(path: Path, frame: pd.DataFrame) -> None:
    frame.to_hdf(path, key="bars", format="table")


def write_indexed(path: Path, frame: pd.DataFrame) -> None:
    frame.set_index("time").to_hdf(path, key="bars", format="fixed")


def write_columns(path: Path, frame: pd.DataFrame) -> None:
    with h5py.File(path, "w") as file:
        for name in ("open", "high", "low", "close", "volume"):
            file[name] = frame[name].to_numpy()
        file["time"] = frame["time"].to_numpy().astype("datetime64[s]").astype(np.int64)
        file["symbol"] = np.array(["A"] * len(frame), dtype="S8")


def write_compound(path: Path, frame: pd.DataFrame) -> None:
    kinds = [("symbol", "S8"), ("time", "i8"), *[(n, "f8") for n in ("open", "high", "low", "close")], ("volume", "i8")]
    values = np.zeros(len(frame), dtype=kinds)
    for name, _ in kinds:
        values[name] = (
            frame[name].to_numpy().astype("datetime64[ns]").astype(np.int64) if name == "time" else frame[name]
        )
    with h5py.File(path, "w") as file:
        file["bars"] = values


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("writer", [write_pandas, write_indexed, write_columns, write_compound])
def test_every_hdf5_layout_gives_what_csv_gives(tmp_path: Path, writer: Any) -> None:
    rows = minutes(1, "close")
    writer(tmp_path / "a.h5", frame_of(rows))
    lines = [f"A,{at:%Y-%m-%dT%H:%M:%SZ},{p},{p},{p},{p},5" for at, p in rows]
    do([csv(tmp_path / "a.csv", lines)], tmp_path / "csv")
    do([tmp_path / "a.h5"], tmp_path / "hdf5", format="hdf5")
    frame_of(rows).to_parquet(tmp_path / "a.parquet")
    do([tmp_path / "a.parquet"], tmp_path / "parquet", format="parquet")
    expected = read_dataset(tmp_path / "csv").bars
    assert expected.height == 390
    assert read_dataset(tmp_path / "hdf5").bars.equals(expected)
    assert read_dataset(tmp_path / "parquet").bars.equals(expected)


def test_a_truncated_hdf5_is_named(tmp_path: Path) -> None:
    write_columns(tmp_path / "a.h5", frame_of(minutes(1, "close")))
    content = (tmp_path / "a.h5").read_bytes()
    (tmp_path / "a.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"a\.h5: not a readable hdf5"):
        do([tmp_path / "a.h5"], tmp_path / "d", format="hdf5")


def recorded_minutes(directory: Path) -> tuple[Path, int]:
    """A week of minute bars as a vendor gave them where there is one; else a twin with its faults."""
    shared = os.environ.get("TRADEWIND_SHARED_DATA")
    if shared:
        path = Path(shared) / "us_1min_eqker_2019.parquet"
        return path, pl.read_parquet(path)["symbol"].n_unique()
    rows = []
    generator = random.Random(11)
    for symbol in ("AAPL", "SPY", "VIX"):
        price = 100.0
        for day in range(5):
            for minute in range(1, 391):
                price = round(price * (1 + generator.gauss(0, 0.0004)), 4)
                if symbol == "VIX" and minute % 9 == 0:
                    continue  # a symbol with holes
                at = FIRST + timedelta(days=day, minutes=minute)
                rows.append((symbol, price, price, price, price, 0 if symbol == "VIX" else minute, at))
    names = ["symbol", "open", "high", "low", "close", "volume", "ts_close_utc"]
    path = directory / "minutes.parquet"
    pl.DataFrame(rows, schema=names, orient="row").write_parquet(path)
    return path, 3


def test_a_week_of_minute_bars(tmp_path: Path) -> None:
    path, symbols = recorded_minutes(tmp_path)
    over = {"format": "parquet", "columns": {"time": "ts_close_utc"}, "on_bad": "set-aside"}
    summary = do([path], tmp_path / "d", context=["VIX"], **over)
    assert summary.bars + sum(summary.rejected.values()) == summary.rows
    assert len(summary.manifest.symbols) + len(summary.manifest.context) == symbols
    assert summary.manifest.context == ["VIX"]
    source = pl.read_parquet(path).filter(pl.col("symbol") == "AAPL")
    mine = read_dataset(tmp_path / "d").bars.filter(pl.col("symbol") == "AAPL")
    assert (mine["close"] / 1e8).to_list() == pytest.approx(source["close"].to_list(), rel=1e-12)
    stamps = [ns(moment) for moment in source["ts_close_utc"].to_list()]
    assert mine["event_time"].to_list() == stamps
    with pytest.raises(DataError, match="these are stamps of the close"):
        do([path], tmp_path / "e", stamps="open", context=["VIX"], **over)


def test_the_calendar_has_its_early_years() -> None:
    calendar = SessionCalendar.load("XNYS", 2013)
    assert str(calendar.days[0]) == "1999-01-04"
    # 2001-09-11 to 14: closed. 2012-10-29 and 30: closed by the hurricane.
    for day in ("2001-09-11", "2001-09-14", "2012-10-29", "2012-10-30", "2013-12-25"):
        assert calendar.index_of_day(datetime.fromisoformat(day).date()) is None
    assert calendar.index_of_day(datetime(2001, 9, 17, tzinfo=UTC).date()) is not None
