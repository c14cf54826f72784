"""Kafka as the chart has it: the broker that it renders, on this machine, and who may do what there."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.cluster.conftest import Cluster
from tests.cluster.plane import CHART, ROOT
from tests.cluster.rendering import found, helm, labelled, render
from tests.kafka.broker import jars
from tradewind.bus import ALL_TOPICS, Bus, BusError, KafkaBus, ports
from tradewind.bus.access import ACCESS
from tradewind.v1.control_pb2 import ControlMessage
from tradewind.v1.market_pb2 import Bar
from tradewind.v1.trading_pb2 import OrderIntent, Signal

ELSEWHERE = ["kafka.enabled=false", "kafka.bootstrap=kafka.example:9092"]
STRIMZI = [
    *ELSEWHERE, "kafka.security.secretPrefix=desk-", "kafka.security.userPrefix=desk-",
    "kafka.security.ca.secret=main-cluster-ca-cert",
]  # fmt: skip
OWN_USERS_ELSEWHERE = [*ELSEWHERE, "kafka.security.admin.secret=root", "kafka.security.admin.user=root"]
PLAIN = [*ELSEWHERE, "kafka.security.protocol=PLAINTEXT"]
ANNOUNCED = "tradewind-kafka:9092"
AT_ONCE = {"KAFKA_REACH_S": "0"}  # who is not let in doesn't ask for a minute whether it is by now


def variables(pod: dict[str, Any]) -> dict[str, Any]:
    """Environment of the pod's last container, as written."""
    return {v["name"]: v.get("value") or v["valueFrom"] for v in pod["containers"][-1].get("env", [])}


def secrets(pod: dict[str, Any]) -> set[str]:
    """Every Secret that a pod can see something of."""
    text = yaml.safe_dump(pod)
    return (
        set(re.findall(r"secretName: (\S+)", text))
        | {
            part["name"]
            for container in [*pod["containers"], *pod.get("initContainers", [])]
            for v in (*container.get("env", []), *container.get("envFrom", []))
            if (part := v.get("secretRef") or v.get("valueFrom", {}).get("secretKeyRef"))
        }
        | {
            s["secret"]["name"]
            for v in pod.get("volumes", [])
            for s in v.get("projected", {}).get("sources", [])
            if "secret" in s
        }
    )


@pytest.mark.parametrize(
    ("values", "secret", "user", "admin"),
    [
        ([], "tradewind-kafka-", "", {"tradewind-kafka-admin"}),
        (["kafka.security.tlsSecret=certificate"], "tradewind-kafka-", "", {"tradewind-kafka-admin"}),
        (["kafka.security.secretPrefix=own-"], "own-", "", {"tradewind-kafka-admin"}),
        (STRIMZI, "desk-", "desk-", set()),
        ([*STRIMZI, "kafka.security.mechanism=PLAIN"], "desk-", "desk-", set()),
        (OWN_USERS_ELSEWHERE, "tradewind-kafka-", "", {"root"}),
    ],
)
def test_each_pod_is_the_user_it_is_called_after_and_has_nobody_else_s_password(
    values: list[str], secret: str, user: str, admin: set[str]
) -> None:
    documents = render(["venue.enabled=true", *values])
    made = labelled(documents)
    kept = {d["metadata"]["name"] for d in documents if d["kind"] == "Secret"}
    passwords = {f"{secret}{process}" for process in ACCESS}
    assert {name for name, pod in made.items() if "KAFKA_SASL_USERNAME" in variables(pod)} - {"provision"} == set(
        ACCESS
    )
    for name, pod in made.items():
        expected = {f"{secret}{name}"} if name in ACCESS else set()
        if name == "provision":
            expected = passwords | admin
        if name == "kafka":
            expected = admin
        assert secrets(pod) & (passwords | {"tradewind-kafka-admin", "root"}) == expected, name
        if name in ACCESS:
            told = variables(pod)
            assert told["KAFKA_SASL_USERNAME"] == f"{user}{name}"
            assert told["KAFKA_SASL_PASSWORD"] == {"secretKeyRef": {"name": f"{secret}{name}", "key": "password"}}
    assert ("provision" in made) is bool(admin)
    assert passwords & kept == (passwords if secret == "tradewind-kafka-" else set())


