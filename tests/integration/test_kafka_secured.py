"""A Kafka with TLS, SCRAM users and ACLs: who may do what, and that the processes need no more."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from tests.integration.test_probes_of_processes import DAY, replay
from tests.kafka.broker import ADMIN, ADMIN_PASSWORD, Broker
from tradewind.bus import ALL_TOPICS, Bus, BusError, KafkaBus, Record, Subscription, open_bus
from tradewind.bus.access import ACCESS, Rule
from tradewind.bus.provision import _allow, _binding
from tradewind.bus.provision import main as provision
from tradewind.execution.venue.certificate import server_context
from tradewind.v1.control_pb2 import ControlMessage
from tradewind.v1.market_pb2 import Bar
from tradewind.v1.trading_pb2 import ORDER_TYPE_MARKET, TIME_IN_FORCE_DAY, OrderIntent, Signal

PATIENCE_S = 90.0
_EVERYTHING = AclBindingFilter(
    ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
)
FIX = "give it the ACL (docs/processes.md)"


class Secured:
    """A broker with the house's topics, users and ACLs below the prefix `house`."""

    def __init__(self, folder: Path) -> None:
        keys = folder / "keys"
        keys.mkdir()
        server_context(keys, "localhost")
        self.ca = keys / "ca.pem"
        log = folder / "broker"
        log.mkdir()
        self.broker = Broker(log, keys / "server.pem", self.environment(ADMIN, ADMIN_PASSWORD))
        self.url = f"kafka://{self.broker.bootstrap}/house"
        self.users = folder / "users"
        self.users.mkdir()
        for name in ACCESS:
            (self.users / name).write_text(f"{name}'s password\n")

    def environment(self, user: str, password: str | None = None) -> dict[str, str]:
        """What a process of `user` finds."""
        return {
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_CA_FILE": str(self.ca),
            "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512",
            "KAFKA_SASL_USERNAME": user,
            "KAFKA_SASL_PASSWORD": password or f"{user}'s password",
        }

    def bus(self, user: str, password: str | None = None, prefix: str = "house", **changes: str) -> Bus:
        """The bus as `user` has it."""
        return KafkaBus(self.broker.bootstrap, prefix, self.environment(user, password) | changes)


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    made = Secured(tmp_path_factory.mktemp("secured"))
    with made.broker:
        with pytest.MonkeyPatch.context() as patch:
            set_environment(patch, made.environment(ADMIN, ADMIN_PASSWORD))
            for _ in range(2):  # again, and it changes nothing
                assert provision([made.url, "--users", str(made.users)]) == 0
        yield made


