"""From the record of a run to its parent orders, for transaction-cost analysis. Core."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from itertools import accumulate
from typing import Any

from tradewind.streaming.recorder.repository import Fill, Intent, Order, OrderEvent
from tradewind.trading.transaction_costs import Bar, Execution, Parent, ParentCost, Tape, fill_cost

AT_ONCE = "AT_ONCE"


def parent_orders(
    intents: Iterable[Intent],
    events: Iterable[OrderEvent],
    orders: Iterable[Order],
    fills: Sequence[Fill],
    end: int,
) -> list[Parent]:
    """One parent per accepted intent that wanted to trade, with the fills of its orders.

    What it wanted is its target minus what the strategy held when it decided. It lasts until the strategy decides again
    about the symbol, or until `end` (ns). A fill belongs to the intent that its order names, and one that was crossed
    inside the account to the latest decision before it.
    """
    # An intent that the order it became names has no verdict of its own beside that.
    accepted = {i for e in events if e.client_order_id or e.state == "UNSPECIFIED" for i in e.intent_ids}
    by_id = {o.client_order_id: o for o in orders}
    decided: dict[tuple[str, str], list[Intent]] = defaultdict(list)
    for intent in intents:
        if intent.id in accepted:
            decided[intent.strategy, intent.symbol].append(intent)
    traded: dict[tuple[str, str], list[Fill]] = defaultdict(list)
    for fill in fills:
        traded[fill.strategy, fill.symbol].append(fill)
    parents = []
    for key, own in sorted(decided.items()):
        own_fills = sorted(traded[key], key=lambda f: f.event_time_ns)
        of_intent = _fills_by_intent(own, own_fills, by_id)
        times = [f.event_time_ns for f in own_fills]
        positions = list(accumulate((_signed(f) for f in own_fills), initial=0.0))
        for number, intent in enumerate(own):
            until = own[number + 1].decision_time_ns if number + 1 < len(own) else end
            wanted = float(intent.target_quantity) - positions[bisect_right(times, intent.decision_time_ns)]
            if wanted != 0:
                parents.append(_parent(intent, wanted, until, of_intent.get(intent.id, []), by_id))
    return parents


def _fills_by_intent(intents: list[Intent], fills: list[Fill], orders: dict[str, Order]) -> dict[str, list[Fill]]:
    ids = {i.id for i in intents}
    times = [i.decision_time_ns for i in intents]
    found: dict[str, list[Fill]] = defaultdict(list)
    for fill in fills:
        order = orders.get(fill.client_order_id)
        named = [i for i in order.intent_ids if i in ids] if order is not None else []
        latest = bisect_left(times, fill.event_time_ns) - 1
        if named:
            found[named[0]].append(fill)
        elif order is None and latest >= 0:
            found[intents[latest].id].append(fill)
    return found


def _parent(intent: Intent, wanted: float, until: int, fills: list[Fill], orders: dict[str, Order]) -> Parent:
    side = 1 if wanted > 0 else -1
    own = [f for f in fills if (_signed(f) > 0) == (side > 0)]
    sent = [orders[f.client_order_id].created_ns for f in own if f.client_order_id in orders]
    return Parent(
        id=intent.id,
        strategy=intent.strategy,
        symbol=intent.symbol,
        algorithm=intent.algorithm or AT_ONCE,
        side=side,
        quantity=abs(wanted),
        decision_price=float(intent.reference_price),
        arrival=max(min(sent), intent.decision_time_ns) if sent else intent.decision_time_ns,
        until=max([until, *(f.event_time_ns for f in own)]),
        executions=tuple(_execution(f, orders) for f in own),
    )


def _execution(fill: Fill, orders: dict[str, Order]) -> Execution:
    order = orders.get(fill.client_order_id)
    limit = order.limit_price if order is not None and not fill.internal else None
    return Execution(
        fill.event_time_ns,
        float(fill.quantity),
        float(fill.price),
        float(fill.fee),
        float(limit) if limit is not None else None,
    )


def _signed(fill: Fill) -> float:
    return float(fill.quantity) * (1 if fill.side.endswith("BUY") else -1)


def tapes(bars: dict[str, list[Bar]]) -> dict[str, Tape]:
    """The bars of each symbol, to be asked for prices."""
    return {symbol: Tape(own) for symbol, own in bars.items()}


def cost_rows(costs: Sequence[ParentCost], markets: dict[str, Tape]) -> list[dict[str, Any]]:
    """Every parent with its fills, for programs (`transaction_costs.json`)."""
    rows = []
    for cost in costs:
        row = asdict(cost) | {"fill_rate": cost.fill_rate, "shortfall": cost.shortfall}
        parent = row.pop("parent")
        fills = [
            asdict(e) | asdict(fill_cost(e, cost.parent, markets[cost.parent.symbol])) for e in cost.parent.executions
        ]
        del parent["executions"]
        rows.append(parent | row | {"fills": fills})
    return rows