def test_the_page_s_values_are_values(tmp_path: Path) -> None:
    examples = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docs" / "kafka.md").read_text(), re.M | re.S)
    assert len(examples) == 4
    for number, example in enumerate(examples):
        (tmp_path / f"{number}.yaml").write_text(example)
        made = labelled(render([], "--values", str(tmp_path / f"{number}.yaml")))
        assert ("KAFKA_SASL_USERNAME" in variables(made["executor"])) is ("PLAINTEXT" not in example)


def test_plain_text_is_for_brokers_of_somebody_else_s() -> None:
    made = labelled(render(PLAIN))
    patience = {"KAFKA_REACH_S"}  # how long brokers that start are waited for says nothing of who asks
    named = {name: {v for v in variables(pod) if v.startswith("KAFKA_")} - patience for name, pod in made.items()}
    assert [name for name, found in named.items() if found] == []
    assert "provision" not in made


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["kafka.security.protocol=PLAINTEXT"], "kafka/security/protocol"),
        (["kafka.security.mechanism=PLAIN"], "kafka/security/mechanism"),
        (ELSEWHERE, "name the users' Secrets by secretPrefix"),
        ([*OWN_USERS_ELSEWHERE, "kafka.security.mechanism=SCRAM-SHA-256"], "kafka.security.mechanism"),
    ],
)
def test_who_may_trade_is_never_left_open_by_chance(values: list[str], said: str) -> None:
    done = helm("template", "tradewind", str(CHART), *[p for v in values for p in ("--set", v)])
    assert done.returncode != 0
    assert said in done.stderr


