"""Shell: an append-only table in a directory: Parquet parts and one open tail per writer.

A large table becomes a part at once: written to a temporary file, synced, then linked under its number, so that a
reader sees all of it or nothing. Small tables (the stream appends a few rows per bar) go to the writer's tail, an Arrow
IPC stream; one `write()` per table, so they survive a SIGKILL the moment append() returns. A tail that has grown, or
whose writer has closed or died, is compacted into the part of the same number; a reader that finds both takes the
part. A torn last record (the machine died inside a write) is dropped when the tail is compacted.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

_PART = re.compile(r"part-(\d{12})(?:-([0-9a-f]{16}))?\.parquet")
_TAIL = re.compile(r"tail-(\d{12})\.arrows")
BATCH_ROWS = 1_000  # from this size on a table is a part of its own
TAIL_ROWS = 50_000  # a tail of this size is compacted


class PartLog:
    """One writer (and reader) of the table in `directory`; several processes may have one each."""

    def __init__(self, directory: Path, schema: pa.Schema) -> None:
        self.directory = directory
        self.schema = schema
        self._tail: int | None = None  # file descriptor, locked while this writer lives
        self._tail_number = 0
        self._tail_rows = 0
        directory.mkdir(parents=True, exist_ok=True)

    def append(self, table: pa.Table) -> None:
        """Add the rows of `table` (columns of the schema). They are visible to readers when this returns."""
        table = table.select(self.schema.names).cast(self.schema)
        if table.num_rows == 0:
            return
        if table.num_rows >= BATCH_ROWS:
            self._add_part(table)
            return
        if self._tail is None:
            self._open_tail()
        assert self._tail is not None
        for batch in table.combine_chunks().to_batches():
            _write_all(self._tail, batch.serialize().to_pybytes())
        self._tail_rows += table.num_rows
        if self._tail_rows >= TAIL_ROWS:
            self.flush()

    def flush(self) -> None:
        """Compact this writer's tail into a part."""
        if self._tail is None:
            return
        descriptor, self._tail, self._tail_rows = self._tail, None, 0
        try:
            self._compact(self._tail_number)
        finally:
            os.close(descriptor)

    def read(self, columns: list[str] | None = None) -> pl.DataFrame:
        """All rows in the order they were written, tails last."""
        columns = columns or self.schema.names
        for _ in range(20):
            try:
                return self._read(columns)
            except FileNotFoundError:  # a tail was compacted between the listing and the read: list again
                continue
        raise OSError(f"{self.directory}: its files change too fast to be read")

    def _read(self, columns: list[str]) -> pl.DataFrame:
        parts, tails = self._files()
        frames: dict[int, pl.DataFrame] = {}
        for number, path in parts.items():
            frames[number] = pl.read_parquet(path, columns=columns, use_statistics=False).select(columns)
        for number, path in tails.items():
            if number not in frames:
                table = pa.Table.from_batches(_tail_batches(path, self.schema), self.schema).select(columns)
                frame = pl.from_arrow(table)
                assert isinstance(frame, pl.DataFrame)
                frames[number] = frame
        if not frames:
            empty = pl.from_arrow(self.schema.empty_table().select(columns))
            assert isinstance(empty, pl.DataFrame)
            return empty
        return pl.concat([frames[number] for number in sorted(frames)])

    def _files(self) -> tuple[dict[int, Path], dict[int, Path]]:
        parts: dict[int, Path] = {}
        tails: dict[int, Path] = {}
        # Tails first: one that is compacted in between is then found as a part; the other way round it could be missed.
        for path in self.directory.iterdir():
            if match := _TAIL.fullmatch(path.name):
                tails[int(match[1])] = path
        for path in self.directory.iterdir():
            if match := _PART.fullmatch(path.name):
                parts[int(match[1])] = path
        return parts, tails

    def _add_part(self, table: pa.Table) -> None:
        temporary = self._write_temporary(table)
        try:
            digest = hashlib.sha256(temporary.read_bytes()).hexdigest()[:16]
            with self._numbering() as number:
                # The same history written again (a second training run) is the same part.
                if not any(self.directory.glob(f"part-*-{digest}.parquet")):
                    os.link(temporary, self.directory / f"part-{number:012d}-{digest}.parquet")
        finally:
            temporary.unlink()

    def _write_temporary(self, table: pa.Table) -> Path:
        temporary = self.directory / f".write-{uuid.uuid4().hex}.tmp"  # pids of several pods are alike
        pq.write_table(table, temporary, compression="zstd")
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        return temporary

    def _open_tail(self) -> None:
        with self._numbering() as number:
            self._adopt_orphans()
            path = self.directory / f"tail-{number:012d}.arrows"
            self._tail = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o644)
            fcntl.flock(self._tail, fcntl.LOCK_EX)
            self._tail_number = number
            _write_all(self._tail, self.schema.serialize().to_pybytes())

    def _adopt_orphans(self) -> None:
        """Compact the tails of writers that are gone (their lock went with them)."""
        _, tails = self._files()
        for number, path in tails.items():
            try:
                descriptor = os.open(path, os.O_RDONLY)
            except FileNotFoundError:  # its writer has just compacted it
                continue
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            else:
                self._compact(number)
            finally:
                os.close(descriptor)

    def _compact(self, number: int) -> None:
        tail = self.directory / f"tail-{number:012d}.arrows"
        part = self.directory / f"part-{number:012d}.parquet"
        if not part.exists():
            batches = list(_tail_batches(tail, self.schema))
            if batches:
                temporary = self._write_temporary(pa.Table.from_batches(batches, self.schema))
                temporary.rename(part)
        tail.unlink()

    @contextmanager
    def _numbering(self) -> Iterator[int]:
        """The next free number, held until the file that takes it exists."""
        descriptor = os.open(self.directory / ".lock", os.O_CREAT | os.O_RDWR, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            parts, tails = self._files()
            yield max([0, *parts, *tails]) + 1
        finally:
            os.close(descriptor)


def _write_all(descriptor: int, data: bytes) -> None:
    written = os.write(descriptor, data)
    if written != len(data):
        raise OSError(f"short write of {written} of {len(data)} bytes: is the disk full?")


def _tail_batches(path: Path, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The whole records of a tail; stops before a torn last one."""
    with path.open("rb") as file:
        try:
            pa.ipc.read_message(file)  # the schema
            while True:
                yield pa.ipc.read_record_batch(pa.ipc.read_message(file), schema)
        except (EOFError, pa.ArrowInvalid, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
