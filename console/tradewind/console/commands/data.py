"""`tradewind data import` and `tradewind data pull`. Shell."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any, Literal, cast

from rich.console import Console

from tradewind.console.errors import ConsoleError
from tradewind.streaming.datasets import DataError, SymbolFrom, import_bars
from tradewind.streaming.datasets.pulling import pull_bars_and_news
from tradewind.streaming.sources.errors import SourceError

_FORMATS = {".csv": "csv", ".parquet": "parquet", ".h5": "hdf5", ".hdf5": "hdf5", ".hdf": "hdf5"}


def import_files(
    files: list[Path],
    out: Path,
    stamps: str,
    timezone: str,
    interval: str,
    symbol: str | None,
    context: str | None,
    column: list[str],
    *,
    as_json: bool,
) -> None:
    """Files of bars → a data set."""
    kinds = {_FORMATS.get(f.suffix.lower(), "") for f in files}
    if len(kinds) != 1 or "" in kinds:
        raise ConsoleError(f"{', '.join(map(str, files))}: give files of one kind: .csv, .parquet, .h5 or .hdf5")
    columns = dict(pair.partition("=")[::2] for pair in column)
    wrong = [pair for pair in column if "=" not in pair]
    if wrong:
        raise ConsoleError(f"--column {wrong[0]}: write NAME=COLUMN, e.g. --column time=Date")
    try:
        summary = import_bars(
            files,
            out,
            format=cast(Literal["csv", "parquet", "hdf5"], kinds.pop()),
            stamps=cast(Literal["open", "close"], stamps),
            timezone=timezone,
            interval=interval,
            columns=columns,
            symbol=_symbol_from(files, symbol, columns),
            context=[context] if context else [],
        )
    except DataError as error:
        raise ConsoleError(str(error)) from None
    _report(summary.directory, summary.bars, summary.warnings, as_json)


def _symbol_from(files: list[Path], symbol: str | None, columns: dict[str, str]) -> SymbolFrom:
    """The given symbol; else the files' symbol column; else, for files without one, their names."""
    if symbol:
        return SymbolFrom("fixed", symbol)
    wanted = columns.get("symbol", "symbol")
    if any(f.suffix.lower() == ".csv" and f.exists() and wanted not in _heading(f) for f in files):
        return SymbolFrom("file")
    return SymbolFrom("column", "symbol")


def _heading(path: Path) -> list[str]:
    with path.open(encoding="utf-8", errors="replace") as file:
        return [name.strip().strip('"') for name in file.readline().split(",")]


def pull(
    symbols: str, start: str, end: str, out: Path, interval: str, url: str, ca: Path | None, *, as_json: bool
) -> None:
    """Alpaca's bars and news → a data set."""
    try:
        summary = pull_bars_and_news(
            out,
            symbols=[s.strip() for s in symbols.split(",") if s.strip()],
            interval=interval,
            start=_ns(start, "--start", time.min),
            end=_ns(end, "--end", time.max),
            base_url=url,
            ca_file=ca,
        )
    except (DataError, SourceError) as error:
        raise ConsoleError(str(error)) from None
    _report(summary.directory, summary.bars, [], as_json)


def _ns(text: str, option: str, at: time) -> int:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ConsoleError(f"{option} {text}: write a day as YYYY-MM-DD") from None
    return int(datetime.combine(day, at, UTC).timestamp()) * 10**9


def _report(directory: Path, bars: int, warnings: list[str], as_json: bool) -> None:
    if as_json:
        value: dict[str, Any] = {"directory": str(directory), "bars": bars, "warnings": warnings}
        print(json.dumps(value))  # noqa: T201
        return
    out = Console()
    for warning in warnings:
        out.print(f"[yellow]![/] {warning}")
    out.print(f"{bars:,} bars in {directory}; trade them with: tradewind up -f FILE --replay {directory}")
