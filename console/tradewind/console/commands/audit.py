"""`tradewind audit`: verify, export and trace what the executors put on record. Shell."""

from __future__ import annotations

import csv
import json
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console

from tradewind.bus import Bus, BusError, open_bus
from tradewind.console.errors import ConsoleError
from tradewind.execution.audit.chain import Break, Verification, compare, verify
from tradewind.execution.audit.rows import KINDS, journal_rows
from tradewind.native.engine import JournalError, read_journal
from tradewind.v1 import trading_pb2

_COLUMNS = ("account", "sequence", "event_time", "kind", "payload", "previous_hash", "hash")


@contextmanager
def run_bus(state: Path, url: str | None) -> Iterator[Bus]:
    """The bus of a run: the one named, or the file in its state directory. Raises ConsoleError."""
    if url is None and not (state / "bus.db").is_file():
        raise ConsoleError(f"{state}: holds no bus.db; give the state directory of a run, or --bus kafka://HOST:PORT")
    try:
        with open_bus(url or f"file://{(state / 'bus.db').resolve()}") as bus:
            yield bus
    except BusError as error:
        raise ConsoleError(str(error)) from None


def check(state: Path, url: str | None, account: str | None, *, as_json: bool) -> None:
    """Verifies each account's chain, and against its journal where that lies in `state`. Fails on the first break."""
    with run_bus(state, url) as bus:
        chains = _chains(bus, account)
    if not chains:
        raise ConsoleError(f"the audit holds no record{f' of account {account}' if account else ''}")
    results = [_verified(state, name, links) for name, links in sorted(chains.items())]
    if as_json:
        print(json.dumps([asdict(result) | {"journal": journal} for result, journal in results]))  # noqa: T201
    for result, journal in results:
        if result.first_break is not None:
            raise ConsoleError(_broken(result, result.first_break))
        if not as_json:
            against = " and is what the journal makes" if journal else "; no journal here to compare it with"
            Console().print(
                f"{result.account}: {result.records:,} records, the chain holds{against}; ends {result.last_hash}"
            )


def _chains(bus: Bus, account: str | None) -> dict[str, list[trading_pb2.AuditRecord]]:
    chains: dict[str, list[trading_pb2.AuditRecord]] = defaultdict(list)
    for record in bus.read("audit"):
        assert isinstance(record.message, trading_pb2.AuditRecord)
        if account in (None, record.message.account):
            chains[record.message.account].append(record.message)
    return chains


def _verified(state: Path, account: str, links: list[trading_pb2.AuditRecord]) -> tuple[Verification, bool]:
    result = verify(account, links)
    journal = state / "executors" / account / "executor.journal"
    if result.first_break is not None or not journal.is_file():
        return result, False
    try:
        rows = (row for entry in read_journal(journal) for row in journal_rows(entry))
        found = compare(links, account, rows)
    except JournalError as error:
        raise ConsoleError(str(error)) from None
    return Verification(account, result.records, result.last_hash, found), True


def _broken(result: Verification, found: Break) -> str:
    hint = "; an executor that runs, or died, publishes it when it goes on" if found.damage == "truncated tail" else ""
    return f"audit of {result.account}: {found.damage} at record {found.sequence}: {found.text}{hint}"


def export(
    state: Path,
    url: str | None,
    out: Path | None,
    layout: str,
    account: str | None,
    kinds: list[str],
    since: str | None,
    until: str | None,
) -> None:
    """Writes the records as JSON lines or CSV, to a file or to standard output."""
    if layout not in ("jsonl", "csv"):
        raise ConsoleError(f"--format {layout}: write jsonl or csv")
    unknown = [k for k in kinds if k not in KINDS.values()]
    if unknown:
        raise ConsoleError(f"--kind {unknown[0]}: is none of {', '.join(KINDS.values())}")
    first, last = _time(since, "--since", 0), _time(until, "--until", 2**63 - 1)
    with run_bus(state, url) as bus:
        chosen = (
            link
            for links in _chains(bus, account).values()
            for link in links
            if first <= link.event_time < last and (not kinds or link.kind in kinds)
        )
        try:
            with out.open("w", encoding="utf-8", newline="") if out else _standard_output() as file:
                _write(chosen, layout, file)
        except OSError as error:
            raise ConsoleError(f"--out {out}: {error.strerror}; name a file that can be written") from None


@contextmanager
def _standard_output() -> Iterator[TextIO]:
    yield sys.stdout


def _write(links: Iterator[trading_pb2.AuditRecord], layout: str, file: TextIO) -> None:
    table = csv.writer(file) if layout == "csv" else None
    if table is not None:
        table.writerow(_COLUMNS)
    for link in links:
        row = {
            "account": link.account,
            "sequence": link.sequence,
            "event_time": link.event_time,
            "kind": link.kind,
            "payload": json.loads(link.payload) if table is None else link.payload.decode(),
            "previous_hash": link.previous_hash.hex(),
            "hash": link.hash.hex(),
        }
        if table is not None:
            table.writerow([row[column] for column in _COLUMNS])
        else:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _time(text: str | None, option: str, default: int) -> int:
    if text is None:
        return default
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ConsoleError(f"{option} {text}: write a time as 2026-03-02 or 2026-03-02T14:30:00Z") from None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return int(at.timestamp()) * 10**9


def trace(state: Path, url: str | None, wanted: str, *, as_json: bool) -> None:
    """Prints what led to an order or a fill, back to the bar."""
    from tradewind.console.commands.audit_trace import as_dict, lines
    from tradewind.execution.audit.trace import trace as find

    with run_bus(state, url) as bus:
        found = find(bus, wanted)
    if found is None:
        raise ConsoleError(f"{wanted}: no order or fill of this run has this id; see tradewind audit export")
    if as_json:
        value: dict[str, Any] = as_dict(found)
        print(json.dumps(value))  # noqa: T201
        return
    out = Console(soft_wrap=True, highlight=False, markup=False)
    for line in lines(found):
        out.print(line)
