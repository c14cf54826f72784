"""The native order engine beside a small model in Python: a broker's orders, the books, and the lifecycle's own table.

Hypothesis chooses what happens and in which order: intents, bars, fills, answers that arrive, arrive late or never.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.unit.native.test_engine_native import CONFIG, DOLLAR, LIMITS, SECOND, SHARE, START
from tradewind.native.engine import Engine, EngineConfig, Limits, order_lifecycle_markdown

SUBMIT, CANCEL, LOOKUP, SNAPSHOT, REPLACE = 1, 2, 3, 4, 5  # RequestKind
ACCEPTED, REJECTED, UNKNOWN, DUPLICATE, CANCELLED, NOT_CANCELLED, CANCEL_UNKNOWN = 1, 2, 3, 4, 5, 6, 7
FOUND, MISSING, LOOKUP_FAILED, UPDATE, LINK_UP, POSITION, ACCOUNT, ROW, END = 8, 9, 10, 11, 12, 14, 15, 16, 17
FLUSH = 4
WORKING, PARTIAL, FILLED, CANCELED, REPLACED, EXPIRED = 4, 5, 6, 8, 10, 11  # OrderState
STATES = [
    "NONE", "CREATED", "SUBMITTED", "UNKNOWN", "ACCEPTED", "PARTIALLY_FILLED", "FILLED", "PENDING_CANCEL", "CANCELED",
    "PENDING_REPLACE", "REPLACED", "EXPIRED", "REJECTED",
]  # fmt: skip
OFF: Any = {key: None for key in LIMITS if key not in ("allow_short", "adverse_move_sigmas", "assumed_volatility")}
WIDE: Limits = {**LIMITS, **OFF, "drawdown_reduce_factor": 0.75, "drawdown_halve_factor": 0.5}
MACHINE: EngineConfig = {**CONFIG, "limits": WIDE, "max_orders": 24, "strategies": [{"uid": "long"}, {"uid": "short"}]}
CASH = 10_000_000 * DOLLAR


def edges() -> set[tuple[str, str]]:
    """Every step from one state to another that the published table allows."""
    found = {("NONE", "SUBMITTED")}
    for line in order_lifecycle_markdown().splitlines()[2:]:
        name, *cells = [cell.strip() for cell in line.strip("|").split("|")]
        found |= {(name.removesuffix(" (final)"), cell) for cell in cells if cell not in ("–", "stays")}
    return found


@dataclass
class VenueOrder:
    """An order as the broker has it."""

    id: str
    client_id: str
    side: int
    quantity: int
    limit: int
    filled: int = 0
    notional: int = 0
    state: int = WORKING

    @property
    def open(self) -> bool:
        return self.state in (WORKING, PARTIAL)

    def view(self) -> dict[str, Any]:
        return {
            "client_order_id": self.client_id,
            "broker_order_id": self.id,
            "symbol": "IBM",
            "side": self.side,
            "state": self.state,
            "quantity": self.quantity,
            "filled": self.filled,
            "filled_avg_price": self.notional * SHARE // self.filled if self.filled else 0,
            "limit_price": self.limit,
            "live": self.open,
        }


@dataclass
class Venue:
    """The broker: orders by client id, one position, cash."""

    orders: dict[str, VenueOrder] = field(default_factory=dict)
    position: int = 0
    cash: int = CASH

    def take(self, request: dict[str, Any]) -> tuple[int, VenueOrder | None]:
        """Carries a request out; the kind of the answer and the order that it shows."""
        order = self.orders.get(request["client_order_id"])
        if request["kind"] == LOOKUP:
            return (FOUND, order) if order else (MISSING, None)
        old = next((o for o in self.orders.values() if o.id == request["broker_order_id"]), None)
        if request["kind"] == CANCEL:
            if old is None or not old.open:
                return NOT_CANCELLED, None
            old.state = CANCELED
            return CANCELLED, None
        if order:
            return DUPLICATE, None
        if request["kind"] == REPLACE:
            if old is None or not old.open or request["quantity"] <= old.filled:
                return REJECTED, None
            assert (request["quantity"], request["limit_price"]) != (old.quantity, old.limit)
            old.state = REPLACED
        assert not [o for o in self.orders.values() if o.open], "two orders work at once"
        signed = request["quantity"] * (1 if request["side"] == 1 else -1)
        assert self.position * signed >= 0 or abs(signed) <= abs(self.position), "an order across zero"
        order = VenueOrder(
            f"b{len(self.orders) + 1}", request["client_order_id"], request["side"], request["quantity"],
            request["limit_price"],
        )  # fmt: skip
        self.orders[order.client_id] = order
        return ACCEPTED, order

    def fill(self, order: VenueOrder, quantity: int, price: int) -> None:
        sign = 1 if order.side == 1 else -1
        order.filled += quantity
        order.notional += quantity * price // SHARE
        order.state = FILLED if order.filled == order.quantity else PARTIAL
        self.position += sign * quantity
        self.cash -= sign * (quantity * price // SHARE)


class OrderMachine(RuleBasedStateMachine):
    """The engine and the model, step by step."""

    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine(MACHINE)
        self.venue = Venue()
        self.now = START
        self.requests: list[dict[str, Any]] = []  # sent and not answered
        self.updates: list[dict[str, Any]] = []  # said by the stream and not read yet
        self.held: Counter[str] = Counter()  # by strategy, from the fill records
        self.outside = 0  # what reached the broker, from the same
        self.states: dict[str, str] = {}
        self.edges = edges()
        self.verdicts: Counter[str] = Counter()
        self.intents: list[dict[str, Any]] = []
        self.broker(LINK_UP)
        self.answer_all()
        self.price(100)

    # -- the line between the two

    def feed(self, kind: Any, /, **body: Any) -> None:
        out = self.engine.step({"input": kind, "now": self.now, "body": body})
        self.requests += out["requests"]
        for record in out["records"]:
            self.read(record)

    def read(self, record: dict[str, Any]) -> None:
        if record["record"] == "fill":
            signed = record["quantity"] * (1 if record["side"] == 1 else -1)
            self.held[record["strategy"]] += signed
            self.outside += 0 if record["internal"] else signed
        elif record["record"] == "verdict" and record["slice"] == 0:
            self.verdicts[record["intent"]] += 1
        elif record["record"] == "order":
            before, now = self.states.get(record["client_order_id"], "NONE"), STATES[record["state"]]
            assert before == now or (before, now) in self.edges, f"{before} to {now}"
            self.states[record["client_order_id"]] = now

    def broker(self, kind: int, **body: Any) -> None:
        self.feed("broker", kind=kind, **body)

    def price(self, dollars: int) -> None:
        self.now += SECOND
        p = dollars * DOLLAR
        self.feed("bar", symbol="IBM", event_time=self.now, open=p, high=p, low=p, close=p, volume=1)

    def say(self, order: VenueOrder) -> None:
        self.updates.append(order.view())

    def reply(self, request: dict[str, Any], *, arrives: bool = True, heard: bool = True) -> None:
        named = {"request_id": request["request_id"]}
        if request["kind"] == SNAPSHOT:
            self.snapshot(named)
            return
        own = {**named, "order": {"client_order_id": request["client_order_id"]}}
        lost = {SUBMIT: UNKNOWN, REPLACE: UNKNOWN, CANCEL: CANCEL_UNKNOWN, LOOKUP: LOOKUP_FAILED}[request["kind"]]
        if not arrives:
            self.broker(lost, **own)
            return
        touched = [o for o in self.venue.orders.values() if o.open]
        kind, order = self.venue.take(request)
        for changed in [o for o in touched if not o.open] + ([order] if order and kind == ACCEPTED else []):
            self.say(changed)
        self.broker(
            kind if heard else lost, **(own if order is None or not heard else {**named, "order": order.view()})
        )

    def snapshot(self, named: dict[str, Any]) -> None:
        # What the stream said before is read before, as it is on one connection.
        self.deliver_all()
        if self.venue.position:
            self.broker(POSITION, position=self.venue.position, order={"symbol": "IBM"}, **named)
        worth = self.venue.cash + self.venue.position * 100 * DOLLAR // SHARE
        self.broker(ACCOUNT, cash=self.venue.cash, equity=worth, buying_power=4 * abs(worth), **named)
        for order in self.venue.orders.values():
            self.broker(ROW, order=order.view(), **named)
        self.broker(END, **named)

    def deliver_all(self) -> None:
        updates, self.updates = self.updates, []
        for view in updates:
            self.broker(UPDATE, order=view)

    def answer_all(self) -> None:
        while self.requests or self.updates:
            requests, self.requests = self.requests, []
            for request in requests:
                self.reply(request)
            self.deliver_all()

    # -- what may happen

    @rule(
        strategy=st.sampled_from(["long", "short"]),
        tens=st.integers(-4, 4),
        limit=st.sampled_from([0, 98, 99, 101]),
        again=st.booleans(),
    )
    def intent(self, strategy: str, tens: int, limit: int, again: bool) -> None:
        self.now += SECOND
        wish = {
            "id": f"i{len(self.intents)}", "strategy": strategy, "symbol": "IBM", "target": tens * 10 * SHARE,
            "decision_time": self.now, "valid_until": self.now + 3600 * SECOND, "order_type": 2 if limit else 1,
            "time_in_force": 1, "limit_price": limit * DOLLAR,
        }  # fmt: skip
        self.intents.append(wish)
        for _ in range(2 if again else 1):
            self.feed("intent", **wish)

    @rule()
    def flush(self) -> None:
        self.feed("control", kind=FLUSH)

    @rule(dollars=st.integers(95, 105))
    def bar(self, dollars: int) -> None:
        self.price(dollars)

    @rule(seconds=st.integers(1, 40))
    def time(self, seconds: int) -> None:
        self.now += seconds * SECOND
        self.feed("time")

    @precondition(lambda self: self.requests)
    @rule(which=st.integers(0, 9), arrives=st.booleans(), heard=st.booleans())
    def answer(self, which: int, arrives: bool, heard: bool) -> None:
        self.reply(self.requests.pop(which % len(self.requests)), arrives=arrives, heard=heard)

    @rule()
    def answer_everything(self) -> None:
        self.answer_all()

    @precondition(lambda self: self.updates)
    @rule(which=st.integers(0, 9), twice=st.booleans())
    def read_stream(self, which: int, twice: bool) -> None:
        view = self.updates.pop(which % len(self.updates))
        for _ in range(2 if twice else 1):
            self.broker(UPDATE, order=view)

    @precondition(lambda self: any(o.open for o in self.venue.orders.values()))
    @rule(part=st.integers(1, 40), dollars=st.integers(95, 105))
    def fill(self, part: int, dollars: int) -> None:
        (order,) = [o for o in self.venue.orders.values() if o.open]
        self.venue.fill(order, min(part * SHARE, order.quantity - order.filled), dollars * DOLLAR)
        self.say(order)

    @precondition(lambda self: any(o.open for o in self.venue.orders.values()))
    @rule()
    def expire(self) -> None:
        (order,) = [o for o in self.venue.orders.values() if o.open]
        order.state = EXPIRED
        self.say(order)

    @rule(read=st.booleans())
    def reconnect(self, read: bool) -> None:
        """The stream is new: what was asked over the old one has no answer any more."""
        if not read:
            self.updates = []
        self.requests = []
        self.broker(LINK_UP)

    # -- what always holds

    @invariant()
    def books_are_the_fills(self) -> None:
        assert self.engine.check_invariants() == ""
        positions = {p["strategy"]: p["quantity"] for p in self.engine.positions()}
        assert positions.get("", 0) == self.outside == sum(self.held.values())
        for strategy, quantity in self.held.items():
            assert positions.get(strategy, 0) == quantity

    def teardown(self) -> None:
        """Once the line is quiet the engine knows what the broker knows, and every intent has its one verdict."""
        self.reconnect(read=True)
        for _ in range(30):
            self.answer_all()
            for order in [o for o in self.venue.orders.values() if o.open]:
                self.venue.fill(order, order.quantity - order.filled, 100 * DOLLAR)
                self.say(order)
            self.answer_all()
            self.now += 90 * SECOND
            self.price(100)
            self.flush()
        assert self.outside == self.venue.position
        # The broker shows an average price, which is rounded.
        assert abs(self.engine.account()["cash"] - self.venue.cash) <= DOLLAR // 100
        assert self.engine.open_orders() == []
        known = {client_id: STATES[o.state] for client_id, o in self.venue.orders.items() if not o.open}
        assert {client_id: self.states[client_id] for client_id in known} == known
        assert self.verdicts == Counter(i["id"] for i in self.intents)


def test_the_engine_and_the_model_agree_whatever_happens() -> None:
    checks = settings(max_examples=150, stateful_step_count=40)
    run_state_machine_as_test(OrderMachine, settings=checks)


def test_the_machine_notices_a_book_that_is_wrong() -> None:
    machine = OrderMachine()
    machine.intent("long", 1, 0, again=False)
    machine.flush()
    machine.answer_all()
    machine.fill(10, 100)
    machine.deliver_all()
    machine.books_are_the_fills()
    machine.held["long"] += SHARE
    try:
        machine.books_are_the_fills()
    except AssertionError:
        return
    raise AssertionError("a wrong book passed")
