"""A strategy that is deleted: its executor does as onDelete says and touches nothing of the others."""

from __future__ import annotations

import json
import ssl
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_executor_at_recorded_speed import DOLLAR, MINUTE, SHARE, START, Desk, desk
from tests.integration.test_policy_reload import Policy, codes
from tradewind.operators.follow.gauges import gauges
from tradewind.operators.plan.noted import Remains
from tradewind.v1.trading_pb2 import (
    ORDER_STATE_ACCEPTED,
    ORDER_STATE_CANCELED,
    ORDER_STATE_FILLED,
    ORDER_TYPE_LIMIT,
    ORDER_TYPE_MARKET,
    SIDE_SELL,
    TIME_IN_FORCE_DAY,
    OrderIntent,
)

__all__ = ["desk"]

BAR_S = 0.5
GOES, STAYS = "strategy/default/turns", "strategy/default/other"


class Account:
    """Two strategies of one account: one holds 10 shares and waits for 10 more at 90 dollars, the other holds 5."""

    def __init__(self, desk: Desk, directory: Path) -> None:
        self.desk, self._directory = desk, directory
        self.policy = Policy(directory)
        self.minute = 0
        self._barred = 0.0
        self.policy.change(lambda c: c["engine"]["strategies"].append({"uid": STAYS, "capital_share": 0.5}))
        self.bar()
        self.want(GOES, 10)
        self.want(STAYS, 5)
        desk.wait_for(lambda: len(desk.orders()) >= 1, "nothing was sent")
        desk.wait_for(self._bought, "the positions have not filled")
        # One order for both, one each, or the first's cancelled for one of both: as the second intent came.
        done = {ORDER_STATE_FILLED, ORDER_STATE_CANCELED}
        desk.wait_for(lambda: set(self.states()) <= done, "nobody was told of the fills")
        entries = len(self.states())
        self.want(GOES, 20, limit=90)
        desk.wait_for(lambda: self.states()[entries:] == [ORDER_STATE_ACCEPTED], "the second entry does not rest")

    def _bought(self) -> bool:
        if time.monotonic() > self._barred + BAR_S:  # a bar trades what the venue has; the session has 300 left
            self.bar()
            self._barred = time.monotonic()
        return self.held() == 15

    def bar(self) -> None:
        self.desk.bar(self.minute)
        self.minute += 1

    def want(self, strategy: str, shares: int, limit: int = 0) -> None:
        now = START + (self.minute - 1) * MINUTE
        intent = OrderIntent(
            id=f"{strategy}-{shares}", account="paper", strategy=strategy, symbol="AAPL",
            target_quantity=shares * SHARE, decision_time=now, valid_until=now + 60 * MINUTE,
            order_type=ORDER_TYPE_LIMIT if limit else ORDER_TYPE_MARKET, limit_price=limit * DOLLAR,
            time_in_force=TIME_IN_FORCE_DAY, reference_price=100 * DOLLAR,
            model="m", model_version="1", model_alias="candidate",
        )  # fmt: skip
        self.desk.bus.publish("intents", "AAPL", intent)

    def delete(self, how: str) -> None:
        """As a follower does it: the strategy is in the configuration still, and is to leave."""

        def leave(config: dict[str, Any]) -> None:
            next(s for s in config["engine"]["strategies"] if s["uid"] == GOES)["leaving"] = how

        assert self.policy.change(leave)["problem"] == ""

    def forget(self) -> str:
        """Why the executor can't go without it, or nothing."""

        def without(config: dict[str, Any]) -> None:
            config["engine"]["strategies"] = [s for s in config["engine"]["strategies"] if s["uid"] != GOES]

        return str(self.policy.change(without)["problem"])

    def remains(self) -> Remains:
        """What a follower reads of the executor."""
        return gauges(self.desk.probes["executor"]).remains[GOES]

    def states(self) -> list[int]:
        return [order.state for order in self.desk.orders()]

    def held(self) -> int:
        """Shares that the venue holds."""
        url = json.loads((self._directory / "executor.json").read_text())["broker"]["url"]
        context = ssl.create_default_context(cafile=str(self._directory / "venue" / "ca.pem"))
        headers = {"APCA-API-KEY-ID": "AKTEST", "APCA-API-SECRET-KEY": "not-a-real-secret"}
        with urllib.request.urlopen(
            urllib.request.Request(f"{url}/v2/positions", headers=headers), timeout=30, context=context
        ) as answer:
            return sum(int(position["qty"]) for position in json.loads(answer.read()))

    def sub_books(self) -> dict[str, int]:
        """Shares of each strategy, as told last."""
        newest: Any = list(self.desk.bus.read("positions"))[-1].message
        return {p.strategy: p.quantity // SHARE for p in newest.positions if p.strategy and p.quantity}


@pytest.fixture
def account(desk: Desk, tmp_path: Path) -> Account:
    return Account(desk, tmp_path)


def test_cancel_ends_its_orders_and_keeps_its_position(account: Account) -> None:
    account.delete("cancel")
    account.desk.wait_for(lambda: account.remains() == Remains(orders=0, positions=1), "its order is not cancelled")
    account.desk.wait_for(lambda: account.states()[-1] == ORDER_STATE_CANCELED, "nobody was told of the cancel")
    account.bar()
    account.desk.wait_for(lambda: account.sub_books() == {GOES: 10, STAYS: 5}, "the books are not what they were")
    assert account.held() == 15
    assert "still has a position" in account.forget()


def test_cancel_waits_for_no_closing_order_of_the_kill_switch(account: Account) -> None:
    """Sent while no price comes, as after a replay's end, and left at the broker by the switch's release."""
    sent = len(account.states())
    account.policy.change(lambda c: c["kill_switch"].update(engaged=True))
    closes = [ORDER_STATE_CANCELED, ORDER_STATE_ACCEPTED]
    account.desk.wait_for(lambda: account.states()[sent - 1 :] == closes, "the switch does not close what is held")
    account.policy.change(lambda c: c["kill_switch"].update(engaged=False, released_by="ada"))
    account.delete("cancel")
    account.desk.wait_for(
        lambda: account.remains() == Remains(orders=0, positions=1), "it waits for the switch's order"
    )
    assert account.states()[-1] == ORDER_STATE_ACCEPTED
    account.bar()
    account.desk.wait_for(lambda: account.held() == 0, "the switch's order does not close what is held")
    account.desk.wait_for(lambda: account.remains() == Remains(), "it still has something")


def test_flatten_closes_its_position_at_the_market_and_the_others_stays(account: Account) -> None:
    sent = len(account.states())
    account.delete("flatten")
    account.desk.wait_for(lambda: len(account.states()) == sent + 1, "nothing closes its position")
    closing = account.desk.orders()[-1]
    assert (closing.side, closing.quantity, closing.order_type, closing.exit) == (
        SIDE_SELL,
        10 * SHARE,
        ORDER_TYPE_MARKET,
        "deleted",
    )
    assert account.states()[-2] == ORDER_STATE_CANCELED
    assert account.remains() == Remains(orders=1, positions=1)
    account.bar()
    account.desk.wait_for(lambda: account.remains() == Remains(), "it still has something")
    account.desk.wait_for(lambda: account.states()[-1] == ORDER_STATE_FILLED, "nobody was told of the exit")
    assert account.held() == 5
    account.bar()
    account.desk.wait_for(lambda: account.sub_books() == {STAYS: 5}, "the other's position moved")
    assert account.forget() == ""


def test_keep_lets_its_order_work_and_takes_no_more_intents(account: Account) -> None:
    account.delete("keep")
    account.want(GOES, 0)
    account.desk.wait_for(lambda: codes(account.desk) == ["STRATEGY_LEAVING"], "its intent was not refused")
    assert account.states()[-1] == ORDER_STATE_ACCEPTED
    assert account.remains() == Remains(orders=1, positions=1)
    account.want(STAYS, 6)
    account.desk.wait_for(lambda: account.states().count(ORDER_STATE_ACCEPTED) >= 1, "the other can't trade")
    assert "still has a position" in account.forget()
