"""Tradewind's deterministic C++ core. Import its parts: `indicators`, `features` and the order path's modules."""

__version__ = "0.1.0"
