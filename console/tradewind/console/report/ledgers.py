"""Reads the books of a run from each of their four keepers. Shell."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from alpaca.trading.client import TradingClient

from tradewind.bus import Bus
from tradewind.console.agreement import Ledger
from tradewind.native.engine import read_journal
from tradewind.streaming.recorder import Repository
from tradewind.v1 import trading_pb2

_MONEY, _QUANTITY = Decimal(10**8), Decimal(10**9)
_PAGE = 500


def venue_ledger(url: str, ca_file: str | None, key: str, secret: str) -> tuple[Ledger, int]:
    """The broker's books through the unmodified alpaca-py, and how many orders it has."""
    client = TradingClient(key, secret, paper=True, url_override=url)
    if ca_file:
        # alpaca-py takes a certificate only by the environment, and the environment's would win over the session's.
        client._session.trust_env = False
        client._session.verify = ca_file
    ledger = Ledger("the venue")
    orders = _all_orders(client)
    for order in orders:
        quantity = Decimal(order["filled_qty"])
        if quantity:
            ledger.add_fill(order["client_order_id"], quantity, Decimal(order["filled_avg_price"]))
    for position in client.get_all_positions():
        ledger.positions[str(position.symbol)] = Decimal(str(position.qty))
    ledger.cash = Decimal(str(client.get_account().cash))
    return ledger, len(orders)


def _all_orders(client: TradingClient) -> list[dict[str, Any]]:
    """Every order, a page at a time from the oldest. By id: orders of one lockstep step share their time."""
    found: list[dict[str, Any]] = []
    while True:
        query = {"status": "all", "limit": _PAGE, "direction": "asc", "nested": False}
        if found:
            query["after_order_id"] = found[-1]["id"]
        page = client.get("/orders", query)
        found += page
        if len(page) < _PAGE:
            return found


def journal_ledger(journal: Path, account: str) -> Ledger:
    """The executor's books, from its journal's own records."""
    ledger = Ledger(f"the executor of {account}")
    for entry in read_journal(journal):
        for record in entry.get("records", []):
            if record["record"] == "fill" and not record["internal"]:
                ledger.add_fill(record["client_order_id"], record["quantity"] / _QUANTITY, record["price"] / _MONEY)
            elif record["record"] == "position" and record["strategy"] == "":
                ledger.positions[record["symbol"]] = record["quantity"] / _QUANTITY
            elif record["record"] == "account":
                ledger.cash = record["cash"] / _MONEY
    return ledger


def topic_ledger(bus: Bus, account: str) -> Ledger:
    """What the fills and positions topics say."""
    ledger = Ledger("the fills topic")
    seen: set[tuple[str, str]] = set()
    for record in bus.read("fills"):
        fill = record.message
        assert isinstance(fill, trading_pb2.Fill)
        # A record published again after a restart is the same record.
        if fill.account != account or fill.internal or (fill.execution_id, fill.strategy) in seen:
            continue
        seen.add((fill.execution_id, fill.strategy))
        ledger.add_fill(fill.client_order_id, fill.quantity / _QUANTITY, fill.price / _MONEY)
    for record in bus.read("positions"):
        snapshot = record.message
        assert isinstance(snapshot, trading_pb2.PositionSnapshot)
        if snapshot.account == account:
            ledger.positions = {p.symbol: p.quantity / _QUANTITY for p in snapshot.positions if not p.strategy}
            ledger.cash = snapshot.cash / _MONEY
    return ledger


def sql_ledger(repository: Repository, account: str) -> Ledger:
    """What the SQL record says."""
    ledger = Ledger("the SQL record")
    for fill in repository.fills(account):
        if not fill.internal:
            ledger.add_fill(fill.client_order_id, fill.quantity, fill.price)
    books = repository.positions_at(account)
    if books is not None:
        ledger.positions = {p.symbol: p.quantity for p in books.positions if not p.strategy}
        ledger.cash = books.cash
    return ledger
