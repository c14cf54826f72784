"""Shell: a real Kafka broker for tests: one KRaft node from Maven's jars, on ports of its own, ended by its own pid.

Open to all, or secured: TLS, SCRAM users, and nothing allowed that no ACL allows.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tradewind.bus import ports
from tradewind.bus.kafka_security import KafkaSecurity

ROOT = Path(__file__).resolve().parents[2]
POM = Path(__file__).with_name("pom.xml")
DOWNLOAD_LIMIT_S = 240
START_LIMIT_S = 120
ADMIN, ADMIN_PASSWORD = "admin", "admin's password"
_ADMIN_CREDENTIAL = f"SCRAM-SHA-512=[name={ADMIN},password={ADMIN_PASSWORD}]"
CLUSTER_ID = "MkU3OEVBNTcwNTJENDM2Qk"  # any 16 bytes in base64

_LOG4J = """<?xml version="1.0" encoding="UTF-8"?>
<Configuration status="error">
  <Appenders><Console name="out"><PatternLayout pattern="%d %p %c %m%n"/></Console></Appenders>
  <Loggers><Root level="warn"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"""


class BrokerError(Exception):
    """The broker cannot be started; the message says what is missing."""


class Broker:
    """A running broker. `bootstrap` is its HOST:PORT.

    Args:
        folder: empty; holds the broker's log, its settings and its output.
        keystore: PEM file of a key and its certificate for 127.0.0.1. With it the broker is secured, and knows one
            user, who may do all: ADMIN, with the password ADMIN_PASSWORD.
        environment: the KAFKA_* variables of ADMIN, for a secured broker.
    """

    def __init__(
        self, folder: Path, keystore: Path | None = None, environment: Mapping[str, str] | None = None
    ) -> None:
        self._folder = folder
        port, controller, internal = (ports.reserve() for _ in range(3))
        self.bootstrap = f"127.0.0.1:{port}"
        self._java = _java(jars())
        self._client = dict(KafkaSecurity.of(environment or {}).settings)
        settings = folder / "server.properties"
        settings.write_text(
            _settings(folder / "log", port, controller)
            if keystore is None
            else _secured_settings(folder / "log", port, controller, internal, keystore)
        )
        (folder / "log4j2.xml").write_text(_LOG4J)
        self._format(settings, [] if keystore is None else ["--add-scram", _ADMIN_CREDENTIAL])
        self._command = [*self._options(), "kafka.Kafka", str(settings)]
        self._output = (folder / "broker.out").open("wb")
        self.spawn()
        try:
            self.await_ready()
        except BaseException:
            self.stop()
            raise

    def spawn(self) -> None:
        """Start the broker's process, for the first time or again, and do not wait until it answers."""
        self._process = subprocess.Popen(self._command, stdout=self._output, stderr=subprocess.STDOUT)

    @property
    def ended(self) -> int | None:
        """Exit status, or None while it runs."""
        return self._process.poll()

    def wait(self) -> int:
        return self._process.wait(20)

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def stop(self) -> None:
        """End the broker: politely, then for good."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(20)
        self._output.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _options(self) -> list[str]:
        log4j = f"-Dlog4j2.configurationFile={self._folder / 'log4j2.xml'}"
        return [*self._java, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", log4j]

    def _format(self, settings: Path, users: list[str]) -> None:
        tool = [*self._options(), "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(settings)]
        done = subprocess.run([*tool, *users], capture_output=True, text=True, timeout=START_LIMIT_S, check=False)
        if done.returncode != 0:
            raise BrokerError(f"Kafka's storage cannot be formatted: {done.stdout}{done.stderr}")

    def await_ready(self) -> None:
        """Return when the broker answers."""
        quiet = {"log_level": 0, "error_cb": lambda _: None}
        admin = AdminClient({"bootstrap.servers": self.bootstrap, **quiet, **self._client})
        deadline = time.monotonic() + START_LIMIT_S
        while True:
            if self._process.poll() is not None:
                raise BrokerError(f"Kafka ended at once: {(self._folder / 'broker.out').read_text()[-2000:]}")
            try:
                if admin.list_topics(timeout=1).brokers:
                    return
            except KafkaException:
                pass
            if time.monotonic() > deadline:
                raise BrokerError(f"Kafka did not answer within {START_LIMIT_S} s: see {self._folder / 'broker.out'}")


def jars() -> Path:
    """The folder of the broker's jars, downloaded once by Maven; processes that ask together wait for each other."""
    for tool in ("java", "mvn"):
        if shutil.which(tool) is None:
            raise BrokerError(f"{tool} is not installed: the tests run against a real Kafka (apt install maven)")
    cache = ROOT / ".cache" / "kafka"
    cache.mkdir(parents=True, exist_ok=True)
    lib = cache / hashlib.sha256(POM.read_bytes()).hexdigest()[:16]
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not lib.is_dir():
            _download(lib)
    return lib


def _download(lib: Path) -> None:
    unfinished = lib.with_suffix(".part")
    shutil.rmtree(unfinished, ignore_errors=True)
    command = ["mvn", "-q", "-B", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={unfinished}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_LIMIT_S, check=False)
    if done.returncode != 0:
        raise BrokerError(f"Maven cannot fetch Kafka: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    unfinished.rename(lib)


def _java(lib: Path) -> list[str]:
    return ["java", "-cp", f"{lib}{os.sep}*"]


def _settings(log: Path, port: int, controller: int) -> str:
    listeners = [
        f"listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
        f"advertised.listeners=PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    ]
    return _properties(log, controller, listeners)


def _secured_settings(log: Path, port: int, controller: int, internal: int, keystore: Path) -> str:
    return _properties(
        log,
        controller,
        [
            f"listeners=CLIENT://127.0.0.1:{port},BROKER://127.0.0.1:{internal},CONTROLLER://127.0.0.1:{controller}",
            f"advertised.listeners=CLIENT://127.0.0.1:{port},BROKER://127.0.0.1:{internal}",
            "listener.security.protocol.map=CONTROLLER:PLAINTEXT,BROKER:PLAINTEXT,CLIENT:SASL_SSL",
            "inter.broker.listener.name=BROKER",
            "sasl.enabled.mechanisms=SCRAM-SHA-512",
            "listener.name.client.scram-sha-512.sasl.jaas.config="
            "org.apache.kafka.common.security.scram.ScramLoginModule required;",
            "ssl.keystore.type=PEM",
            f"ssl.keystore.location={keystore}",
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            f"super.users=User:{ADMIN};User:ANONYMOUS",  # the node itself, on its own two listeners
        ],
    )


def _properties(log: Path, controller: int, listeners: list[str]) -> str:
    return "\n".join(
        [
            "process.roles=broker,controller",
            "node.id=1",
            *listeners,
            f"controller.quorum.voters=1@127.0.0.1:{controller}",
            "controller.listener.names=CONTROLLER",
            f"log.dirs={log}",
            "auto.create.topics.enable=false",
            "offsets.topic.num.partitions=1",
            "offsets.topic.replication.factor=1",
            "transaction.state.log.replication.factor=1",
            "transaction.state.log.min.isr=1",
            "share.coordinator.state.topic.replication.factor=1",
            "share.coordinator.state.topic.min.isr=1",
            "group.initial.rebalance.delay.ms=0",
            "",
        ]
    )
