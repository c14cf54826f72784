"""Shell: `python -m tradewind.bus.provision kafka://HOST:PORT[,...][/PREFIX] [--users DIRECTORY] [--user-prefix PREFIX]
[--topics-only] [--withdraw] [--patience SECONDS]`.

Makes what the processes need of a Kafka and are not allowed to make themselves: the topics, each one sequence; the ACLs
of `tradewind.bus.access`; and, with --users, a SCRAM user for each file of a directory, which is called as the user and
holds the password (as Kubernetes mounts a Secret). Who runs it says who they are as every process does, by KAFKA_*
variables, and must be allowed to. Run again, it changes nothing but passwords; with --withdraw it also takes away what
these users may do besides, such as rights of an earlier version.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from tradewind.bus.access import ACCESS, Rule, rules
from tradewind.bus.errors import BusError
from tradewind.bus.kafka_bus import KafkaBus
from tradewind.bus.opening import kafka_address
from tradewind.bus.topics import ALL_TOPICS

_CALL_S = 30.0
_ITERATIONS = 8192
_PAUSE_S = 2.0


def provision(
    url: str, users: Path | None = None, *, acls: bool = True, user_prefix: str = "", withdraw: bool = False
) -> None:
    """Make topics, and users and ACLs where asked for, on the Kafka at `url`.

    Args:
        users: directory with a file for each user.
        user_prefix: what goes before a process's name in the name of its user.
        withdraw: take away every other right of these users, on any topic or group.

    Raises:
        BusError: one line that names what cannot be made.
    """
    bootstrap, prefix = kafka_address(url)
    passwords = _passwords(users) if users is not None else {}
    with KafkaBus(bootstrap, prefix) as bus:
        for topic in ALL_TOPICS:
            bus.require_kafka_topic(topic)
        if passwords:
            _make_users(bus.admin, passwords)
        if acls:
            access = {user_prefix + name: needs for name, needs in ACCESS.items()}
            wanted = [_binding(rule) for rule in rules(prefix, access)]
            _allow(bus.admin, wanted)
            if withdraw:
                _withdraw(bus.admin, wanted, access)


def _passwords(folder: Path) -> dict[str, bytes]:
    # A mounted Secret has hidden entries beside the files.
    files = [path for path in sorted(folder.glob("*")) if path.is_file() and not path.name.startswith(".")]
    if not files:
        raise BusError(f"--users: {folder} holds no file: put each user's password into a file of the user's name")
    return {path.name: path.read_bytes().strip() for path in files}


def _make_users(admin: AdminClient, passwords: dict[str, bytes]) -> None:
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
    wanted = [UserScramCredentialUpsertion(user, info, password) for user, password in passwords.items()]
    for user, answer in admin.alter_user_scram_credentials(wanted).items():
        _await(answer, f"user {user}")


def _binding(rule: Rule) -> AclBinding:
    return AclBinding(
        ResourceType[rule.kind.upper()],
        rule.name,
        ResourcePatternType.PREFIXED if rule.prefix else ResourcePatternType.LITERAL,
        f"User:{rule.principal}",
        "*",
        AclOperation[rule.operation.upper()],
        AclPermissionType.ALLOW,
    )


def _allow(admin: AdminClient, wanted: Iterable[AclBinding]) -> None:
    for binding, answer in admin.create_acls(list(wanted)).items():
        _await(answer, f"the ACL of {binding.principal} on {binding.name}")


def _withdraw(admin: AdminClient, wanted: Iterable[AclBinding], principals: Iterable[str]) -> None:
    kept = set(wanted)
    for principal in principals:
        every = AclBindingFilter(
            ResourceType.ANY, None, ResourcePatternType.ANY, f"User:{principal}", None, AclOperation.ANY,
            AclPermissionType.ALLOW,
        )  # fmt: skip
        surplus = [b for b in _await(admin.describe_acls(every), f"a list of what {principal} may") if b not in kept]
        exactly = [
            AclBindingFilter(
                b.restype, b.name, b.resource_pattern_type, b.principal, b.host, b.operation, b.permission_type
            )
            for b in surplus
        ]
        for binding, answer in (admin.delete_acls(exactly) if exactly else {}).items():
            _await(answer, f"an end of the ACL of {binding.principal} on {binding.name}")


def _await(answer: object, what: str) -> Any:
    try:
        return answer.result(_CALL_S)  # type: ignore[attr-defined]  # confluent_kafka publishes no types
    except KafkaException as error:
        raise BusError(f"Kafka does not make {what}: {error.args[0].str()}") from error
    except TimeoutError:
        raise BusError(f"Kafka does not make {what}: no answer in {_CALL_S:.0f} s") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m tradewind.bus.provision", description="Topics, users and ACLs.")
    parser.add_argument("url", help="kafka://HOST:PORT[,...][/PREFIX]")
    parser.add_argument("--users", type=Path, metavar="DIRECTORY", help="a file for each user, holding the password")
    parser.add_argument("--topics-only", action="store_true", help="no ACLs: a Kafka without an authorizer")
    parser.add_argument("--user-prefix", default="", metavar="PREFIX", help="users are called PREFIX and the process")
    parser.add_argument("--withdraw", action="store_true", help="take away what these users may do besides")
    parser.add_argument("--patience", type=float, default=0.0, metavar="SECONDS", help="how long to wait for Kafka")
    given = parser.parse_args(arguments)
    deadline = time.monotonic() + given.patience
    while True:
        try:
            provision(
                given.url, given.users, acls=not given.topics_only, user_prefix=given.user_prefix,
                withdraw=given.withdraw,
            )  # fmt: skip
        except (BusError, OSError) as error:
            sys.stderr.write(f"provision: {error}\n")
            if time.monotonic() + _PAUSE_S > deadline:
                return 2
            time.sleep(_PAUSE_S)
        else:
            return 0


if __name__ == "__main__":
    sys.exit(main())