def set_environment(patch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> None:
    for name, value in environment.items():
        patch.setenv(name, value)


def test_who_may_write_signals_and_intents_writes_them(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> None:
    set_environment(monkeypatch, secured.environment("signals"))
    with open_bus(secured.url) as bus:  # from the environment, as the processes do
        before = bus.end_offset("intents")
        assert bus.publish("intents", "paper", OrderIntent(symbol="A")) == before
        before = bus.end_offset("signals")
        assert bus.publish("signals", "A", Signal(symbol="A")) == before


@pytest.mark.parametrize("principal", sorted(set(ACCESS) - {"signals"}))
def test_nobody_else_writes_an_intent(secured: Secured, principal: str) -> None:
    with secured.bus(ADMIN, ADMIN_PASSWORD) as house:
        before = house.end_offset("intents")
        with secured.bus(principal) as bus, pytest.raises(BusError) as refused:
            bus.publish("intents", "paper", OrderIntent(symbol="A"))
        assert str(refused.value) == f"Kafka principal {principal} may not write topic house.intents: {FIX}"
        assert house.end_offset("intents") == before


def test_a_topic_that_is_not_there_is_not_made_by_who_may_not(secured: Secured) -> None:
    with secured.bus("signals", prefix="elsewhere") as bus, pytest.raises(BusError) as refused:
        bus.publish("signals", "A", Signal(symbol="A"))
    assert str(refused.value) == f"Kafka principal signals may not write topic elsewhere.signals: {FIX}"
    with secured.bus(ADMIN, ADMIN_PASSWORD) as house:
        assert isinstance(house, KafkaBus)
        assert sorted(t for t in house.admin.list_topics(timeout=10).topics if not t.startswith("__")) == sorted(
            f"house.{topic}" for topic in ALL_TOPICS
        )


def test_reading_takes_the_right_to_the_topic_and_to_the_group(secured: Secured) -> None:
    with secured.bus(ADMIN, ADMIN_PASSWORD) as house:
        offset = house.publish("bars", "A", Bar(symbol="A", event_time=1))
    with secured.bus("features") as bus:
        with bus.subscribe(["bars"], "features-daily", start={"bars": offset}) as bars:
            assert [record.key for record in poll(bars)] == ["A"]
            assert bars.lag() == {"bars": 0}
        with pytest.raises(BusError, match=r"^Kafka principal features may not read topic house\.intents: "):
            bus.subscribe(["intents"], "features-daily")
        with (
            bus.subscribe(["bars"], "executor-paper") as stolen,
            pytest.raises(BusError, match=r"^Kafka principal features may not .*executor-paper.*: give it the ACL"),
        ):
            poll(stolen)
    with secured.bus("recorder") as bus, pytest.raises(BusError, match=r"may not see topic house\.quotes"):
        list(bus.read("quotes"))


def test_the_feed_sees_how_far_everybody_is(secured: Secured) -> None:
    with secured.bus("feed") as feed, secured.bus("executor") as executor:
        tick = feed.end_offset("control")
        assert feed.committed("executor-paper", "control") == 0
        assert feed.wait_committed({("executor-paper", "control"): tick}, PATIENCE_S)
        # librdkafka tells of it by waiting in vain, so the line cannot name the cause.
        with pytest.raises(BusError, match="does not say how far group signals-one is "):
            executor.committed("signals-one", "bars")


@pytest.mark.parametrize(
    ("password", "changes", "said"),
    [
        ("wrong", {}, "does not let principal feed in ("),
        (None, {"KAFKA_CA_FILE": "other"}, "does not let principal feed in ("),
    ],
)
def test_who_is_not_let_in_is_told_so_in_one_line(
    secured: Secured, tmp_path: Path, password: str | None, changes: dict[str, str], said: str
) -> None:
    if changes:
        server_context(tmp_path, "localhost")
        changes = {"KAFKA_CA_FILE": str(tmp_path / "ca.pem")}
    with pytest.raises(BusError) as refused:
        secured.bus("feed", password, **changes)
    assert f"Kafka at {secured.broker.bootstrap} {said}" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "wrong" not in str(refused.value)


def test_every_process_lives_within_its_own_rights(secured: Secured, tmp_path: Path) -> None:
    """Each as its own principal: bars become features and signals, an intent an order and a fill, all recorded."""
    with ExitStack() as stack:
        house = stack.enter_context(secured.bus(ADMIN, ADMIN_PASSWORD))
        before = {r.message.SerializeToString() for topic in ALL_TOPICS for r in house.read(topic)}
        planned = replay(tmp_path, secured.url, venue_port=0)
        run = partial(start, stack, tmp_path, secured)
        url = str(run("venue", planned["venue"])["url"])
        broker = planned["executor"]["broker"] | {"url": url}
        run("executor", planned["executor"] | {"broker": broker})
        run("recorder", planned["recorder"] | {"bars": True})
        run("features", planned["features"] | {"history": None})
        run("signals", planned["signals"] | {"predictor": "127.0.0.1:1", "positions_timeout_s": 0.1})
        feed = planned["feed"] | {"venue": planned["feed"]["venue"] | {"url": url}, "progress": False}
        run("feed", feed | {"source": feed["source"] | {"max_gap_s": 3.0}})
        signals = house.end_offset("signals")
        wait_until(lambda: house.end_offset("signals") > signals)
        *_, bar = house.read("bars", house.end_offset("bars") - 1)
        assert isinstance(bar.message, Bar)
        with secured.bus("signals") as bus:
            bus.publish("intents", "paper", intent(bar.message))
        wait_until(lambda: house.end_offset("fills") >= 1)
        assert min(house.end_offset(topic) for topic in ("orders", "positions", "risk", "audit", "features")) > 0
        wait_until(lambda: house.committed("recorder", "fills") == house.end_offset("fills"))
        dead = [record for topic in ALL_TOPICS if topic.endswith(".dead") for record in house.read(topic)]
        # What the tests before wrote could not be kept, and was not meant to be.
        assert [str(record.message) for record in dead if record.message.payload not in before] == []  # type: ignore[attr-defined]


def intent(bar: Bar) -> OrderIntent:
    return OrderIntent(
        id="one", account="paper", strategy="strategy/default/turns", symbol=bar.symbol, target_quantity=10 * 10**9,
        decision_time=bar.event_time, valid_until=bar.event_time + 30 * DAY, order_type=ORDER_TYPE_MARKET,
        time_in_force=TIME_IN_FORCE_DAY, reference_price=bar.close, model="m", model_version="1",
        model_alias="candidate",
    )  # fmt: skip


def start(stack: ExitStack, folder: Path, secured: Secured, name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Run a process as its own principal until the stack unwinds; answers what it says when it is ready."""
    path = folder / f"{name}.json"
    path.write_text(json.dumps(config))
    member = "streaming" if name in ("feed", "features", "recorder") else "execution"
    environment = {"APCA_API_KEY_ID": "AKTEST", "APCA_API_SECRET_KEY": "not-a-real-secret"}
    log = stack.enter_context((folder / f"{name}.log").open("w"))
    process = subprocess.Popen(
        [sys.executable, "-m", f"tradewind.{member}.{name}", "--config", str(path)], stdout=subprocess.PIPE, stderr=log,
        text=True, env=os.environ | environment | secured.environment(name),
    )  # fmt: skip

    def end() -> None:
        process.terminate()
        process.communicate(timeout=PATIENCE_S)
        said = (folder / f"{name}.log").read_text()
        assert (process.returncode, "may not" in said) == (0, False), said

    stack.callback(end)
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, (folder / f"{name}.log").read_text()
    ready: dict[str, Any] = json.loads(line)
    return ready


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def poll(subscription: Subscription) -> list[Record]:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        records = subscription.poll(10, 1.0)
        if records:
            return records
        assert time.monotonic() < deadline, "nothing comes, and nothing is refused"


def test_rights_of_an_earlier_version_are_taken_away_when_asked(secured: Secured) -> None:
    """And nobody else's: two processes with a right too many, of whom only one is the table's."""
    rights = {"signals": "control", "somebody-else": "control"}
    with secured.bus(ADMIN, ADMIN_PASSWORD) as house, pytest.MonkeyPatch.context() as patch:
        assert isinstance(house, KafkaBus)
        _allow(
            house.admin,
            [_binding(Rule(who, "Topic", f"house.{topic}", False, "Write")) for who, topic in rights.items()],
        )
        set_environment(patch, secured.environment(ADMIN, ADMIN_PASSWORD))
        assert provision([secured.url]) == 0
        with secured.bus("signals") as bus:
            bus.publish("control", "paper", ControlMessage())
        assert provision([secured.url, "--withdraw"]) == 0
        with secured.bus("signals") as bus:

            def refused() -> bool:
                try:
                    bus.publish("control", "paper", ControlMessage())
                except BusError as error:
                    return str(error).startswith("Kafka principal signals may not write topic house.control: ")
                return False

            wait_until(refused)  # a broker hears of its rules from the controller, after who changed them
            bus.publish("signals", "A", Signal(symbol="A"))
        left = {(b.principal, b.name) for b in house.admin.describe_acls(_EVERYTHING).result(30)}
    assert ("User:somebody-else", "house.control") in left
    assert {who for who, _ in left} == {f"User:{name}" for name in (*ACCESS, "somebody-else")}


def test_a_folder_without_users_is_named(secured: Secured, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        set_environment(patch, {**os.environ, **secured.environment(ADMIN, ADMIN_PASSWORD)})
        assert provision([secured.url, "--users", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"provision: --users: {tmp_path} holds no file: put each user's password into a file of the user's name\n"
    )
