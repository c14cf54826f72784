"""Core. The bodies of POST /v2/orders and PATCH /v2/orders/{id}: parsed, and refused with Alpaca's words.

Numbers may come as strings or JSON numbers (alpaca-py sends the latter); the shell parses JSON numbers as Decimal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tradewind.execution.venue.money import CENT, PRICE_PLACES, QTY_ONE, QTY_PLACES, tick_of, to_fixed
from tradewind.execution.venue.orders import Order
from tradewind.execution.venue.rejections import bad_field, unprocessable

SIDES = frozenset({"buy", "sell"})
TYPES = frozenset({"market", "limit", "stop", "stop_limit", "trailing_stop"})
TIMES_IN_FORCE = frozenset({"day", "gtc", "opg", "cls", "ioc", "fok"})
INTENTS = frozenset({"buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close"})
MAX_CLIENT_ID = 128
# A position of this many shares still leaves room in int64 at 1e-9.
MAX_QTY = 4 * 10**9 * QTY_ONE


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A well-formed order; whether the account may send it is decided by the core."""

    symbol: str
    side: str
    type: str
    time_in_force: str
    qty: int | None
    notional: int | None
    limit_price: int | None
    client_order_id: str | None
    extended_hours: bool = False
    position_intent: str | None = None

    @property
    def is_fractional(self) -> bool:
        return self.qty is None or self.qty % QTY_ONE != 0


@dataclass(frozen=True, slots=True)
class ReplaceRequest:
    """The changes a PATCH asks for; None leaves a parameter as it is."""

    qty: int | None = None
    time_in_force: str | None = None
    limit_price: int | None = None
    client_order_id: str | None = None


def _word(body: Mapping[str, object], name: str, allowed: frozenset[str], complaint: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or value not in allowed:
        raise bad_field(f"invalid {complaint}" if value is not None else f"{name} is required")
    return value


def _amount(body: Mapping[str, object], name: str, places: int, spoken: str) -> int | None:
    value = body.get(name)
    if value is None:
        return None
    try:
        amount = to_fixed(value, places)
    except ValueError as error:
        raise bad_field(f"invalid {spoken}: {error}") from error
    if amount <= 0:
        raise bad_field(f"{spoken} must be > 0")
    return amount


def _qty(body: Mapping[str, object]) -> int | None:
    qty = _amount(body, "qty", QTY_PLACES, "qty")
    if qty is not None and qty > MAX_QTY:
        raise bad_field("qty is too large")
    return qty


def _limit(body: Mapping[str, object]) -> int | None:
    price = _amount(body, "limit_price", PRICE_PLACES, "limit price")
    if price is not None and price % tick_of(price):
        raise unprocessable(
            f"invalid limit_price {body['limit_price']}. sub-penny increment does not fulfill minimum pricing criteria"
        )
    return price


def _client_order_id(body: Mapping[str, object]) -> str | None:
    value = body.get("client_order_id")
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise bad_field("client_order_id must be a string")
    if len(value) > MAX_CLIENT_ID:
        raise bad_field(f"client_order_id must be no more than {MAX_CLIENT_ID} characters")
    return value


def parse_order(body: Mapping[str, object]) -> OrderRequest:
    """The order a POST body asks for. Raises Rejection (422)."""
    symbol = body.get("symbol")
    if not isinstance(symbol, str) or not symbol:
        raise bad_field("symbol is required")
    kind = _word(body, "type", TYPES, "order type")
    _refuse_other_kinds(body, kind)
    qty = _qty(body)
    cash = _amount(body, "notional", PRICE_PLACES, "notional")
    if qty is None and cash is None:
        raise bad_field("qty or notional is required")
    if qty is not None and cash is not None:
        raise bad_field("only one of qty or notional is accepted")
    limit_price = _limit(body)
    if kind == "limit" and limit_price is None:
        raise bad_field("limit orders require a limit price")
    if kind == "market" and (limit_price is not None or body.get("stop_price") is not None):
        raise bad_field("market orders require no stop or limit price")
    if kind == "limit" and body.get("stop_price") is not None:
        raise bad_field("limit orders require no stop price")
    extended = body.get("extended_hours") or False
    if not isinstance(extended, bool):
        raise bad_field("extended_hours must be true or false")
    intent = body.get("position_intent")
    if intent is not None and intent not in INTENTS:
        raise bad_field("invalid position_intent")
    request = OrderRequest(
        symbol=symbol,
        side=_word(body, "side", SIDES, "side"),
        type=kind,
        time_in_force=_word(body, "time_in_force", TIMES_IN_FORCE, "time_in_force"),
        qty=qty,
        notional=cash,
        limit_price=limit_price,
        client_order_id=_client_order_id(body),
        extended_hours=extended,
        position_intent=str(intent) if intent is not None else None,
    )
    _check_combination(request)
    return request


def _refuse_other_kinds(body: Mapping[str, object], kind: str) -> None:
    if kind not in ("market", "limit"):
        raise unprocessable(f"order type {kind} is not simulated by this venue; send market or limit")
    order_class = body.get("order_class")
    if order_class not in (None, "", "simple"):
        raise unprocessable(f"order class {order_class} is not simulated by this venue; send simple orders")
    for name in ("take_profit", "stop_loss", "legs", "trail_price", "trail_percent"):
        if body.get(name) is not None:
            raise unprocessable(f"{name} is not simulated by this venue; send simple market or limit orders")


def _check_combination(request: OrderRequest) -> None:
    if request.extended_hours and (request.type != "limit" or request.time_in_force not in ("day", "gtc")):
        raise unprocessable("extended hours order must be DAY or GTC limit orders")
    if request.is_fractional and request.time_in_force != "day":
        raise unprocessable("fractional orders must be DAY orders")
    if request.notional is not None:
        if request.type != "market":
            raise unprocessable("notional orders must be market orders")
        if request.notional % CENT:
            raise unprocessable("notional value must be limited to 2 decimal places")


def parse_replace(body: Mapping[str, object], order: Order) -> ReplaceRequest:
    """The changes a PATCH body asks of `order`. Raises Rejection (422)."""
    for name in ("stop_price", "trail"):
        if body.get(name) is not None:
            raise bad_field(f"{order.type} orders require no {name}")
    qty = _qty(body)
    if qty is not None and (qty % QTY_ONE or (order.qty or 0) % QTY_ONE):
        raise unprocessable("qty of a replacement must be a whole number of shares")
    limit_price = _limit(body)
    if limit_price is not None and order.type == "market":
        raise bad_field("market orders require no stop or limit price")
    time_in_force = body.get("time_in_force")
    if time_in_force is not None:
        time_in_force = _word(body, "time_in_force", TIMES_IN_FORCE, "time_in_force")
    request = ReplaceRequest(qty, time_in_force, limit_price, _client_order_id(body))
    unchanged = (
        request.qty in (None, order.qty)
        and request.time_in_force in (None, order.time_in_force)
        and request.limit_price in (None, order.limit_price)
    )
    if unchanged:
        raise unprocessable("order parameters are not changed")
    return request
