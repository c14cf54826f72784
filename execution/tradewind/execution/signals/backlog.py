"""Which vectors a signal process decides on where it is behind. Core."""

from __future__ import annotations

from tradewind.v1 import features_pb2

Item = tuple[int, features_pb2.FeatureVector]


def newest(items: list[Item]) -> tuple[list[Item], list[Item]]:
    """Those that a newer vector of their symbol follows, and the rest; both in order.

    Who waited for a predictor, or is slower than the market, would otherwise decide on ever older vectors: intents that
    are past their time when they come.
    """
    last = {vector.symbol: offset for offset, vector in items}
    return [i for i in items if i[0] < last[i[1].symbol]], [i for i in items if i[0] == last[i[1].symbol]]


class Backlog:
    """Of the vectors below `end`, a symbol's newest alone is decided on; the market has gone past the others.

    A process that was away, or is new to the topic, would otherwise trade its way through positions that nobody wants
    any more: each of them may still be valid by its own time. Of those nothing is said: a process before this one may
    have decided on them, and died before it could acknowledge them.
    """

    def __init__(self, end: int) -> None:
        self._end = end
        self._newest: list[Item] = []

    def take(self, items: list[Item], read: int) -> list[Item]:
        """What is to be decided on.

        Args:
            items: the process's own vectors with their offsets, in order.
            read: offset up to which everything was read, itself left out.
        """
        _, self._newest = newest(self._newest + [item for item in items if item[0] < self._end])
        decided = [item for item in items if item[0] >= self._end]
        return self.rest() + decided if read >= self._end else decided

    def rest(self) -> list[Item]:
        """The newest of each symbol so far: nothing more of the backlog will come."""
        rest, self._newest = self._newest, []
        return rest

    @property
    def waits(self) -> bool:
        """Whether something was taken that waits for the end: it must not be acknowledged yet."""
        return bool(self._newest)
