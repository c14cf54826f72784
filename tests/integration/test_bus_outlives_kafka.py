"""Asking Kafka while it comes back. The Kafka here is librdkafka's own mock cluster, which can be told what to answer.

While Kafka looks for a group's coordinator, librdkafka's admin client ends the process that asks (its issue 5040),
which took a feed with it; and a topic that has no leader yet is no topic that is not there.
"""

from __future__ import annotations

import subprocess
import sys

KAFKA = """
import ctypes, pathlib, threading
import confluent_kafka
from tradewind.bus import open_bus

folder = pathlib.Path(confluent_kafka.__file__).parent.with_name("confluent_kafka.libs")
kafka = ctypes.CDLL(str(next(folder.glob("librdkafka-*"))))
for name in ("rd_kafka_conf_new", "rd_kafka_new", "rd_kafka_mock_cluster_new"):
    getattr(kafka, name).restype = ctypes.c_void_p
kafka.rd_kafka_mock_cluster_bootstraps.restype = ctypes.c_char_p
PRODUCER, OFFSET_FETCH, NOT_COORDINATOR = 0, ctypes.c_int16(9), 16
client = ctypes.c_void_p(kafka.rd_kafka_new(PRODUCER, ctypes.c_void_p(kafka.rd_kafka_conf_new()), None, 0))
cluster = ctypes.c_void_p(kafka.rd_kafka_mock_cluster_new(client, 1))
kafka.rd_kafka_mock_topic_create(cluster, b"bars", 1, 1)
address = "kafka://" + kafka.rd_kafka_mock_cluster_bootstraps(cluster).decode()
"""
COORDINATOR_MOVES = """
with open_bus(address) as bus:
    print(bus.committed("features", "bars"), flush=True)
    kafka.rd_kafka_mock_push_request_errors(cluster, OFFSET_FETCH, ctypes.c_size_t(3), *[NOT_COORDINATOR] * 3)
    print(bus.committed("features", "bars"), flush=True)
"""
NO_LEADER_YET = """
with open_bus(address) as bus:
    print(bus.end_offset("bars"), flush=True)
    kafka.rd_kafka_mock_partition_set_leader(cluster, b"bars", 0, -1)
    leader = threading.Timer(2, lambda: kafka.rd_kafka_mock_partition_set_leader(cluster, b"bars", 0, 1))
    leader.start()
    print(bus.end_offset("bars"), leader.finished.is_set(), flush=True)
"""


def told(program: str) -> str:
    command = [sys.executable, "-c", KAFKA + program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def test_an_offset_asked_for_while_the_coordinator_moves() -> None:
    assert told(COORDINATOR_MOVES) == "0\n0\n"


def test_the_end_of_a_topic_that_has_no_leader_yet() -> None:
    assert told(NO_LEADER_YET) == "0\n0 True\n"
