"""Shell. The running venue: the core's state, its books, its clock and its streams, and the one way to change them.

Everything runs on one event loop: the operations that are ready decide, are made durable and are queued to the streams
without a pause in between, so all clients see changes in one order and never one that a restart could forget.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hmac
import json
import time as wall
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakSet

from tradewind.execution.venue.books import Books
from tradewind.execution.venue.changes import Changes
from tradewind.execution.venue.config import VenueConfig
from tradewind.execution.venue.data_stream import DataStream
from tradewind.execution.venue.delivery import Delivery
from tradewind.execution.venue.faults import FaultPlan, Faults
from tradewind.execution.venue.hours import ANY_HOURS, Hours
from tradewind.execution.venue.market import new_asset
from tradewind.execution.venue.orders import is_pair
from tradewind.execution.venue.queries import NEW_YORK
from tradewind.execution.venue.rejections import Rejection
from tradewind.execution.venue.session import is_due, tick
from tradewind.execution.venue.sessions import Sessions
from tradewind.execution.venue.state import State
from tradewind.execution.venue.stream_messages import (
    CRYPTO_CHANNELS,
    NEWS_CHANNELS,
    STOCK_CHANNELS,
    Message,
    bar_message,
    news_message,
    quote_message,
)
from tradewind.execution.venue.trade_stream import TradeStream

T = TypeVar("T")
Entry = tuple[str, tuple[str, ...], Message]


@dataclass(frozen=True, slots=True)
class _Ready:
    """An operation that waits for its turn, and who waits for it."""

    operation: Callable[[State], Any]
    outcome: asyncio.Future[Any]
    broadcast: bool


class Service:
    """State, books and streams of one venue. `key_id` and `secret` are the credentials it accepts."""

    def __init__(self, config: VenueConfig, books: Books, key_id: str, secret: str) -> None:
        self.config = config
        self.books = books
        self.terms = config.terms()
        self.sessions = Sessions()
        self._ready: list[_Ready] = []
        self.connections: WeakSet[asyncio.Transport] = WeakSet()
        self.down_until = 0.0
        self._credentials = (key_id.encode(), secret.encode())
        self.state = self._load()
        self.trades = TradeStream(self.authorize, lambda: self.state.account.event_id)
        self.stocks = DataStream(self.authorize, STOCK_CHANNELS)
        self.crypto = DataStream(self.authorize, CRYPTO_CHANNELS)
        self.news = DataStream(self.authorize, NEWS_CHANNELS)
        self._deliveries = (
            Delivery("trades", _event_of, self.trades.publish, self.trades.cut),
            Delivery("stocks", _type_of, self.stocks.publish, self.stocks.cut),
            Delivery("crypto", _type_of, self.crypto.publish, self.crypto.cut),
            Delivery("news", _type_of, self.news.publish, self.news.cut),
        )
        self.misbehave(config.faults)
        self._add_assets()
        # In real time the calendar is on the path of every order: load it before the first one comes.
        self._hours()

    def _load(self) -> State:
        start = self.config.start_time if self.terms.virtual else wall.time_ns()
        return self.books.load(self.terms, start)

    def _add_assets(self) -> None:
        missing = [symbol for symbol in self.config.symbols if symbol not in self.state.assets]
        for symbol in missing:
            self.state.add_asset(new_asset(symbol))
        self._commit(broadcast=False)

    def authorize(self, key_id: object, secret: object) -> bool:
        """Whether the pair is the accepted one, in constant time."""
        if not isinstance(key_id, str) or not isinstance(secret, str):
            return False
        known_key, known_secret = self._credentials
        key_matches = hmac.compare_digest(key_id.encode(), known_key)
        return hmac.compare_digest(secret.encode(), known_secret) and key_matches

    def now(self) -> int:
        """Virtual or wall time, ns."""
        return self.state.account.now if self.terms.virtual else wall.time_ns()

    def _hours(self) -> Hours:
        """What the calendar says now; in virtual time nothing."""
        if self.terms.virtual:
            return ANY_HOURS
        return self.sessions.hours(wall.time_ns(), strict=self.config.hours == "exchange")

    async def change(self, operation: Callable[[State], T], *, broadcast: bool = False) -> T:
        """Run `operation` on the state, make what it changed durable, tell the streams; then return its result.

        Operations that are ready at the same moment share one transaction, in the order they came; one that is
        broadcast has its own. A Rejection changes nothing and is its caller's alone. Any other failure fails all that
        share the transaction, and the state is read back from the books: none of them has happened.
        """
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()
        if not self._ready:
            loop.call_soon(self._run_ready)
        self._ready.append(_Ready(operation, outcome, broadcast))
        return await outcome

    def _run_ready(self) -> None:
        ready, self._ready = self._ready, []
        while ready:
            alone = (number for number, one in enumerate(ready) if one.broadcast)
            count = next(alone, len(ready)) or 1
            self._run_group(ready[:count])
            ready = ready[count:]

    def _run_group(self, group: list[_Ready]) -> None:
        results: list[tuple[asyncio.Future[Any], Any]] = []
        try:
            self.state.hours = self._hours()
            for one in group:
                try:
                    results.append((one.outcome, one.operation(self.state)))
                except Rejection as rejection:
                    _fail(one.outcome, rejection)
            self._commit(broadcast=group[0].broadcast)
        except BaseException as failure:
            self.state = self._load()
            for one in group:
                _fail(one.outcome, failure)
            if not isinstance(failure, Exception):
                raise
            return
        for outcome, result in results:
            if not outcome.done():
                outcome.set_result(result)

    def _commit(self, *, broadcast: bool) -> None:
        changes = self.state.take_changes()
        self._deliveries[0].deliver(self.books.write(self.state, changes))
        if broadcast:
            self._broadcast(changes)

    def _broadcast(self, changes: Changes) -> None:
        entries: list[Entry] = []
        for bar in changes.bars:
            entries.append(("bars", (bar.symbol,), bar_message(bar, "b")))
            if bar.interval == "1Day":
                entries.append(("dailyBars", (bar.symbol,), bar_message(bar, "d")))
        entries += [("quotes", (quote.symbol,), quote_message(quote)) for quote in changes.quotes]
        for delivery, pairs in zip(self._deliveries[1:3], (False, True), strict=True):
            delivery.deliver([entry for entry in entries if is_pair(entry[1][0]) == pairs])
        self._deliveries[3].deliver([("news", news.symbols, news_message(news)) for news in changes.news])

    async def tick(self) -> None:
        """Real-time mode, about once a second: expiries, and the equity once a minute."""
        now = wall.time_ns()
        curve = self.state.equity_curve
        last = curve[-1][0] if curve else self.state.account.opened_at
        due = any(is_due(order, now) for orders in self.state.open_orders.values() for order in orders.values())
        if due or now - last >= 60 * 10**9:
            await self.change(lambda state: tick(state, now, _day(now) != _day(last)))

    def misbehave(self, plan: FaultPlan) -> None:
        """Follow a plan of faults from now on; an empty one is good behaviour."""
        self.faults = Faults(plan)
        for delivery in self._deliveries:
            delivery.misbehave(self.faults if plan.rules else None)

    def restart(self, down_seconds: float) -> None:
        """As if the process had died and another had come up on its books after `down_seconds`."""
        self.down_until = asyncio.get_running_loop().time() + down_seconds
        for transport in list(self.connections):
            transport.abort()
        for stream in (self.trades, self.stocks, self.crypto, self.news):
            stream.cut()
        self.state = self._load()

    async def close_streams(self) -> None:
        for stream in (self.trades, self.stocks, self.crypto, self.news):
            await stream.close()


def _event_of(update: str) -> str:
    event: str = json.loads(update)["event"]
    return event


def _type_of(entry: Entry) -> str:
    return str(entry[2]["T"])


def _fail(outcome: asyncio.Future[Any], failure: BaseException) -> None:
    """Tell who still waits; the future of a client that has gone is cancelled."""
    if not outcome.done():
        outcome.set_exception(failure)


def _day(time: int) -> dt.date:
    return dt.datetime.fromtimestamp(time / 10**9, NEW_YORK).date()
