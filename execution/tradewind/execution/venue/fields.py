"""Core. Reading the fields of a request body: words, amounts and prices, refused with Alpaca's words.

Numbers may come as strings or JSON numbers (alpaca-py sends the latter); the shell parses JSON numbers as Decimal.
"""

from __future__ import annotations

from collections.abc import Mapping

from tradewind.execution.venue.money import PRICE_PLACES, QTY_ONE, QTY_PLACES, tick_of, to_fixed
from tradewind.execution.venue.rejections import bad_field, unprocessable

Body = Mapping[str, object]
MAX_CLIENT_ID = 128
# A position of this many shares still leaves room in int64 at 1e-9.
MAX_QTY = 4 * 10**9 * QTY_ONE


def word(body: Body, name: str, allowed: frozenset[str], spoken: str) -> str:
    """One of `allowed`, required."""
    value = body.get(name)
    if not isinstance(value, str) or value not in allowed:
        raise bad_field(f"invalid {spoken}" if value is not None else f"{name} is required")
    return value


def amount(body: Body, name: str, places: int, spoken: str) -> int | None:
    """A positive number in units of 10^-places, or None when absent."""
    value = body.get(name)
    if value is None:
        return None
    try:
        found = to_fixed(value, places)
    except ValueError as error:
        raise bad_field(f"invalid {spoken}: {error}") from error
    if found <= 0:
        raise bad_field(f"{spoken} must be > 0")
    return found


def quantity(body: Body) -> int | None:
    qty = amount(body, "qty", QTY_PLACES, "qty")
    if qty is not None and qty > MAX_QTY:
        raise bad_field("qty is too large")
    return qty


def price(body: Body, name: str, *, pair: bool, within: str = "") -> int | None:
    """A price on the grid of shares (a cent, 1e-4 below one dollar) or of pairs (1e-8); `within` names its object."""
    found = amount(body, name, PRICE_PLACES, within + name.replace("_", " "))
    if found is not None and not pair and found % tick_of(found):
        raise unprocessable(
            f"invalid {within}{name} {body[name]}. sub-penny increment does not fulfill minimum pricing criteria"
        )
    return found


def flag(body: Body, name: str) -> bool:
    value = body.get(name) or False
    if not isinstance(value, bool):
        raise bad_field(f"{name} must be true or false")
    return value


def client_order_id(body: Body) -> str | None:
    value = body.get("client_order_id")
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise bad_field("client_order_id must be a string")
    if len(value) > MAX_CLIENT_ID:
        raise bad_field(f"client_order_id must be no more than {MAX_CLIENT_ID} characters")
    return value
