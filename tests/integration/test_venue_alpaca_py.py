"""The unmodified alpaca-py drives the venue over TLS: trading, both kinds of stream, history and news."""

from __future__ import annotations

import asyncio
import json
import queue
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import aiohttp
import msgpack
import pytest
import requests
from alpaca.common.exceptions import APIError
from alpaca.data.enums import DataFeed
from alpaca.data.historical.news import NewsClient
from alpaca.data.historical.stock import StockHistoricalDataClient
from alpaca.data.live.news import NewsDataStream
from alpaca.data.live.stock import StockDataStream
from alpaca.data.requests import (
    NewsRequest,
    StockBarsRequest,
    StockLatestBarRequest,
    StockLatestQuoteRequest,
    StockLatestTradeRequest,
    StockSnapshotRequest,
)
from alpaca.data.timeframe import TimeFrame, TimeFrameUnit
from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, QueryOrderStatus, TimeInForce
from alpaca.trading.requests import (
    ClosePositionRequest,
    GetAssetsRequest,
    GetCalendarRequest,
    GetOrdersRequest,
    GetPortfolioHistoryRequest,
    LimitOrderRequest,
    MarketOrderRequest,
    ReplaceOrderRequest,
)
from alpaca.trading.stream import TradingStream

from tests.integration.venue_process import CLOSE, KEY, SECRET, Venue


def test_account_orders_and_positions(venue: Venue, client: TradingClient) -> None:
    venue.advance(0, AAPL="190.5", MSFT="400")
    account = client.get_account()
    assert (account.status.value, account.cash, account.buying_power) == ("ACTIVE", "100000", "200000")

    order = client.submit_order(
        MarketOrderRequest(
            symbol="AAPL", qty=10, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, client_order_id="first"
        )
    )
    assert (order.status.value, order.filled_qty) == ("pending_new", "0")
    assert client.get_order_by_client_id("first").id == order.id
    with pytest.raises(APIError) as duplicate:
        client.submit_order(
            MarketOrderRequest(
                symbol="AAPL", qty=10, side=OrderSide.BUY, time_in_force=TimeInForce.DAY, client_order_id="first"
            )
        )
    assert (duplicate.value.status_code, duplicate.value.code) == (422, 40010001)

    resting = client.submit_order(
        LimitOrderRequest(symbol="MSFT", qty=5, side=OrderSide.BUY, time_in_force=TimeInForce.GTC, limit_price=350.25)
    )
    replaced = client.replace_order_by_id(resting.id, ReplaceOrderRequest(qty=6, limit_price=351))
    assert (replaced.replaces, replaced.qty, replaced.limit_price) == (resting.id, "6", "351")
    old = client.get_order_by_id(resting.id)
    assert (old.status.value, old.replaced_by) == ("replaced", replaced.id)
    assert [found.id for found in client.get_orders(GetOrdersRequest(symbols=["MSFT"]))] == [replaced.id]
    client.cancel_order_by_id(replaced.id)
    assert client.get_order_by_id(replaced.id).status.value == "canceled"
    closed = client.get_orders(GetOrdersRequest(status=QueryOrderStatus.CLOSED, nested=True))
    assert [found.id for found in closed] == [replaced.id, resting.id]

    assert venue.advance(1, AAPL="200", MSFT="400")["fills"] == 1
    # One basis point on 200.00 is two cents, against the buyer.
    filled = client.get_order_by_id(order.id)
    assert (filled.status.value, filled.filled_qty, filled.filled_avg_price) == ("filled", "10", "200.02")
    position = client.get_open_position("AAPL")
    assert (position.qty, position.avg_entry_price, position.unrealized_pl) == ("10", "200.02", "-0.2")
    assert [held.symbol for held in client.get_all_positions()] == ["AAPL"]
    assert client.get_account().cash == "97999.8"

    half = client.close_position("AAPL", ClosePositionRequest(percentage="50"))
    assert (half.side.value, half.qty) == ("sell", "5")
    responses = client.close_all_positions(cancel_orders=True)
    assert [(row.symbol, row.status) for row in responses] == [("AAPL", 200)]
    assert client.get_order_by_id(half.id).status.value == "canceled"
    venue.advance(2, AAPL="210", MSFT="400")
    assert client.get_all_positions() == []
    # Sold at 210.00 less 2.1 cents, rounded to the cent below: 209.97.
    assert client.get_account().equity == "100099.5"
    with pytest.raises(APIError) as missing:
        client.get_open_position("AAPL")
    assert missing.value.code == 40410000


