"""Core. What the trading API's lists answer: orders, activities, positions, portfolio history."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from zoneinfo import ZoneInfo

from tradewind.execution.venue.changes import Fill
from tradewind.execution.venue.core import find_order, find_position
from tradewind.execution.venue.groups import nested_json
from tradewind.execution.venue.orders import Order
from tradewind.execution.venue.rejections import Rejection, bad_field, not_found
from tradewind.execution.venue.state import State
from tradewind.execution.venue.times import DAY, from_rfc3339, utc
from tradewind.execution.venue.wire import (
    Json,
    account_json,
    activity_id,
    activity_json,
    asset_json,
    order_json,
    position_json,
)

NEW_YORK = ZoneInfo("America/New_York")
_TIMEFRAMES = {"1Min": 60, "5Min": 300, "15Min": 900, "1H": 3600}
_PERIODS = {"D": 1, "W": 7, "M": 31, "A": 366, "Y": 366}


def _moment(query: Mapping[str, str], name: str) -> int | None:
    if name not in query:
        return None
    try:
        return from_rfc3339(query[name])
    except ValueError as error:
        raise bad_field(f"invalid {name}: {error}") from error


def _count(query: Mapping[str, str], name: str, default: int, most: int) -> int:
    text = query.get(name, str(default))
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise bad_field(f"{name} must be between 1 and {most}")
    return int(text)


def _choice(query: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    value = query.get(name, allowed[0]).lower()
    if value not in allowed:
        raise bad_field(f"invalid {name}")
    return value


def is_true(query: Mapping[str, str], name: str) -> bool:
    """A flag of the query; alpaca-py writes `True`."""
    return query.get(name, "").lower() in ("true", "1")


def list_orders(state: State, query: Mapping[str, str]) -> list[Json]:
    """GET /v2/orders. Submission times are unique, so `after` and `until` (both exclusive) page without loss."""
    status = _choice(query, "status", ("open", "closed", "all"))
    limit = _count(query, "limit", 50, 500)
    newest_first = _choice(query, "direction", ("desc", "asc")) == "desc"
    after, until = _moment(query, "after"), _moment(query, "until")
    symbols = {symbol for symbol in query.get("symbols", "").split(",") if symbol}
    side, kind = query.get("side"), query.get("asset_class", "")
    lowest = _sequence_of(state, query, "after_order_id")
    highest = _sequence_of(state, query, "before_order_id")

    def wanted(order: Order) -> bool:
        return (
            (status == "all" or order.is_open == (status == "open"))
            and (after is None or order.submitted_at > after)
            and (until is None or order.submitted_at < until)
            and (not symbols or order.symbol in symbols)
            and (side is None or order.side == side)
            and (lowest is None or order.seq > lowest)
            and (highest is None or order.seq < highest)
            and (kind in ("", "all") or order.is_crypto == (kind == "crypto"))
        )

    rows = [order for order in state.orders.values() if wanted(order)]
    if newest_first:
        rows.reverse()
    if not is_true(query, "nested"):
        return [order_json(order) for order in rows[:limit]]
    shown = {order.id for order in rows}
    parents = [order for order in rows if order.parent not in shown]
    return [nested_json(state, order) for order in parents[:limit]]


def order_view(state: State, order_id: str, query: Mapping[str, str]) -> Json:
    """GET /v2/orders/{id}."""
    order = find_order(state, order_id)
    return nested_json(state, order) if is_true(query, "nested") else order_json(order)


def _sequence_of(state: State, query: Mapping[str, str], name: str) -> int | None:
    if name not in query:
        return None
    order = state.orders.get(query[name])
    if order is None:
        raise bad_field(f"invalid {name}")
    return order.seq


def account_view(state: State) -> Json:
    long, short = state.exposures()
    terms = state.terms
    return account_json(state.account, long, short, state.buying_power(), terms.multiplier, terms.allow_shorts)


def list_positions(state: State) -> list[Json]:
    return [position_view(state, symbol) for symbol, position in sorted(state.positions.items()) if position.qty]


def position_view(state: State, symbol_or_id: str) -> Json:
    symbol = find_position(state, symbol_or_id)
    held, _ = state.held(symbol)
    return position_json(state.positions[symbol], state.assets[symbol], held)


def list_assets(state: State, query: Mapping[str, str]) -> list[Json]:
    if query.get("status", "active") != "active":
        return []
    exchange, kind = query.get("exchange"), query.get("asset_class", "us_equity")
    return [
        asset_json(asset)
        for _, asset in sorted(state.assets.items())
        if exchange in (None, "", asset.exchange) and kind == asset.asset_class
    ]


def asset_view(state: State, symbol_or_id: str) -> Json:
    asset = state.find_asset(symbol_or_id)
    if asset is None:
        raise not_found(f"asset not found for {symbol_or_id}")
    return asset_json(asset)


def list_activities(state: State, query: Mapping[str, str], kinds: str | None) -> list[Json]:
    """GET /v2/account/activities: this venue's only activities are fills. `page_token` is the last id of a page."""
    if kinds is not None and "FILL" not in {kind.strip().upper() for kind in kinds.split(",")}:
        return []
    if query.get("category", "trade_activity") == "non_trade_activity":
        return []
    size = _count(query, "page_size", 100, 100)
    newest_first = _choice(query, "direction", ("desc", "asc")) == "desc"
    after, until = _moment(query, "after"), _moment(query, "until")
    if "date" in query:
        start = _moment(query, "date")
        assert start is not None
        after, until = start - 1, start + DAY
    rows: list[Fill] = [
        fill for fill in state.fills if (after is None or fill.time > after) and (until is None or fill.time < until)
    ]
    if newest_first:
        rows.reverse()
    token = query.get("page_token")
    if token:
        places = [index for index, fill in enumerate(rows) if activity_id(fill) == token]
        if not places:
            raise bad_field("invalid page_token")
        rows = rows[places[0] + 1 :]
    return [activity_json(fill) for fill in rows[:size]]


