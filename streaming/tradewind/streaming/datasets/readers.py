"""Shell: CSV, Parquet and HDF5 files to plain tables, with decimal text kept as text."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import polars as pl

from tradewind.streaming.datasets.errors import DataError


def read_table(path: Path, form: str) -> pl.DataFrame:
    """The table in `path`; a CSV's columns are all text, so that no price passes through a binary float.

    Raises:
        DataError: the file is missing, truncated, empty or of another format.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file; check the path")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: empty file; export it again")
    try:
        if form == "csv":
            return pl.read_csv(path, infer_schema=False, encoding="utf8")
        if form == "parquet":
            return pl.read_parquet(path)
        if form == "hdf5":
            return _read_hdf5(path)
    except DataError:
        raise
    except (OSError, ValueError, KeyError, pl.exceptions.PolarsError) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(
            f"{path}: not a readable {form} file ({reason}); export it again or give its real format"
        ) from None
    raise DataError(f"format: {form!r} is not known: use csv, parquet or hdf5")


def _read_hdf5(path: Path) -> pl.DataFrame:
    """A table written by pandas, or one compound data set, or a group of equally long columns."""
    with h5py.File(path, "r") as file:
        if any("pandas_type" in node.attrs for node in _nodes(file)):
            return _read_pandas(path)
        tables = [node for node in _nodes(file) if isinstance(node, h5py.Dataset) and node.dtype.names]
        if len(tables) == 1:
            values = tables[0][()]
            return pl.DataFrame({name: _plain(values[name]) for name in values.dtype.names})
        columns = {name: node[()] for name, node in file.items() if isinstance(node, h5py.Dataset) and node.ndim == 1}
    if not columns or len({len(column) for column in columns.values()}) != 1:
        raise DataError(
            f"{path}: no table found; store one table (pandas to_hdf, a compound data set, or equal columns)"
        )
    return pl.DataFrame({name: _plain(values) for name, values in columns.items()})


def _nodes(group: h5py.Group) -> list[h5py.Group | h5py.Dataset]:
    nodes: list[h5py.Group | h5py.Dataset] = [group]
    for child in group.values():
        nodes.extend(_nodes(child) if isinstance(child, h5py.Group) else [child])
    return nodes


def _plain(values: Any) -> pl.Series:
    series = pl.Series(values)
    return series.cast(pl.String) if series.dtype == pl.Binary else series


def _read_pandas(path: Path) -> pl.DataFrame:
    import pandas as pd  # its HDF5 reader needs pytables; only files that pandas wrote need either

    with warnings.catch_warnings(), pd.HDFStore(str(path), mode="r") as store:
        warnings.simplefilter("ignore")
        keys = store.keys()
        if len(keys) != 1:
            raise DataError(f"{path}: holds {len(keys)} tables ({', '.join(keys)}); store one table per file")
        frame = store.get(keys[0])
    if frame.index.name is not None or not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    table = pl.from_pandas(frame)
    return table if isinstance(table, pl.DataFrame) else table.to_frame()
