"""Who we are to Kafka, from the environment; and who may do what."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tradewind.bus import TOPICS, BusError
from tradewind.bus.access import ACCESS, rules
from tradewind.bus.kafka_security import KafkaSecurity, reach_s
from tradewind.streaming.recorder.rows import recorded_topics

USER = {"KAFKA_SASL_USERNAME": "feed", "KAFKA_SASL_PASSWORD": "secret"}


def test_without_a_word_it_is_plain_text_and_nobody() -> None:
    found = KafkaSecurity.of({"HOME": "/"})
    assert (found.principal, found.settings) == ("ANONYMOUS", {"security.protocol": "PLAINTEXT"})


def test_a_user_over_tls(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.touch()
    found = KafkaSecurity.of(USER | {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_CA_FILE": str(ca)})
    assert found.principal == "feed"
    assert found.settings == {
        "security.protocol": "SASL_SSL", "ssl.ca.location": str(ca), "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "feed", "sasl.password": "secret",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "TLS"}, "KAFKA_SECURITY_PROTOCOL: 'TLS' is none of PLAINTEXT, SSL, "),
        (USER, "KAFKA_SASL_USERNAME is set, but KAFKA_SECURITY_PROTOCOL is PLAINTEXT: make it SASL_SSL"),
        ({"KAFKA_CA_FILE": "/ca.pem"}, "KAFKA_CA_FILE is set, but KAFKA_SECURITY_PROTOCOL is PLAINTEXT: make it SSL"),
        ({"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CA_FILE": "/no"}, "KAFKA_CA_FILE: /no is not a file"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_USERNAME": "feed"}, "KAFKA_SASL_PASSWORD is not set"),
        (USER | {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "KAFKA_SASL_MECHANISM": "GSSAPI"}, "'GSSAPI' is none of SCRAM"),
    ],
)
def test_what_does_not_fit_together_is_refused_by_name(environment: dict[str, str], message: str) -> None:
    with pytest.raises(BusError) as refused:
        KafkaSecurity.of(environment)
    assert message in str(refused.value)
    assert "secret" not in str(refused.value)


def test_who_can_trade_is_one_and_who_moves_time_is_one() -> None:
    writers = {topic: {rule.principal for rule in rules() if rule.name == topic and rule.operation == "Write"}
               for topic in TOPICS}  # fmt: skip
    assert writers["intents"] == writers["signals"] == {"signals"}
    assert writers["control"] == {"feed"}
    assert writers["orders"] == writers["fills"] == writers["audit"] == {"executor"}
    assert all(len(who) == 1 for who in writers.values())


def test_who_reads_a_topic_buries_what_it_cannot_read() -> None:
    for rule in rules("house"):
        if rule.kind == "Topic" and rule.operation == "Read" and not rule.name.endswith(".dead"):
            assert any(
                other.name == f"{rule.name}.dead" and other.operation == "Write" and other.principal == rule.principal
                for other in rules("house")
            ), rule


def test_the_recorder_may_read_what_it_records() -> None:
    assert set(ACCESS["recorder"].reads) == set(recorded_topics(bars=True))


def test_the_page_says_what_the_table_says() -> None:
    page = (Path(__file__).parents[3] / "docs" / "processes.md").read_text()
    rows = [
        re.split(r" *\| *", line)[1:-1]
        for line in page.splitlines()
        if re.match(r"\| `[a-z-]+` \| (`bars` |`features|\|)", line)
    ]
    found = {row[0].strip("`"): row[1:4] for row in rows}
    assert set(found) == set(ACCESS)
    for name, needs in ACCESS.items():
        reads = [topic for topic in needs.reads if name != "recorder" or not topic.endswith(".dead")]
        assert re.findall(r"`([a-z.]+)`", found[name][0].replace("every `.dead`", "")) == reads
        assert re.findall(r"`([a-z]+)`", found[name][1]) == list(needs.writes)
        assert re.findall(r"`([a-z-]+)`", found[name][2]) == list(needs.groups)


def test_the_prefix_of_a_log_goes_before_every_name() -> None:
    assert {rule.name.partition(".")[0] for rule in rules("house")} == {"house"}
    assert len(list(rules("house"))) == len(list(rules())) > 50


def test_how_long_a_start_waits_is_said_in_seconds() -> None:
    assert [reach_s(told) for told in ({}, {"KAFKA_REACH_S": "60"}, {"KAFKA_REACH_S": "0.5"})] == [0.0, 60.0, 0.5]
    for wrong in ("soon", "-1", "nan", "1e9"):
        with pytest.raises(BusError, match=r"KAFKA_REACH_S=.*: write seconds, 0 to 3600"):
            reach_s({"KAFKA_REACH_S": wrong})
