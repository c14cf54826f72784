"""`tradewind books`: an account's positions, P&L, fees and cash, from its fills, against its executor's. Shell."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any

import exchange_calendars
from rich.console import Console
from rich.table import Table

from tradewind.bus import Bus
from tradewind.console.commands.audit import run_bus
from tradewind.console.errors import ConsoleError
from tradewind.trading.accounting import Accounts, Execution, FeeSchedule
from tradewind.v1 import trading_pb2

_MONEY, _SHARES = Decimal(10**8), Decimal(10**9)
_CENT = Decimal("0.01")


def run(
    state: Path, url: str | None, account: str | None, sec: str, taf: str, taf_max: str | None, *, as_json: bool
) -> None:
    """Shows the books of each account. Fails when they are not the executor's."""
    fees = FeeSchedule(
        _amount(sec, "--sec-per-million"),
        _amount(taf, "--taf-per-share"),
        None if taf_max is None else _amount(taf_max, "--taf-max"),
    )
    with run_bus(state, url) as bus:
        snapshots = _last_snapshots(bus)
        if not snapshots or account not in (None, *snapshots):
            raise ConsoleError(f"no books{f' of account {account}' if account else ''} in {state}: has it traded?")
        shown = [_books(bus, name, last, fees) for name, last in sorted(snapshots.items()) if account in (None, name)]
    if as_json:
        print(json.dumps(shown))  # noqa: T201
    for books in shown:
        if not as_json:
            _print(books)
        if books["differences"]:
            raise ConsoleError(f"books of {books['account']}: {books['differences'][0]}")


def _last_snapshots(bus: Bus) -> dict[str, trading_pb2.PositionSnapshot]:
    found: dict[str, trading_pb2.PositionSnapshot] = {}
    for record in bus.read("positions"):
        assert isinstance(record.message, trading_pb2.PositionSnapshot)
        if record.message.journal_sequence >= getattr(found.get(record.message.account), "journal_sequence", 0):
            found[record.message.account] = record.message
    return found


def _books(bus: Bus, account: str, last: trading_pb2.PositionSnapshot, fees: FeeSchedule) -> dict[str, Any]:
    books = Accounts(Decimal(0), _next_session, fees)
    seen: set[tuple[str, str, bool]] = set()
    for record in bus.read("fills"):
        fill = record.message
        assert isinstance(fill, trading_pb2.Fill)
        key = (fill.execution_id, fill.strategy, fill.internal)
        if fill.account == account and fill.journal_sequence <= last.journal_sequence and key not in seen:
            seen.add(key)
            books.take(_execution(fill))
    # What was there before the first fill is what the executor's cash says was.
    cash = last.cash / _MONEY
    books.opening_cash = cash - books.cash
    day = datetime.fromtimestamp(last.event_time / 1e9, UTC).date()
    prices = {p.symbol: p.market_price / _MONEY for p in last.positions}
    rows = [
        {
            "strategy": strategy,
            "symbol": symbol,
            "quantity": str(book.quantity.normalize()),
            "average_price": _cents(book.average_price),
            "realised": _cents(book.realised),
            "unrealised": _cents(book.unrealised(prices.get(symbol, Decimal(0)))),
        }
        for (strategy, symbol), book in sorted(books.strategies.items())
    ]
    return {
        "account": account,
        "day": day.isoformat(),
        "cash": _cents(books.cash),
        "settled_cash": _cents(books.settled_cash(day)),
        "realised": _cents(books.realised),
        "unrealised": _cents(books.unrealised(prices)),
        "fees_due": _cents(books.fees_due),
        "positions": rows,
        "differences": _differences(books, last),
    }


def _execution(fill: trading_pb2.Fill) -> Execution:
    sign = 1 if fill.side == trading_pb2.SIDE_BUY else -1
    return Execution(
        datetime.fromtimestamp(fill.event_time / 1e9, UTC).date(),
        fill.symbol,
        fill.strategy,
        sign * fill.quantity / _SHARES,
        fill.price / _MONEY,
        fill.internal,
        fill.client_order_id,
    )


def _differences(books: Accounts, last: trading_pb2.PositionSnapshot) -> list[str]:
    """Where the executor's own figures are others; of the account's P&L, by more than a cent of rounding.

    A strategy's P&L is not compared: of an order that several share it has whole shares at the order's average price.
    """
    found = []
    told = {(p.strategy, p.symbol): p for p in last.positions}
    own = {("", symbol): book for symbol, book in books.account.items()} | dict(books.strategies)
    for (strategy, symbol), book in sorted(own.items()):
        name = f"{strategy or 'the account'}, {symbol}"
        position = told.get((strategy, symbol), trading_pb2.Position())
        if position.quantity / _SHARES != book.quantity:
            found.append(
                f"{name}: the fills add up to {book.quantity}, the executor holds {position.quantity / _SHARES}"
            )
        elif not strategy and abs(position.realized_pnl / _MONEY - book.realised) > _CENT:
            found.append(f"{name}: realised {book.realised}, the executor says {position.realized_pnl / _MONEY}")
    return found


@cache
def _calendar() -> Any:
    return exchange_calendars.get_calendar("XNYS", start="1990-01-01")


@cache
def _next_session(day: date) -> date:
    calendar = _calendar()
    following: date = calendar.next_session(calendar.date_to_session(day.isoformat(), "previous")).date()
    return following


def _amount(text: str, option: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise ConsoleError(f"{option} {text}: write an amount of USD, e.g. 27.80")
    return amount


def _cents(amount: Decimal) -> str:
    return str(amount.quantize(_CENT))


def _print(books: dict[str, Any]) -> None:
    out = Console()
    out.print(
        f"[bold]{books['account']}[/] on {books['day']}: cash {books['cash']} USD, of which settled "
        f"{books['settled_cash']}; realised {books['realised']}, unrealised {books['unrealised']}, fees due "
        f"{books['fees_due']}"
    )
    table = Table("strategy", "symbol", "quantity", "average price", "realised", "unrealised", box=None)
    for row in books["positions"]:
        table.add_row(*row.values())
    out.print(table)
