"""The words a person writes: `Strategy` and `RiskPolicy`, with their defaults and checks. Core.

These models are the one source of the two documents' schema: the command line, the planners and the cluster's CRDs all
read them. Python names are snake_case; a document's keys are their camelCase.
"""

from tradewind.specs.base import Document, Metadata, SpecModel
from tradewind.specs.loading import SpecError, load_documents, parse_documents
from tradewind.specs.notices import Notice, notices
from tradewind.specs.risk import RiskPolicy, RiskPolicySpec
from tradewind.specs.strategy import Strategy, StrategySpec

__all__ = [
    "Document",
    "Metadata",
    "Notice",
    "RiskPolicy",
    "RiskPolicySpec",
    "SpecError",
    "SpecModel",
    "Strategy",
    "StrategySpec",
    "load_documents",
    "notices",
    "parse_documents",
]
