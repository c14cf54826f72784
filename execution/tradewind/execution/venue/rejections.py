"""Core. What Alpaca says when it refuses: HTTP status, code, message and the extra keys of each refusal.

`code` and status are Alpaca's contract; the messages follow its published and observed wording.
"""

from __future__ import annotations

from tradewind.execution.venue.money import price_text, qty_text

FORBIDDEN = 40310000
NOT_FOUND = 40410000
BAD_FIELD = 40010001
UNPROCESSABLE = 42210000
RATE_LIMITED = 42910000


class Rejection(Exception):  # noqa: N818 - the trade's own word for it
    """A request the venue refuses; the books are as if it had never come."""

    def __init__(self, status: int, code: int | None, message: str, **extras: object) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.extras = extras

    @property
    def body(self) -> dict[str, object]:
        """The JSON object of the answer."""
        head: dict[str, object] = {} if self.code is None else {"code": self.code}
        return {**head, "message": self.message, **self.extras}


def unauthorized() -> Rejection:
    return Rejection(401, None, "unauthorized.")


def bad_data_request(message: str) -> Rejection:
    """The market-data API's refusals carry no code."""
    return Rejection(400, None, message)


def bad_field(message: str) -> Rejection:
    return Rejection(422, BAD_FIELD, message)


def unprocessable(message: str, **extras: object) -> Rejection:
    return Rejection(422, UNPROCESSABLE, message, **extras)


def forbidden(message: str, **extras: object) -> Rejection:
    return Rejection(403, FORBIDDEN, message, **extras)


def not_found(message: str) -> Rejection:
    return Rejection(404, NOT_FOUND, message)


def order_not_found(order_id: str) -> Rejection:
    return not_found(f"order not found for {order_id}")


def rate_limited() -> Rejection:
    return Rejection(429, RATE_LIMITED, "rate limit exceeded")


def insufficient_buying_power(available: int, cost: int) -> Rejection:
    return forbidden("insufficient buying power", buying_power=price_text(available), cost_basis=price_text(cost))


def insufficient_balance(currency: str, requested: str, available: str) -> Rejection:
    return forbidden(f"insufficient balance for {currency} (requested: {requested}, available: {available})")


def insufficient_qty(symbol: str, requested: int, existing: int, held: int, related: list[str]) -> Rejection:
    available = existing - held
    return forbidden(
        f"insufficient qty available for order (requested: {qty_text(requested)}, available: {qty_text(available)})",
        available=qty_text(available),
        existing_qty=qty_text(existing),
        held_for_orders=qty_text(held),
        symbol=symbol,
        related_orders=related,
    )


def wash_trade(existing_order_id: str, reason: str) -> Rejection:
    return forbidden(
        "potential wash trade detected. use complex orders",
        existing_order_id=existing_order_id,
        reject_reason=reason,
    )
