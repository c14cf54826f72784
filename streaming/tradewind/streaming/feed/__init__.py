"""The feed: market data and news onto the bus; in a lockstep run also the clock that everyone follows."""

from tradewind.streaming.feed.config import FeedConfig

__all__ = ["FeedConfig"]
