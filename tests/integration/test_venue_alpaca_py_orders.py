"""The unmodified alpaca-py sends every kind of order, and keeps its head when the venue misbehaves."""

from __future__ import annotations

import queue
import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from alpaca.common.exceptions import APIError
from alpaca.data.live.crypto import CryptoDataStream
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import AssetClass, OrderClass, OrderSide, OrderStatus, OrderType, TimeInForce
from alpaca.trading.models import Order, TradeUpdate
from alpaca.trading.requests import (
    GetAssetsRequest,
    GetOrderByIdRequest,
    GetOrdersRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
    StopLimitOrderRequest,
    StopLossRequest,
    StopOrderRequest,
    TakeProfitRequest,
    TrailingStopOrderRequest,
)
from alpaca.trading.stream import TradingStream

from tests.integration.venue_process import CLOSE, KEY, SECRET, Venue

BUY: dict[str, Any] = {"symbol": "AAPL", "qty": 10, "side": OrderSide.BUY, "time_in_force": TimeInForce.GTC}
SELL: dict[str, Any] = {**BUY, "side": OrderSide.SELL}


def status_of(client: TradingClient, order: Order) -> OrderStatus:
    found = client.get_order_by_id(order.id)
    assert isinstance(found, Order)
    assert isinstance(found.status, OrderStatus)
    return found.status


def refused(client: TradingClient, request: Any) -> tuple[int, int, str]:
    with pytest.raises(APIError) as error:
        client.submit_order(request)
    return error.value.status_code, error.value.code, error.value.message


def test_stops_and_trailing_stops(venue: Venue, client: TradingClient) -> None:
    venue.advance(0, AAPL="100")
    client.submit_order(MarketOrderRequest(**{**BUY, "qty": 30}))
    venue.advance(1, AAPL="100")
    stop = client.submit_order(StopOrderRequest(**SELL, stop_price=90))
    limited = client.submit_order(StopLimitOrderRequest(**SELL, stop_price=92, limit_price=91.5))
    trail = client.submit_order(TrailingStopOrderRequest(**SELL, trail_percent=5))
    assert (stop.type, stop.stop_price, limited.limit_price) == (OrderType.STOP, "90", "91.5")
    assert (trail.type, trail.hwm, trail.stop_price, trail.trail_percent) == (OrderType.TRAILING_STOP, "100", "95", "5")
    moved = client.replace_order_by_id(trail.id, ReplaceOrderRequest(trail=3))
    assert (moved.trail_percent, moved.stop_price, moved.replaces) == ("3", "97", trail.id)
    raised = client.replace_order_by_id(stop.id, ReplaceOrderRequest(stop_price=91))
    assert raised.stop_price == "91"
    venue.bar(2, "AAPL", "100", "110", "99", "110")
    followed = client.get_order_by_id(moved.id)
    assert (followed.hwm, followed.stop_price) == ("110", "106.7")
    venue.bar(3, "AAPL", "110", "110", "91.60", "95")
    assert [status_of(client, order) for order in (moved, limited, raised)] == [
        OrderStatus.FILLED,
        OrderStatus.FILLED,
        OrderStatus.NEW,
    ]
    assert client.get_order_by_id(limited.id).filled_avg_price == "92"
    code = refused(client, TrailingStopOrderRequest(**{**SELL, "time_in_force": TimeInForce.IOC}, trail_price=1))
    assert code == (422, 42210000, "trailing stop orders must be DAY or GTC orders")


