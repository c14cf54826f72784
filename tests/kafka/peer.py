"""Shell: another process on the bus, for tests that need one to publish, to consume, or to be killed.

    python peer.py publish URL NAME COUNT   bars NAME 0, NAME 1, ... one by one; prints each offset once it is there
    python peer.py consume URL GROUP KEEP   reads bars; commits those below offset KEEP; prints each offset when done

COUNT 0 publishes until killed; a consumer reads until killed.
"""

from __future__ import annotations

import itertools
import sys

from tradewind.bus import open_bus
from tradewind.v1.market_pb2 import Bar


def publish(url: str, name: str, count: int) -> None:
    """Publish `count` bars whose volume counts from 0."""
    with open_bus(url) as bus:
        for number in range(count) if count else itertools.count():
            print(bus.publish("bars", name, Bar(symbol=name, volume=number)), flush=True)


def consume(url: str, group: str, keep: int) -> None:
    """Read bars, committing those with an offset below `keep`."""
    with open_bus(url) as bus, bus.subscribe(["bars"], group) as bars:
        while True:
            for record in bars.poll(1):
                if record.offset < keep:
                    bars.commit(record)
                print(record.offset, flush=True)


if __name__ == "__main__":
    {"publish": publish, "consume": consume}[sys.argv[1]](sys.argv[2], sys.argv[3], int(sys.argv[4]))
