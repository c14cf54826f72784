"""Money and shares are conserved whatever is sent: an independent ledger kept from the trade updates agrees."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tradewind.execution.venue import core
from tradewind.execution.venue.account import Account
from tradewind.execution.venue.market import Asset
from tradewind.execution.venue.matching import Terms
from tradewind.execution.venue.orders import Order
from tradewind.execution.venue.rejections import Rejection
from tradewind.execution.venue.session import advance
from tradewind.execution.venue.state import State

ONE = 10**8
CASH = 20_000 * ONE
SYMBOLS = ("AAA", "BBB")
PLACES = Decimal("0.00000001")

prices = st.integers(min_value=50, max_value=20_000_000_000)
sends = st.tuples(
    st.just("send"),
    st.sampled_from(SYMBOLS),
    st.sampled_from(["buy", "sell"]),
    st.one_of(st.integers(1, 300).map(str), st.decimals("0.01", "50", places=3).map(str)),
    st.sampled_from(["day", "gtc", "ioc", "fok", "opg", "cls"]),
    st.one_of(st.none(), st.integers(1, 20_000)),
)
stops = st.tuples(
    st.just("stop"),
    st.sampled_from(SYMBOLS),
    st.sampled_from(["buy", "sell"]),
    st.integers(1, 300),
    st.sampled_from(["stop", "stop_limit", "trailing_stop"]),
    st.integers(2, 20_000),
)
groups = st.tuples(
    st.just("group"),
    st.sampled_from(SYMBOLS),
    st.sampled_from(["bracket", "oto", "oco"]),
    st.integers(1, 300),
    st.integers(-500, 500),
)
steps = st.tuples(
    st.just("step"),
    st.lists(st.tuples(prices, prices, prices, prices, st.integers(0, 5_000)), min_size=2, max_size=2),
    st.booleans(),
)
others = st.tuples(st.sampled_from(["cancel", "replace", "close"]), st.integers(0, 50), st.integers(1, 400))


def bar(symbol: str, raw: tuple[int, ...], time: int) -> dict[str, Any]:
    *four, volume = raw
    names = {"open": four[0], "close": four[1], "high": max(four), "low": min(four)}
    return {"symbol": symbol, "open_time": time - 10, "event_time": time, "volume": volume, **names}


def group_body(state: State, symbol: str, order_class: str, qty: int, width: int) -> dict[str, Any]:
    """Exits `width` cents around the last price; a negative one is a group on the sell side."""
    last = (state.assets[symbol].last or 0) // ONE * 100
    held = state.position_qty(symbol)
    selling = held > 0 if order_class == "oco" else width < 0
    sign = 1 if (selling if order_class == "oco" else not selling) else -1
    body: dict[str, Any] = {"symbol": symbol, "side": "sell" if selling else "buy", "qty": qty, "time_in_force": "gtc"}
    body |= {"order_class": order_class, "type": "limit" if order_class == "oco" else "market"}
    if order_class == "oco":
        body["qty"] = min(qty, abs(held) // 10**9) or 1
    body["take_profit"] = {"limit_price": f"{(last + sign * abs(width)) / 100:.2f}"}
    if order_class != "oto":
        body["stop_loss"] = {"stop_price": f"{(last - sign * abs(width)) / 100:.2f}"}
    return body


def apply(state: State, action: tuple[Any, ...], time: int) -> None:
    now = state.account.now
    if action[0] == "send":
        _, symbol, side, qty, tif, cents = action
        body = {
            "symbol": symbol,
            "side": side,
            "qty": qty,
            "time_in_force": tif,
            "type": "limit" if cents else "market",
        }
        core.submit(state, {**body, **({"limit_price": f"{cents / 100:.2f}"} if cents else {})}, now)
    elif action[0] == "stop":
        _, symbol, side, qty, kind, cents = action
        body = {"symbol": symbol, "side": side, "qty": qty, "time_in_force": "gtc", "type": kind}
        names = {
            "stop": ("stop_price",),
            "stop_limit": ("stop_price", "limit_price"),
            "trailing_stop": ("trail_price",),
        }
        core.submit(state, {**body, **dict.fromkeys(names[kind], f"{cents / 100:.2f}")}, now)
    elif action[0] == "group":
        _, symbol, order_class, qty, width = action
        core.submit(state, group_body(state, symbol, order_class, qty, width), now)
    elif action[0] == "step":
        bars = [bar(symbol, raw, time) for symbol, raw in zip(SYMBOLS, action[1], strict=True)]
        advance(state, {"time": time, "bars": bars, "session_end": action[2]})
    elif action[0] == "close":
        core.close_position(state, SYMBOLS[action[1] % 2], {}, now)
    else:
        ids = list(state.orders)
        if not ids:
            return
        order_id = ids[action[1] % len(ids)]
        if action[0] == "cancel":
            core.cancel(state, order_id, now)
        else:
            core.replace(state, order_id, {"qty": action[2]}, now)


class Ledger:
    """Cash and shares kept in Decimal from nothing but the executions the stream tells of."""

    def __init__(self) -> None:
        self.cash = Decimal(CASH) / ONE
        self.shares = dict.fromkeys(SYMBOLS, Decimal(0))
        self.fees = Decimal(0)

    def take(self, data: dict[str, Any]) -> None:
        if "price" not in data:
            return
        order = data["order"]
        sign = 1 if order["side"] == "buy" else -1
        price, qty, fee = Decimal(data["price"]), Decimal(data["qty"]), Decimal(data["commission"])
        self.cash -= (price * qty * sign).quantize(PLACES, ROUND_HALF_EVEN) + fee
        self.fees += fee
        self.shares[order["symbol"]] += sign * qty
        assert Decimal(data["position_qty"]) == self.shares[order["symbol"]]
        assert Decimal(order["filled_qty"]) <= Decimal(order["qty"])
        if order["limit_price"] is not None:
            assert sign * (Decimal(order["limit_price"]) - price) >= 0


def reserve(state: State, order: Order) -> int:
    """What an order ties up; one that is to replace another only what it needs beyond that."""
    if not order.is_open or not order.position_intent.endswith("open"):
        return 0
    value = order.open_value(order.reserve_price)
    if order.status == "pending_new" and order.replaces is not None:
        value = max(0, value - reserve(state, state.orders[order.replaces]))
    return value


@settings(max_examples=150)
@given(
    st.lists(st.one_of(sends, stops, groups, steps, steps, others), min_size=5, max_size=40),
    st.sampled_from([None, 100_000]),
    st.sampled_from([0, 1_234]),
    st.booleans(),
)
def test_cash_and_positions_are_what_the_executions_make_them(
    actions: list[tuple[Any, ...]], participation: int | None, commission: int, slow: bool
) -> None:
    terms = Terms(
        CASH,
        participation_ppm=participation,
        commission_ppm=commission,
        commission_per_share=12_345,
        slow_changes=slow,
    )
    state = State(terms, Account(CASH, CASH, now=0, opened_at=0, last_equity=CASH))
    for symbol in SYMBOLS:
        state.add_asset(Asset(symbol))
    ledger, last_event = Ledger(), 0
    start = [("step", [(100 * ONE,) * 4 + (1_000,)] * 2, True)]
    for number, action in enumerate(start + actions, start=1):
        before = (state.account.cash, state.account.event_id, len(state.orders))
        try:
            apply(state, action, number * 1_000)
        except Rejection:
            assert before == (state.account.cash, state.account.event_id, len(state.orders))
        for event_id, data in state.take_changes().events:
            assert event_id == data["event_id"] == last_event + 1
            last_event = event_id
            ledger.take(data)
        assert Decimal(state.account.cash) / ONE == ledger.cash
        assert {symbol: Decimal(state.position_qty(symbol)) / 10**9 for symbol in SYMBOLS} == ledger.shares
        positions = state.positions.values()
        # cash + cost = start + realised - fees, to the last integer.
        booked = state.account.cash + sum(position.cost for position in positions)
        assert booked == CASH + sum(position.realized for position in positions) - state.account.fees
        assert Decimal(state.account.fees) / ONE == ledger.fees
        reserved = sum(reserve(state, order) for order in state.orders.values())
        long, short = state.exposures()
        expected = max(0, 2 * state.equity() - long + short - reserved)
        assert state.buying_power() == expected
