"""Core. Whether the account may send an order: asset, wash trades, position intent, quantity, buying power."""

from __future__ import annotations

from dataclasses import dataclass

from tradewind.execution.venue.account import reserve_price
from tradewind.execution.venue.exits import check_prices
from tradewind.execution.venue.market import Asset
from tradewind.execution.venue.money import PRICE_ONE, notional, price_text, qty_text
from tradewind.execution.venue.order_request import OrderRequest
from tradewind.execution.venue.orders import Order
from tradewind.execution.venue.rejections import (
    bad_field,
    forbidden,
    insufficient_balance,
    insufficient_buying_power,
    insufficient_qty,
    unprocessable,
    wash_trade,
)
from tradewind.execution.venue.state import State
from tradewind.execution.venue.wash import wash_reason


@dataclass(frozen=True, slots=True)
class Admission:
    """What the checks found out about an order they let pass."""

    position_intent: str
    reserve_price: int


def check_client_id(state: State, client_order_id: str | None) -> None:
    """A client order id serves once, also after its order has ended."""
    if client_order_id is not None and client_order_id in state.by_client_id:
        raise bad_field("client_order_id must be unique")


def admit(state: State, request: OrderRequest, asset: Asset, now: int, replaces: Order | None = None) -> Admission:
    """Let `request` pass or raise Rejection. `replaces` is the order it takes the place of: it counts as gone."""
    if state.account.suspend_trade:
        raise forbidden("account is not authorized to trade")
    _check_asset(asset, request)
    if request.time_in_force in ("opg", "cls") and not state.hours.takes_auction_order(request.time_in_force, now):
        raise unprocessable(f"{request.time_in_force} orders come too late for this auction and too early for the next")
    _check_wash(state, request)
    intent = _intent(state, request)
    if request.order_class:
        _check_class(request, intent, asset)
    price = reserve_price(request.side, request.limit_price, request.stop_price, asset)
    if price is None or (asset.last is None and request.type == "trailing_stop"):
        raise unprocessable(f'asset "{request.symbol}" has no market price yet')
    cost = request.notional if request.qty is None else notional(price, request.qty)
    assert cost is not None
    if intent.endswith("_to_close"):
        _check_quantity(state, request, replaces, asset)
    else:
        _check_opening(state, request, asset)
        _check_cost(state, request, cost, replaces)
    return Admission(intent, price)


def _check_class(request: OrderRequest, intent: str, asset: Asset) -> None:
    """Brackets and oto orders enter a position, oco orders leave one; their exits lie on the right sides."""
    entering = request.order_class != "oco"
    if entering and intent.endswith("_to_close"):
        raise unprocessable(f"{request.order_class} orders must be entry orders")
    if not entering and intent.endswith("_to_open"):
        raise unprocessable("oco orders must be exit orders")
    base = request.limit_price if request.limit_price is not None else asset.last
    if base is not None:
        check_prices(request.exits, selling=entering == (request.side == "buy"), base=base, entering=entering)


def _check_cost(state: State, request: OrderRequest, cost: int, replaces: Order | None) -> None:
    """Pairs are bought with cash only."""
    least = 10 if request.is_crypto else 1
    if (request.is_fractional or request.is_crypto) and cost < least * PRICE_ONE:
        raise forbidden(f"cost basis must be >= minimal amount of order {least}")
    if request.is_crypto:
        available = state.free_cash(without=replaces)
        if cost > available:
            raise insufficient_balance(request.symbol.partition("/")[2], price_text(cost), price_text(available))
        return
    available = state.buying_power(without=replaces)
    if cost > available:
        raise insufficient_buying_power(available, cost)


def _check_asset(asset: Asset, request: OrderRequest) -> None:
    if not asset.tradable:
        raise unprocessable(f'asset "{asset.symbol}" is not tradable')
    if request.is_fractional and not asset.fractionable:
        raise forbidden(f'asset "{asset.symbol}" is not fractionable')


def _check_wash(state: State, request: OrderRequest) -> None:
    if request.order_class:
        return
    for order in state.resting(request.symbol):
        if order.side == request.side or order.order_class:
            continue
        reason = wash_reason(order.type, order.limit_price, request.side, request.type, request.limit_price)
        if reason is not None:
            raise wash_trade(order.id, reason)


def _intent(state: State, request: OrderRequest) -> str:
    held = state.position_qty(request.symbol)
    if request.side == "buy":
        inferred = "buy_to_close" if held < 0 else "buy_to_open"
    else:
        inferred = "sell_to_close" if held > 0 else "sell_to_open"
    if request.position_intent not in (None, inferred):
        raise unprocessable(f"position intent mismatch, inferred: {inferred}, specified: {request.position_intent}")
    return inferred


def _check_quantity(state: State, request: OrderRequest, replaces: Order | None, asset: Asset) -> None:
    existing = abs(state.position_qty(request.symbol))
    held, related = state.held(request.symbol, without=replaces)
    requested = request.qty
    if requested is None:
        assert request.notional is not None and asset.last is not None  # noqa: PT018
        requested = request.notional * 10**9 // asset.last
    if requested > existing - held and asset.is_crypto:
        currency = asset.symbol.partition("/")[0]
        raise insufficient_balance(currency, qty_text(requested), qty_text(existing - held))
    if requested > existing - held:
        raise insufficient_qty(request.symbol, requested, existing, held, related)


def _check_opening(state: State, request: OrderRequest, asset: Asset) -> None:
    short = request.side == "sell"
    if short and asset.is_crypto:
        requested = qty_text(request.qty) if request.qty is not None else price_text(request.notional or 0)
        raise insufficient_balance(asset.symbol.partition("/")[0], requested, "0")
    if short and (not state.terms.allow_shorts or state.account.no_shorting):
        raise forbidden("account is not allowed to short")
    if short and not asset.shortable:
        raise unprocessable(f'asset "{asset.symbol}" cannot be sold short')
    if short and request.is_fractional:
        raise unprocessable("fractional orders cannot be sold short")
    for order in state.resting(request.symbol):
        if order.side != request.side and order.position_intent.endswith("_to_open"):
            raise forbidden(
                "cannot open a short sell while a long buy order is open"
                if short
                else "cannot open a long buy while a short sell order is open"
            )
