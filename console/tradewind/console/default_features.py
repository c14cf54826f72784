"""The default feature set as the planner takes it. Core."""

from __future__ import annotations

from tradewind.native.features import DEFAULT_FEATURES, FeatureEngine


def default_features() -> dict[str, int]:
    """Name → bars until the feature has a value, in vector order."""
    return {name: FeatureEngine([name]).warm_up for name in DEFAULT_FEATURES}
