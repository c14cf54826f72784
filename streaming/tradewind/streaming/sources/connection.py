"""Core: the states of a live connection, and how long to wait before the next attempt."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class LinkState(Enum):
    """Where a connection stands."""

    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"
    AUTHENTICATING = "authenticating"
    SUBSCRIBING = "subscribing"
    LIVE = "live"
    WAITING = "waiting"
    FAILED = "failed"


_NEXT: dict[LinkState, frozenset[LinkState]] = {
    LinkState.DISCONNECTED: frozenset({LinkState.CONNECTING}),
    LinkState.CONNECTING: frozenset({LinkState.AUTHENTICATING, LinkState.WAITING, LinkState.FAILED}),
    LinkState.AUTHENTICATING: frozenset({LinkState.SUBSCRIBING, LinkState.WAITING, LinkState.FAILED}),
    LinkState.SUBSCRIBING: frozenset({LinkState.LIVE, LinkState.WAITING, LinkState.FAILED}),
    LinkState.LIVE: frozenset({LinkState.WAITING, LinkState.FAILED}),
    LinkState.WAITING: frozenset({LinkState.CONNECTING}),
    LinkState.FAILED: frozenset(),
}


@dataclass
class Link:
    """One connection's state; refuses a step that makes no sense, so that a slip shows where it happens."""

    state: LinkState = LinkState.DISCONNECTED
    history: list[LinkState] = field(default_factory=list)

    def to(self, state: LinkState) -> None:
        """Enter `state`."""
        if state not in _NEXT[self.state]:
            raise RuntimeError(f"a connection that is {self.state.value} cannot become {state.value}")
        self.state = state
        self.history = [*self.history[-31:], state]


@dataclass
class Backoff:
    """Exponential backoff with full jitter: attempt n waits between half and all of first × 2ⁿ, at most `most`."""

    first: float = 0.5
    most: float = 30.0
    attempt: int = 0

    def wait(self, jitter: float) -> float:
        """Seconds to wait now; `jitter` in [0, 1)."""
        ceiling = min(self.first * 2.0**self.attempt, self.most)
        self.attempt = min(self.attempt + 1, 32)
        return ceiling * (0.5 + 0.5 * jitter)

    def reset(self) -> None:
        """A connection went live: begin again with short waits."""
        self.attempt = 0


# Error codes of Alpaca's data stream after which trying again cannot help (402 credentials, 409-411 plan or channel).
FATAL_CODES = frozenset({402, 409, 410, 411})