class Installed:
    """The release's broker, run as its pod runs it but for paths and ports, and what each pod finds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.documents = render(["venue.enabled=true"])
        self.pods = labelled(self.documents)
        self._mounted: dict[str, dict[str, str]] = {}
        client, self.node, controller = (ports.reserve() for _ in range(3))
        self.bootstrap = f"localhost:{client}"
        places = {
            "/opt/kafka/libs": str(jars()), "/var/lib/kafka": str(folder / "volume"),
            "localhost:9094": f"localhost:{self.node}", "localhost:9093": f"localhost:{controller}",
            f"CLIENT://{ANNOUNCED}": f"CLIENT://{self.bootstrap}", "CLIENT://:9092": f"CLIENT://localhost:{client}",
        }  # fmt: skip
        self.places = places | self.mounted("kafka")
        for path in self.mounted("kafka").values():
            for file in Path(path).iterdir():
                file.write_text(self.replaced(file.read_text()))
        self.command = [self.replaced(word) for word in self.pods["kafka"]["containers"][0]["command"]]
        self.output = (folder / "broker.out").open("w")
        self.start()

    def start(self) -> None:
        environment = {"PATH": os.environ["PATH"], **self.environment("kafka")}
        self.broker = subprocess.Popen(self.command, env=environment, stdout=self.output, stderr=self.output)

    def restart(self) -> None:
        self.broker.terminate()
        self.broker.wait(30)
        self.start()

    def close(self) -> None:
        self.broker.terminate()
        self.broker.wait(30)
        self.output.close()

    def replaced(self, text: str) -> str:
        for here, there in self.places.items():
            text = text.replace(here, there)
        return text

    def mounted(self, name: str) -> dict[str, str]:
        """Where what a pod mounts lies on this machine, by its path there."""
        if name in self._mounted:
            return self._mounted[name]
        volumes = {v["name"]: v for v in self.pods[name].get("volumes", [])}
        made = {}
        for mount in self.pods[name]["containers"][-1]["volumeMounts"]:
            files = self.files(volumes.get(mount["name"], {}))
            if files:
                directory = self.folder / f"{name}-{mount['name']}"
                directory.mkdir(exist_ok=True)
                for file, content in files.items():
                    (directory / file).write_bytes(content)
                made[mount["mountPath"]] = str(directory)
        self._mounted[name] = made
        return made

    def files(self, volume: dict[str, Any]) -> dict[str, bytes]:
        if "configMap" in volume:
            held = {d["metadata"]["name"]: d for d in self.documents if d["kind"] == "ConfigMap"}
            config_map = held.get(volume["configMap"]["name"])  # the operator makes more of them
            data = {key: text.encode() for key, text in config_map["data"].items()} if config_map else {}
            return chosen(data, volume["configMap"])
        if "secret" in volume:
            return chosen(self.secret(volume["secret"]["secretName"]), volume["secret"])
        sources = [s["secret"] for s in volume.get("projected", {}).get("sources", []) if "secret" in s]
        return {path: content for s in sources for path, content in chosen(self.secret(s["name"]), s).items()}

    def secret(self, name: str) -> dict[str, bytes]:
        return {key: base64.b64decode(v) for key, v in found(self.documents, "Secret", name)["data"].items()}

    def environment(self, name: str) -> dict[str, str]:
        """What a pod's container finds of Kafka."""
        told = {}
        for key, value in variables(self.pods[name]).items():
            if key.startswith("KAFKA_") or key == "ADMIN_PASSWORD":
                of = value if isinstance(value, str) else value["secretKeyRef"]
                told[key] = of if isinstance(of, str) else self.secret(of["name"])[of["key"]].decode()
        for path, here in self.mounted(name).items():
            told = {key: value.replace(path, here) for key, value in told.items()}
        return told

    def provision(self) -> subprocess.CompletedProcess[str]:
        """What the Job does."""
        (container,) = self.pods["provision"]["containers"]
        places = {ANNOUNCED: self.bootstrap} | self.mounted("provision")
        words = container["command"][1:] + container["args"]
        for here, there in places.items():
            words = [word.replace(here, there) for word in words]
        environment = {**os.environ, **self.environment("provision")}
        return subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, timeout=120)

    def bus(self, name: str, **changes: str) -> Bus:
        """The bus as a pod has it."""
        return KafkaBus(self.bootstrap, environment=self.environment(name) | changes)


def chosen(data: dict[str, bytes], source: dict[str, Any]) -> dict[str, bytes]:
    """The files that a source of a volume becomes."""
    items = source.get("items")
    return data if items is None else {item["path"]: data[item["key"]] for item in items}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installed]:
    with closing(Installed(tmp_path_factory.mktemp("kafka"))) as made:
        for again in (False, True):  # an upgrade: another start, and everything is made again
            if again:
                made.restart()
            done = made.provision()
            assert done.returncode == 0, done.stderr + (made.folder / "broker.out").read_text()
        yield made


def test_signals_may_write_intents_and_no_control(installed: Installed) -> None:
    with installed.bus("signals") as bus:
        before = bus.publish("signals", "A", Signal(symbol="A"))
        assert bus.publish("intents", "paper", OrderIntent(symbol="A")) >= before
        with pytest.raises(BusError, match=r"^Kafka principal signals may not write topic control: "):
            bus.publish("control", "paper", ControlMessage())


@pytest.mark.parametrize("name", sorted(ACCESS))
def test_every_pod_gets_in_and_none_but_signals_writes_an_intent(installed: Installed, name: str) -> None:
    with installed.bus(name) as bus:
        if name != "signals":
            with pytest.raises(BusError, match=f"^Kafka principal {name} may not write topic intents: "):
                bus.publish("intents", "paper", OrderIntent(symbol="A"))


def test_a_group_keeps_its_place(installed: Installed) -> None:
    """The broker keeps it in a topic that it makes itself, as itself."""
    with installed.bus("feed") as feed, installed.bus("features") as features:
        offset = feed.publish("bars", "A", Bar(symbol="A", event_time=1))
        with features.subscribe(["bars"], "features-daily") as bars:
            (record,) = bars.poll(1, 60.0)
            bars.commit(record)
        assert feed.committed("features-daily", "bars") == offset + 1


