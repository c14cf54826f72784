"""From a prediction to a signed strength, with the reason. Core."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tradewind.specs.strategy import SignalRules


@dataclass(frozen=True)
class SignalDecision:
    """Strength in [-1, 1] (0 = flat) and why it is what it is."""

    strength: float
    reason: str


def decide_signal(
    prediction: float, confidence: float, rules: SignalRules, *, warm: bool, fresh: bool
) -> SignalDecision:
    """What a prediction is worth trading on.

    Anything doubtful is flat: features not warm or too old, a prediction that is not a number, too weak, too unsure, or
    in a direction the strategy doesn't take. Strength grows linearly from the threshold to `full_strength_at`.
    """
    if not warm:
        return SignalDecision(0.0, "not_warm")
    if not fresh:
        return SignalDecision(0.0, "stale_features")
    if not (math.isfinite(prediction) and math.isfinite(confidence)):
        return SignalDecision(0.0, "not_a_number")
    if confidence < rules.min_confidence:
        return SignalDecision(0.0, "low_confidence")
    if abs(prediction) < rules.threshold:
        return SignalDecision(0.0, "below_threshold")
    value = -prediction if rules.invert else prediction
    if value < 0 and rules.direction == "LongOnly":
        return SignalDecision(0.0, "long_only")
    if value > 0 and rules.direction == "ShortOnly":
        return SignalDecision(0.0, "short_only")
    strength = min(1.0, abs(value) / max(rules.full_strength_at, rules.threshold))
    return SignalDecision(math.copysign(strength, value), "long" if value > 0 else "short")
