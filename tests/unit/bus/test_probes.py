"""What a process says of itself."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tradewind.bus import BusError, FileBus, Outgoing, Probes
from tradewind.v1.market_pb2 import Bar


class Time:
    """Stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def probes(time: Time) -> Iterator[Probes]:
    with Probes(0, stall_s=10, clock=time) as served:
        yield served


def get(probes: Probes, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{probes.port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_a_loop_that_no_longer_goes_round_is_not_alive(probes: Probes, time: Time) -> None:
    time.now = 1000
    assert get(probes, "/livez") == (200, "ok\n")  # a start may take long
    probes.begin()
    time.now += 10
    assert get(probes, "/livez") == (200, "ok\n")
    time.now += 1
    assert get(probes, "/livez") == (503, "the loop has not gone round for 11 s: restart this process\n")
    assert "tradewind_loop_age_seconds 11.0" in get(probes, "/metrics")[1]
    assert not probes.stop.is_set()
    assert get(probes, "/livez") == (200, "ok\n")


def test_a_loop_that_waits_is_alive(probes: Probes, time: Time) -> None:
    probes.begin()
    time.now = 1000
    assert not probes.stop.wait(0)
    assert get(probes, "/livez")[0] == 200


def test_ready_is_begun_with_every_upstream_reached(probes: Probes) -> None:
    wrong = {"bus": "", "broker": "is not connected"}
    for name in wrong:
        probes.upstream(name, lambda name=name: wrong[name])  # type: ignore[misc]
    assert get(probes, "/readyz") == (503, "starting\n")
    probes.begin()
    assert get(probes, "/readyz") == (503, "broker: is not connected\n")
    wrong["broker"] = ""
    assert get(probes, "/readyz") == (200, "ok\n")
    assert get(probes, "/elsewhere") == (404, "see /metrics, /livez or /readyz\n")


def test_what_passes_through_the_bus_is_counted_by_topic(probes: Probes, tmp_path: Path) -> None:
    with probes.measured(FileBus(tmp_path / "bus")) as bus:
        bus.publish_many([Outgoing("bars", "A", Bar(symbol="A", event_time=at * 10**9)) for at in (1, 2, 3)])
        bus.dead_letter("bars", "A", b"x", "y", "why", "who")
        with bus.subscribe(["bars", "bars.dead"], "g") as bars:
            assert len(bars.poll(2, 30)) == 2
        said = get(probes, "/metrics")[1]
        assert [record.offset for record in bus.read("bars", 2)] == [2]
    assert 'tradewind_bus_records_written_total{topic="bars"} 3.0' in said
    assert 'tradewind_bus_records_written_total{topic="bars.dead"} 1.0' in said
    assert 'tradewind_bus_records_read_total{topic="bars"} 2.0' in said
    assert 'tradewind_bus_last_event_time_seconds{topic="bars"} 2.0' in said
    assert 'tradewind_bus_lag_records{topic="bars"} 1.0' in said
    assert 'tradewind_bus_lag_records{topic="bars.dead"} 1.0' in said
    again = get(probes, "/metrics")[1]
    assert 'tradewind_bus_records_read_total{topic="bars"} 3.0' in again
    assert "process_resident_memory_bytes" in again


def test_a_bus_that_does_not_answer_is_not_ready(probes: Probes, tmp_path: Path) -> None:
    bus = FileBus(tmp_path / "bus")
    probes.measured(bus)
    probes.begin()
    assert get(probes, "/readyz") == (200, "ok\n")
    bus.close()
    status, said = get(probes, "/readyz")
    assert (status, said.startswith("bus: "), said.count("\n")) == (503, True, 1)


def test_without_a_port_nothing_is_served_and_the_bus_is_itself(tmp_path: Path) -> None:
    probes = Probes(None)
    with FileBus(tmp_path / "bus") as bus:
        assert probes.measured(bus) is bus
    assert probes.port is None


def test_a_port_in_use_is_named(probes: Probes) -> None:
    with pytest.raises(BusError, match=rf"^probes_port: {probes.port} cannot be used \(Address already in use\): "):
        Probes(probes.port)
