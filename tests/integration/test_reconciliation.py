"""Somebody else trades on the account, with Alpaca's own client, while an executor does."""

from __future__ import annotations

import json
from pathlib import Path

from alpaca.trading.client import TradingClient
from alpaca.trading.enums import OrderSide, TimeInForce
from alpaca.trading.requests import MarketOrderRequest

from tests.chaos.rig import KEYS, SECOND, Rig
from tradewind.v1 import trading_pb2


def by_hand(rig: Rig, symbol: str, shares: int, side: OrderSide) -> str:
    client = TradingClient(*KEYS.values(), paper=True, url_override=rig.url)
    order = client.submit_order(
        MarketOrderRequest(
            symbol=symbol,
            qty=shares,
            side=side,
            time_in_force=TimeInForce.DAY,
            client_order_id=f"{side.value}-{symbol}",
        )
    )
    return str(order.id)


def test_a_trade_by_hand_is_named_and_takes_its_symbol_out_of_trading_until_it_is_undone(tmp_path: Path) -> None:
    with Rig(tmp_path, reconcile_every_ns=SECOND) as rig:
        executor = rig.executor()
        executor.start()
        intents = {rig.want("AAPL", 10)}
        rig.until("our order", lambda: rig.settled(intents))
        broker_id = by_hand(rig, "AAPL", 3, OrderSide.BUY)
        rig.until("the difference", lambda: "the broker holds 13" in executor.log.read_text())

        refused, elsewhere = rig.want("AAPL", 12), rig.want("MSFT", 4)
        intents |= {refused, elsewhere}
        rig.until("verdicts", lambda: rig.settled(intents))
        assert rig.verdicts()[refused]["code"] == "POSITION_MISMATCH"
        assert rig.verdicts()[elsewhere]["accepted"]
        exit_ = rig.want("AAPL", 4)
        intents.add(exit_)
        rig.until("the exit", lambda: rig.settled(intents))
        assert rig.venue_position("AAPL") == 4 + 3

        by_hand(rig, "AAPL", 3, OrderSide.SELL)
        rig.until("agreement", lambda: "agree again" in executor.log.read_text())
        again = rig.want("AAPL", 12)
        intents.add(again)
        rig.until("trading again", lambda: rig.settled(intents))
        assert rig.venue_position("AAPL") == 12
        executor.stop()

        links = [r.message for r in rig.bus.read("audit") if isinstance(r.message, trading_pb2.AuditRecord)]
        texts = [json.loads(link.payload)["text"] for link in links if link.kind == "SYSTEM_ALERT"]
        named = [text for text in texts if text.startswith("an order that is not ours")]
        assert len([text for text in named if broker_id in text and "buy-AAPL" in text and "3 of 3" in text]) == 1


def test_a_fill_whose_stream_message_was_dropped_is_found_by_asking(tmp_path: Path) -> None:
    with Rig(tmp_path, reconcile_every_ns=SECOND) as rig:
        executor = rig.executor()
        executor.start()
        dropped = {"on": "stream", "stream": "trades", "do": "drop"}
        rig.ask("PUT", "/sim/faults", {"seed": 1, "rules": [dropped]})
        intents = {rig.want("AAPL", 10)}
        rig.until("the fill", lambda: rig.settled(intents))
        assert rig.ask("GET", "/sim/faults")["rules"][0]["struck"] >= 1
        quantities = {r["symbol"]: r["quantity"] for r in rig.records("position") if not r["strategy"]}
        assert quantities == {"AAPL": 10 * 10**9}
        assert "the broker holds" not in executor.log.read_text()
        executor.stop()
