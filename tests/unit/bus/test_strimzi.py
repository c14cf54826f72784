"""What Strimzi is told is what the table says."""

from __future__ import annotations

import json

import pytest

from tradewind.bus import ALL_TOPICS
from tradewind.bus.access import ACCESS, Rule, rules
from tradewind.bus.strimzi import main


def test_strimzi_makes_the_same_topics_users_and_rights(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["main", "--user-prefix", "desk-"]) == 0
    items = json.loads(capsys.readouterr().out)["items"]
    assert {item["metadata"]["labels"]["strimzi.io/cluster"] for item in items} == {"main"}
    topics = {i["metadata"]["name"]: i["spec"] for i in items if i["kind"] == "KafkaTopic"}
    assert topics == {topic: {"partitions": 1} for topic in ALL_TOPICS}
    users = {i["metadata"]["name"]: i["spec"] for i in items if i["kind"] == "KafkaUser"}
    told = {
        Rule(user, acl["resource"]["type"].capitalize(), acl["resource"]["name"], prefix, operation)
        for user, spec in users.items()
        for acl in spec["authorization"]["acls"]
        for operation in acl["operations"]
        for prefix in [{"prefix": True, "literal": False}[acl["resource"]["patternType"]]]
    }
    assert told == set(rules("", {f"desk-{name}": needs for name, needs in ACCESS.items()}))
    assert {spec["authentication"]["type"] for spec in users.values()} == {"scram-sha-512"}
