"""Asking Kafka how far a group is, while Kafka looks for the group's coordinator: librdkafka's admin client then ends
the process (its issue 5040), which took a feed with it. The Kafka here is librdkafka's own mock cluster, which can be
told to answer OffsetFetch with NOT_COORDINATOR; a real one does so for a moment after a restart."""

from __future__ import annotations

import subprocess
import sys

ASKING = """
import ctypes, pathlib, sys
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

with open_bus("kafka://" + kafka.rd_kafka_mock_cluster_bootstraps(cluster).decode()) as bus:
    print(bus.committed("features", "bars"), flush=True)
    kafka.rd_kafka_mock_push_request_errors(cluster, OFFSET_FETCH, ctypes.c_size_t(3), *[NOT_COORDINATOR] * 3)
    print(bus.committed("features", "bars"), flush=True)
"""


def test_an_offset_asked_for_while_the_coordinator_moves() -> None:
    done = subprocess.run([sys.executable, "-c", ASKING], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{done.returncode}: {done.stdout}{done.stderr}"
    assert done.stdout == "0\n0\n"
