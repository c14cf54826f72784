"""What is on the wire: every key Alpaca sends, in its order, decimals as strings, nulls where nothing is set."""

from __future__ import annotations

import re
from typing import Any

import msgpack
import pytest

from tests.unit.execution.venue_bench import Bench, opened
from tradewind.execution.venue import queries
from tradewind.execution.venue.market import News, Quote, parse_bar
from tradewind.execution.venue.stream_messages import (
    STOCK_CHANNELS,
    Subscriptions,
    bar_message,
    encode,
    news_message,
    quote_message,
)

ORDER_KEYS = [
    "id",
    "client_order_id",
    "created_at",
    "updated_at",
    "submitted_at",
    "filled_at",
    "expired_at",
    "expires_at",
    "canceled_at",
    "failed_at",
    "replaced_at",
    "replaced_by",
    "replaces",
    "asset_id",
    "symbol",
    "asset_class",
    "notional",
    "qty",
    "filled_qty",
    "filled_avg_price",
    "order_class",
    "order_type",
    "type",
    "side",
    "position_intent",
    "time_in_force",
    "limit_price",
    "stop_price",
    "status",
    "extended_hours",
    "legs",
    "trail_percent",
    "trail_price",
    "hwm",
    "ratio_qty",
    "subtag",
    "source",
]
TIMES = [key for key in ORDER_KEYS if key.endswith("_at")]
DECIMALS = ("notional", "qty", "filled_qty", "filled_avg_price", "limit_price", "stop_price", "hwm")
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z")
DECIMAL = re.compile(r"-?\d+(\.\d*[1-9])?")
KINDS: dict[str, dict[str, Any]] = {
    "market": {},
    "notional": {"qty": None, "notional": "12.5"},
    "limit": {"limit_price": "90.50"},
    "stop": {"type": "stop", "stop_price": 110},
    "stop_limit": {"type": "stop_limit", "stop_price": 110, "limit_price": 111},
    "trail_price": {"type": "trailing_stop", "trail_price": "2.50"},
    "trail_percent": {"type": "trailing_stop", "trail_percent": 5},
    "pair": {"symbol": "BTC/USD", "qty": "0.3", "time_in_force": "gtc"},
    "bracket": {"order_class": "bracket", "take_profit": {"limit_price": 110}, "stop_loss": {"stop_price": 90}},
}


@pytest.fixture
def bench() -> Bench:
    bench = opened()
    bench.step(bench.bar(), bench.bar("BTC/USD"))
    return bench


def check_order(row: dict[str, Any]) -> None:
    assert list(row) == ORDER_KEYS
    for key in TIMES:
        assert row[key] is None or RFC3339.fullmatch(row[key]), (key, row[key])
    for key in (*DECIMALS, "trail_price", "trail_percent"):
        assert row[key] is None or DECIMAL.fullmatch(row[key]), (key, row[key])
    assert isinstance(row["extended_hours"], bool)
    assert row["type"] == row["order_type"]
    assert row["filled_qty"] is not None
    assert row["qty"] is None or row["notional"] is None
    for leg in row["legs"] or ():
        check_order(leg)


@pytest.mark.parametrize("kind", KINDS)
def test_an_order_has_all_keys_in_order_with_decimals_as_strings(bench: Bench, kind: str) -> None:
    answer = bench.send(**KINDS[kind])
    check_order(answer)
    bench.step(bench.bar(), bench.bar("BTC/USD"))
    for row in queries.list_orders(bench.state, {"status": "all", "nested": "true"}):
        check_order(row)
    updates = [data for _, data in bench.state.take_changes().events]
    assert updates
    for data in updates:
        check_order(data["order"])
        fill = data["event"] in ("fill", "partial_fill")
        assert ({"price", "qty", "position_qty"} <= set(data)) == fill
        assert list(data)[:4] == ["event", "execution_id", "timestamp", "order"]
        assert RFC3339.fullmatch(data["timestamp"])


def test_a_set_price_is_a_string_and_an_unset_one_null(bench: Bench) -> None:
    stop = bench.send(**KINDS["stop_limit"])
    assert (stop["stop_price"], stop["limit_price"], stop["trail_price"], stop["hwm"]) == ("110", "111", None, None)
    trail = bench.send(**KINDS["trail_price"])
    assert (trail["trail_price"], trail["trail_percent"], trail["hwm"], trail["stop_price"]) == (
        "2.5",
        None,
        "100",
        "102.5",
    )


def test_a_subscription_may_name_foreign_channels_as_long_as_they_are_empty() -> None:
    """The Go client names the channels of all feeds in every request, the others as null."""
    subscriptions = Subscriptions(STOCK_CHANNELS)
    request = {"action": "subscribe", "quotes": ["AAPL"], "trades": None, "orderbooks": None, "news": [], "lulds": []}
    assert subscriptions.change(request, add=True)
    assert (subscriptions.message()["quotes"], subscriptions.message()["trades"]) == (["AAPL"], [])
    assert not subscriptions.change({"action": "subscribe", "quotes": ["MSFT"], "news": ["*"]}, add=True)
    assert subscriptions.message()["quotes"] == ["AAPL"]


def test_every_data_message_begins_with_its_type() -> None:
    """The Go client reads the kind of a message from the first key of its map."""
    row = {"symbol": "AAPL", "open_time": 1, "event_time": 61, "open": 1, "high": 1, "low": 1, "close": 1, "volume": 1}
    messages = [
        bar_message(parse_bar(row, "bar"), "b"),
        quote_message(Quote("AAPL", 1, 1, 2, 1, 1)),
        news_message(News(1, "h", "s", "a", 1, 2, "u", "c", ("AAPL",), "t")),
    ]
    packed = encode(messages, packed=True)
    pairs = msgpack.unpackb(packed, object_pairs_hook=list)
    assert [message[0] for message in pairs] == [("T", "b"), ("T", "q"), ("T", "n")]
    stamps = [dict(message) for message in pairs]
    assert isinstance(stamps[0]["t"], msgpack.Timestamp)
    assert isinstance(stamps[2]["created_at"], msgpack.Timestamp)
    assert '"t":"1970-01-01T00:00:00.000000001Z"' in str(encode(messages, packed=False))
