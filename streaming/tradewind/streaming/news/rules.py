"""Core: rules that give an item its type, and an estimate of its impact with how sure we are.

The numbers are judgements, not measurements: the sign says which way equities tend to go at first, the size is relative
to the strongest news of the kind. Their name and version go into every event; changing a rule means raising `VERSION`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tradewind.streaming.news.rates import midpoint_change
from tradewind.v1 import market_pb2

VERSION = "rules-1"
MACRO = "*"

RATE_DECISION = "rate_decision"
# A move of this many percentage points is as strong as it gets.
_FULL_MOVE = 0.50

# Form 8-K items (SEC, Form 8-K, general instructions): type, impact, confidence. The first listed that applies decides.
_ITEMS: tuple[tuple[str, str, float, float], ...] = (
    ("1.03", "bankruptcy", -1.0, 0.9),
    ("4.02", "restatement", -0.7, 0.7),
    ("3.01", "delisting_notice", -0.6, 0.7),
    ("2.06", "impairment", -0.4, 0.6),
    ("2.04", "debt_acceleration", -0.5, 0.5),
    ("2.02", "earnings", 0.0, 0.3),
    ("2.01", "acquisition", 0.1, 0.3),
    ("1.01", "material_agreement", 0.1, 0.3),
    ("1.02", "agreement_ended", -0.2, 0.3),
    ("2.05", "restructuring", -0.2, 0.4),
    ("4.01", "auditor_change", -0.2, 0.4),
    ("5.01", "change_of_control", 0.2, 0.3),
    ("5.02", "management_change", -0.1, 0.2),
)
_FORMS = {"8-K": "filing_8k", "10-Q": "filing_10q", "10-K": "filing_10k"}

# Headlines: type, impact, confidence, pattern. The first that matches decides.
_PHRASES: tuple[tuple[str, float, float, re.Pattern[str]], ...] = tuple(
    (kind, impact, confidence, re.compile(pattern, re.IGNORECASE))
    for kind, impact, confidence, pattern in (
        ("bankruptcy", -1.0, 0.7, r"\b(files? for|chapter 11|chapter 7)\b.*\bbankruptcy\b|\bchapter 11\b"),
        ("earnings", 0.5, 0.5, r"\b(beats?|tops?|exceeds?)\b.*\b(estimates?|expectations|consensus|forecasts?)\b"),
        ("earnings", -0.5, 0.5, r"\b(misses|falls? short of)\b.*\b(estimates?|expectations|consensus|forecasts?)\b"),
        ("guidance", 0.5, 0.5, r"\b(raises?|lifts?|boosts?)\b.*\b(guidance|outlook|forecast)\b"),
        ("guidance", -0.6, 0.5, r"\b(cuts?|lowers?|slashes|withdraws)\b.*\b(guidance|outlook|forecast)\b"),
        ("rating", 0.3, 0.5, r"\bupgrade[sd]?\b"),
        ("rating", -0.3, 0.5, r"\bdowngrade[sd]?\b"),
        ("acquisition", 0.2, 0.3, r"\b(to acquire|acquires|acquisition of|merger|to be acquired|takeover)\b"),
        ("dividend", -0.5, 0.5, r"\b(cuts?|suspends?)\b.*\bdividend\b"),
        ("dividend", 0.2, 0.4, r"\b(raises?|increases?|declares?|initiates?)\b.*\bdividend\b"),
        ("buyback", 0.2, 0.4, r"\b(buyback|share repurchase|repurchase program)\b"),
        ("legal", -0.3, 0.4, r"\b(lawsuit|sues|sued|indicted|probe|investigation|subpoena|antitrust)\b"),
        ("recall", -0.3, 0.4, r"\brecalls?\b"),
        ("management_change", -0.1, 0.3, r"\b(ceo|cfo|chief executive)\b.*\b(steps? down|resigns?|leaves|departs)\b"),
        (
            "earnings",
            0.0,
            0.3,
            r"\b(quarterly|q[1-4]|first|second|third|fourth)[ -]?(quarter)?\b.*\b(results|earnings|eps)\b",
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Type, impact in [-1, 1], confidence in [0, 1]; `macro`: concerns the whole market."""

    type: str
    impact: float
    confidence: float
    macro: bool = False


def classify(item: market_pb2.NewsItem) -> Judgement:
    """Judge an item by its structured facts, and failing these by its headline."""
    return _rate_decision(item) or _filing(item) or _headline(item)


def _rate_decision(item: market_pb2.NewsItem) -> Judgement | None:
    if "target_before" not in item.facts or "target_after" not in item.facts:
        return None
    change = midpoint_change(item.facts["target_before"], item.facts["target_after"])
    if change is None:
        return Judgement(RATE_DECISION, 0.0, 0.0, macro=True)
    impact = max(-1.0, min(1.0, -float(change) / _FULL_MOVE))
    # A meeting between the scheduled ones surprises by itself.
    confidence = 0.8 if item.facts.get("scheduled") == "false" else 0.5
    return Judgement(RATE_DECISION, impact + 0.0, confidence, macro=True)


def _filing(item: market_pb2.NewsItem) -> Judgement | None:
    form = item.facts.get("form", "").upper()
    if not form:
        return None
    base = form.removesuffix("/A")
    if base == "8-K":
        items = {part.strip() for part in item.facts.get("items", "").split(",")}
        for number, kind, impact, confidence in _ITEMS:
            if number in items:
                return Judgement(kind, impact, confidence)
    return Judgement(_FORMS.get(base, "filing_other"), 0.0, 0.2)


def _headline(item: market_pb2.NewsItem) -> Judgement:
    for kind, impact, confidence, pattern in _PHRASES:
        if pattern.search(item.headline):
            return Judgement(kind, impact, confidence)
    return Judgement("headline", 0.0, 0.1)
