"""Core. The JSON shapes of the trading API: every key Alpaca sends, decimals as strings, times as RFC 3339."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from tradewind.execution.venue.account import Account, Position, market_value
from tradewind.execution.venue.changes import Fill
from tradewind.execution.venue.market import Asset
from tradewind.execution.venue.money import notional, price_text, qty_text
from tradewind.execution.venue.orders import Order, stable_id
from tradewind.execution.venue.times import to_rfc3339, utc

Json = dict[str, Any]
ACCOUNT_ID = stable_id("account", 0)
_RATIO = Decimal("0.00000001")


def _time(value: int | None) -> str | None:
    return None if value is None else to_rfc3339(value)


def _price(value: int | None) -> str | None:
    return None if value is None else price_text(value)


def ratio_text(part: int, whole: int) -> str:
    """part / whole to eight places, "0" when there is no whole."""
    if not whole:
        return "0"
    return f"{(Decimal(part) / Decimal(whole)).quantize(_RATIO).normalize():f}"


def order_json(order: Order) -> Json:
    """The Order object of REST and of every trade update."""
    return {
        "id": order.id,
        "client_order_id": order.client_order_id,
        "created_at": to_rfc3339(order.created_at),
        "updated_at": to_rfc3339(order.updated_at),
        "submitted_at": to_rfc3339(order.submitted_at),
        "filled_at": _time(order.filled_at),
        "expired_at": _time(order.expired_at),
        "expires_at": _time(order.expires_at),
        "canceled_at": _time(order.canceled_at),
        "failed_at": _time(order.failed_at),
        "replaced_at": _time(order.replaced_at),
        "replaced_by": order.replaced_by,
        "replaces": order.replaces,
        "asset_id": stable_id("asset", order.symbol),
        "symbol": order.symbol,
        "asset_class": "crypto" if order.is_crypto else "us_equity",
        "notional": _price(order.notional),
        "qty": None if order.qty is None else qty_text(order.qty),
        "filled_qty": qty_text(order.filled_qty),
        "filled_avg_price": _price(order.average_price),
        "order_class": order.order_class,
        "order_type": order.type,
        "type": order.type,
        "side": order.side,
        "position_intent": order.position_intent,
        "time_in_force": order.time_in_force,
        "limit_price": _price(order.limit_price),
        "stop_price": _price(order.stop_price),
        "status": order.shown_status,
        "extended_hours": order.extended_hours,
        "legs": None,
        "trail_percent": _price(order.trail_percent),
        "trail_price": _price(order.trail_price),
        "hwm": _price(order.hwm),
        "ratio_qty": None,
        "subtag": None,
        "source": None,
    }


def account_json(account: Account, long: int, short: int, buying_power: int, multiplier: int, shorts: bool) -> Json:
    """GET /v2/account. `long` and `short` are market values, short at most zero."""
    equity = account.cash + long + short
    margin = price_text((long - short + multiplier - 1) // multiplier)
    power = price_text(buying_power)
    return {
        "id": ACCOUNT_ID,
        "account_number": "TW" + ACCOUNT_ID.replace("-", "")[:8].upper(),
        "status": "ACTIVE",
        "crypto_status": "ACTIVE",
        "currency": "USD",
        "cash": price_text(account.cash),
        "portfolio_value": price_text(equity),
        "equity": price_text(equity),
        "last_equity": price_text(account.last_equity),
        "long_market_value": price_text(long),
        "short_market_value": price_text(short),
        "position_market_value": price_text(long - short),
        "buying_power": power,
        "effective_buying_power": power,
        "regt_buying_power": power,
        "non_marginable_buying_power": price_text(max(0, min(account.cash, buying_power))),
        "options_buying_power": "0",
        "initial_margin": margin,
        "maintenance_margin": margin,
        "last_maintenance_margin": margin,
        "multiplier": str(multiplier),
        "sma": "0",
        "accrued_fees": "0",
        "pending_transfer_in": "0",
        "pending_transfer_out": "0",
        "pending_reg_taf_fees": "0",
        "intraday_adjustments": "0",
        "balance_asof": utc(account.now).date().isoformat(),
        "created_at": to_rfc3339(account.opened_at),
        "trading_blocked": False,
        "transfers_blocked": False,
        "account_blocked": False,
        "trade_suspended_by_user": account.suspend_trade,
        "shorting_enabled": shorts and not account.no_shorting,
        "crypto_tier": 0,
        "options_approved_level": 0,
        "options_trading_level": 0,
    }


def position_json(position: Position, asset: Asset, held: int) -> Json:
    """One open position; `held` is what open closing orders have taken of it (1e-9, not negative)."""
    value = market_value(position, asset)
    sign = 1 if position.qty > 0 else -1
    gain = value - position.cost
    current = asset.last if asset.last is not None else position.average_price
    lastday = asset.lastday_close if asset.lastday_close is not None else current
    intraday = notional(current - lastday, position.qty)
    return {
        "asset_id": asset.id,
        "symbol": asset.position_symbol,
        "exchange": asset.exchange,
        "asset_class": asset.asset_class,
        "asset_marginable": asset.marginable,
        "qty": qty_text(position.qty),
        "qty_available": qty_text(sign * (abs(position.qty) - held)),
        "avg_entry_price": price_text(position.average_price),
        "side": "long" if sign > 0 else "short",
        "market_value": price_text(value),
        "cost_basis": price_text(position.cost),
        "unrealized_pl": price_text(gain),
        "unrealized_plpc": ratio_text(gain, abs(position.cost)),
        "unrealized_intraday_pl": price_text(intraday),
        "unrealized_intraday_plpc": ratio_text(current - lastday, lastday),
        "current_price": price_text(current),
        "lastday_price": price_text(lastday),
        "change_today": ratio_text(current - lastday, lastday),
    }


def asset_json(asset: Asset) -> Json:
    """One row of /v2/assets; a pair also has its increments."""
    increments = {
        "min_order_size": "0.000000001",
        "min_trade_increment": "0.000000001",
        "price_increment": "0.00000001",
    }
    return {
        "id": asset.id,
        "class": asset.asset_class,
        "exchange": asset.exchange,
        "symbol": asset.symbol,
        "name": asset.name or asset.symbol,
        "status": "active",
        "tradable": asset.tradable,
        "marginable": asset.marginable,
        "shortable": asset.shortable,
        "easy_to_borrow": asset.shortable,
        "borrow_status": "easy_to_borrow" if asset.shortable else "not_shortable",
        "fractionable": asset.fractionable,
        "maintenance_margin_requirement": 50,
        "margin_requirement_long": "50",
        "margin_requirement_short": "50",
        "attributes": [],
        "cusip": None,
        **(increments if asset.is_crypto else {}),
    }


def activity_id(fill: Fill) -> str:
    """Alpaca's form: the execution's time to the millisecond, two colons, a UUID."""
    moment: dt.datetime = utc(fill.time)
    return f"{moment:%Y%m%d%H%M%S}{moment.microsecond // 1000:03d}::{fill.execution_id}"


def activity_json(fill: Fill) -> Json:
    """A FILL row of the account's activities."""
    return {
        "id": activity_id(fill),
        "activity_type": "FILL",
        "transaction_time": to_rfc3339(fill.time),
        "type": "fill" if fill.order_status == "filled" else "partial_fill",
        "price": price_text(fill.price),
        "qty": qty_text(fill.qty),
        "side": fill.side,
        "symbol": fill.symbol,
        "leaves_qty": qty_text(fill.leaves_qty),
        "cum_qty": qty_text(fill.cum_qty),
        "order_id": fill.order_id,
        "order_status": fill.order_status,
        "commission": price_text(fill.fee),
    }


def update_json(event_id: int, event: str, time: int, order: Order, fill: Fill | None) -> Json:
    """The `data` of a trade update. `event_id` and, on executions, `commission` are this venue's own additions."""
    execution_id = fill.execution_id if fill is not None else stable_id("event", event_id)
    data: Json = {
        "event": event,
        "execution_id": None if event == "pending_new" else execution_id,
        "timestamp": to_rfc3339(time),
        "order": order_json(order),
        "event_id": event_id,
    }
    if fill is not None:
        data["price"] = price_text(fill.price)
        data["qty"] = qty_text(fill.qty)
        data["position_qty"] = qty_text(fill.position_qty)
        data["commission"] = price_text(fill.fee)
    return data