def portfolio_history(state: State, query: Mapping[str, str]) -> Json:
    """GET /v2/account/portfolio/history: the last equity of each time window, and the gain over its base value."""
    timeframe = query.get("timeframe", "1D")
    if timeframe != "1D" and timeframe not in _TIMEFRAMES:
        raise bad_field("invalid timeframe")
    end = _moment(query, "end") or _moment(query, "date_end") or state.account.now
    start = _moment(query, "start")
    if start is None:
        period = query.get("period", "1M")
        if not period[:-1].isdigit() or period[-1:] not in _PERIODS:
            raise bad_field("invalid period")
        start = end - int(period[:-1]) * _PERIODS[period[-1]] * DAY
    windows: dict[int, int] = {}
    base = state.account.starting_cash
    for time, equity in state.equity_curve:
        if time < start:
            base = equity
        elif time <= end:
            windows[_window(time, timeframe)] = equity
    gains = [equity - base for equity in windows.values()]
    return {
        "timestamp": list(windows),
        "equity": [equity / 10**8 for equity in windows.values()],
        "profit_loss": [gain / 10**8 for gain in gains],
        "profit_loss_pct": [gain / base if base else 0.0 for gain in gains],
        "base_value": base / 10**8,
        "base_value_asof": utc(start).date().isoformat(),
        "timeframe": timeframe,
        "cashflow": {},
    }


def _window(time: int, timeframe: str) -> int:
    """The start of the time window, in Unix seconds; a day starts at midnight in New York."""
    seconds = time // 10**9
    if timeframe != "1D":
        return seconds - seconds % _TIMEFRAMES[timeframe]
    day = utc(time).astimezone(NEW_YORK).date()
    return int(dt.datetime.combine(day, dt.time(), NEW_YORK).timestamp())


def settings_view(state: State) -> Json:
    """GET /v2/account/configurations."""
    base: Json = {
        "suspend_trade": state.account.suspend_trade,
        "no_shorting": state.account.no_shorting,
        "fractional_trading": True,
        "ptp_no_exception_entry": False,
        "trade_confirm_email": "none",
        "max_margin_multiplier": str(state.terms.multiplier),
        "max_options_trading_level": 0,
        "disable_overnight_trading": True,
    }
    return base


def change_settings(state: State, body: Mapping[str, object]) -> Json:
    """PATCH /v2/account/configurations: `suspend_trade` and `no_shorting` take effect; others must stay as they are."""
    current = settings_view(state)
    for name, value in body.items():
        if name not in current or value is None:
            continue
        if name not in ("suspend_trade", "no_shorting"):
            if str(value).lower() != str(current[name]).lower():
                raise bad_field(f"{name} cannot be changed at this venue")
        elif not isinstance(value, bool):
            raise bad_field(f"{name} must be true or false")
    for name in ("suspend_trade", "no_shorting"):
        if isinstance(body.get(name), bool):
            setattr(state.account, name, body[name])
    return settings_view(state)


def find_by_client_id(state: State, client_order_id: str | None) -> Json:
    order = state.by_client_id.get(client_order_id or "")
    if order is None:
        raise Rejection(404, 40410000, f"order not found for {client_order_id}")
    return order_json(order)


def sim_state(state: State) -> Json:
    """GET /sim/state: the books in the venue's own integers (1e-8 cash, 1e-9 shares, ns)."""
    account = state.account
    return {
        "now": account.now,
        "event_id": account.event_id,
        "cash": account.cash,
        "starting_cash": account.starting_cash,
        "equity": state.equity(),
        "fees": account.fees,
        "realized": sum(position.realized for position in state.positions.values()),
        "orders": len(state.orders),
        "open_orders": sum(len(orders) for orders in state.open_orders.values()),
        "fills": len(state.fills),
        "steps": len(state.steps),
        "positions": {
            symbol: {"qty": position.qty, "cost": position.cost}
            for symbol, position in sorted(state.positions.items())
            if position.qty
        },
    }
