"""Core. The order classes bracket, oco and oto as a request asks for them: their exits, and what is refused of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tradewind.execution.venue import fields
from tradewind.execution.venue.fields import Body
from tradewind.execution.venue.money import CENT, price_text
from tradewind.execution.venue.rejections import bad_field, unprocessable

CLASSES = ("bracket", "oco", "oto")
# Alpaca names a bracket in this one message by what it is: one triggers one-cancels-other.
_SPOKEN = {"bracket": "otoco", "oco": "oco", "oto": "oto"}


@dataclass(frozen=True, slots=True)
class Exits:
    """Prices (1e-8) at which a position is to be left: a limit above (for a long one), a stop below."""

    take_profit: int | None = None
    stop: int | None = None
    stop_limit: int | None = None


NO_EXITS = Exits()


def parse_exits(body: Body, *, pair: bool) -> tuple[str, Exits]:
    """The order class ("" is simple) and its exits. Raises Rejection (422)."""
    order_class = body.get("order_class") or ""
    if order_class == "mleg" or body.get("legs") is not None:
        raise unprocessable("order class mleg is not simulated by this venue: it trades no options")
    if order_class not in ("", "simple", *CLASSES):
        raise bad_field("invalid order_class")
    profit, loss = _part(body, "take_profit"), _part(body, "stop_loss")
    exits = Exits(
        fields.price(profit, "limit_price", pair=pair, within="take_profit."),
        fields.price(loss, "stop_price", pair=pair, within="stop_loss."),
        fields.price(loss, "limit_price", pair=pair, within="stop_loss."),
    )
    if order_class in ("", "simple"):
        if exits != NO_EXITS:
            raise bad_field("simple orders require no take_profit or stop_loss")
        return "", exits
    _check_presence(str(order_class), exits)
    if pair:
        raise unprocessable(f"crypto orders not allowed for advanced order_class: {_SPOKEN[str(order_class)]}")
    return str(order_class), exits


def _part(body: Body, name: str) -> Mapping[str, object]:
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise bad_field(f"{name} must be an object")
    return value


def _check_presence(order_class: str, exits: Exits) -> None:
    if order_class == "oto":
        if (exits.take_profit is None) == (exits.stop is None):
            raise bad_field("oto orders require either take_profit or stop_loss")
        return
    if exits.take_profit is None:
        raise bad_field(f"{order_class} orders require take_profit.limit_price")
    if exits.stop is None:
        raise bad_field(f"{order_class} orders require stop_loss.stop_price")


def check_class(order_class: str, kind: str, tif: str, *, fractional: bool, extended_hours: bool) -> None:
    """Whether an order of this class may be of this type, time in force and size."""
    if order_class == "oco" and kind != "limit":
        raise bad_field("oco orders must be limit orders")
    if kind not in ("market", "limit"):
        raise bad_field(f"{order_class} orders must be market or limit orders")
    if fractional:
        raise unprocessable("fractional orders must be simple orders")
    if extended_hours:
        raise unprocessable(f"{order_class} orders must not be extended hours orders")
    if tif not in ("day", "gtc"):
        raise unprocessable(f"{order_class} orders must be DAY or GTC orders")


def check_prices(exits: Exits, *, selling: bool, base: int, entering: bool) -> None:
    """Whether the exits lie on their sides of the `base` price: the entry's limit, or the market when it has none."""
    sign, profit, stop = (1 if selling else -1), exits.take_profit, exits.stop
    over, under = (">", "<=") if selling else ("<", ">=")
    away, back = ("+", "-") if selling else ("-", "+")
    if profit is not None and stop is not None and (profit - stop) * sign <= 0:
        raise unprocessable(f"take_profit.limit_price must be {over} stop_loss.stop_price")
    extras = {"base_price": price_text(base)}
    if stop is not None and (base - stop) * sign < CENT:
        raise unprocessable(f"stop_loss.stop_price must be {under} base_price {back} 0.01", **extras)
    if entering and profit is not None and (profit - base) * sign < CENT:
        raise unprocessable(f"take_profit.limit_price must be {over}= base_price {away} 0.01", **extras)
