"""The simulated venue as a process that also notes when it has read each order. Shell.

`python -m benchmarks.hops_venue --config FILE` is the venue of that configuration, which stamps the host's clock when
an order's bytes, decrypted, come from the socket: what one Python process then does with twenty orders, one after the
other, is the simulation's time and not the order path's. When it is told to stop it leaves the stamps beside FILE:
client order id to ns since the epoch, as JSON in FILE with the suffix `.stamps`.
"""

from __future__ import annotations

import json
import re
import sys
import time
from pathlib import Path
from unittest import mock

from aiohttp.web_protocol import RequestHandler

from tradewind.execution.venue import __main__ as process

_ORDER = re.compile(rb'"client_order_id":"([^"]+)"')


def main() -> int:
    """Command line: the venue's own."""
    stamps: dict[str, int] = {}
    receive = RequestHandler.data_received

    def stamped(protocol: RequestHandler, data: bytes) -> None:
        found = _ORDER.search(data)
        if found is not None:
            stamps.setdefault(found[1].decode(), time.time_ns())
        receive(protocol, data)

    with mock.patch.object(RequestHandler, "data_received", stamped):
        status = process.main()
    Path(sys.argv[sys.argv.index("--config") + 1]).with_suffix(".stamps").write_text(json.dumps(stamps))
    return status


if __name__ == "__main__":
    sys.exit(main())