def test_a_bracket_runs_to_its_stop_loss_and_the_stream_tells_it(
    venue: Venue, client: TradingClient, run_stream: Callable[[Any], None]
) -> None:
    venue.advance(0, AAPL="100", MSFT="100")
    updates: queue.Queue[TradeUpdate] = queue.Queue()

    async def on_update(update: TradeUpdate) -> None:
        updates.put(update)

    stream = TradingStream(KEY, SECRET, url_override=venue.socket_url + "/stream")
    stream.subscribe_trade_updates(on_update)
    run_stream(stream)
    while updates.empty():
        client.submit_order(LimitOrderRequest(**{**BUY, "symbol": "MSFT", "qty": 1}, limit_price=1))
        threading.Event().wait(0.05)
    bracket = client.submit_order(
        MarketOrderRequest(
            **BUY,
            order_class=OrderClass.BRACKET,
            take_profit=TakeProfitRequest(limit_price=110),
            stop_loss=StopLossRequest(stop_price=95, limit_price=94),
        )
    )
    assert (bracket.order_class, bracket.status) == (OrderClass.BRACKET, OrderStatus.PENDING_NEW)
    profit, loss = bracket.legs
    assert [leg.status for leg in (profit, loss)] == [OrderStatus.HELD, OrderStatus.HELD]
    venue.advance(1, AAPL="100")
    assert [status_of(client, order) for order in (bracket, profit, loss)] == [
        OrderStatus.FILLED,
        OrderStatus.NEW,
        OrderStatus.HELD,
    ]
    nested = client.get_order_by_id(bracket.id, GetOrderByIdRequest(nested=True))
    assert [leg.id for leg in nested.legs] == [profit.id, loss.id]
    assert client.get_open_position("AAPL").qty_available == "0"
    loss = client.replace_order_by_id(loss.id, ReplaceOrderRequest(stop_price=96))
    venue.bar(2, "AAPL", "100", "101", "95.50", "97")
    told: list[tuple[str, uuid.UUID]] = []
    while not told or told[-1] != ("fill", loss.id):
        update = updates.get(timeout=60)
        told.append((str(getattr(update.event, "value", update.event)), update.order.id))
    group = [bracket.id, profit.id, loss.replaces, loss.id]
    assert [(event, group.index(order)) for event, order in told if order in group] == [
        ("pending_new", 0),
        ("new", 0),
        ("fill", 0),
        ("new", 1),
        ("replaced", 2),
        ("canceled", 1),
        ("new", 3),
        ("fill", 3),
    ]


def test_oco_and_oto_orders(venue: Venue, client: TradingClient) -> None:
    venue.advance(0, AAPL="100")
    exits: dict[str, Any] = {
        "take_profit": TakeProfitRequest(limit_price=110),
        "stop_loss": StopLossRequest(stop_price=95),
    }
    oco = LimitOrderRequest(**SELL, order_class=OrderClass.OCO, **exits)
    assert refused(client, oco) == (422, 42210000, "oco orders must be exit orders")
    both = MarketOrderRequest(**BUY, order_class=OrderClass.OTO, **exits)
    assert refused(client, both) == (422, 40010001, "oto orders require either take_profit or stop_loss")
    entry = MarketOrderRequest(**BUY, order_class=OrderClass.OTO, stop_loss=exits["stop_loss"])
    oto = client.submit_order(entry)
    venue.advance(1, AAPL="100")
    assert status_of(client, oto.legs[0]) is OrderStatus.NEW
    held = refused(client, oco)
    assert held[:2] == (403, 40310000)
    assert held[2] == "insufficient qty available for order (requested: 10, available: 0)"
    client.cancel_order_by_id(oto.legs[0].id)
    pair = client.submit_order(oco)
    assert (pair.limit_price, pair.legs[0].status) == ("110", OrderStatus.HELD)
    (nested,) = client.get_orders(GetOrdersRequest(nested=True))
    assert (nested.id, nested.legs[0].id) == (pair.id, pair.legs[0].id)
    venue.bar(2, "AAPL", "100", "111", "99", "110")
    assert [status_of(client, order) for order in (pair, pair.legs[0])] == [OrderStatus.FILLED, OrderStatus.CANCELED]


