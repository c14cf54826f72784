"""Reserved ports: nobody else's, now and until the process ends."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tradewind.bus import ports

OTHER = "from tradewind.bus import ports; print(*(ports.reserve() for _ in range({count})), flush=True); input()"


def test_no_port_is_given_twice_while_who_has_it_lives() -> None:
    others = [
        subprocess.Popen(
            [sys.executable, "-c", OTHER.format(count=40)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    try:
        given = [int(port) for other in others for port in (other.stdout.readline() if other.stdout else "").split()]
        own = [ports.reserve(given[0]), *(ports.reserve() for _ in range(40))]
        assert len({*given, *own}) == len(given) + len(own) == 161
    finally:
        for other in others:
            other.communicate("\n")
    assert ports.reserve(given[0]) == given[0], "its process has ended"


def test_the_kernel_gives_none_of_them_to_others() -> None:
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    assert all(ports.reserve() < first for _ in range(40))


@pytest.mark.parametrize("host", ["127.0.0.1", "", "::"])
def test_a_port_that_somebody_listens_on_is_not_given(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family, dualstack_ipv6=host == "::") as server:
        assert ports.reserve(server.getsockname()[1]) != server.getsockname()[1]


def test_a_port_that_a_connection_goes_out_from_is_not_given() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as connection:
        assert ports.reserve(connection.getsockname()[1]) != connection.getsockname()[1]


def test_a_port_whose_connections_have_just_ended_is_given() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    client = socket.create_connection(("127.0.0.1", port))
    accepted, _ = server.accept()
    accepted.close()  # the side that ends it first keeps the port in TIME_WAIT
    client.close()
    server.close()
    assert ports.reserve(port) == port
