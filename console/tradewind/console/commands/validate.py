"""`tradewind validate`. Shell."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from tradewind.console.documents import load


def run(files: list[Path], *, as_json: bool) -> None:
    """Says what the documents hold and which of their fields this version doesn't act on."""
    loaded = load(files)
    if as_json:
        value = {
            "documents": [{"kind": d.kind, "name": d.metadata.name} for d in loaded.all],
            "notices": [str(n) for n in loaded.notices],
        }
        print(json.dumps(value))  # noqa: T201
        return
    out = Console()
    for document in loaded.all:
        out.print(f"[green]✓[/] {document.kind}/{document.metadata.name}")
    for notice in loaded.notices:
        out.print(f"[yellow]![/] {notice}")
