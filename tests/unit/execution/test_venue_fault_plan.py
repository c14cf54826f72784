"""Rules of misbehaviour: which requests and messages they strike, the same ones every time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic import ValidationError

from tradewind.execution.venue.delivery import Delivery
from tradewind.execution.venue.faults import FaultPlan, Faults


def plan(*rules: dict[str, Any], seed: int = 0) -> Faults:
    return Faults(FaultPlan.model_validate({"seed": seed, "rules": list(rules)}))


def struck(faults: Faults, *requests: str) -> list[bool]:
    """Whether each request ("POST /v2/orders") is struck."""
    return [bool(faults.of_request(*request.split())) for request in requests]


ORDER = "POST /v2/orders"


def test_a_rule_skips_then_strikes_as_often_as_it_says() -> None:
    faults = plan({"on": "request", "do": "answer", "skip": 2, "count": 3})
    assert struck(faults, *[ORDER] * 7) == [False, False, True, True, True, False, False]


@pytest.mark.parametrize(
    ("rule", "hit", "miss"),
    [
        ({"method": "POST"}, "POST /v2/orders", "GET /v2/orders"),
        ({"path": "/v2/orders"}, "GET /v2/orders", "GET /v2/orders/1"),
        ({"path": "/v2/orders/*"}, "DELETE /v2/orders/1", "DELETE /v2/orders"),
    ],
)
def test_rules_match_by_method_and_path(rule: dict[str, Any], hit: str, miss: str) -> None:
    assert struck(plan({"on": "request", "do": "answer", **rule}), miss, hit) == [False, True]


def test_chances_repeat_with_the_seed_and_do_not_disturb_each_other() -> None:
    half = {"on": "request", "do": "answer", "probability": 0.5}
    first = struck(plan(half, seed=7), *[ORDER] * 200)
    assert 70 < sum(first) < 130
    assert struck(plan(half, seed=7), *[ORDER] * 200) == first
    assert struck(plan(half, seed=8), *[ORDER] * 200) != first
    # A second rule that draws for other requests in between changes nothing for the first.
    only_posts = plan({**half, "method": "POST"}, {**half, "method": "GET"}, seed=7)
    assert [struck(only_posts, ORDER, "GET /v2/orders")[0] for _ in range(200)] == first


def test_the_report_counts() -> None:
    faults = plan({"on": "request", "do": "answer", "skip": 1})
    struck(faults, ORDER, ORDER, ORDER)
    (row,) = faults.report()["rules"]
    assert (row["do"], row["matched"], row["struck"]) == ("answer", 3, 2)


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ({"on": "request", "do": "delay"}, "ms is required to delay"),
        ({"on": "request", "do": "delay", "ms": -1}, "ms must not be negative"),
        ({"on": "stream", "do": "delay"}, "ms is required to delay"),
        ({"on": "request", "do": "explode"}, "do"),
        ({"on": "request", "do": "answer", "status": 200}, "status"),
        ({"on": "request", "do": "answer", "probabilty": 1}, "probabilty"),
        ({"do": "answer"}, "discriminator"),
    ],
)
def test_a_wrong_rule_is_refused(rule: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        plan(rule)


# --- streams ---


class Stream:
    """What arrives of letters sent one at a time, each its own event; "|" is a cut."""

    def __init__(self, *rules: dict[str, Any]) -> None:
        self.arrived = ""
        self._changed = asyncio.Event()
        self.delivery = Delivery[str]("trades", str, self._take, lambda: self._take(["|"]))
        self.delivery.misbehave(plan(*[{"on": "stream", **rule} for rule in rules]))

    def _take(self, messages: list[str]) -> None:
        self.arrived += "".join(messages)
        self._changed.set()

    async def until(self, arrived: str) -> None:
        while self.arrived != arrived:
            self._changed.clear()
            await asyncio.wait_for(self._changed.wait(), 60)

    def send(self, letters: str) -> str:
        for letter in letters:
            self.delivery.deliver([letter])
        return self.arrived


@pytest.mark.parametrize(
    ("rule", "arrived"),
    [
        ({"do": "drop"}, "acde"),
        ({"do": "duplicate"}, "abbcde"),
        ({"do": "reorder"}, "acbde"),
        ({"do": "reorder", "behind": 3}, "acdeb"),
        ({"do": "disconnect"}, "a|cde"),
        ({"do": "drop", "stream": "news"}, "abcde"),
    ],
)
def test_a_struck_message_goes_astray(rule: dict[str, Any], arrived: str) -> None:
    assert Stream({"event": "b", **rule}).send("abcde") == arrived


def test_messages_of_one_change_go_astray_alike() -> None:
    stream = Stream({"event": "b", "do": "disconnect"}, {"event": "d", "do": "duplicate"})
    stream.delivery.deliver(list("abcde"))
    assert stream.arrived == "a|cdde"


async def test_a_delayed_message_is_overtaken() -> None:
    stream = Stream({"event": "b", "do": "delay", "ms": 20})
    assert stream.send("abc") == "ac"
    await stream.until("acb")


def test_what_is_held_back_comes_when_the_plan_changes() -> None:
    stream = Stream({"event": "b", "do": "reorder", "behind": 100})
    assert stream.send("abc") == "ac"
    stream.delivery.misbehave(None)
    assert stream.send("d") == "acbd"
