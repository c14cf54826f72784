"""A process that starts before its broker does waits for it, where it is told to."""

from __future__ import annotations

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.kafka.broker import Broker
from tradewind.bus import BusError, KafkaBus


def test_a_start_waits_for_the_broker_as_long_as_it_is_told(tmp_path: Path) -> None:
    with Broker(tmp_path) as broker, ThreadPoolExecutor(1) as starting:
        broker.send(signal.SIGKILL)
        broker.wait()
        with pytest.raises(BusError, match="is not reachable"):
            KafkaBus(broker.bootstrap, "", {})
        opened = starting.submit(KafkaBus, broker.bootstrap, "", {"KAFKA_REACH_S": "120"})
        time.sleep(7)  # longer than one attempt takes
        assert not opened.done()
        broker.spawn()
        with opened.result(120) as bus:
            assert bus.end_offset("bars") == 0
