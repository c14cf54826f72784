"""What the operator is told by whoever installs it; the documents say the rest. Core."""

from __future__ import annotations

from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tradewind.planning.local import Replay
from tradewind.planning.pods import DATA_DIR, ClusterSite

BROKER_CA, BUS_CA, PREDICTOR_CA = "/etc/tradewind/broker", "/etc/tradewind/bus", "/etc/tradewind/predictor"
CA_FILE = "ca.pem"


class Part(BaseModel):
    """A part of the configuration: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Images(Part):
    """Images of the pods."""

    executor: str = Field(description="Runs executors and signal processes.")
    streaming: str = Field("", description="Runs feeds and features processes; needed with services.data.")
    operator: str = Field(description="Runs beside each executor, too, where it follows the policy.")


class Resources(Part):
    """What pods ask for. Memory is a limit, too; CPU is one only in an executor's pod, which has to be Guaranteed."""

    executor_cpus: int = Field(1, ge=1, description="Whole CPUs of an executor, so that a static CPU manager pins it.")
    executor_shared_cpu: str = Field("500m", description="Of an executor whose policy asks for no CPU of its own.")
    executor_memory: str = "512Mi"
    follower_cpu: str = Field("100m", description="A fraction, so that no CPU is pinned for what follows the policy.")
    follower_memory: str = "128Mi"
    signals_cpu: str = "100m"
    signals_memory: str = "512Mi"
    features_cpu: str = "100m"
    features_memory: str = "1Gi"
    feed_cpu: str = "100m"
    feed_memory: str = "1Gi"
    journal: str = Field("1Gi", description="Size of an executor's volume.")


class ReplaySettings(Part):
    """A data set traded again instead of the market, for trying out."""

    trained_until: int = Field(description="No bar after this is for learning; trading begins with the next. ns UTC.")
    end: int | None = Field(None, description="Last time traded, ns UTC; null: the data set's last bar.")
    speed: float = Field(gt=0, description="Multiple of recorded speed. Lockstep is for one machine.")
    events: str | None = Field(None, description="Parquet file of events known before, below the claim.")


class Data(Part):
    """The data sets of an installation."""

    claim: str = Field("tradewind-data", description="Volume claim of data sets and of the features' history.")
    dataset: str | None = Field(None, description="Directory of the data set, below the claim; null: there is none.")
    replay: ReplaySettings | None = Field(None, description="null: the market.")
    secret: str = Field("market-data", description="Secret with the feed's keys, APCA_API_KEY_ID and ..._SECRET_KEY.")

    @model_validator(mode="after")
    def _something_to_replay(self) -> Data:
        if self.replay is not None and self.dataset is None:
            raise ValueError("replay needs dataset: name the data set's directory below the claim")
        return self

    def path(self, below: str) -> str:
        """A path in the pods."""
        return f"{DATA_DIR}/{below.strip('/')}"


class Store(Part):
    """Where Feast keeps its registry and the newest features."""

    registry: str = Field(description="postgresql+psycopg://USER@HOST/DATABASE")
    online: str = Field(description="redis://HOST:PORT/NUMBER")


PodPart = Literal["executor", "signals", "features", "feed"]


class Authority(Part):
    """Where the certificate of a CA lies: in a ConfigMap or in a Secret, of which pods see this key alone."""

    config_map: str | None = None
    secret: str | None = None
    key: str = "ca.crt"

    @model_validator(mode="after")
    def _one_place(self) -> Authority:
        if (self.config_map is None) == (self.secret is None):
            raise ValueError("name a config_map or a secret, and not both")
        return self


class KafkaUser(Part):
    """Who the pods of one part are to Kafka."""

    name: str
    secret: str = Field(description="Secret with the password; the pods of this part alone have it.")
    key: str = Field("password", description="Its key there, as Strimzi's KafkaUser has it.")


class KafkaAccess(Part):
    """How pods prove to Kafka who they are: TLS, and a user with rights of its own for each part."""

    mechanism: Literal["SCRAM-SHA-512", "SCRAM-SHA-256", "PLAIN"] = "SCRAM-SHA-512"
    ca: Authority | None = Field(None, description="Signed the brokers' certificates; null: the system's.")
    users: dict[PodPart, KafkaUser] = Field(description="One for each part: executor, signals, features, feed.")

    @model_validator(mode="after")
    def _everybody_is_somebody(self) -> KafkaAccess:
        missing = sorted(set(get_args(PodPart)) - set(self.users))
        if missing:
            raise ValueError(f"users: {', '.join(missing)} missing: name a user and its Secret for every part")
        for what in ("name", "secret"):
            if len({getattr(user, what) for user in self.users.values()}) < len(self.users):
                raise ValueError(
                    f"users: two parts share a {what}: who may write intents can trade, so give each its own"
                )
        return self


