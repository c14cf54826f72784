"""Features: computed by the native engine, kept in Feast, carried on the `features` topic.

`repository` (Feast: slow to import), `history` (batch), `stream` and `process` (the running pipeline) are imported by
name, so that a process pays for what it uses.
"""

from tradewind.streaming.features.feature_set import FeatureRow, FeatureSet, FeatureSetError, OnlineVector

__all__ = ["FeatureRow", "FeatureSet", "FeatureSetError", "OnlineVector"]
