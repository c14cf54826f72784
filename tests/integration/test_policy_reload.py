"""A changed policy reaches the running executor: real process, simulated venue, no restart."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.test_executor_at_recorded_speed import PATIENCE_S, Desk, desk
from tradewind.v1.trading_pb2 import ORDER_STATE_FILLED, ORDER_STATE_REJECTED

__all__ = ["desk"]


class Policy:
    """The executor's configuration file and what the executor says to it."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / "executor.json"
        self._told = directory / "executors" / "paper.policy.json"
        self.config: dict[str, Any] = json.loads(self._path.read_text())

    def write(self, text: str, generation: int | None = None) -> dict[str, Any]:
        """What the executor says to it: that it is refused, or that it is of this generation."""
        before = self._told.stat().st_mtime_ns
        temporary = self._path.with_suffix(".new")
        temporary.write_text(text)
        temporary.replace(self._path)
        deadline = time.monotonic() + PATIENCE_S
        while True:
            if self._told.stat().st_mtime_ns != before:
                answer = dict(json.loads(self._told.read_text()))
                if answer["problem"] or generation in (None, answer["generation"]):  # not of a look at the one before
                    return answer
            assert time.monotonic() < deadline, "the executor did not look"
            time.sleep(0.01)

    def change(self, change: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
        config = json.loads(json.dumps(self.config))
        config["policy_generation"] += 1
        config["engine"]["policy_generation"] += 1
        change(config)
        answer = self.write(json.dumps(config), config["policy_generation"])
        if not answer["problem"]:
            self.config = config
        return answer


def codes(desk: Desk) -> list[str]:
    return [m.code for m in desk.told() if not m.client_order_id and m.state == ORDER_STATE_REJECTED]


def generations(desk: Desk) -> list[int]:
    messages: list[Any] = [record.message for record in desk.bus.read("risk")]
    return [m.policy_generation for m in messages]


def test_a_changed_limit_holds_for_the_next_intent_and_a_refused_policy_changes_nothing(
    desk: Desk, tmp_path: Path
) -> None:
    policy = Policy(tmp_path)
    desk.bar(0)
    desk.want(0, 10)
    desk.wait_for(lambda: len(desk.orders()) == 1, "the entry was not sent")
    desk.bar(1)
    desk.wait_for(lambda: desk.orders()[0].state == ORDER_STATE_FILLED, "the entry has not filled")

    def smaller(config: dict[str, Any]) -> None:
        config["engine"]["limits"]["max_order_notional"] = "500"

    cpus = {"cpus": sorted(os.sched_getaffinity(0)), "of": os.cpu_count()}
    assert policy.change(smaller) == {"generation": 2, "problem": "", "pid": policy_pid(tmp_path), **cpus}
    desk.want(1, 20)
    desk.wait_for(lambda: codes(desk) == ["MAX_ORDER_NOTIONAL"], "the new limit does not hold")

    def wrong(config: dict[str, Any]) -> None:
        config["engine"]["limits"]["max_order_notional"] = "a lot"

    refused = policy.change(wrong)
    assert refused["generation"] == 2
    assert "limits.max_order_notional" in refused["problem"]
    assert "can't change while the executor runs" in policy.change(lambda c: c.update(group="other"))["problem"]
    assert policy.write("{half")["generation"] == 2
    desk.bar(2)
    desk.want(2, 21)
    desk.wait_for(lambda: codes(desk) == ["MAX_ORDER_NOTIONAL"] * 2, "the last policy did not stay")
    desk.wait_for(lambda: generations(desk)[-1] == 2, "the books are not told under the new policy")
    assert generations(desk)[0] == 1


def test_an_engaged_switch_closes_what_is_held_and_a_named_person_releases_it(desk: Desk, tmp_path: Path) -> None:
    policy = Policy(tmp_path)
    desk.bar(0)
    desk.want(0, 10)
    desk.wait_for(lambda: len(desk.orders()) == 1, "the entry was not sent")
    desk.bar(1)
    desk.wait_for(lambda: desk.orders()[0].state == ORDER_STATE_FILLED, "the entry has not filled")
    policy.change(lambda c: c["kill_switch"].update(engaged=True))
    desk.wait_for(lambda: len(desk.orders()) == 2, "the position is not being closed")
    desk.want(1, 20)
    desk.wait_for(lambda: codes(desk) == ["KILL_SWITCH"], "the switch is not latched")
    desk.bar(2)
    desk.wait_for(lambda: desk.orders()[1].state == ORDER_STATE_FILLED, "the closing order has not filled")
    policy.change(lambda c: c["kill_switch"].update(engaged=False))  # nobody's name: it stays
    desk.want(2, 20)
    desk.wait_for(lambda: codes(desk) == ["KILL_SWITCH"] * 2, "the switch was released by nobody")
    policy.change(lambda c: c["kill_switch"].update(released_by="ada"))
    desk.bar(3)
    desk.want(3, 5)
    desk.wait_for(lambda: len(desk.orders()) == 3, "the switch was not released")


def policy_pid(directory: Path) -> int:
    return int(json.loads((directory / "executors" / "paper.policy.json").read_text())["pid"])
