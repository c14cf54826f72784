"""What an account's executions amount to: positions at average cost, realised and unrealised P&L, fees, settled cash.

Core. Written from the definitions, in `Decimal`, and not from the engine: its figures are what the engine's are
compared with. Conventions, which are the engine's: average cost; a trade through zero closes at its own price and opens
the rest there; what two strategies of an account cross between them moves no cash of the account.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_UP, Decimal

ZERO = Decimal(0)
_CENT = Decimal("0.01")
_MILLION = Decimal(10**6)


@dataclass(frozen=True)
class Execution:
    """One strategy's part of an execution.

    Attributes:
        day: trading day.
        quantity: signed shares, + bought.
        internal: crossed with another strategy of the account.
        order: client order id; fees are rounded per order and day.
    """

    day: date
    symbol: str
    strategy: str
    quantity: Decimal
    price: Decimal
    internal: bool = False
    order: str = ""


@dataclass(frozen=True)
class FeeSchedule:
    """Regulatory fees on sales of shares, as Alpaca passes them on: both rounded up to a cent per order and day.

    Attributes:
        sec_per_million: Section 31 fee, USD per million USD sold. The SEC sets it anew, up to twice a year.
        taf_per_share: FINRA's Trading Activity Fee, USD per share sold.
        taf_max: most of it per order, USD; None: no cap.
    """

    sec_per_million: Decimal = ZERO
    taf_per_share: Decimal = ZERO
    taf_max: Decimal | None = None

    def of_sale(self, shares: Decimal, proceeds: Decimal) -> Decimal:
        """Of one order's sales of one day."""
        sec = (proceeds * self.sec_per_million / _MILLION).quantize(_CENT, ROUND_UP)
        taf = (shares * self.taf_per_share).quantize(_CENT, ROUND_UP)
        return sec + (taf if self.taf_max is None else min(taf, self.taf_max))


@dataclass
class Book:
    """One symbol of one strategy, or of the whole account."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO  # of what is held; negative: proceeds of what is short
    realised: Decimal = ZERO

    def trade(self, quantity: Decimal, price: Decimal) -> None:
        """Moves the book by an execution."""
        closing = ZERO
        if self.quantity * quantity < 0:
            closing = quantity if abs(quantity) <= abs(self.quantity) else -self.quantity
            released = self.cost * -closing / self.quantity
            self.realised += -closing * price - released
            self.cost -= released
            self.quantity += closing
        opening = quantity - closing
        self.quantity += opening
        self.cost += opening * price

    @property
    def average_price(self) -> Decimal:
        """Of what is held; 0 when nothing is."""
        return self.cost / self.quantity if self.quantity else ZERO

    def unrealised(self, price: Decimal) -> Decimal:
        """What closing all of it at `price` would realise."""
        return self.quantity * price - self.cost


@dataclass
class Accounts:
    """The books of one account, from its executions in their order.

    Attributes:
        opening_cash: before the first execution; all of it settled.
        settles: the day on which the proceeds of a day's sales can be withdrawn: the next business day for US shares
            since 2024-05-28 (SEC rule 15c6-1, T+1).
    """

    opening_cash: Decimal
    settles: Callable[[date], date]
    fees: FeeSchedule = field(default_factory=FeeSchedule)
    account: dict[str, Book] = field(default_factory=lambda: defaultdict(Book))
    strategies: dict[tuple[str, str], Book] = field(default_factory=lambda: defaultdict(Book))
    _moved: Decimal = ZERO
    _proceeds: dict[date, Decimal] = field(default_factory=lambda: defaultdict(Decimal))
    _sales: dict[tuple[date, str], tuple[Decimal, Decimal]] = field(default_factory=dict)

    def take(self, execution: Execution) -> None:
        """One more execution."""
        self.strategies[execution.strategy, execution.symbol].trade(execution.quantity, execution.price)
        if execution.internal:
            return
        self.account[execution.symbol].trade(execution.quantity, execution.price)
        amount = execution.quantity * execution.price
        self._moved -= amount
        if execution.quantity < 0:
            self._proceeds[self.settles(execution.day)] -= amount
            key = (execution.day, execution.order)
            shares, proceeds = self._sales.get(key, (ZERO, ZERO))
            self._sales[key] = (shares - execution.quantity, proceeds - amount)

    @property
    def cash(self) -> Decimal:
        """After every execution, before fees: brokers take those at the day's end."""
        return self.opening_cash + self._moved

    @property
    def fees_due(self) -> Decimal:
        """Of every sale so far."""
        return sum((self.fees.of_sale(*sale) for sale in self._sales.values()), ZERO)

    def settled_cash(self, day: date) -> Decimal:
        """Cash without the proceeds that settle after `day`."""
        return self.cash - sum((amount for due, amount in self._proceeds.items() if due > day), ZERO)

    def unrealised(self, prices: dict[str, Decimal]) -> Decimal:
        """Of the account at these prices."""
        return sum((book.unrealised(prices[symbol]) for symbol, book in self.account.items() if book.quantity), ZERO)

    @property
    def realised(self) -> Decimal:
        """Of the account, before fees."""
        return sum((book.realised for book in self.account.values()), ZERO)
