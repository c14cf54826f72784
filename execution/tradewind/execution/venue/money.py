"""Core. Fixed-point money and quantities: parsing, printing and the one way we round.

Prices and cash are ints of 1e-8 currency units, quantities ints of 1e-9 shares. Nothing here goes through a float.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

PRICE_ONE = 10**8
QTY_ONE = 10**9
PRICE_PLACES = 8
QTY_PLACES = 9
CENT = PRICE_ONE // 100


def to_fixed(value: object, places: int) -> int:
    """The integer of 10^-places that `value` (string, int or Decimal) stands for.

    Raises ValueError when it is not a finite number or has more decimals than `places`.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ValueError("not a number")
    try:
        number = Decimal(value)
    except InvalidOperation as error:
        raise ValueError("not a number") from error
    if not number.is_finite() or abs(number) >= Decimal(10) ** 12:
        raise ValueError("not a number of usable size")
    scaled = number.scaleb(places)
    whole = int(scaled)
    if whole != scaled:
        raise ValueError(f"more than {places} decimals")
    return whole


def to_text(value: int, places: int) -> str:
    """`value` x 10^-places in plain decimal digits without trailing zeros: "190.5", "-3", "0.000000001"."""
    sign = "-" if value < 0 else ""
    whole, rest = divmod(abs(value), 10**places)
    if not rest:
        return f"{sign}{whole}"
    return f"{sign}{whole}.{rest:0{places}d}".rstrip("0")


def price_text(value: int) -> str:
    """A price or an amount of cash as Alpaca writes it."""
    return to_text(value, PRICE_PLACES)


def qty_text(value: int) -> str:
    """A quantity as Alpaca writes it."""
    return to_text(value, QTY_PLACES)


def price_number(value: int) -> float:
    """For the market-data dialect, whose prices are JSON numbers: the double nearest to the exact price."""
    return value / PRICE_ONE


def divide_half_even(numerator: int, denominator: int) -> int:
    """numerator / denominator, rounded to the nearest integer, ties to even; denominator > 0."""
    quotient, rest = divmod(numerator, denominator)
    twice = 2 * rest
    if twice > denominator or (twice == denominator and quotient % 2):
        quotient += 1
    return quotient


def notional(price: int, qty: int) -> int:
    """price (1e-8) x qty (1e-9, signed) in 1e-8 currency units, rounded half-even once."""
    return divide_half_even(price * qty, QTY_ONE)


def tick_of(price: int) -> int:
    """The smallest price step: a cent at or above one dollar, 1e-4 below (SEC Rule 612)."""
    return CENT if price >= PRICE_ONE else CENT // 100


def to_tick(price: int, *, up: bool) -> int:
    """`price` moved to a tick, upwards or downwards, and never below one tick."""
    tick = tick_of(price)
    steps = -(-price // tick) if up else price // tick
    return max(steps * tick, CENT // 100)
