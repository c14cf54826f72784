"""Core. The body of POST /v2/orders: parsed, and refused with Alpaca's words."""

from __future__ import annotations

from dataclasses import dataclass

from tradewind.execution.venue import fields
from tradewind.execution.venue.exits import NO_EXITS, Exits, check_class, parse_exits
from tradewind.execution.venue.fields import Body
from tradewind.execution.venue.money import CENT, PRICE_PLACES, QTY_ONE
from tradewind.execution.venue.orders import is_pair
from tradewind.execution.venue.rejections import bad_field, unprocessable

SIDES = frozenset({"buy", "sell"})
TYPES = frozenset({"market", "limit", "stop", "stop_limit", "trailing_stop"})
TIMES_IN_FORCE = frozenset({"day", "gtc", "opg", "cls", "ioc", "fok"})
INTENTS = frozenset({"buy_to_open", "buy_to_close", "sell_to_open", "sell_to_close"})


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """A well-formed order; whether the account may send it is decided by the core."""

    symbol: str
    side: str
    type: str
    time_in_force: str
    qty: int | None
    notional: int | None = None
    limit_price: int | None = None
    stop_price: int | None = None
    trail_price: int | None = None
    trail_percent: int | None = None
    client_order_id: str | None = None
    extended_hours: bool = False
    position_intent: str | None = None
    order_class: str = ""
    exits: Exits = NO_EXITS

    @property
    def is_fractional(self) -> bool:
        return self.qty is None or self.qty % QTY_ONE != 0

    @property
    def is_crypto(self) -> bool:
        return is_pair(self.symbol)


def parse_order(body: Body, symbol: str) -> OrderRequest:
    """The order a POST body asks for; `symbol` is the one it names. Raises Rejection (422)."""
    kind = fields.word(body, "type", TYPES, "order type")
    qty = fields.quantity(body)
    cash = fields.amount(body, "notional", PRICE_PLACES, "notional")
    if qty is None and cash is None:
        raise bad_field("qty or notional is required")
    if qty is not None and cash is not None:
        raise bad_field("only one of qty or notional is accepted")
    pair = is_pair(symbol)
    order_class, exits = parse_exits(body, pair=pair)
    limit = fields.price(body, "limit_price", pair=pair)
    if order_class == "oco" and kind == "limit":
        limit = exits.take_profit
    intent = body.get("position_intent")
    if intent is not None and intent not in INTENTS:
        raise bad_field("invalid position_intent")
    request = OrderRequest(
        symbol=symbol,
        side=fields.word(body, "side", SIDES, "side"),
        type=kind,
        time_in_force=fields.word(body, "time_in_force", TIMES_IN_FORCE, "time_in_force"),
        qty=qty,
        notional=cash,
        limit_price=limit,
        stop_price=fields.price(body, "stop_price", pair=pair),
        trail_price=fields.price(body, "trail_price", pair=pair),
        trail_percent=fields.amount(body, "trail_percent", PRICE_PLACES, "trail percent"),
        client_order_id=fields.client_order_id(body),
        extended_hours=fields.flag(body, "extended_hours"),
        position_intent=str(intent) if intent is not None else None,
        order_class=order_class,
        exits=exits,
    )
    _check_prices(request)
    check_combination(request)
    return request


def _check_prices(request: OrderRequest) -> None:
    """Each type has its prices and no others."""
    limit, stop = request.limit_price is not None, request.stop_price is not None
    trails = (request.trail_price is not None) + (request.trail_percent is not None)
    kind = request.type
    if kind == "market" and (limit or stop):
        raise bad_field("market orders require no stop or limit price")
    if kind == "limit" and not limit:
        raise bad_field("limit orders require a limit price")
    if kind == "limit" and stop:
        raise bad_field("limit orders require no stop price")
    if kind == "stop" and not stop:
        raise bad_field("stop orders require a stop price")
    if kind == "stop" and limit:
        raise bad_field("stop orders require no limit price")
    if kind == "stop_limit" and not (limit and stop):
        raise bad_field("stop limit orders require both stop and limit price")
    if kind == "trailing_stop" and trails != 1:
        raise bad_field("trailing stop orders must specify one of trail_price or trail_percent")
    if kind == "trailing_stop" and (limit or stop):
        raise bad_field("trailing stop orders require no stop or limit price")
    if kind != "trailing_stop" and trails:
        name = "trail_price" if request.trail_price is not None else "trail_percent"
        raise bad_field(f"{kind.replace('_', ' ')} orders must not have {name}")
    if request.trail_percent is not None and request.trail_percent >= 100 * 10**PRICE_PLACES:
        raise bad_field("trail percent must be < 100")


def check_combination(request: OrderRequest) -> None:
    """Whether the parts of an order go together: class of asset, type, time in force, fraction, hours."""
    tif, kind = request.time_in_force, request.type
    if request.order_class:
        fractional, extended = request.is_fractional, request.extended_hours
        check_class(request.order_class, kind, tif, fractional=fractional, extended_hours=extended)
    if request.is_crypto:
        _check_crypto(request)
    if tif in ("opg", "cls") and kind not in ("market", "limit"):
        raise unprocessable(f"{tif} orders must be market or limit orders")
    if kind == "trailing_stop" and tif not in ("day", "gtc"):
        raise unprocessable("trailing stop orders must be DAY or GTC orders")
    if request.extended_hours and (kind != "limit" or tif not in ("day", "gtc")):
        raise unprocessable("extended hours order must be DAY or GTC limit orders")
    if request.is_fractional and not request.is_crypto:
        if tif != "day":
            raise unprocessable("fractional orders must be DAY orders")
        if kind == "trailing_stop":
            raise unprocessable("fractional orders must be market, limit, stop, or stop_limit orders")
    if request.notional is not None:
        if kind != "market":
            raise unprocessable("notional orders must be market orders")
        if request.notional % CENT:
            raise unprocessable("notional value must be limited to 2 decimal places")


def _check_crypto(request: OrderRequest) -> None:
    if request.time_in_force not in ("gtc", "ioc"):
        raise unprocessable("invalid crypto time_in_force")
    if request.type not in ("market", "limit", "stop_limit"):
        raise unprocessable("invalid order type for crypto order")
