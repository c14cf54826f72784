"""Shell: how a process proves to Kafka who it is: from the environment, so that neither an address nor a configuration
file holds a secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError

from tradewind.bus.errors import BusError

PROTOCOL, CA_FILE, MECHANISM = "KAFKA_SECURITY_PROTOCOL", "KAFKA_CA_FILE", "KAFKA_SASL_MECHANISM"
USERNAME, PASSWORD = "KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD"
REACH_S = "KAFKA_REACH_S"
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS = ("SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN")
_FORBIDDEN = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
}
_NOT_LET_IN = {KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED, KafkaError._SSL}


@dataclass(frozen=True)
class KafkaSecurity:
    """Who we are to Kafka.

    Attributes:
        principal: the user's name, as ACLs name it.
        settings: librdkafka's.
    """

    principal: str
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> KafkaSecurity:
        """As `environment` says; without a word of it, plain text and nobody in particular.

        Raises:
            BusError: naming the variable.
        """
        protocol = environment.get(PROTOCOL, "PLAINTEXT")
        if protocol not in _PROTOCOLS:
            raise BusError(f"{PROTOCOL}: {protocol!r} is none of {', '.join(_PROTOCOLS)}")
        sasl, tls = protocol.startswith("SASL"), protocol.endswith("SSL")
        named = [name for name in (USERNAME, PASSWORD, MECHANISM) if environment.get(name)]
        if named and not sasl:
            raise BusError(f"{named[0]} is set, but {PROTOCOL} is {protocol}: make it SASL_SSL, or unset {named[0]}")
        if environment.get(CA_FILE) and not tls:
            raise BusError(
                f"{CA_FILE} is set, but {PROTOCOL} is {protocol}: make it SSL or SASL_SSL, or unset {CA_FILE}"
            )
        settings: dict[str, Any] = {"security.protocol": protocol}
        if tls and (ca_file := environment.get(CA_FILE)):
            if not Path(ca_file).is_file():
                raise BusError(
                    f"{CA_FILE}: {ca_file} is not a file: name the PEM file of Kafka's certificate authority"
                )
            settings["ssl.ca.location"] = ca_file
        return cls(_user(environment, settings) if sasl else "ANONYMOUS", settings)

    def refusal(self, error: KafkaError, what: str) -> BusError | None:
        """The one line for an `error` that means that we may not do `what`, or None for any other error."""
        if error.code() in _FORBIDDEN:
            return BusError(f"Kafka principal {self.principal} may not {what}: give it the ACL (docs/processes.md)")
        return None

    def not_let_in(self, error: KafkaError) -> str:
        """What is wrong with who we are, or nothing when `error` is another."""
        if error.code() not in _NOT_LET_IN:
            return ""
        return f"does not let principal {self.principal} in ({' '.join(error.str().split())})"


def _user(environment: Mapping[str, str], settings: dict[str, Any]) -> str:
    for name in (USERNAME, PASSWORD):
        if not environment.get(name):
            raise BusError(f"{name} is not set: {PROTOCOL} {settings['security.protocol']} needs it")
    mechanism = environment.get(MECHANISM, _MECHANISMS[0])
    if mechanism not in _MECHANISMS:
        raise BusError(f"{MECHANISM}: {mechanism!r} is none of {', '.join(_MECHANISMS)}")
    settings |= {
        "sasl.mechanism": mechanism,
        "sasl.username": environment[USERNAME],
        "sasl.password": environment[PASSWORD],
    }
    return environment[USERNAME]


def reach_s(environment: Mapping[str, str]) -> float:
    """How long a process that starts asks for the brokers again, in seconds; 0 where nobody says. Raises BusError."""
    text = environment.get(REACH_S, "0")
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 3600:
        raise BusError(f"{REACH_S}={text}: write seconds, 0 to 3600")
    return found
