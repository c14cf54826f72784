"""The demo: real market data that comes with two packages, and how its data set is made."""

from tradewind.console.demo.dataset import DEMO_SYMBOLS, MARKET, DemoSummary, build_demo_dataset

__all__ = ["DEMO_SYMBOLS", "MARKET", "DemoSummary", "build_demo_dataset"]
