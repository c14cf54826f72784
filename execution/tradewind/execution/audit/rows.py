"""The journal's records as the audit's rows: what each is called and which of its fields count. Core."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from tradewind.native.executor import CONTROL_KINDS

KINDS: dict[str, str] = {
    "verdict": "ORDER_VERDICT",
    "order": "ORDER_UPDATE",
    "fill": "POSITION_FILL",
    "kill": "RISK_KILL_SWITCH",
    "config": "RISK_POLICY",
    "alert": "SYSTEM_ALERT",
    "control": "SYSTEM_COMMAND",
}
"""Kind on the audit by the journal's word. Positions, account and risk state follow from these and have topics of
their own."""


def journal_rows(entry: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of one entry of `read_journal`, as `Executor.drain` gives them."""
    if "config" in entry:
        yield {"record": "config", "config": entry["config"], "sequence": entry["sequence"]}
        return
    given = entry["input"]
    cause = {"sequence": entry["sequence"], **{key: given[key] for key in ("now", "topic", "offset")}}
    if given["input"] == "control" and CONTROL_KINDS[given["body"]["kind"]] != "flush":
        yield {"record": "control", **given["body"], **cause}
    for record in entry["records"]:
        yield {**record, **cause}


def payload(row: Mapping[str, Any], index: int) -> bytes:
    """The row as the chain holds it: JSON with sorted keys. Money, quantities and times stay the integers they are.

    Args:
        row: of `Executor.drain` or `journal_rows`.
        index: its place among the audited rows of its journal entry.
    """
    fields = {key: value for key, value in row.items() if key != "record"}
    if row["record"] == "control":
        fields["kind"] = CONTROL_KINDS[row["kind"]]
    elif row["record"] == "config":
        config = json.loads(row["config"])
        fields = {
            "sequence": row["sequence"],
            "config": config,
            "policy_generation": config["policy_generation"],
            "sha256": hashlib.sha256(row["config"].encode()).hexdigest(),
        }
    return json.dumps({**fields, "index": index}, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def event_time(row: Mapping[str, Any], before: int) -> int:
    """When the row was true. Commands and configurations bear the time of their arrival, which a virtual clock may not
    have set yet, or none: never less than the record's before."""
    return int(row["time"]) if row.get("time") else max(before, int(row.get("now", 0)))