def test_pairs_and_fractions(venue: Venue, client: TradingClient) -> None:
    venue.post("/sim/assets", {"assets": ["BTC/USD"]})
    venue.advance(0, AAPL="100", **{"BTC/USD": "60000"})
    (asset,) = client.get_all_assets(GetAssetsRequest(asset_class=AssetClass.CRYPTO))
    assert (asset.symbol, asset.asset_class, asset.price_increment) == ("BTC/USD", AssetClass.CRYPTO, 1e-8)
    pair: dict[str, Any] = {"symbol": "BTC/USD", "side": OrderSide.BUY}
    day = MarketOrderRequest(**pair, qty=0.5, time_in_force=TimeInForce.DAY)
    assert refused(client, day) == (422, 42210000, "invalid crypto time_in_force")
    client.submit_order(MarketOrderRequest(**pair, notional=600.06, time_in_force=TimeInForce.GTC))
    client.submit_order(MarketOrderRequest(**{**BUY, "qty": 1.5, "time_in_force": TimeInForce.DAY}))
    venue.advance(1, AAPL="100", **{"BTC/USD": "60000"})
    held = {position.symbol: (position.qty, position.asset_class) for position in client.get_all_positions()}
    assert held == {"AAPL": ("1.5", AssetClass.US_EQUITY), "BTCUSD": ("0.01", AssetClass.CRYPTO)}
    assert client.close_position("BTCUSD").symbol == "BTC/USD"


def test_the_stream_of_pairs_is_one_of_its_own(venue: Venue, run_stream: Callable[[Any], None]) -> None:
    arrived: queue.Queue[Any] = queue.Queue()

    async def on_data(item: Any) -> None:
        arrived.put(item)

    pairs = CryptoDataStream(KEY, SECRET, url_override=venue.socket_url + "/v1beta3/crypto/us")
    pairs.subscribe_bars(on_data, "*")
    pairs.subscribe_quotes(on_data, "BTC/USD")
    run_stream(pairs)
    day = 0
    while arrived.empty():
        venue.advance(day, AAPL="190.5", **{"BTC/USD": "60000.5"})
        day += 1
        threading.Event().wait(0.05)
    bar = arrived.get()
    assert (bar.symbol, bar.close) == ("BTC/USD", 60000.5)
    quote = {"symbol": "BTC/USD", "bid_price": 60000 * 10**8, "ask_price": 60001 * 10**8, "time": CLOSE}
    venue.post("/sim/quotes", {"quotes": [quote]})
    while not hasattr(bar, "bid_price"):
        bar = arrived.get(timeout=60)
        assert bar.symbol == "BTC/USD"
    assert (bar.bid_price, bar.ask_price, bar.bid_exchange) == (60000.0, 60001.0, None)


def test_a_retrying_client_doubles_what_it_does_not_name(venue: Venue, client: TradingClient) -> None:
    """alpaca-py sends any request again after a 429 or 504: once accepted, only a client order id stops the second."""
    venue.advance(0, AAPL="100")
    rule = {"on": "request", "method": "POST", "path": "/v2/orders", "do": "answer_after", "status": 504, "count": 1}
    venue.misbehave(rule)
    client.submit_order(LimitOrderRequest(**BUY, limit_price=90))
    assert len(client.get_orders()) == 2
    venue.misbehave(rule)
    named = LimitOrderRequest(**BUY, limit_price=90, client_order_id="once")
    assert refused(client, named) == (422, 40010001, "client_order_id must be unique")
    assert client.get_order_by_client_id("once").status is OrderStatus.NEW
    assert len(client.get_orders()) == 3


def test_the_trading_stream_comes_back_after_a_cut(
    venue: Venue, client: TradingClient, run_stream: Callable[[Any], None]
) -> None:
    venue.advance(0, AAPL="100")
    updates: queue.Queue[TradeUpdate] = queue.Queue()

    async def on_update(update: TradeUpdate) -> None:
        updates.put(update)

    stream = TradingStream(KEY, SECRET, url_override=venue.socket_url + "/stream")
    stream.subscribe_trade_updates(on_update)
    run_stream(stream)

    def send_until_told() -> None:
        sent = set()
        while True:
            sent.add(client.submit_order(LimitOrderRequest(**{**BUY, "qty": 1}, limit_price=1)).id)
            try:
                if updates.get(timeout=0.05).order.id in sent:
                    return
            except queue.Empty:
                continue

    send_until_told()
    venue.misbehave({"on": "stream", "event": "canceled", "do": "disconnect", "count": 1})
    client.cancel_orders()
    report = venue.session.get(venue.url + "/sim/faults", timeout=60).json()
    assert report["rules"][0]["struck"] == 1
    send_until_told()
