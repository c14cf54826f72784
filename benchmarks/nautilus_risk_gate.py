"""NautilusTrader's RiskEngine on the same question: an order from the engine's door to the execution client's.

Its risk engine checks a `SubmitOrder` command (price and quantity precision, notional, free balance, rate) and passes
it over its message bus to the execution engine and a client that only counts. One equity, a cash account, a quote.
Needs the `bench` dependency group.
"""

from __future__ import annotations

import time
from decimal import Decimal

from nautilus_trader.cache.cache import Cache
from nautilus_trader.common.component import MessageBus, TestClock
from nautilus_trader.common.factories import OrderFactory
from nautilus_trader.config import ExecEngineConfig, RiskEngineConfig
from nautilus_trader.core.uuid import UUID4
from nautilus_trader.execution.client import ExecutionClient
from nautilus_trader.execution.engine import ExecutionEngine
from nautilus_trader.execution.messages import SubmitOrder
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import QuoteTick
from nautilus_trader.model.enums import AccountType, OmsType, OrderSide
from nautilus_trader.model.identifiers import AccountId, ClientId, InstrumentId, StrategyId, Symbol, TraderId, Venue
from nautilus_trader.model.instruments import Equity
from nautilus_trader.model.objects import AccountBalance, Money, Price, Quantity
from nautilus_trader.portfolio.portfolio import Portfolio
from nautilus_trader.risk.engine import RiskEngine

_TRADER, _STRATEGY, _VENUE = TraderId("BENCH-001"), StrategyId("BENCH-001"), Venue("XNAS")


class _Counter(ExecutionClient):
    """Takes orders and does nothing with them."""

    received = 0

    def submit_order(self, command: SubmitOrder) -> None:  # noqa: ARG002
        self.received += 1


def measure(checks: int) -> list[int]:
    """Nanoseconds of each of that many orders. Raises RuntimeError if one did not reach the client."""
    clock = TestClock()
    bus = MessageBus(trader_id=_TRADER, clock=clock)
    cache = Cache()
    portfolio = Portfolio(msgbus=bus, cache=cache, clock=clock)
    execution = ExecutionEngine(msgbus=bus, cache=cache, clock=clock, config=ExecEngineConfig())
    RiskEngine(
        portfolio=portfolio, msgbus=bus, cache=cache, clock=clock,
        config=RiskEngineConfig(max_order_submit_rate="100000000/00:00:01"),
    )  # fmt: skip
    client = _Counter(
        client_id=ClientId(_VENUE.value), venue=_VENUE, oms_type=OmsType.NETTING, account_type=AccountType.CASH,
        base_currency=USD, msgbus=bus, cache=cache, clock=clock,
    )  # fmt: skip
    execution.register_client(client)
    execution.start()
    client._set_account_id(AccountId(f"{_VENUE.value}-001"))
    share = Equity(
        instrument_id=InstrumentId(Symbol("AAPL"), _VENUE), raw_symbol=Symbol("AAPL"), currency=USD, price_precision=2,
        price_increment=Price.from_str("0.01"), lot_size=Quantity.from_int(1), ts_event=0, ts_init=0,
    )  # fmt: skip
    cache.add_instrument(share)
    total = Money(10**12, USD)
    client.generate_account_state(
        balances=[AccountBalance(total, Money(0, USD), total)], margins=[], reported=True, ts_event=0
    )
    if cache.account_for_venue(_VENUE) is None:
        raise RuntimeError("the account is not in the cache: its risk engine would check nothing of it")
    cache.add_quote_tick(
        QuoteTick(share.id, share.make_price(99.99), share.make_price(100.01), share.make_qty(100), share.make_qty(100),
                  0, 0)
    )  # fmt: skip
    orders = OrderFactory(trader_id=_TRADER, strategy_id=_STRATEGY, clock=clock)
    times = []
    for _ in range(checks):
        order = orders.limit(share.id, OrderSide.BUY, share.make_qty(1), share.make_price(Decimal("100.00")))
        command = SubmitOrder(trader_id=_TRADER, strategy_id=_STRATEGY, order=order, command_id=UUID4(), ts_init=0)
        began = time.perf_counter_ns()
        bus.send(endpoint="RiskEngine.execute", msg=command)
        times.append(time.perf_counter_ns() - began)
    if client.received != checks:
        raise RuntimeError(f"only {client.received} of {checks} orders reached the client")
    return times
