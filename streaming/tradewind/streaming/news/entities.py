"""Core: which symbols an item is about."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from tradewind.v1 import market_pb2

_TICKER = re.compile(r"^[A-Z][A-Z0-9]{0,5}([./-][A-Z]{1,4})?$")
_CASHTAG = re.compile(r"(?<![\w$])\$([A-Z]{1,5}(?:\.[A-Z])?)(?![\w])")


class EntityLinker:
    """Symbols named by the source, then cashtags, then companies by name.

    Args:
        companies: symbol to the names it goes by; a name counts as a whole word. Names written in capitals or with a
            capital ("Apple", "IBM") are matched as written: "apple" is a fruit and "meta" an adjective.
        universe: if given, other symbols are left out.
    """

    def __init__(self, companies: Mapping[str, Sequence[str]], universe: Sequence[str] | None = None) -> None:
        self._universe = None if universe is None else frozenset(universe)
        by_name = {name: symbol for symbol, names in companies.items() for name in names}
        self._by_name = by_name
        # Longest first: "International Business Machines" before "International".
        names = sorted(by_name, key=lambda name: (-len(name), name))
        self._names = re.compile(r"(?<!\w)(" + "|".join(map(re.escape, names)) + r")(?!\w)") if names else None

    def link(self, item: market_pb2.NewsItem) -> list[str]:
        """Sorted symbols; empty when the item names none."""
        text = f"{item.headline}\n{item.summary}"
        found = {symbol.upper() for symbol in item.symbols if _TICKER.match(symbol.upper())}
        found.update(_CASHTAG.findall(text))
        if self._names is not None:
            found.update(self._by_name[name] for name in self._names.findall(text))
        return sorted(found if self._universe is None else found & self._universe)