def test_cancel_all_clock_calendar_assets_activities(venue: Venue, client: TradingClient) -> None:
    venue.advance(0, AAPL="100", MSFT="100")
    for price in (90, 91):
        client.submit_order(
            LimitOrderRequest(
                symbol="AAPL", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.GTC, limit_price=price
            )
        )
    assert [row.status for row in client.cancel_orders()] == [200, 200]
    clock = client.get_clock()
    assert (clock.timestamp, clock.is_open) == (datetime(2024, 6, 3, 20, tzinfo=UTC), False)
    assert clock.next_open == datetime(2024, 6, 4, 13, 30, tzinfo=UTC)
    # Independence Day 2024: a short session before it, none on it.
    days = client.get_calendar(GetCalendarRequest(start=date(2024, 7, 3), end=date(2024, 7, 5)))
    assert [(day.date.day, day.close.hour) for day in days] == [(3, 13), (5, 16)]
    assert [asset.symbol for asset in client.get_all_assets(GetAssetsRequest())] == ["AAPL", "MSFT"]
    assert client.get_asset("AAPL").tradable is True
    with pytest.raises(APIError) as unknown:
        client.submit_order(MarketOrderRequest(symbol="NOPE", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY))
    assert (unknown.value.status_code, unknown.value.message) == (422, 'asset "NOPE" not found')

    for day in range(1, 4):
        client.submit_order(
            MarketOrderRequest(symbol="AAPL", qty=day, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
        )
        venue.advance(day, AAPL="100")
    first = client.get("/account/activities/FILL", {"page_size": 2})
    assert [row["qty"] for row in first] == ["3", "2"]
    second = client.get("/account/activities/FILL", {"page_size": 2, "page_token": first[-1]["id"]})
    assert [row["qty"] for row in second] == ["1"]
    assert {row["activity_type"] for row in first + second} == {"FILL"}

    history = client.get_portfolio_history(GetPortfolioHistoryRequest(period="1M", timeframe="1D"))
    # Bought 1, 2 and 3 shares a cent above the close: the cost shows from each day on.
    assert history.equity == pytest.approx([100_000, 99_999.99, 99_999.97, 99_999.94])
    settings = client.get_account_configurations()
    settings.no_shorting = True
    assert client.set_account_configurations(settings).no_shorting is True
    with pytest.raises(APIError) as short:
        client.submit_order(
            MarketOrderRequest(symbol="MSFT", qty=1, side=OrderSide.SELL, time_in_force=TimeInForce.DAY)
        )
    assert short.value.status_code == 403


def test_trading_stream_receives_new_and_fill(
    venue: Venue, client: TradingClient, run_stream: Callable[[Any], None]
) -> None:
    venue.advance(0, AAPL="100")
    updates: queue.Queue[Any] = queue.Queue()

    async def on_update(update: Any) -> None:
        updates.put(update)

    stream = TradingStream(KEY, SECRET, url_override=venue.socket_url + "/stream")
    stream.subscribe_trade_updates(on_update)
    run_stream(stream)
    order = None
    while updates.empty():
        # Until the stream is up its client misses events, as at Alpaca; the order itself never depends on it.
        order = client.submit_order(
            MarketOrderRequest(symbol="AAPL", qty=3, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
        )
        threading.Event().wait(0.05)
    assert order is not None
    venue.advance(1, AAPL="100")
    seen: list[Any] = []
    while not seen or seen[-1].event != "fill" or seen[-1].order.id != order.id:
        seen.append(updates.get(timeout=60))
    mine = [update for update in seen if update.order.id == order.id]
    assert [str(getattr(update.event, "value", update.event)) for update in mine] == ["pending_new", "new", "fill"]
    assert (mine[0].execution_id, mine[2].price, mine[2].qty) == (None, 100.01, 3.0)
    assert mine[2].order.status.value == "filled"
    assert mine[2].position_qty == float(client.get_open_position("AAPL").qty)


async def test_trade_stream_frames_are_binary_json_with_event_ids(venue: Venue, client: TradingClient) -> None:
    await asyncio.to_thread(venue.advance, 0, AAPL="100")
    context = ssl.create_default_context(cafile=venue.ca)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(venue.socket_url + "/stream", ssl=context) as socket,
    ):
        await socket.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
        early = json.loads(await socket.receive_bytes())
        assert early == {"stream": "authorization", "data": {"status": "unauthorized", "action": "listen"}}
        await socket.send_json({"action": "authenticate", "data": {"key_id": KEY, "secret_key": SECRET}})
        granted = json.loads(await socket.receive_bytes())
        assert granted["data"] == {"status": "authorized", "action": "authenticate"}
        await socket.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
        listening = json.loads(await socket.receive_bytes())
        assert listening == {"stream": "listening", "data": {"streams": ["trade_updates"], "event_id": 0}}
        request = MarketOrderRequest(symbol="AAPL", qty=1, side=OrderSide.BUY, time_in_force=TimeInForce.DAY)
        await asyncio.to_thread(client.submit_order, request)
        answer = await asyncio.to_thread(venue.advance, 1, AAPL="100")
        updates = [json.loads(await socket.receive_bytes())["data"] for _ in range(3)]
        assert [update["event_id"] for update in updates] == [1, 2, 3]
        assert answer["event_id"] == 3
        assert (updates[2]["price"], updates[2]["qty"], updates[2]["position_qty"]) == ("100.01", "1", "1")


def test_stock_and_news_streams(venue: Venue, run_stream: Callable[[Any], None]) -> None:
    arrived: queue.Queue[Any] = queue.Queue()

    async def on_data(item: Any) -> None:
        arrived.put(item)

    stocks = StockDataStream(KEY, SECRET, feed=DataFeed.IEX, url_override=venue.socket_url + "/v2/iex")
    stocks.subscribe_bars(on_data, "*")
    stocks.subscribe_trades(on_data, "AAPL")
    run_stream(stocks)
    articles = NewsDataStream(KEY, SECRET, url_override=venue.socket_url + "/v1beta1/news")
    articles.subscribe_news(on_data, "*")
    run_stream(articles)

    day = 0
    while arrived.empty():
        venue.advance(day, AAPL="190.5")
        day += 1
        threading.Event().wait(0.05)
    bar = arrived.get()
    assert (bar.symbol, bar.close, bar.volume) == ("AAPL", 190.5, 1_000_000.0)
    # A bar is stamped with its open: 09:30 in New York.
    assert (bar.timestamp.hour, bar.timestamp.minute) == (13, 30)

    def first_article() -> Any:
        for number in range(600):
            venue.post("/sim/news", {"news": [article(3 * number + 1)]})
            try:
                item = arrived.get(timeout=0.1)
            except queue.Empty:
                continue
            if hasattr(item, "headline"):
                return item
        raise AssertionError("no news arrived")

    news = first_article()
    assert (news.headline[:8], news.symbols) == ("Headline", ["AAPL"])
    assert news.created_at.replace(tzinfo=UTC).year == 2024


def article(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "headline": f"Headline {number}",
        "summary": "Summary",
        "author": "A. Writer",
        "content": "Body" if number % 2 else "",
        "created_at": CLOSE + number * 10**9,
        "updated_at": CLOSE + number * 10**9,
        "url": "https://example.com",
        "symbols": ["AAPL"] if number % 3 else ["MSFT"],
        "source": "test",
    }


async def test_data_stream_protocol_of_the_go_client(venue: Venue) -> None:
    """msgpack, `T` the first key of every map, times as the timestamp extension, a subscribe in two fragments."""
    context = ssl.create_default_context(cafile=venue.ca)
    headers = {"Content-Type": "application/msgpack"}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.ws_connect(venue.socket_url + "/v2/sip", ssl=context) as socket,
    ):

        async def receive() -> list[list[tuple[str, Any]]]:
            raw = await socket.receive_bytes()
            pairs: list[list[tuple[str, Any]]] = msgpack.unpackb(raw, object_pairs_hook=list)
            return pairs

        frames = [await receive()]
        await socket.send_bytes(msgpack.packb({"action": "subscribe", "bars": ["AAPL"]}))
        frames.append(await receive())
        await socket.send_bytes(msgpack.packb({"action": "auth", "key": KEY, "secret": SECRET}))
        frames.append(await receive())
        await socket.send_bytes(msgpack.packb({"action": "auth", "key": KEY, "secret": SECRET}))
        frames.append(await receive())
        request = msgpack.packb({"bars": ["AAPL"], "trades": ["MSFT"], "action": "subscribe"})
        transport = socket._writer.transport  # the library has no public way to send a fragment
        mask = b"\x00\x00\x00\x00"
        transport.write(bytes([0x02, 0x80 | len(request)]) + mask + request)
        transport.write(bytes([0x80, 0x80]) + mask)
        frames.append(await receive())
        await socket.send_bytes(msgpack.packb({"action": "subscribe", "news": ["*"]}))
        frames.append(await receive())
        await asyncio.to_thread(venue.advance, 0, AAPL="190.5", MSFT="400")
        frames.append(await receive())

    assert all(message[0][0] == "T" for frame in frames for message in frame)
    messages = [dict(frame[0]) for frame in frames]
    assert messages[0] == {"T": "success", "msg": "connected"}
    assert messages[1]["code"] == 401
    assert messages[2] == {"T": "success", "msg": "authenticated"}
    assert messages[3]["code"] == 403
    assert (messages[4]["bars"], messages[4]["trades"]) == (["AAPL"], ["MSFT"])
    assert messages[4]["corrections"] == messages[4]["cancelErrors"] == ["MSFT"]
    assert messages[5]["code"] == 410
    assert (len(frames[6]), messages[6]["T"], messages[6]["S"]) == (1, "b", "AAPL")
    assert messages[6]["t"] == msgpack.Timestamp.from_unix_nano(CLOSE - 65 * 360 * 10**9)


