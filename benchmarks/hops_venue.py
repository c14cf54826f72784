"""The simulated venue as a process that also notes when it has read each order. Shell.

`python -m benchmarks.hops_venue --config FILE` is the venue of that configuration with one middleware more: it stamps
the host's clock once an order's body is here, before the venue looks at it. When it is told to stop it leaves the
stamps beside FILE: client order id to ns since the epoch, as JSON in FILE with the suffix `.stamps`.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from pathlib import Path
from unittest import mock

from aiohttp import web
from aiohttp.typedefs import Handler

from tradewind.execution.venue import __main__ as process
from tradewind.execution.venue.server import create_app


def main() -> int:
    """Command line: the venue's own."""
    stamps: dict[str, int] = {}

    @web.middleware
    async def stamped(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.method == "POST" and request.path == "/v2/orders":
            body = await request.read()
            now = time.time_ns()
            stamps[json.loads(body)["client_order_id"]] = now
        return await handler(request)

    with mock.patch.object(process, "create_app", functools.partial(create_app, inner=[stamped])):
        status = process.main()
    Path(sys.argv[sys.argv.index("--config") + 1]).with_suffix(".stamps").write_text(json.dumps(stamps))
    return status


if __name__ == "__main__":
    sys.exit(main())
