"""A data set is whole or refused, and what is refused is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tradewind.streaming.datasets import DataError, read_dataset, write_dataset
from tradewind.streaming.datasets.store import BAR_SCHEMA, BARS, MANIFEST, NEWS
from tradewind.streaming.news.storage import news_frame, stored_items
from tradewind.v1 import market_pb2

MINUTE = 60 * 10**9
START = 1_549_895_400 * 10**9  # 2019-02-11 09:30 New York


def row(symbol: str, minute: int, **over: Any) -> dict[str, Any]:
    opened = START + minute * MINUTE
    return {
        "symbol": symbol,
        "interval": "1m",
        "open_time": opened,
        "event_time": opened + MINUTE,
        "available_time": opened + MINUTE,
        "open": 100,
        "high": 110,
        "low": 90,
        "close": 105,
        "volume": 7,
        "vwap": None,
        "trade_count": None,
        "context": symbol.startswith("^"),
    } | over


def table(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=BAR_SCHEMA)


def write(directory: Path, bars: pl.DataFrame, **over: Any) -> None:
    arguments: dict[str, Any] = {
        "name": "t",
        "interval": "1m",
        "stamps": "close",
        "adjustment": "raw",
        "source": "a test",
    }
    write_dataset(directory, bars, **(arguments | over))


def test_what_is_written_is_read_sorted_and_described(tmp_path: Path) -> None:
    write(tmp_path / "d", table(row("B", 1), row("^X", 0), row("B", 0), row("A", 1)))
    found = read_dataset(tmp_path / "d")
    assert found.bars.select("symbol", "event_time").rows() == [
        ("B", START + MINUTE),
        ("^X", START + MINUTE),
        ("A", START + 2 * MINUTE),
        ("B", START + 2 * MINUTE),
    ]
    assert found.manifest.symbols == ["A", "B"]
    assert found.manifest.context == ["^X"]
    assert found.manifest.parts[BARS].rows == 4
    assert (found.manifest.first_time, found.manifest.last_time) == (START + MINUTE, START + 2 * MINUTE)


def test_slices_include_both_ends(tmp_path: Path) -> None:
    write(tmp_path / "d", table(*(row("A", minute) for minute in range(5))))
    cut = read_dataset(tmp_path / "d").between(START + 2 * MINUTE, START + 4 * MINUTE)
    assert cut.bars["event_time"].to_list() == [START + k * MINUTE for k in (2, 3, 4)]


def test_news_keep_their_facts(tmp_path: Path) -> None:
    item = market_pb2.NewsItem(
        id="1", source="s", event_time=5, available_time=6, headline="h", symbols=["A", "B"], facts={"k": "v"}
    )
    write(tmp_path / "d", table(row("A", 0)), news=news_frame([item]))
    (raw,) = stored_items(read_dataset(tmp_path / "d").news)
    assert (raw.id, raw.published, raw.received, raw.symbols, raw.facts) == ("1", 5, 6, ("A", "B"), {"k": "v"})


@pytest.mark.parametrize("part", [MANIFEST, BARS, NEWS])
def test_a_missing_file_is_named(tmp_path: Path, part: str) -> None:
    news = news_frame([market_pb2.NewsItem(id="1", source="s", headline="h")])
    write(tmp_path / "d", table(row("A", 0)), news=news)
    (tmp_path / "d" / part).unlink()
    with pytest.raises(DataError, match=part) as error:
        read_dataset(tmp_path / "d")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("keep", [0, 10, -1])
def test_a_truncated_file_is_named(tmp_path: Path, keep: int) -> None:
    write(tmp_path / "d", table(row("A", 0)))
    path = tmp_path / "d" / BARS
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=rf"{BARS}: truncated"):
        read_dataset(tmp_path / "d")


def test_one_altered_byte_is_found(tmp_path: Path) -> None:
    write(tmp_path / "d", table(row("A", 0)))
    path = tmp_path / "d" / BARS
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="altered"):
        read_dataset(tmp_path / "d")


def test_an_unknown_field_of_the_manifest_is_named(tmp_path: Path) -> None:
    write(tmp_path / "d", table(row("A", 0)))
    path = tmp_path / "d" / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"colour": "blue"}))
    with pytest.raises(DataError, match=r"dataset\.json: colour"):
        read_dataset(tmp_path / "d")


@pytest.mark.parametrize(
    ("bars", "reason"),
    [
        (table(row("A", 0), row("A", 0)), "duplicate"),
        (table(row("A", 0, high=80)), "high: below low"),
        (table(row("A", 0, close=111)), "close: outside"),
        (table(row("A", 0, volume=-1)), "volume: negative"),
        (table(row("A", 0, available_time=START)), "available_time: before"),
        (table(), "not one bar"),
    ],
)
def test_bad_bars_leave_nothing_behind(tmp_path: Path, bars: pl.DataFrame, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        write(tmp_path / "d", bars)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_while_writing_leaves_the_old_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "d", table(row("A", 0)))
    original = pl.DataFrame.write_parquet

    def fail(self: pl.DataFrame, file: Any, **options: Any) -> None:
        original(self, file, **options)
        raise OSError("disk full")

    monkeypatch.setattr(pl.DataFrame, "write_parquet", fail)
    with pytest.raises(OSError, match="disk full"):
        write(tmp_path / "d", table(row("B", 0)), replace=True)
    assert read_dataset(tmp_path / "d").manifest.symbols == ["A"]
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


def test_replacing_is_asked_for_and_only_of_data_sets(tmp_path: Path) -> None:
    write(tmp_path / "d", table(row("A", 0)))
    with pytest.raises(DataError, match="exists already"):
        write(tmp_path / "d", table(row("B", 0)))
    write(tmp_path / "d", table(row("B", 0)), replace=True)
    assert read_dataset(tmp_path / "d").manifest.symbols == ["B"]
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letters.txt").write_text("precious")
    with pytest.raises(DataError, match="not a data set"):
        write(tmp_path / "home", table(row("B", 0)), replace=True)
    assert (tmp_path / "home" / "letters.txt").read_text() == "precious"
