"""From shadow to champion with real parts: docs/operations.md's last section on a node, then a second challenger.

Training and serving are Ray's, the registry is MLflow, the figures that decide are the executor's own, and the venue is
asked what was sent.
"""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest

from tests.cluster.books import agree, recorded, traded
from tests.cluster.installation import OPERATIONS, PAGE, REPLAY_S, SECTIONS, Installation, commands
from tests.cluster.operator_process import eventually
from tests.cluster.storm import Storm
from tradewind.v1.prediction_pb2 import ListModelsRequest
from tradewind.v1.prediction_pb2_grpc import PredictionStub

NAME = "megacap-live"
pytestmark = [
    pytest.mark.node,
    pytest.mark.timeout(3600),
    pytest.mark.parametrize("installation", [NAME], indirect=True, scope="session"),
]
APPLY, *LOOK, EASE, WAIT, CONFIRM, CHAMPION, LIST = commands("Going live", OPERATIONS)


def strategy(installation: Installation) -> dict[str, Any]:
    found: dict[str, Any] = installation.cluster.get("strategy", NAME)["status"]
    return found


def serves(installation: Installation) -> set[tuple[str, str, str]]:
    """Name, version and alias of each model that the predictor answers with."""
    pod = installation.pods("ray")[0].removeprefix("pod/")
    address = installation.cluster.get("pod", pod)["status"]["podIP"]
    with installation.predictor(f"{address}:9443") as channel:
        models = PredictionStub(channel).ListModels(ListModelsRequest(), timeout=30).models
    return {(m.name, m.version, m.alias) for m in models}


def processes(installation: Installation) -> set[str]:
    """The strategy's Deployments."""
    found = installation.cluster.ok("get", "deployments", "-l", f"tradewind.dev/strategy={NAME}", "-o", "name")
    return {name.removeprefix("deployment.apps/") for name in found.split()}


def stages(installation: Installation, wanted: str) -> None:
    """Waits until the condition Rollout has this reason; fails with what a person would look at."""
    try:
        eventually(lambda: installation.condition("strategy", NAME, "Rollout").get("reason") == wanted, 400)
    except AssertionError:
        raise AssertionError(f"not {wanted}: {json.dumps(strategy(installation))}\n{installation.look()}") from None


def test_a_model_that_fails_its_gates_gets_near_no_money(installation: Installation) -> None:
    installation.follow(commands(SECTIONS[1], PAGE)[0], APPLY, *LOOK)
    told = installation.said["kubectl get"]
    assert "GatesPassed Failed: " in told
    assert "Rollout Waiting: no version of what the spec asks for has passed its gates" in told
    assert processes(installation) == set()
    assert "champion" not in strategy(installation)["rollout"]


def test_a_shadow_signals_and_nothing_is_sent(installation: Installation) -> None:
    installation.follow(EASE, WAIT)
    assert strategy(installation)["rollout"]["challenger"]["version"] == 2
    assert serves(installation) == {(NAME, "2", "challenger")}
    assert processes(installation) == {f"trial-{NAME}"}
    # The market moves and it has opinions, of which the venue hears nothing.
    eventually(lambda: recorded(installation)["signals"] > 20, 120)
    assert traded(installation) == {"orders": {}, "positions": {}}
    assert not installation.cluster.get("job", "feed")["status"].get("completionTime")


def test_confirmed_it_trades_a_tenth_and_then_everything(installation: Installation) -> None:
    installation.follow(CONFIRM, CHAMPION, LIST)
    assert "Champion" in installation.said["kubectl get"]
    status = strategy(installation)
    assert status["rollout"] == {"stage": "Champion", "champion": 2}
    assert len(traded(installation)["orders"]) >= 10
    eventually(lambda: processes(installation) == {f"signals-{NAME}"})
    eventually(lambda: serves(installation) == {(NAME, "2", "champion")})
    told = installation.cluster.ok("describe", "strategy", NAME)
    assert [event for event in ("Shadow", "Canary", "Champion") if f" {event} " not in told] == []
    eventually(lambda: installation.condition("strategy", NAME, "Trading")["status"] == "True")
    assert installation.condition("riskpolicy", "live", "CPUPinned")["status"] == "True"


@pytest.mark.ours
def test_another_version_is_tried_beside_the_champion_whoever_dies(installation: Installation) -> None:
    installation.follow(EASE.replace('"minSharpe": -9', '"minSharpe": -8').replace('Trades": 10', 'Trades": 25'))
    stages(installation, "Canary")
    assert "completionTime" not in installation.cluster.get("job", "feed")["status"], "the replay was too short"
    assert strategy(installation)["rollout"]["champion"] == 2
    assert processes(installation) == {f"signals-{NAME}", f"trial-{NAME}"}
    assert serves(installation) == {(NAME, "2", "champion"), (NAME, "3", "challenger")}
    (pid,) = Storm(installation).processes("operator")
    os.kill(pid, signal.SIGKILL)
    stages(installation, "Champion")
    assert strategy(installation)["rollout"] == {"stage": "Champion", "champion": 3}
    eventually(lambda: processes(installation) == {f"signals-{NAME}"})


def test_venue_and_record_agree_on_all_of_it(installation: Installation) -> None:
    waited = ("wait", "--for=condition=Complete", "job/feed", f"--timeout={2 * REPLAY_S[NAME]}s")
    assert installation.cluster.run(*waited, timeout_s=2 * REPLAY_S[NAME] + 60).returncode == 0, installation.look()
    agree(installation)
