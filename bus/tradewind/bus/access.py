"""Core: which process may do what on which topic: who may write `intents` or `control` can trade, so it is few."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tradewind.bus.topics import TOPICS, dead_topic, is_dead


@dataclass(frozen=True)
class Access:
    """What one process needs of the bus.

    Attributes:
        reads: topics it reads. Who reads a topic also writes its dead letters.
        writes: topics it writes.
        refuses: topics whose records it refuses before they are on the bus: it writes their dead letters.
        looks: topics it asks only for their ends.
        groups: what the names of its own consumer groups begin with.
        watches: what the names of the groups begin with whose progress it asks for.
    """

    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    refuses: tuple[str, ...] = ()
    looks: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    watches: tuple[str, ...] = ()


_DEAD = tuple(dead_topic(topic) for topic in TOPICS)

ACCESS: Mapping[str, Access] = {
    "feed": Access(
        reads=("bars", "news", "events", "control", "bars.dead", "news.dead"),
        writes=("bars", "quotes", "trades", "news", "events", "control"),
        refuses=("bars", "quotes", "trades", "news"),
        looks=TOPICS,
        watches=("features", "executor-", "signals-"),
    ),
    "features": Access(reads=("bars", "events", "features"), writes=("features",), groups=("features",)),
    "signals": Access(reads=("features", "positions"), writes=("signals", "intents"), groups=("signals-",)),
    "executor": Access(
        reads=("bars", "intents", "control", "features", "audit"),
        writes=("orders", "fills", "positions", "risk", "audit"),
        groups=("executor-",),
    ),
    "recorder": Access(
        reads=(
            "bars",
            "events",
            "signals",
            "intents",
            "orders",
            "fills",
            "positions",
            "risk",
            "control",
            *_DEAD,
        ),
        groups=("recorder",),
    ),
    "install-test": Access(looks=("control",)),
}
"""By process. The name is the principal's too, unless an installation says otherwise."""


@dataclass(frozen=True, order=True)
class Rule:
    """One ACL: allow `principal` the `operation` on the `kind` ("Topic" or "Group") called `name`, or, with `prefix`,
    on all whose names begin so. Operations are Kafka's own words; it takes Read and Write to include Describe."""

    principal: str
    kind: str
    name: str
    prefix: bool
    operation: str


def rules(log_prefix: str = "", access: Mapping[str, Access] = ACCESS) -> Iterator[Rule]:
    """The ACLs that `access` amounts to on the log `log_prefix` (see `open_bus`)."""
    before = f"{log_prefix}." if log_prefix else ""
    for principal, needs in access.items():
        buried = {topic for topic in (*needs.reads, *needs.refuses) if not is_dead(topic)}
        written = {*needs.writes, *map(dead_topic, buried)}
        found = {Rule(principal, "Topic", before + topic, False, "Read") for topic in needs.reads}
        found |= {Rule(principal, "Topic", before + topic, False, "Write") for topic in written}
        described = set(needs.looks) - set(needs.reads) - written
        found |= {Rule(principal, "Topic", before + topic, False, "Describe") for topic in described}
        found |= {Rule(principal, "Group", before + group, True, "Read") for group in needs.groups}
        # Reading a range without a group, and asking where topics end, take a group's name all the same.
        found |= {Rule(principal, "Group", before + g, True, "Describe") for g in (*needs.watches, "read-", "observer")}
        yield from sorted(found)
