"""Part files: nothing half-written is read, nothing that was appended is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from tradewind.streaming.features import part_log
from tradewind.streaming.features.part_log import PartLog

SCHEMA = pa.schema([("symbol", pa.string()), ("x", pa.float64())])


def table(*values: float) -> pa.Table:
    return pa.table({"symbol": ["A"] * len(values), "x": list(values)}, SCHEMA)


def values(directory: Path) -> list[float]:
    return PartLog(directory, SCHEMA).read()["x"].to_list()


def test_small_appends_are_visible_at_once_and_survive_compaction(tmp_path: Path) -> None:
    log = PartLog(tmp_path, SCHEMA)
    log.append(table(1.0))
    log.append(table(2.0, 3.0))
    assert values(tmp_path) == [1.0, 2.0, 3.0]
    log.flush()
    assert values(tmp_path) == [1.0, 2.0, 3.0]
    assert [p.suffix for p in tmp_path.iterdir() if p.name[0] != "."] == [".parquet"]


def test_a_tail_that_has_grown_becomes_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(part_log, "TAIL_ROWS", 4)
    log = PartLog(tmp_path, SCHEMA)
    for value in range(10):
        log.append(table(float(value)))
    assert len(list(tmp_path.glob("part-*.parquet"))) == 2
    assert values(tmp_path) == [float(v) for v in range(10)]


def test_a_large_table_is_a_part_and_written_again_the_same_part(tmp_path: Path) -> None:
    log = PartLog(tmp_path, SCHEMA)
    many = table(*(float(v) for v in range(part_log.BATCH_ROWS)))
    log.append(many)
    log.append(many)
    assert len(values(tmp_path)) == part_log.BATCH_ROWS
    assert not list(tmp_path.glob("*.tmp"))


def test_readers_ignore_files_that_are_being_written(tmp_path: Path) -> None:
    PartLog(tmp_path, SCHEMA).append(table(1.0))
    (tmp_path / ".write-1-2.tmp").write_bytes(b"half a file")
    assert values(tmp_path) == [1.0]


def test_two_writers_never_take_the_same_number(tmp_path: Path) -> None:
    first, second = PartLog(tmp_path, SCHEMA), PartLog(tmp_path, SCHEMA)
    first.append(table(1.0))
    second.append(table(2.0))
    first.append(table(3.0))
    assert values(tmp_path) == [1.0, 3.0, 2.0]
    second.flush()
    first.flush()
    assert values(tmp_path) == [1.0, 3.0, 2.0]


WRITER = """
import os, sys
from pathlib import Path
import pyarrow as pa
from tradewind.streaming.features.part_log import PartLog
log = PartLog(Path(sys.argv[1]), pa.schema([("symbol", pa.string()), ("x", pa.float64())]))
for value in range(100):
    log.append(pa.table({"symbol": ["A"], "x": [float(value)]}))
    print(value, flush=True)
    if value == 7:
        sys.stdin.read()
"""


def test_appended_rows_survive_sigkill_and_the_next_writer_compacts_them(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    while child.stdout.readline().strip() != "7":
        pass
    child.send_signal(signal.SIGKILL)
    child.communicate()
    expected = [float(v) for v in range(8)]
    assert values(tmp_path) == expected
    torn = next(tmp_path.glob("tail-*.arrows"))
    os.truncate(torn, torn.stat().st_size - 5)  # as if the machine had died inside the last write
    assert values(tmp_path) == expected[:-1]
    successor = PartLog(tmp_path, SCHEMA)
    successor.append(table(100.0))
    assert values(tmp_path) == [*expected[:-1], 100.0]
    assert len(list(tmp_path.glob("tail-*"))) == 1


def test_a_part_wins_over_the_tail_it_was_made_from(tmp_path: Path) -> None:
    log = PartLog(tmp_path, SCHEMA)
    log.append(table(1.0))
    tail = next(tmp_path.glob("tail-*"))
    kept = tail.read_bytes()
    log.flush()
    tail.write_bytes(kept)  # killed between the rename and the removal
    assert values(tmp_path) == [1.0]
    PartLog(tmp_path, SCHEMA).append(table(2.0))
    assert values(tmp_path) == [1.0, 2.0]
