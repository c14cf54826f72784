"""Core. What the calendar says at one instant of real time. Virtual time has none: its steps say where they lie."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tradewind.execution.venue.times import SECOND

MINUTE = 60 * SECOND
# Extended hours begin at 04:00 in New York and last four hours from the close.
MORNING = 330 * MINUTE
EVENING = 240 * MINUTE
_NEXT_DAY = 180 * MINUTE


@dataclass(frozen=True, slots=True)
class Hours:
    """`phase` is where the instant lies; `session` is the running session, or the one that comes (open, close in ns).

    `strict` venues keep the hours: outside them orders wait, and orders for an auction must come in time for it.
    """

    phase: Literal["regular", "extended", "closed"] = "regular"
    session: tuple[int, int] | None = None
    last_close: int | None = None
    following_open: int | None = None
    strict: bool = False

    def day_end(self, now: int, *, extended_hours: bool) -> int | None:
        """When a DAY order sent now expires: with the regular hours, or with the extended ones after them."""
        if self.session is None:
            return None
        if not extended_hours:
            return self.session[1]
        if self.last_close is not None and now < self.last_close + EVENING:
            return self.last_close + EVENING
        return self.session[1] + EVENING

    def admits(self, *, extended_hours: bool, crypto: bool) -> bool:
        """Whether an order may trade now."""
        if crypto or not self.strict or self.phase == "regular":
            return True
        return self.phase == "extended" and extended_hours

    def auction(self, time_in_force: str, now: int) -> int | None:
        """When the auction is held that an `opg` or `cls` order sent now takes part in."""
        if self.session is None:
            return None
        opens, closes = self.session
        if time_in_force == "cls":
            return closes
        return opens if now < opens else self.following_open

    def takes_auction_order(self, time_in_force: str, now: int) -> bool:
        """Whether such an order comes in time: at a strict venue not from two minutes before the open (`opg`) or ten
        before the close (`cls`) until three hours after the close."""
        if not self.strict or self.session is None:
            return True
        opens, closes = self.session
        begins = opens - 2 * MINUTE if time_in_force == "opg" else closes - 10 * MINUTE
        late = begins <= now
        evening = self.last_close is not None and now < self.last_close + _NEXT_DAY
        return not (late or evening)


ANY_HOURS = Hours()
