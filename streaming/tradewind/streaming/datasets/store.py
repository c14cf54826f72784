"""Shell: data sets on disk. A data set is a directory that appears whole or not at all.

dataset.json     manifest, with a checksum of every other file
bars.parquet     one row per bar, sorted by (event_time, symbol)
news.parquet     optional: news as their source gave them
rejected.parquet optional: rows of the source that were set aside, with the reason
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import polars as pl
from pydantic import ValidationError

from tradewind.streaming.datasets.checks import mark_bad
from tradewind.streaming.datasets.errors import DataError
from tradewind.streaming.datasets.manifest import Manifest, Part

MANIFEST = "dataset.json"
BARS = "bars.parquet"
NEWS = "news.parquet"
REJECTED = "rejected.parquet"

BAR_SCHEMA: dict[str, pl.DataType] = {
    "symbol": pl.String(),
    "interval": pl.String(),
    "open_time": pl.Int64(),
    "event_time": pl.Int64(),
    "available_time": pl.Int64(),
    "open": pl.Int64(),
    "high": pl.Int64(),
    "low": pl.Int64(),
    "close": pl.Int64(),
    "volume": pl.Int64(),
    "vwap": pl.Int64(),
    "trade_count": pl.Int64(),
    "context": pl.Boolean(),
}
NEWS_SCHEMA: dict[str, pl.DataType] = {
    "id": pl.String(),
    "source": pl.String(),
    "event_time": pl.Int64(),
    "available_time": pl.Int64(),
    "headline": pl.String(),
    "summary": pl.String(),
    "url": pl.String(),
    "symbols": pl.List(pl.String()),
    "facts": pl.List(pl.Struct({"key": pl.String(), "value": pl.String()})),
}
_NULLABLE = {"vwap", "trade_count"}
_END_OF_TIME = 2**63 - 1


@dataclass(frozen=True)
class Dataset:
    """A data set in memory.

    Attributes:
        bars: as `BAR_SCHEMA`, sorted by (event_time, symbol).
        news: as `NEWS_SCHEMA`, sorted by (available_time, id); empty when there are none.
    """

    manifest: Manifest
    bars: pl.DataFrame
    news: pl.DataFrame

    def between(self, start: int | None = None, end: int | None = None) -> Dataset:
        """The bars with start <= event_time <= end and the news with start <= available_time <= end (ns UTC)."""
        return Dataset(
            self.manifest,
            _within(self.bars, "event_time", start, end),
            _within(self.news, "available_time", start, end),
        )

    def of(self, symbols: Collection[str]) -> Dataset:
        """The bars of these symbols, and all news."""
        return Dataset(self.manifest, self.bars.filter(pl.col("symbol").is_in(sorted(symbols))), self.news)


def _within(frame: pl.DataFrame, column: str, start: int | None, end: int | None) -> pl.DataFrame:
    low = -_END_OF_TIME if start is None else start
    return frame.filter(pl.col(column).is_between(low, _END_OF_TIME if end is None else end))


def write_dataset(
    directory: Path | str,
    bars: pl.DataFrame,
    *,
    name: str,
    interval: str,
    stamps: str,
    adjustment: str,
    source: str,
    licence: str = "",
    calendar: str = "XNYS",
    news: pl.DataFrame | None = None,
    rejected: pl.DataFrame | None = None,
    notes: Sequence[str] = (),
    replace: bool = False,
) -> Manifest:
    """Write a data set: into a neighbouring directory first, which then takes the name.

    Args:
        bars: columns of `BAR_SCHEMA`, in any order of rows.
        news: columns of `NEWS_SCHEMA`.
        replace: put it in the place of a data set that is there; any other directory is never replaced.

    Raises:
        DataError: the directory exists, or bars are missing a column, empty or wrong.
    """
    target = Path(directory)
    _refuse_existing(target, replace)
    table = _conform(bars, BAR_SCHEMA, BARS).sort("event_time", "symbol")
    _refuse_bad(table)
    parts = {BARS: table}
    if news is not None and not news.is_empty():
        parts[NEWS] = _conform(news, NEWS_SCHEMA, NEWS).sort("available_time", "id")
    if rejected is not None and not rejected.is_empty():
        parts[REJECTED] = rejected
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        described = {file: _write_part(scratch / file, frame) for file, frame in parts.items()}
        manifest = Manifest.model_validate(
            {
                "name": name,
                "interval": interval,
                "symbols": sorted(table.filter(~pl.col("context"))["symbol"].unique().to_list()),
                "context": sorted(table.filter(pl.col("context"))["symbol"].unique().to_list()),
                "calendar": calendar,
                "stamps": stamps,
                "adjustment": adjustment,
                "source": source,
                "licence": licence,
                "created_by": f"tradewind-streaming {version('tradewind-streaming')}",
                "first_time": table["event_time"].min(),
                "last_time": table["event_time"].max(),
                "notes": list(notes),
                "parts": {file: part.model_dump() for file, part in described.items()},
            }
        )
        (scratch / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n")
        scratch.chmod(0o755)
        _take_name(scratch, target)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    return manifest


def read_dataset(directory: Path | str) -> Dataset:
    """Read and verify a data set.

    Raises:
        DataError: naming the file that is missing, truncated or altered, and the fix.
    """
    root = Path(directory)
    manifest = read_manifest(root)
    for file, part in manifest.parts.items():
        _verify(root / file, part)
    bars = _read_part(root / BARS, BAR_SCHEMA)
    news = _read_part(root / NEWS, NEWS_SCHEMA) if NEWS in manifest.parts else pl.DataFrame(schema=NEWS_SCHEMA)
    return Dataset(manifest, bars, news)


def read_manifest(directory: Path | str) -> Manifest:
    """Read `dataset.json` alone.

    Raises:
        DataError: it is missing or not a manifest.
    """
    path = Path(directory) / MANIFEST
    try:
        text = path.read_text()
    except FileNotFoundError:
        raise DataError(
            f"{path}: missing; name a directory made by `tradewind data import` or `tradewind data pull`"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read ({error}); make the data set again") from None
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "JSON"
        raise DataError(f"{path}: {field}: {first['msg']}; make the data set again") from None
    if BARS not in manifest.parts:
        raise DataError(f"{path}: parts: {BARS} is not listed; make the data set again")
    return manifest


def _refuse_existing(target: Path, replace: bool) -> None:
    if not target.exists():
        return
    if replace and (target / MANIFEST).is_file():
        return
    if target.is_dir() and not any(target.iterdir()):
        return
    fix = (
        "it is not a data set; choose another directory" if replace else "choose another directory or ask to replace it"
    )
    raise DataError(f"{target}: exists already; {fix}")


def _conform(frame: pl.DataFrame, schema: dict[str, pl.DataType], file: str) -> pl.DataFrame:
    missing = [column for column in schema if column not in frame.columns]
    if missing:
        raise DataError(f"{file}: column {missing[0]} is missing; a data set needs {', '.join(schema)}")
    return frame.select(pl.col(column).cast(kind) for column, kind in schema.items())


def _refuse_bad(table: pl.DataFrame) -> None:
    if table.is_empty():
        raise DataError(f"{BARS}: there is not one bar; check the files, symbols and dates that were asked for")
    for column in table.columns:
        if (
            column not in _NULLABLE
            and table[column].null_count()
            and column not in {"open", "high", "low", "close", "volume"}
        ):
            raise DataError(f"{BARS}: column {column} has rows without a value; fill or leave them out")
    bad = mark_bad(table, _END_OF_TIME).filter(pl.col("reason").is_not_null())
    if not bad.is_empty():
        row = bad.row(0, named=True)
        raise DataError(
            f"{BARS}: bar of {row['symbol']} closing at {row['event_time']}: {row['reason']}; "
            "correct or leave out the row"
        )


def _write_part(path: Path, frame: pl.DataFrame) -> Part:
    frame.write_parquet(path, compression="zstd")
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return Part(rows=frame.height, sha256=_sha256(path))


def _take_name(scratch: Path, target: Path) -> None:
    """A rename cannot put a directory over one with files: move the old one aside first."""
    if not target.exists() or not any(target.iterdir()):
        scratch.replace(target)
        return
    aside = scratch.with_name(scratch.name + "-old")
    target.replace(aside)
    scratch.replace(target)
    shutil.rmtree(aside)


def _verify(path: Path, part: Part) -> None:
    if not path.is_file():
        raise DataError(f"{path}: missing, though {MANIFEST} lists it; make the data set again")
    if _sha256(path) != part.sha256:
        raise DataError(f"{path}: truncated or altered (checksum differs from {MANIFEST}); make the data set again")


def _read_part(path: Path, schema: dict[str, pl.DataType]) -> pl.DataFrame:
    try:
        frame = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"{path}: not a readable Parquet file ({reason}); make the data set again") from None
    if dict(frame.schema) != schema:
        raise DataError(f"{path}: columns are not those of this format; make the data set again")
    return frame


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