class Services(Part):
    """Where an installation's shared services are."""

    bus: str = Field(description="Bus URL, e.g. kafka://kafka:9092.")
    kafka: KafkaAccess | None = Field(
        None, description="TLS and users of the bus; null: plain text, where whoever reaches the brokers can trade."
    )
    predictor: str = Field(description="HOST:PORT of the predictor's gRPC service.")
    predictor_ca: Authority | None = Field(None, description="Signed that service's certificate; null: plain text.")
    broker_url: str = Field("", description="REST base for policies that name none; empty: Alpaca's own.")
    broker_ca: str | None = Field(None, description="ConfigMap with that broker's CA (key ca.pem); null: the system's.")
    data: Data | None = Field(None, description="Feeds and features; null: somebody else runs them.")
    ray: str | None = Field(
        None, description="Ray's dashboard, http://HOST:8265; null: somebody else trains and serves."
    )
    mlflow: str | None = Field(None, description="MLflow's server, http://HOST:5000; needed with ray.")
    store: Store | None = Field(None, description="Feast's stores; null: files below the claim of the data.")

    @model_validator(mode="after")
    def _training_has_what_it_needs(self) -> Services:
        if self.ray is not None and (self.mlflow is None or self.data is None or self.data.dataset is None):
            raise ValueError("ray needs mlflow, and data with a dataset to learn from: name them")
        return self


class Environment(Part):
    """Environment of the pods of one part."""

    variables: dict[str, str] = Field(default_factory=dict, description="Plain settings.")
    secrets: list[str] = Field(default_factory=list, description="Secrets whose keys are variables, too.")


class Placement(Part):
    """Where the pods of one part may run, in Kubernetes' own words."""

    node_selector: dict[str, str] = Field(default_factory=dict, description="Labels of the nodes; none: any node.")
    tolerations: list[dict[str, Any]] = Field(
        default_factory=list, description="Taints of nodes that these pods may run on in spite of them."
    )


class Election(Part):
    """Who of several replicas works: the holder of a Lease."""

    lease_s: int = Field(15, ge=3, description="A holder that hasn't renewed for this long has lost it.")
    renew_s: int = Field(10, ge=2, description="A holder that can't renew for this long ends.")
    retry_s: int = Field(2, ge=1, description="Time between attempts.")

    @model_validator(mode="after")
    def _ordered(self) -> Election:
        if not 1.2 * self.retry_s < self.renew_s < self.lease_s:
            raise ValueError("retry_s × 1.2 must be below renew_s, and renew_s below lease_s")
        return self


class OperatorConfig(Part):
    """What `python -m tradewind.operators.run --config FILE` reads (JSON)."""

    namespace: str = Field(description="The namespace whose documents are looked after.")
    identity: str = Field(description="Name of this replica.")
    images: Images
    services: Services
    default_features: dict[str, int] = Field(
        description="Features of a strategy that names none: name → bars to be warm, in vector order."
    )
    resources: Resources = Field(default_factory=Resources)
    environment: dict[PodPart, Environment] = Field(
        default_factory=dict,
        description="By part: what more its pods are told, for example how each speaks to the stores (PGPASSWORD, …).",
    )
    priority_classes: dict[PodPart, str | None] = Field(
        default_factory=dict, description="Priority class of the pods of a part; null: the cluster's default."
    )
    placement: dict[PodPart, Placement] = Field(
        default_factory=dict, description="By part: which nodes its pods may run on; a part left out: any untainted."
    )
    pull_secrets: list[str] = Field(default_factory=list, description="Secrets by which the nodes get the images.")
    storage_class: str | None = Field(None, description="Of the journals' volumes; null: the cluster's default.")
    election: Election = Field(default_factory=Election)
    port: int = Field(9101, ge=0, le=65535, description="Serves /metrics, /livez and /readyz; 0 takes a free one.")
    control_port: int = Field(9102, ge=1, le=65535, description="Of an executor's Control service, within its pod.")
    observe_s: float = Field(5.0, gt=0, description="How often Ray and MLflow are asked how they stand.")
    resync_s: float = Field(300.0, gt=0, description="Every document is looked at again after this long.")
    audit_s: float = Field(30.0, gt=0, description="How often what the watches told is compared with the API server.")
    workers: int = Field(4, ge=1, le=64, description="Documents looked at at the same time.")

    @model_validator(mode="after")
    def _images_of_what_runs(self) -> OperatorConfig:
        if self.services.data is not None and not self.images.streaming:
            raise ValueError("images.streaming is missing: services.data asks for feeds and features processes")
        return self

    def site(self) -> ClusterSite:
        """The part that planners need."""
        return site(self.services, self.default_features, self.control_port)

    def for_followers(self) -> dict[str, Any]:
        """The part that a follower in an executor's pod needs; what else changes doesn't concern it."""
        services = {"bus", "predictor", "broker_url", "broker_ca", "data"}
        return self.model_dump(
            mode="json", include={"services": services, "default_features": True, "control_port": True}
        )


def site(services: Services, default_features: dict[str, int], control_port: int) -> ClusterSite:
    """Where things are, as planners need it."""
    data = services.data
    dataset = data.path(data.dataset) if data is not None and data.dataset is not None else None
    replay = None
    if data is not None and data.replay is not None and dataset is not None:
        events = data.path(data.replay.events) if data.replay.events else None
        replay = Replay(dataset, data.replay.trained_until, data.replay.end, data.replay.speed, events)
    return ClusterSite(
        bus=services.bus,
        predictor=services.predictor,
        broker_url=services.broker_url,
        broker_ca=f"{BROKER_CA}/{CA_FILE}" if services.broker_ca else None,
        predictor_ca=f"{PREDICTOR_CA}/{CA_FILE}" if services.predictor_ca else None,
        default_features=default_features,
        control_port=control_port,
        dataset=dataset,
        replay=replay,
        tracking_uri=services.mlflow,
        store=services.store.model_dump() if services.store is not None else None,
    )