def test_the_test_of_an_installation_sees_control(installed: Installed) -> None:
    with installed.bus("install-test") as bus:
        assert bus.end_offset("control") == 0
        with pytest.raises(BusError, match=r"^Kafka principal install-test may not "):
            bus.subscribe(["control"], "install-test").poll(1, 30.0)


@pytest.mark.parametrize(
    "changes",
    [
        {"KAFKA_SASL_PASSWORD": "guessed"},
        {"KAFKA_SASL_USERNAME": "executor"},
        {"KAFKA_SASL_USERNAME": "admin"},
        {"KAFKA_SASL_USERNAME": "admin", "KAFKA_SASL_MECHANISM": "PLAIN"},
        {"KAFKA_SASL_USERNAME": "node", "KAFKA_SASL_MECHANISM": "PLAIN"},
        {"KAFKA_SASL_MECHANISM": "PLAIN"},
    ],
)
def test_nobody_is_somebody_else(installed: Installed, changes: dict[str, str]) -> None:
    with pytest.raises(BusError, match="does not let principal"):
        installed.bus("signals", **changes, **AT_ONCE)


@pytest.mark.parametrize("door", ["client", "node"])
@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SSL"])
def test_nobody_comes_in_unnamed(installed: Installed, door: str, protocol: str) -> None:
    """By the pod's own listener neither, which a forwarded port reaches."""
    at = installed.bootstrap if door == "client" else f"localhost:{installed.node}"
    quiet = {"log_level": 0, "error_cb": lambda _: None}
    ca = {"ssl.ca.location": installed.environment("signals")["KAFKA_CA_FILE"]} if protocol == "SSL" else {}
    admin = AdminClient({"bootstrap.servers": at, "security.protocol": protocol, **quiet, **ca})
    with pytest.raises(KafkaException):
        admin.list_topics(timeout=3)


def test_the_topics_are_there_and_no_other(installed: Installed) -> None:
    with installed.bus("provision") as bus:
        assert isinstance(bus, KafkaBus)
        names = bus.admin.list_topics(timeout=10).topics
        assert sorted(name for name in names if not name.startswith("__")) == sorted(ALL_TOPICS)


def test_a_new_password_takes_the_place_of_the_old(installed: Installed) -> None:
    """Last, since the user is another's afterwards."""
    (Path(installed.mounted("provision")["/run/users"]) / "install-test").write_text("renewed")
    assert installed.provision().returncode == 0
    with installed.bus("install-test", KAFKA_SASL_PASSWORD="renewed") as bus:
        assert bus.end_offset("control") == 0
    with pytest.raises(BusError, match="does not let principal install-test in"):
        installed.bus("install-test", **AT_ONCE)


def test_an_upgrade_keeps_passwords_and_certificates(cluster: Cluster) -> None:
    first = [d for d in render(["venue.enabled=true"]) if d["kind"] == "Secret"]
    assert len(first) >= 12
    for secret in first:
        secret["metadata"].pop("namespace", None)
    cluster.apply(*first)
    told = [f"--kubeconfig={cluster.kubeconfig}", f"--namespace={cluster.namespace}", "--set", "venue.enabled=true"]
    done = helm("template", "tradewind", str(CHART), "--dry-run=server", *told)
    assert done.returncode == 0, done.stderr
    then = [d for d in yaml.safe_load_all(done.stdout) if d and d["kind"] in ("Secret", "ConfigMap")]
    secrets_then = {d["metadata"]["name"]: d["data"] for d in then if d["kind"] == "Secret"}
    assert secrets_then == {d["metadata"]["name"]: d["data"] for d in first}
    ca = secrets_then["tradewind-kafka-tls"]["ca.crt"]
    assert found(then, "ConfigMap", "tradewind-kafka-ca")["data"]["ca.crt"] == base64.b64decode(ca).decode()
