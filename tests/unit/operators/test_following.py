"""An executor's configuration, from documents as the API server has them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.unit.operators.worlds import CONFIG, NOW, policy, strategy
from tradewind.execution.executor.config import ExecutorConfig
from tradewind.operators.plan.following import bound, configuration, leaving, site
from tradewind.operators.plan.model import Object, is_deleted
from tradewind.planning.legs import LEFT_SHARE
from tradewind.specs import SpecError

SITE = site(CONFIG.for_followers())


def shares(text: str) -> dict[str, float]:
    """Capital share of each strategy by uid, of a configuration that the executor reads."""
    config = ExecutorConfig.model_validate_json(text)
    return {s["uid"]: s["capital_share"] for s in config.engine["strategies"]}


def test_the_site_is_the_operators() -> None:
    assert CONFIG.site() == SITE


def test_those_that_are_bound_trade() -> None:
    account = policy(allows=("momentum", "trend"))
    found = [strategy(capitalShare=0.6), strategy("trend", 2, capitalShare=0.6), strategy("other", 3)]
    trading = bound(account, found)
    assert [s["metadata"]["name"] for s in trading] == ["momentum"]
    assert shares(configuration(account, trading, SITE)) == {"uid-momentum": 0.6}


def test_what_left_keeps_its_books_and_gets_no_capital() -> None:
    account = policy(allows=("trend",), killSwitch={"engaged": True})
    text = configuration(account, [strategy("trend")], SITE, left=[strategy(capitalShare=0.9)])
    assert shares(text) == {"uid-trend": 1.0, "uid-momentum": LEFT_SHARE}
    assert json.loads(text)["kill_switch"]["engaged"] is True
    # Even when nobody else is there.
    assert shares(configuration(account, [], SITE, left=[strategy()])) == {"uid-momentum": LEFT_SHARE}


def test_what_left_changes_nothing_that_needs_a_new_pod() -> None:
    account = policy(allows=("trend",))
    with_it = json.loads(configuration(account, [strategy("trend")], SITE, left=[strategy()]))
    without = json.loads(configuration(account, [strategy("trend")], SITE))
    assert {key for key in with_it if with_it[key] != without[key]} == {"engine"}


@pytest.mark.parametrize(
    ("account", "says"),
    [
        (policy(limits={"loss": {"daily": 2}}), "spec.limits.loss.daily"),
        (policy(killSwich={}), "did you mean killSwitch?"),
    ],
    ids=["range", "typo"],
)
def test_a_policy_that_cannot_be_followed_says_why(account: dict[str, Any], says: str) -> None:
    with pytest.raises(SpecError, match=says.replace("?", r"\?")):
        bound(account, [strategy()])


def deleted(found: Object, **metadata: Any) -> Object:
    return {**found, "metadata": {**found["metadata"], "deletionTimestamp": NOW, **metadata}}


def leaves(text: str) -> dict[str, str | None]:
    """What is to be done with each strategy, by uid."""
    return {s["uid"]: s["leaving"] for s in ExecutorConfig.model_validate_json(text).engine["strategies"]}


KNOWN = strategy(onDelete="Flatten")


@pytest.mark.parametrize(
    ("now", "does"),
    [
        ({"momentum": KNOWN}, None),  # not allowed any more
        ({}, None),  # may not be read
        ({"momentum": deleted(KNOWN)}, "flatten"),
        ({"momentum": deleted(strategy(onDelete="Keep"))}, "keep"),  # said last
        ({"momentum": deleted(strategy())}, "cancel"),
        ({"momentum": None}, "flatten"),  # gone, by whatever way
        ({"momentum": {**KNOWN, "metadata": {**KNOWN["metadata"], "uid": "another"}}}, "flatten"),
        ({"momentum": deleted(strategy(onDelete="Sell"))}, "flatten"),  # can't be read: as it was
    ],
    ids=["removed", "unreadable", "deleted", "changed", "default", "gone", "replaced", "bad"],
)
def test_what_becomes_of_a_strategy_that_does_not_trade_any_more(
    now: dict[str, Object | None], does: str | None
) -> None:
    account = policy(allows=("trend",))
    (left,) = leaving([KNOWN, strategy("trend")], [strategy("trend")], now)
    assert leaves(configuration(account, [strategy("trend")], SITE, [left])) == {
        "uid-trend": None,
        "uid-momentum": does,
    }
    # Remembered, it stays so when nothing can be read any more.
    (again,) = leaving([left], [strategy("trend")], {})
    assert is_deleted(again) == (does is not None)


def test_a_policy_on_its_way_out_is_in_force_for_those_that_leave() -> None:
    going = deleted(policy(allows=("momentum",), killSwitch={"engaged": True}))
    text = configuration(going, [], SITE, [deleted(KNOWN)])
    assert leaves(text) == {"uid-momentum": "flatten"}
    assert json.loads(text)["kill_switch"]["engaged"] is True


def test_nobody_at_all_is_no_configuration() -> None:
    with pytest.raises(SpecError, match="no Strategy is bound"):
        configuration(policy(), [], SITE)
