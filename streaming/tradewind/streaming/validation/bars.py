"""Core: checks of one bar after the other, as a stream brings them. Invalid bars are refused; odd ones are flagged."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tradewind.specs.base import interval_ns
from tradewind.v1 import market_pb2

JUMP_FLAG = "price_jump"


@dataclass(frozen=True, slots=True)
class Limits:
    """Attributes:
    future_ns: how far `available_time` may lie beyond now; clocks differ.
    jump_sigmas: a close further from the last one than so many standard deviations is flagged.
    jump_half_life: bars after which a past return counts half in that deviation.
    jump_warm_up: returns seen before anything is flagged.
    """

    future_ns: int = 5 * 10**9
    jump_sigmas: float = 8.0
    jump_half_life: float = 60.0
    jump_warm_up: int = 30


@dataclass(frozen=True, slots=True)
class Verdict:
    """Reasons to refuse the bar (each names the field), and flags that don't."""

    reasons: tuple[str, ...]
    flags: tuple[str, ...]

    @property
    def valid(self) -> bool:
        """Whether the bar may pass."""
        return not self.reasons


@dataclass(slots=True)
class _Past:
    event_time: int
    close: int
    variance: float = 0.0
    returns: int = 0


@dataclass
class BarValidator:
    """Remembers each symbol's last good bar. A refused bar leaves no trace."""

    limits: Limits = field(default_factory=Limits)
    _past: dict[tuple[str, str], _Past] = field(default_factory=dict)

    def check(self, bar: market_pb2.Bar, now: int) -> Verdict:
        """Judge `bar` as of `now` (ns UTC)."""
        past = self._past.get((bar.symbol, bar.interval))
        reasons = [*_shape(bar), *_times(bar, now, self.limits.future_ns)]
        if past is not None and bar.event_time == past.event_time:
            reasons.append("event_time: duplicate of the bar before")
        elif past is not None and bar.event_time < past.event_time:
            reasons.append("event_time: earlier than the bar before")
        if reasons:
            return Verdict(tuple(reasons), ())
        return Verdict((), self._remember(bar, past))

    def _remember(self, bar: market_pb2.Bar, past: _Past | None) -> tuple[str, ...]:
        if past is None:
            self._past[bar.symbol, bar.interval] = _Past(bar.event_time, bar.close)
            return ()
        move = math.log(bar.close / past.close)
        sigma = math.sqrt(past.variance)
        jumped = past.returns >= self.limits.jump_warm_up and sigma > 0 and abs(move) > self.limits.jump_sigmas * sigma
        # A jump enters the deviation only as the largest ordinary move: one bad print must not hide the next.
        bound = self.limits.jump_sigmas * sigma
        square = min(move * move, bound * bound) if jumped else move * move
        weight = 1.0 - 0.5 ** (1.0 / self.limits.jump_half_life)
        weight = max(weight, 1.0 / (past.returns + 1))
        past.variance += weight * (square - past.variance)
        past.returns += 1
        past.event_time, past.close = bar.event_time, bar.close
        return (JUMP_FLAG,) if jumped else ()


def _shape(bar: market_pb2.Bar) -> list[str]:
    reasons = [] if bar.symbol else ["symbol: empty"]
    reasons += [f"{name}: not above 0" for name in ("open", "high", "low", "close") if getattr(bar, name) <= 0]
    if bar.high < bar.low:
        reasons.append("high: below low")
    else:
        reasons += [
            f"{name}: outside low and high"
            for name in ("open", "close")
            if not bar.low <= getattr(bar, name) <= bar.high
        ]
    if bar.volume < 0:
        reasons.append("volume: negative")
    if bar.HasField("vwap") and bar.volume > 0 and bar.vwap <= 0:
        reasons.append("vwap: not above 0")
    if bar.HasField("trade_count") and bar.trade_count < 0:
        reasons.append("trade_count: negative")
    return reasons


def _times(bar: market_pb2.Bar, now: int, tolerance: int) -> list[str]:
    reasons = []
    try:
        longest = interval_ns(bar.interval)
    except ValueError:
        return [f"interval: {bar.interval!r} is not a duration"]
    if not 0 < bar.open_time < bar.event_time:
        reasons.append("event_time: not after open_time")
    elif bar.event_time - bar.open_time > longest:
        reasons.append(f"event_time: more than {bar.interval} after open_time")
    if bar.available_time < bar.event_time:
        reasons.append("available_time: before event_time")
    if bar.available_time > now + tolerance:
        reasons.append("available_time: in the future")
    return reasons
