"""Core: how far a consumer is in one topic, and what that lets it commit."""

from __future__ import annotations


class Progress:
    """Turns "done up to here" and "this one was unreadable" into the offset to commit.

    An unreadable record goes to the dead letters and is never given to the consumer, so the consumer can never commit
    it. Left alone it would hold the group one short of the end of the topic for ever, and whoever waits for the group
    to catch up with it. Hence: a skipped record is committed as soon as everything before it is.

    Args:
        start: the first offset that will be read.
        floor: what the group has committed already; commits never go back behind it.
    """

    def __init__(self, start: int, floor: int) -> None:
        self._done = start  # everything from `start` up to here is committed or skipped
        self._floor = floor
        self._skipped: set[int] = set()

    def skip(self, offset: int) -> int | None:
        """The record at `offset` is with the dead letters. Returns the offset to commit now, if any."""
        self._skipped.add(offset)
        return self._finish(self._done) if offset == self._done else None

    def commit(self, next_offset: int) -> int | None:
        """The consumer is done with everything before `next_offset`. Returns the offset to commit now, if any."""
        return self._raise_floor(next_offset) if next_offset < self._done else self._finish(next_offset)

    def committed(self, next_offset: int) -> None:
        """Somebody else has committed everything before `next_offset` for the group."""
        self._floor = max(self._floor, next_offset)

    def _finish(self, done: int) -> int | None:
        while done in self._skipped:
            done += 1
        self._done = done
        self._skipped = {offset for offset in self._skipped if offset > done}
        return self._raise_floor(done)

    def _raise_floor(self, offset: int) -> int | None:
        if offset <= self._floor:
            return None
        self._floor = offset
        return offset
