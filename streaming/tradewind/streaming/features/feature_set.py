"""Core: what a feature set is: a name, an ordered list of features and the version that pins their arithmetic."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

_NAME = re.compile(r"[a-z][a-z0-9_]*")
# Columns of the stored rows that are not features.
RESERVED = frozenset({"symbol", "event_timestamp", "created_timestamp", "event_time", "available_time"})


class FeatureSetError(ValueError):
    """A feature set, or a row offered to it, that cannot be used; the message names the field and the fix."""


@dataclass(frozen=True, slots=True)
class FeatureSet:
    """An ordered set of features at one version.

    name: the set ("daily"); names: its features in vector order; version: the hash of names, parameters and arithmetic
    that the native engine computes (`feature_set_version`); interval: of the bars it is computed on ("1d");
    ttl: a vector older than this at the moment of a join is treated as missing, zero = never.
    """

    name: str
    names: tuple[str, ...]
    version: str
    interval: str
    ttl: timedelta = timedelta(0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        if not _NAME.fullmatch(self.name):
            raise FeatureSetError(f"feature set name {self.name!r}: use lower-case letters, digits and underscores")
        if len(self.version) < 8 or not self.version.isalnum():
            raise FeatureSetError(f"feature set version {self.version!r}: expected at least 8 letters and digits")
        if not self.names:
            raise FeatureSetError(f"feature set {self.name}: names is empty; list at least one feature")
        for name in self.names:
            if not _NAME.fullmatch(name) or name in RESERVED:
                raise FeatureSetError(f"feature set {self.name}: {name!r} cannot be the name of a feature")
        if len(set(self.names)) != len(self.names):
            twice = next(name for name in self.names if self.names.count(name) > 1)
            raise FeatureSetError(f"feature set {self.name}: feature {twice} is listed twice; remove one")

    @property
    def view(self) -> str:
        """Name of its Feast feature view: vectors of two versions never share a table."""
        return f"{self.name}_{self.version[:8]}"


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """One vector to store. Times are ns since the epoch, UTC; values in the order of the set, NaN = not yet warm."""

    symbol: str
    event_time: int
    available_time: int
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class OnlineVector:
    """The newest vector of a symbol in the online store."""

    symbol: str
    event_time: int
    values: tuple[float, ...]
