"""When an application of Serve that could not be deployed is deployed again. Core.

Serve never tries again by itself what is DEPLOY_FAILED, and of an equal configuration it takes a replica that did not
start for deployed: an attempt is a configuration with another stamp. The stamp lies in what is deployed, which Serve
tells, so nobody else has to remember it. One that runs keeps the stamp it has: another would restart its replicas.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tradewind.operators.plan.difference import fingerprint
from tradewind.operators.plan.model import Object

FAILED = "DEPLOY_FAILED"
STAMP = "TRADEWIND_ATTEMPT"
FIRST_WAIT_S, LAST_WAIT_S = 60, 1800


def as_due(wanted: Object, found: Object | None, now: datetime) -> Object:
    """`wanted` as it should be deployed now: with a new stamp where what is deployed failed and the next one is due.

    Args:
        found: what Serve tells of the application: its `config`, `status` and when it was `deployed`; None: nothing.
    """
    config = (found or {}).get("config")
    if found is None or not config:
        return wanted
    stamp, same = _stamp(config), _content(config) == _content(wanted)
    if found["status"] == FAILED and not same:
        stamp = f"{_content(wanted)}-1"
    elif found["status"] == FAILED and now >= next_at(found):
        stamp = f"{_content(wanted)}-{attempt(found) + 1}"
    return {**wanted, "runtime_env": {"env_vars": {STAMP: stamp}}} if stamp else wanted


def wait_s(found: Object | None, now: datetime) -> float | None:
    """Seconds until the next attempt is due; None where nothing failed."""
    if found is None or found["status"] != FAILED or not found["config"]:
        return None
    return max(0.0, (next_at(found) - now).total_seconds())


def attempt(found: Object) -> int:
    """Which attempt at its configuration a deployment is."""
    content, _, number = _stamp(found["config"]).rpartition("-")
    return int(number) if content == _content(found["config"]) else 1


def next_at(found: Object) -> datetime:
    """When a failed one is deployed again. Serve tells when it was deployed, not when it failed."""
    pause = min(FIRST_WAIT_S * 2 ** (attempt(found) - 1), LAST_WAIT_S)
    return datetime.fromtimestamp(int(found["deployed"]) + 1, tz=UTC) + timedelta(seconds=pause)


def _stamp(config: Object) -> str:
    environment = (config.get("runtime_env") or {}).get("env_vars") or {}
    return str(environment.get(STAMP, ""))


def _content(config: Object) -> str:
    """What is ours to say of an application; Serve adds defaults to the rest."""
    parts = [config.get("import_path"), config.get("args")]
    return fingerprint([*parts, [d.get("user_config") for d in config.get("deployments", [])]])
