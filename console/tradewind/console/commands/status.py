"""`tradewind status`. Shell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tradewind.console.errors import ConsoleError
from tradewind.console.executors import executors
from tradewind.console.state import StateDirectory


def run(state: Path, *, as_json: bool) -> None:
    """Shows the processes of a run and its accounts."""
    directory = StateDirectory(state)
    if not state.is_dir():
        raise ConsoleError(f"{state}: no such state directory; give the one of tradewind up with --state")
    alive = directory.alive()
    accounts = _accounts(state)
    if as_json:
        processes = [{"name": p.name, "pid": p.pid, "module": p.module} for p in alive]
        print(json.dumps({"processes": processes, "accounts": accounts}))  # noqa: T201
        return
    out = Console()
    if not alive:
        out.print(f"nothing runs in {state}")
        return
    table = Table("process", "pid", "module", box=None)
    for process in alive:
        table.add_row(process.name, str(process.pid), process.module)
    out.print(table)
    for account in accounts:
        state_of_switch = f"[red]halted: {account['kill_reason']}[/]" if account["kill_switch"] else "[green]trading[/]"
        out.print(
            f"\n{account['account']}: {state_of_switch}, equity {account['equity']:,.2f} USD, "
            f"{account['orders']} orders, {account['fills']} fills, {account['rejected_intents']} refused intents"
        )


def _accounts(state: Path) -> list[dict[str, Any]]:
    try:
        clients = executors(state)
    except ConsoleError:
        return []
    replies = [reply for client in clients if (reply := client.status()) is not None]
    return [
        {
            "account": r.account,
            "connected": r.connected,
            "kill_switch": r.kill_switch,
            "kill_reason": r.kill_reason,
            "decision_hash": r.decision_hash,
            "intents": r.intents,
            "rejected_intents": r.rejected_intents,
            "orders": r.orders,
            "fills": r.fills,
            "equity": r.equity / 1e8,
        }
        for r in replies
    ]
