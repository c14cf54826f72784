"""Shell: `python -m tradewind.bus.strimzi CLUSTER [--user-prefix PREFIX] [--api VERSION] | kubectl apply -f -`.

Prints the KafkaTopics and KafkaUsers of the Kafka called CLUSTER, whose topics, users and rights Strimzi's operators
make: the same as `tradewind.bus.provision` makes elsewhere.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

from tradewind.bus.access import ACCESS, rules
from tradewind.bus.topics import ALL_TOPICS

_API = "kafka.strimzi.io/v1"


def manifests(cluster: str, user_prefix: str = "", api: str = _API) -> dict[str, Any]:
    """A Kubernetes List of what Strimzi's cluster `cluster` is to have."""
    labels = {"strimzi.io/cluster": cluster}

    def made(kind: str, name: str, spec: dict[str, Any]) -> dict[str, Any]:
        return {"apiVersion": api, "kind": kind, "metadata": {"name": name, "labels": labels}, "spec": spec}

    topics = [made("KafkaTopic", topic, {"partitions": 1}) for topic in ALL_TOPICS]
    users = [
        made(
            "KafkaUser",
            f"{user_prefix}{name}",
            {"authentication": {"type": "scram-sha-512"}, "authorization": {"type": "simple", "acls": _acls(name)}},
        )
        for name in ACCESS
    ]
    return {"apiVersion": "v1", "kind": "List", "items": [*topics, *users]}


def _acls(process: str) -> list[dict[str, Any]]:
    return [
        {
            "resource": {
                "type": rule.kind.lower(),
                "name": rule.name,
                "patternType": "prefix" if rule.prefix else "literal",
            },
            "operations": [rule.operation],
        }
        for rule in rules("", {process: ACCESS[process]})
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m tradewind.bus.strimzi", description="Manifests for Strimzi.")
    parser.add_argument("cluster", help="name of the Kafka")
    parser.add_argument("--user-prefix", default="", metavar="PREFIX", help="users are called PREFIX and the process")
    parser.add_argument("--api", default=_API, metavar="VERSION", help=f"of Strimzi's kinds; {_API}")
    given = parser.parse_args(arguments)
    json.dump(manifests(given.cluster, given.user_prefix, given.api), sys.stdout, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
