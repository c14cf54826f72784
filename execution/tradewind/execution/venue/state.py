"""Core. The venue's books in memory and the few ways they change: an order touched, an event told, a fill booked."""

from __future__ import annotations

from collections.abc import Iterable

from tradewind.execution.venue.account import (
    Account,
    Position,
    apply_fill,
    buying_power,
    exposures,
    reserved_by,
)
from tradewind.execution.venue.changes import Changes, Fill
from tradewind.execution.venue.hours import ANY_HOURS
from tradewind.execution.venue.market import Asset
from tradewind.execution.venue.matching import Match, Terms, commission
from tradewind.execution.venue.money import CENT, notional
from tradewind.execution.venue.orders import Order, stable_id
from tradewind.execution.venue.times import MICROSECOND
from tradewind.execution.venue.wire import update_json

_ENDED_AT = {"canceled": "canceled_at", "expired": "expired_at", "rejected": "failed_at"}


class State:
    """Everything the core knows. Lookups are public; changes go through the methods, which note them in `changes`.

    `hours` is the one thing that is told from outside: what the calendar says at the time of the running operation.
    """

    def __init__(self, terms: Terms, account: Account) -> None:
        self.terms = terms
        self.account = account
        self.assets: dict[str, Asset] = {}
        self.positions: dict[str, Position] = {}
        self.orders: dict[str, Order] = {}
        self.by_client_id: dict[str, Order] = {}
        self.open_orders: dict[str, dict[str, Order]] = {}
        self.fills: list[Fill] = []
        self.steps: dict[int, dict[str, object]] = {}
        self.equity_curve: list[tuple[int, int]] = []
        self.changes = Changes()
        self.hours = ANY_HOURS
        self._reserved: dict[str, int] = {}
        self._reserved_total = 0

    def restore(
        self,
        assets: Iterable[Asset],
        positions: Iterable[Position],
        orders: Iterable[Order],
        fills: Iterable[Fill],
        steps: Iterable[tuple[int, dict[str, object]]],
        equity_curve: Iterable[tuple[int, int]],
    ) -> None:
        """Fill an empty state from durable rows; orders and fills in sequence."""
        self.assets = {asset.symbol: asset for asset in assets}
        self.positions = {position.symbol: position for position in positions}
        for order in orders:
            self._index(order)
        self.fills = list(fills)
        self.steps = dict(steps)
        self.equity_curve = list(equity_curve)

    def find_asset(self, named: str) -> Asset | None:
        """The asset of a symbol, an asset id, or a pair written without its slash."""
        if named in self.assets:
            return self.assets[named]
        return next((asset for asset in self.assets.values() if named in (asset.id, asset.position_symbol)), None)

    def take_changes(self) -> Changes:
        """What changed since the last call; the caller makes it durable."""
        changes, self.changes = self.changes, Changes()
        return changes

    def _index(self, order: Order) -> None:
        self.orders[order.id] = order
        self.by_client_id[order.client_order_id] = order
        resting = self.open_orders.setdefault(order.symbol, {})
        before = self._reserved.pop(order.id, 0)
        after = 0
        if order.is_open:
            resting[order.id] = order
            after = self._reserved[order.id] = self._reserve_of(order)
        else:
            resting.pop(order.id, None)
        self._reserved_total += after - before

    def _reserve_of(self, order: Order) -> int:
        """A replacement that waits ties up only what it needs beyond the order it is to replace."""
        if not order.is_successor:
            return reserved_by(order)
        return max(0, reserved_by(order) - reserved_by(self.orders[order.replaces or ""]))

    def touch(self, order: Order) -> None:
        """Note that `order` is new or has changed."""
        self._index(order)
        self.changes.orders[order.id] = order

    def add_asset(self, asset: Asset) -> None:
        self.assets[asset.symbol] = asset
        self.changes.assets.add(asset.symbol)

    def stamp(self, now: int) -> int:
        """`now`, moved on by a microsecond when it is already taken: paging by submission time loses no order."""
        account = self.account
        account.now = max(account.now, now)
        account.last_stamp = max(account.now, account.last_stamp + MICROSECOND)
        return account.last_stamp

    def emit(self, order: Order, event: str, time: int, fill: Fill | None = None) -> None:
        """Append one trade update."""
        self.account.event_id += 1
        data = update_json(self.account.event_id, event, time, order, fill)
        self.changes.events.append((self.account.event_id, data))

    def resting(self, symbol: str) -> list[Order]:
        """The open orders of a symbol in the order they came."""
        return sorted(self.open_orders.get(symbol, {}).values(), key=lambda order: order.seq)

    def exposures(self) -> tuple[int, int]:
        return exposures(self.positions, self.assets)

    def equity(self) -> int:
        long, short = self.exposures()
        return self.account.cash + long + short

    def buying_power(self, without: Order | None = None) -> int:
        """What opening orders may still reserve; `without` counts as if it were not there."""
        long, short = self.exposures()
        reserved = self._reserved_total - (self._reserved.get(without.id, 0) if without else 0)
        equity = self.account.cash + long + short
        return buying_power(equity, long, short, reserved, self.terms.multiplier)

    def free_cash(self, without: Order | None = None) -> int:
        """What may be spent without margin, as on pairs; `without` counts as if it were not there."""
        reserved = self._reserved_total - (self._reserved.get(without.id, 0) if without else 0)
        return max(0, min(self.account.cash - reserved, self.buying_power(without)))

    def position_qty(self, symbol: str) -> int:
        position = self.positions.get(symbol)
        return position.qty if position else 0

    def held(self, symbol: str, without: Order | None = None) -> tuple[int, list[str]]:
        """Quantity (1e-9) of a position that open closing orders have taken, and their ids; held exits take nothing."""
        asset = self.assets[symbol]
        held, related = 0, []
        for order in self.resting(symbol):
            if order.status == "held":
                continue
            if order.position_intent.endswith("_to_close") and (without is None or order.id != without.id):
                leaves = order.leaves(asset.last or 1)
                if order.is_successor:
                    leaves = max(0, leaves - self.orders[order.replaces or ""].leaves(asset.last or 1))
                held += leaves
                related.append(order.id)
        return held, related

    def execute(self, order: Order, match: Match, time: int) -> bool:
        """Book `match` on `order`, which is filled or partially filled after; False when nothing could be traded."""
        qty = match.qty
        if order.position_intent.endswith("_to_close"):
            # An order by notional buys more shares as the price falls; it may never trade what others hold.
            others, _ = self.held(order.symbol, without=order)
            qty = min(qty, abs(self.position_qty(order.symbol)) - others)
        if qty <= 0:
            return False
        value = notional(match.price, qty)
        fee = commission(value, qty, self.terms)
        position = self.positions.setdefault(order.symbol, Position(order.symbol))
        apply_fill(self.account, position, order.sign * qty, match.price, fee)
        order.filled_qty += qty
        order.value += match.price * qty
        order.spent += value
        order.fees += fee
        order.updated_at = time
        leaves = self._leaves_after(order, match)
        order.status = "partially_filled" if leaves else "filled"
        if not leaves:
            order.filled_at = time
        self.account.fill_seq += 1
        fill = Fill(
            seq=self.account.fill_seq,
            execution_id=stable_id("execution", self.account.fill_seq),
            order_id=order.id,
            client_order_id=order.client_order_id,
            symbol=order.symbol,
            side=order.side,
            qty=qty,
            price=match.price,
            fee=fee,
            time=time,
            cum_qty=order.filled_qty,
            leaves_qty=leaves,
            position_qty=position.qty,
            order_status=order.status,
        )
        self.fills.append(fill)
        self.changes.fills.append(fill)
        self.changes.positions.add(order.symbol)
        self.touch(order)
        self.emit(order, "partial_fill" if leaves else "fill", time, fill)
        return True

    def _leaves_after(self, order: Order, match: Match) -> int:
        if order.qty is not None:
            return order.qty - order.filled_qty
        # A notional rarely comes out even: when less than a cent of it is left, it is done.
        remaining = order.leaves(match.price)
        closes_out = order.position_intent.endswith("_to_close") and not self.position_qty(order.symbol)
        return 0 if closes_out or notional(match.price, remaining) < CENT else remaining

    def finish(self, order: Order, status: str, time: int) -> None:
        """End an open order as `canceled`, `expired` or `rejected` and tell it."""
        order.status = status
        order.updated_at = time
        setattr(order, _ENDED_AT[status], time)
        self.touch(order)
        self.emit(order, status, time)
