"""What the planner writes is what each process reads: every planned configuration is valid for its module."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from tradewind.execution.executor.config import ExecutorConfig
from tradewind.execution.signals.config import SignalConfig
from tradewind.execution.venue.config import VenueConfig
from tradewind.native.engine import Engine, EngineConfigError
from tradewind.native.features import DEFAULT_FEATURES, feature_set_version
from tradewind.planning import Workload
from tradewind.planning.local import Replay, Site, plan
from tradewind.serving.config import ServingConfig
from tradewind.specs import RiskPolicy, Strategy, load_documents
from tradewind.streaming.features.config import FeaturesConfig
from tradewind.streaming.feed.config import FeedConfig
from tradewind.streaming.recorder.config import RecorderConfig
from tradewind.training.config import TrainingConfig

EXAMPLE = Path(__file__).parents[3] / "examples" / "megacap-daily.yaml"
MODELS: dict[str, type[BaseModel]] = {
    "tradewind.execution.venue": VenueConfig,
    "tradewind.streaming.recorder": RecorderConfig,
    "tradewind.training": TrainingConfig,
    "tradewind.streaming.features": FeaturesConfig,
    "tradewind.serving": ServingConfig,
    "tradewind.execution.executor": ExecutorConfig,
    "tradewind.execution.signals": SignalConfig,
    "tradewind.streaming.feed": FeedConfig,
}


def planned(replay: Replay | None) -> list[Workload]:
    documents = load_documents([EXAMPLE])
    site = Site(
        state_dir="/state",
        bus="file:///state/bus.db",
        venue_port=8443 if replay else None,
        predictor_port=9000,
        broker_url="https://paper-api.alpaca.markets",
        default_features=dict.fromkeys(DEFAULT_FEATURES, 1),
        replay=replay,
        base_dir="/docs",
        run="run-1",
    )
    strategies = [d for d in documents if isinstance(d, Strategy)]
    return plan(strategies, [d for d in documents if isinstance(d, RiskPolicy)], site)


SITES: dict[str, Replay | None] = {
    "lockstep": Replay("/data", 1_000, None, "max", "/state/events.parquet"),
    "recorded speed": Replay("/data", 1_000, 2_000, 60.0, None),
    "live": None,
}


@pytest.mark.parametrize("replay", SITES.values(), ids=list(SITES))
def test_each_process_accepts_its_configuration(replay: Replay | None) -> None:
    workloads = planned(replay)
    modules = {w.module for w in workloads}
    assert modules == set(MODELS) - (set() if replay else {"tradewind.execution.venue", "tradewind.training"})
    for workload in workloads:
        # As the process has it: through a JSON file.
        MODELS[workload.module].model_validate_json(json.dumps(workload.config))


def configs(module: str) -> dict[str, Any]:
    (found,) = [w.config for w in planned(SITES["lockstep"]) if w.module == module]
    return found


def test_trained_computed_and_awaited_vectors_are_of_one_version() -> None:
    trained = configs("tradewind.training")["feature_set"]
    computed = configs("tradewind.streaming.features")["feature_set"]
    awaited = configs("tradewind.execution.signals")
    assert trained == computed
    assert feature_set_version(awaited["features"]) == feature_set_version(computed["names"])
    assert awaited["feature_set"] == computed["name"]
    assert awaited["volatility_feature"] == configs("tradewind.training")["volatility_feature"]


def test_the_engine_takes_the_planned_limits() -> None:
    engine = configs("tradewind.execution.executor")["engine"]
    Engine(engine)  # refuses a key that is unknown, missing or of another kind
    engine["limits"]["max_position_pct"] = "a fifth"
    with pytest.raises(EngineConfigError, match="max_position_pct"):
        Engine(engine)


def test_the_volatility_index_is_where_the_executor_looks() -> None:
    where = configs("tradewind.execution.executor")["volatility"]
    names = configs("tradewind.streaming.features")["feature_set"]["names"]
    assert names[where["index"]] == "ctx_realvol_21_annual"
