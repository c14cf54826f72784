"""Many documents on one control plane: everything converges, and a resync writes nothing.

TRADEWIND_STRATEGIES says how many Strategies (default 100), ten to a RiskPolicy; it prints what it took.
"""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from pathlib import Path

import yaml

from tests.cluster.conftest import Cluster
from tests.cluster.manifests import RISK_POLICY, STRATEGY, changed
from tests.cluster.operator_process import OperatorProcess, eventually
from tests.cluster.test_operator import quiet

STRATEGIES = int(os.environ.get("TRADEWIND_STRATEGIES", "100"))
PER_POLICY = 10
WITHIN_S = 60 + STRATEGIES


def documents() -> str:
    """As many Strategies as asked for, and their RiskPolicies."""
    made = []
    for first in range(0, STRATEGIES, PER_POLICY):
        names = [f"s{n}" for n in range(first, min(first + PER_POLICY, STRATEGIES))]
        account = f"p{first // PER_POLICY}"
        made.append(changed(RISK_POLICY, metadata__name=account, spec__strategies=names))
        bound = {"spec__riskPolicy": account, "spec__capitalShare": 1 / PER_POLICY}
        made += [changed(STRATEGY, metadata__name=name, **bound) for name in names]
    return yaml.safe_dump_all(made)


def settled(cluster: Cluster) -> Counter[str]:
    """How many documents say Reconciled for which reason."""
    found = json.loads(cluster.ok("get", "strategies,riskpolicies", "-o", "json"))["items"]
    reasons: Counter[str] = Counter()
    for item in found:
        conditions = {c["type"]: c["reason"] for c in item.get("status", {}).get("conditions", [])}
        reasons[conditions.get("Reconciled", "None")] += 1
    return reasons


def told(operator: OperatorProcess) -> float:
    """How many statuses it has written."""
    written = (f'tradewind_operator_writes_total{{kind="{kind}",verb="status"}}' for kind in ("RiskPolicy", "Strategy"))
    return sum(map(operator.metric, written))


def resident_mib(process: OperatorProcess) -> float:
    """Resident memory of a replica."""
    status = Path(f"/proc/{process.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


def requests(cluster: Cluster) -> Counter[str]:
    """How often the operator has asked the API server for something, its Lease among it, by verb."""
    account = f"system:serviceaccount:{cluster.namespace}:tradewind-operator"
    return Counter(e["verb"] for e in cluster.audited() if e["user"]["username"] == account)


def test_many_documents_converge_and_a_resync_writes_nothing(cluster: Cluster, tmp_path: Path) -> None:
    done = cluster.run("create", "-f", "-", given=documents(), timeout_s=600)
    assert done.returncode == 0, done.stderr
    count = STRATEGIES + -(-STRATEGIES // PER_POLICY)
    began = time.monotonic()
    operator = OperatorProcess(cluster, tmp_path, "many", resync_s=max(5, STRATEGIES / 50), audit_s=10)
    try:
        # All documents are read when there may be something to see: that costs more than what is measured.
        eventually(lambda: told(operator) >= count, WITHIN_S)
        eventually(lambda: settled(cluster) == {"Applied": count}, WITHIN_S)
        seconds = time.monotonic() - began
        eventually(lambda: quiet(operator, count), WITHIN_S)  # events come after the status that settles
        writes = operator.metric("tradewind_operator_writes_total")
        asked = requests(cluster)
        looks = operator.metric("tradewind_operator_look_seconds_count")
        # Each document is looked at again, twice.
        eventually(lambda: operator.metric("tradewind_operator_look_seconds_count") >= looks + 2 * count, WITHIN_S)
        figure = {"figure": "operator at scale", "strategies": STRATEGIES, "policies": count - STRATEGIES}
        figure |= {"converged_s": round(seconds, 1), "writes": int(writes), "rss_mib": round(resident_mib(operator))}
        figure |= {"requests": dict(asked), "requests_of_two_looks_at_each": dict(requests(cluster) - asked)}
        print(json.dumps(figure))
        assert operator.metric("tradewind_operator_writes_total") == writes
        assert operator.metric("tradewind_operator_failures_total") == 0
        assert operator.get("/livez") == (200, "ok\n")
    finally:
        operator.kill()
        print(operator.log.read_text()[-4000:])
