"""Shell: from the address of a bus to the bus."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tradewind.bus.errors import BusError
from tradewind.bus.file_bus import FileBus
from tradewind.bus.interface import Bus
from tradewind.bus.kafka_bus import KafkaBus

_ADDRESS = re.compile(r"[^:,\s]+:\d{1,5}(,[^:,\s]+:\d{1,5})*")
_PREFIX = re.compile(r"[a-zA-Z0-9._-]*")
# How long who brings data, and has no orders to look after, waits for a Kafka that went away; Java's producer does so.
BRINGERS_OUTAGE_S = 120.0


def open_bus(url: str, outage_s: float = 0) -> Bus:
    """The bus at `url`.

    Args:
        url: "file:///absolute/path", or "kafka://HOST:PORT[,HOST:PORT...][/PREFIX]".
        outage_s: how long a Kafka that went away is waited for, at the least; a file doesn't go away.

    Raises:
        BusError: the address is not of this form, or the bus cannot be opened.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _bad(url) from None
    if parts.query or parts.fragment:
        raise _bad(url)
    if parts.scheme == "file" and parts.netloc == "" and re.match(r"/.", parts.path):
        return FileBus(Path(unquote(parts.path)))
    return KafkaBus(*kafka_address(url), outage_s=outage_s)


def kafka_address(url: str) -> tuple[str, str]:
    """The brokers and the prefix that `url` names. Raises BusError when it is not of Kafka's form."""
    parts = urlsplit(url)
    prefix = parts.path.removeprefix("/")
    if parts.scheme == "kafka" and _ADDRESS.fullmatch(parts.netloc) and _PREFIX.fullmatch(prefix):
        return parts.netloc, prefix
    raise _bad(url)


def _bad(url: str) -> BusError:
    return BusError(f"bus {url!r} is not an address: use file:///path/to/bus or kafka://HOST:PORT")
