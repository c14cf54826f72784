"""docs/operations.md, each command, on the release that tests/cluster/test_install.py has left trading or traded."""

from __future__ import annotations

import json
import os
import re
import signal
import time
import urllib.request
from pathlib import Path

import pytest

from tests.cluster.installation import OPERATIONS, RELEASE, Installation, commands, lines
from tests.cluster.node import processes
from tests.cluster.operator_process import eventually

pytestmark = [pytest.mark.node, pytest.mark.timeout(3600)]

LOOKING, STOPPING, BACKUP, KEYS, GROWING = (
    "Looking",
    "Stopping an account",
    "Backing up",
    "New keys of the broker",
    "Growing",
)


def kill_switch(installation: Installation) -> bool:
    """Whether it is latched, as the executor says itself."""
    address = installation.cluster.get("pod", "executor-paper-0")["status"]["podIP"]
    told = urllib.request.urlopen(f"http://{address}:9103/metrics", timeout=10).read().decode()
    found = re.search(r'^tradewind_executor_kill_switch\{account="paper"\} (\S+)$', told, re.M)
    assert found, told
    return float(found[1]) == 1


def test_what_goes_on_can_be_looked_at(release: Installation) -> None:
    release.follow(*commands(LOOKING, OPERATIONS))
    assert '"account": "paper"' in release.said["kubectl logs"]


def test_an_account_is_stopped_and_released_without_an_operator(release: Installation) -> None:
    engage, whoami, let_go = commands(STOPPING, OPERATIONS)
    release.cluster.ok("scale", f"deployment/{RELEASE}-operator", "--replicas=0")
    eventually(lambda: not release.pods("operator"))
    began = time.monotonic()
    release.follow(engage)
    eventually(lambda: kill_switch(release))
    # A figure, not a limit: it has kubectl's start and this test's looks in it.
    print(json.dumps({"kill_switch_apply_to_latched_s": round(time.monotonic() - began, 2)}))
    release.follow(whoami)
    stranger = let_go.replace("$(kubectl auth whoami --output jsonpath={.status.userInfo.username})", "somebody")
    with pytest.raises(AssertionError, match="write your own name"):
        release.follow(stranger)
    assert kill_switch(release)
    release.follow(let_go)
    eventually(lambda: not kill_switch(release))
    release.cluster.ok("scale", f"deployment/{RELEASE}-operator", "--replicas=1")
    release.cluster.ok("rollout", "status", f"deployment/{RELEASE}-operator", "--timeout=100s")


def test_a_back_up_decides_everything_as_it_was_decided(release: Installation) -> None:
    release.follow(*commands(BACKUP, OPERATIONS))
    assert "inputs decided as recorded" in release.said["tradewind replay"]
    assert "CREATE TABLE public.fills" in (release.here / "postgres.sql").read_text()
    assert (release.here / "models.tar").stat().st_size > 10_000


def test_an_executor_goes_on_with_new_keys(release: Installation) -> None:
    before = release.cluster.get("pod", "executor-paper-0")["metadata"]["uid"]
    release.follow(*commands(KEYS, OPERATIONS))
    assert release.cluster.get("pod", "executor-paper-0")["metadata"]["uid"] != before
    eventually(lambda: release.condition("riskpolicy", "paper", "Ready").get("status") == "True")


@pytest.mark.ours
def test_a_second_operator_takes_over_and_writes_nothing(release: Installation) -> None:
    release.follow(*commands(GROWING, OPERATIONS)[:2])
    assert RELEASE in release.said["kubectl get"]

    def holder() -> str:
        return str(release.cluster.get("lease", f"{RELEASE}-operator")["spec"]["holderIdentity"])

    before, first = release.versions(), holder()
    of_pod = processes(release.cluster.get("pod", first)["metadata"]["uid"])
    (pid,) = [pid for pid, told in of_pod.items() if "tradewind.operators.run" in told]
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    eventually(lambda: holder() not in ("", first))
    print(json.dumps({"operator_takeover_s": round(time.monotonic() - began, 2)}))
    os.kill(pid, signal.SIGCONT)
    # The one that was frozen has lost the Lease, and ends; another process of its pod waits.
    eventually(lambda: not Path(f"/proc/{pid}").exists(), 60)
    time.sleep(5)  # long enough for a look at every document
    assert release.versions() == before


ON_THE_WORKER = """
import os
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

@ray.remote(num_cpus=1)
def where():
    import tradewind.training.search  # what training needs is there, too
    return os.uname().nodename

ray.init(address="auto", log_to_driver=False)
(worker,) = (n["NodeID"] for n in ray.nodes() if n["Alive"] and "node:__internal_head__" not in n["Resources"])
on = NodeAffinitySchedulingStrategy(worker, soft=False)
print(ray.get(where.options(scheduling_strategy=on).remote(), timeout=120))
"""


def test_ray_grows_by_a_worker(release: Installation) -> None:
    (upgrade,) = commands(GROWING, OPERATIONS)[2:]
    (head,) = release.pods("ray")
    release.follow(upgrade)
    (worker,) = set(release.pods("ray")) - {head}
    said = release.python(head, ON_THE_WORKER, container="ray").split()
    assert said[-1] == worker.removeprefix("pod/")


def test_every_command_of_the_page_is_in_a_section_that_is_followed() -> None:
    # tests/cluster/test_rollout_on_a_node.py follows the last.
    sections = (LOOKING, STOPPING, BACKUP, KEYS, GROWING, "Going live")
    assert sum(len(commands(section, OPERATIONS)) for section in sections) == len(lines(OPERATIONS.read_text())) >= 20
