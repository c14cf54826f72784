"""Recorded market data on disk: the data set format, what may enter it, and how prices are adjusted.

`datasets.pulling` stands apart: it needs sources and news, which need this package.
"""

from tradewind.streaming.datasets.adjustment import Adjusted, Adjustment, forward_adjust
from tradewind.streaming.datasets.checks import BarSetReport, check_bars
from tradewind.streaming.datasets.errors import DataError
from tradewind.streaming.datasets.importing import ImportSummary, SymbolFrom, import_bars
from tradewind.streaming.datasets.manifest import Manifest
from tradewind.streaming.datasets.sessions import SessionCalendar
from tradewind.streaming.datasets.store import Dataset, read_dataset, write_dataset

__all__ = [
    "Adjusted",
    "Adjustment",
    "BarSetReport",
    "DataError",
    "Dataset",
    "ImportSummary",
    "Manifest",
    "SessionCalendar",
    "SymbolFrom",
    "check_bars",
    "forward_adjust",
    "import_bars",
    "read_dataset",
    "write_dataset",
]
