"""What was traded: the venue's own books, and what the recorder has of them."""

from __future__ import annotations

import json
from typing import Any

from tests.cluster.installation import Installation
from tests.cluster.operator_process import eventually

# What the venue has: orders by client order id, of which it takes none twice, with the quantity filled; positions.
TRADED = """
import json, os, ssl, urllib.parse, urllib.request
keys = {f"APCA-API-{name}": os.environ[f"APCA_API_{name.replace('-', '_')}"] for name in ("KEY-ID", "SECRET-KEY")}
trust = ssl.create_default_context(cafile="/run/tls/ca.crt")
def get(path):
    request = urllib.request.Request("https://localhost:8443" + path, headers=keys)
    return json.load(urllib.request.urlopen(request, timeout=20, context=trust))
def whole(quantity):
    return round(float(quantity) * 10**9)
orders, until = {}, ""
while True:
    page = get("/v2/orders?status=all&limit=500&direction=desc" + until)
    if not {o["client_order_id"] for o in page} - set(orders):
        break
    orders.update({o["client_order_id"]: whole(o["filled_qty"]) for o in page})
    until = "&until=" + urllib.parse.quote(page[-1]["submitted_at"])
positions = {p["symbol"]: whole(p["qty"]) for p in get("/v2/positions")}
print(json.dumps({"orders": orders, "positions": positions}))
"""
RECORDED = """
import json, sqlalchemy
address = json.load(open("/run/tradewind/config.json"))["sql"]
with sqlalchemy.create_engine(address).connect() as connection:
    def rows(query):
        return [list(row) for row in connection.execute(sqlalchemy.text(query))]
    orders = rows("SELECT client_order_id, filled_quantity_e9 FROM orders WHERE broker_order_id <> ''")
    fills = rows("SELECT symbol, side, quantity_e9 FROM fills WHERE NOT internal")
    (signals,) = rows("SELECT COUNT(*) FROM signals WHERE model_version <> ''")
    intents = [row[0] for row in rows("SELECT id FROM intents")]
    told = {i for (ids,) in rows("SELECT intent_ids FROM order_events") for i in json.loads(ids)}
    print(json.dumps({"orders": orders, "fills": fills, "signals": signals[0], "intents": intents, "told": list(told)}))
"""
# What the executor has decided, by its journal: the intents that have a verdict.
DECIDED = """
import json, pathlib
from tradewind.native.engine import read_journal
(journal,) = pathlib.Path("/var/lib/tradewind/executors").glob("*/executor.journal")
records = (r for entry in read_journal(journal) for r in entry.get("records", []))
print(json.dumps(sorted({r["intent"] for r in records if r["record"] == "verdict"})))
"""


def traded(installation: Installation) -> dict[str, Any]:
    """Orders (filled quantity) and positions as the venue has them, in billionths of a share."""
    found: dict[str, Any] = json.loads(installation.python(installation.pods("venue")[0], TRADED))
    return found


def recorded(installation: Installation) -> dict[str, Any]:
    """The same from the record, positions being its fills added up; the intents; how many signals a model made."""
    told = json.loads(installation.python(installation.pods("recorder")[0], RECORDED))
    held: dict[str, int] = {}
    for symbol, side, quantity in told["fills"]:
        held[symbol] = held.get(symbol, 0) + (quantity if side == "BUY" else -quantity)
    positions = {s: quantity for s, quantity in held.items() if quantity}
    return {**told, "orders": dict(told["orders"]), "positions": positions}


def agree(installation: Installation, within_s: float = 60) -> None:
    """Waits until venue and record have the same orders and positions, and each intent was decided and told of.

    Fails with where they differ.
    """
    last: dict[str, Any] = {}

    def differ_nowhere() -> bool:
        last.clear()
        last.update(_differences(installation))
        return not last

    try:
        eventually(differ_nowhere, within_s)
    except AssertionError:
        raise AssertionError(f"after {within_s:g} s: {json.dumps(last)}") from None


def _differences(installation: Installation) -> dict[str, Any]:
    """What one has and another has not, by name."""
    record, venue = recorded(installation), traded(installation)
    (executor,) = installation.pods("executor")
    decided = set(json.loads(installation.python(executor, DECIDED, container="executor")))
    intents, told = set(record["intents"]), set(record["told"])
    assert len(intents) == len(record["intents"])
    found: dict[str, Any] = {
        f"{what}: record, venue": [record[what], venue[what]] for what in venue if record[what] != venue[what]
    }
    for name, one, other in (
        ("not decided", intents, decided),
        ("not on record", decided, intents),
        ("not told of", intents, told),
        ("told of", told, intents),
    ):
        if one - other:
            found[name] = sorted(one - other)
    return found
