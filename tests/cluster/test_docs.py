"""Every command of docs/kubernetes.md does what the page says, in the page's order."""

from __future__ import annotations

import re
import shlex
from functools import partial
from pathlib import Path

from tests.cluster.conftest import ROOT, Cluster
from tests.cluster.operator_process import FEATURES, OperatorProcess, eventually

PAGE = ROOT / "docs" / "kubernetes.md"
# The example's features, so that the planner knows those that sizing and the volatility index take.
DEFAULTS = {**FEATURES, "vol_historical_20_annual": 21}


def commands() -> list[list[str]]:
    """The lines of the page's fenced blocks."""
    blocks = re.findall(r"^```\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def succeeds(cluster: Cluster, *arguments: str) -> bool:
    return cluster.run(*arguments).returncode == 0


def test_the_commands_of_the_page_work(cluster: Cluster, tmp_path: Path) -> None:
    found = commands()
    assert len(found) >= 9
    assert {line[0] for line in found} == {"kubectl"}
    operator = OperatorProcess(cluster, tmp_path, "docs", default_features=DEFAULTS)
    try:
        for line in found:
            arguments = [str(ROOT / part) if part.startswith(("charts/", "examples/")) else part for part in line[1:]]
            # `wait` waits 30 s by itself, but not for an object's first status.
            if arguments[0] == "wait":
                eventually(partial(succeeds, cluster, *arguments))
            else:
                cluster.ok(*arguments)
    finally:
        operator.kill()
        print(operator.log.read_text()[-3000:])