async def test_data_stream_speaks_json_without_the_header_and_refuses_wrong_keys(venue: Venue) -> None:
    context = ssl.create_default_context(cafile=venue.ca)
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(venue.socket_url + "/v2/iex", ssl=context) as socket,
    ):
        assert json.loads(await socket.receive_str()) == [{"T": "success", "msg": "connected"}]
        await socket.send_json({"action": "auth", "key": KEY, "secret": "wrong"})
        assert json.loads(await socket.receive_str())[0]["code"] == 402
        assert (await socket.receive()).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


def test_history_pages_and_aggregates(venue: Venue) -> None:
    start = int(datetime(2024, 6, 3, 13, 30, tzinfo=UTC).timestamp()) * 10**9
    minute = 60 * 10**9
    bars = [
        {
            "symbol": symbol,
            "open_time": start + index * minute,
            "event_time": start + (index + 1) * minute,
            "open": (100 + index) * 10**8,
            "high": (101 + index) * 10**8,
            "low": (99 + index) * 10**8,
            "close": (100 + index) * 10**8 + 50_000_000,
            "volume": 10,
        }
        for symbol in ("AAPL", "MSFT")
        for index in range(30)
    ]
    assert venue.post("/sim/history", {"bars": bars})["bars"] == 60
    data = StockHistoricalDataClient(KEY, SECRET, url_override=venue.url)
    minutes = TimeFrame(1, TimeFrameUnit.Minute)
    # alpaca-py asks for pages of 10,000; a page of seven must give the same rows when followed to its end.
    whole = data.get_stock_bars(StockBarsRequest(symbol_or_symbols=["AAPL", "MSFT"], timeframe=minutes)).data
    assert {symbol: len(rows) for symbol, rows in whole.items()} == {"AAPL": 30, "MSFT": 30}
    assert (whole["AAPL"][29].open, whole["AAPL"][29].close) == (129.0, 129.5)
    rows: list[tuple[str, str]] = []
    token: str | None = ""
    pages = 0
    while token is not None:
        query = {"symbols": "AAPL,MSFT", "timeframe": "1Min", "limit": "7", **({"page_token": token} if token else {})}
        page = venue.session.get(venue.url + "/v2/stocks/bars", params=query, timeout=60).json()
        rows += [(symbol, bar["t"]) for symbol, part in page["bars"].items() for bar in part]
        token = page["next_page_token"]
        pages += 1
    assert pages == 9
    assert len(set(rows)) == len(rows) == 60
    assert rows == sorted(rows)

    merged = data.get_stock_bars(
        StockBarsRequest(symbol_or_symbols="AAPL", timeframe=TimeFrame(15, TimeFrameUnit.Minute))
    ).data["AAPL"]
    assert [(bar.open, bar.high, bar.low, bar.close, bar.volume) for bar in merged] == [
        (100.0, 115.0, 99.0, 114.5, 150.0),
        (115.0, 130.0, 114.0, 129.5, 150.0),
    ]
    window = data.get_stock_bars(
        StockBarsRequest(
            symbol_or_symbols="AAPL",
            timeframe=minutes,
            start=datetime(2024, 6, 3, 13, 40, tzinfo=UTC),
            end=datetime(2024, 6, 3, 13, 40, tzinfo=UTC) + timedelta(minutes=4),
        )
    ).data["AAPL"]
    assert [bar.open for bar in window] == [110.0, 111.0, 112.0, 113.0, 114.0]

    assert data.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols="AAPL"))["AAPL"].close == 129.5
    assert data.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols="AAPL"))["AAPL"].price == 129.5
    quote = data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols="AAPL"))["AAPL"]
    assert quote.bid_price < 129.5 < quote.ask_price
    snapshot = data.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols="AAPL"))["AAPL"]
    assert (snapshot.minute_bar.close, snapshot.daily_bar.open, snapshot.daily_bar.volume) == (129.5, 100.0, 300.0)


def test_news_pages(venue: Venue) -> None:
    venue.post("/sim/history", {"news": [article(number) for number in range(120)]})
    news = NewsClient(KEY, SECRET, url_override=venue.url)
    everything = news.get_news(NewsRequest()).data["news"]
    assert [item.id for item in everything] == list(range(119, -1, -1))
    some = news.get_news(NewsRequest(symbols="MSFT", limit=15, include_content=True, exclude_contentless=True))
    expected = [number for number in range(119, -1, -1) if number % 3 == 0 and number % 2 == 1][:15]
    assert [item.id for item in some.data["news"]] == expected
    assert {item.content for item in some.data["news"]} == {"Body"}


def test_wrong_credentials_and_headers(venue: Venue) -> None:
    refused = requests.get(venue.url + "/v2/account", headers={"APCA-API-KEY-ID": KEY}, timeout=60)
    assert (refused.status_code, refused.json()) == (401, {"message": "unauthorized."})
    granted = venue.session.get(venue.url + "/v2/account", timeout=60)
    assert {"X-Request-ID", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"} <= set(granted.headers)
    nowhere = venue.session.get(venue.url + "/v2/nowhere", timeout=60)
    assert (nowhere.status_code, nowhere.json()["message"]) == (404, "endpoint not found")
