"""From an item as its source gave it to events: checks, entities, types, impact."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tradewind.streaming.news.configured import load_companies
from tradewind.streaming.news.entities import EntityLinker
from tradewind.streaming.news.items import RawItem
from tradewind.streaming.news.pipeline import NewsPipeline
from tradewind.streaming.news.rates import midpoint_change, target_range
from tradewind.streaming.news.rules import VERSION, classify
from tradewind.streaming.news.times import published_ns
from tradewind.v1 import market_pb2

NOW = 1_577_836_800 * 10**9  # 2020-01-01
COMPANIES = {"AAPL": ["Apple"], "IBM": ["IBM", "International Business Machines"], "META": ["Meta"]}


def raw(**over: Any) -> RawItem:
    item = RawItem("rss:x", "id-1", NOW - 10**9, NOW, "Apple beats quarterly estimates", payload=b"{}")
    return replace(item, **over)


def pipeline(universe: list[str] | None = None) -> NewsPipeline:
    return NewsPipeline(EntityLinker(COMPANIES, universe))


def news(headline: str = "", **facts: str) -> market_pb2.NewsItem:
    return market_pb2.NewsItem(headline=headline, facts=facts)


def test_an_item_becomes_news_and_an_event() -> None:
    outcome = pipeline().process(raw(), NOW)
    assert outcome.news is not None
    assert (outcome.news.event_time, outcome.news.available_time) == (NOW - 10**9, NOW)
    (event,) = outcome.events
    assert (event.symbol, event.type, event.news_id, event.classifier) == ("AAPL", "earnings", "id-1", VERSION)
    assert (event.event_time, event.available_time) == (NOW - 10**9, NOW)
    assert 0 < event.impact <= 1
    assert 0 < event.confidence <= 1


@pytest.mark.parametrize(
    ("over", "reason"),
    [
        ({"id": None}, "id: missing"),
        ({"published": None}, "published: missing"),
        ({"published": NOW + 3600 * 10**9}, "published: in the future"),
        ({"published": 5}, "published: before 1980"),
        ({"headline": "  "}, "headline: empty"),
        ({"headline": "caf\ufffd"}, "headline: not valid text"),
        ({"summary": "a\x00b"}, "summary: control characters"),
        ({"headline": "x" * 1001}, "headline: 1001 is over the limit of 1000"),
        ({"payload": b"x" * 1_000_001}, "payload: 1000001 is over"),
        ({"facts": {"k": "v" * 5000}}, "facts: 5001 is over"),
        ({"problem": "t: not a time: 'x'"}, "t: not a time"),
    ],
)
def test_an_unfit_item_says_why_once(over: dict[str, Any], reason: str) -> None:
    line = pipeline()
    first = line.process(raw(**over), NOW)
    assert first.reason.startswith(reason)
    assert first.news is None
    again = line.process(raw(**over), NOW)
    assert (again.duplicate, again.reason) == (True, "")


def test_received_before_published_counts_as_published() -> None:
    outcome = pipeline().process(raw(published=NOW, received=NOW - 60 * 10**9), NOW)
    assert outcome.news is not None
    assert outcome.news.available_time == NOW


def test_the_same_item_again_changes_nothing_other_sources_may() -> None:
    line = pipeline()
    first = line.process(raw(), NOW)
    assert line.process(raw(headline="Apple misses estimates"), NOW).duplicate
    other = line.process(raw(source="rss:y"), NOW)
    assert other.news is not None
    assert other.events[0].id != first.events[0].id


def test_event_ids_are_the_same_in_another_process() -> None:
    # SHA-256 of the three parts, by an independent tool: printf 'rss:x\x1fid-1\x1fAAPL' | sha256sum
    import hashlib

    (event,) = pipeline().process(raw(), NOW).events
    assert event.id == hashlib.sha256(b"rss:x\x1fid-1\x1fAAPL").hexdigest()[:32]


@pytest.mark.parametrize(
    ("headline", "symbols", "linked"),
    [
        ("Apple rises", (), ["AAPL"]),
        ("apple pie, pineapple and Applebee", (), []),
        ("$IBM and $AAPL rise, $5 falls, US$TX", (), ["AAPL", "IBM"]),
        ("International Business Machines buys Meta", (), ["IBM", "META"]),
        ("meta studies", ("msft", "BRK.B", "not a ticker"), ["BRK.B", "MSFT"]),
        ("A quiet day", (), []),
    ],
)
def test_entities(headline: str, symbols: tuple[str, ...], linked: list[str]) -> None:
    item = market_pb2.NewsItem(headline=headline, symbols=symbols)
    assert EntityLinker(COMPANIES).link(item) == linked


def test_only_the_universe_if_one_is_named() -> None:
    item = market_pb2.NewsItem(headline="Apple and IBM")
    assert EntityLinker(COMPANIES, ["IBM"]).link(item) == ["IBM"]


def test_the_packages_own_companies_link_the_demos_symbols() -> None:
    linker = EntityLinker(load_companies())
    item = market_pb2.NewsItem(headline="Apple, Facebook, Google, IBM and Microsoft report")
    assert linker.link(item) == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]


@pytest.mark.parametrize(
    ("before", "after", "impact"),
    [
        ("5.75", "6.00", -0.5),
        ("6.00", "6.50", -1.0),
        ("1.50", "1.00", 1.0),
        ("4.25", "3.50", 1.0),
        ("2.00", "2.00", 0.0),
        ("1.00", "0.00-0.25", 1.0),
        ("0.25-0.50", "0.50-0.75", -0.5),
    ],
)
def test_rate_decisions_by_the_move_of_the_midpoint(before: str, after: str, impact: float) -> None:
    judged = classify(news(target_before=before, target_after=after))
    assert (judged.type, judged.macro) == ("rate_decision", True)
    assert judged.impact == impact


def test_rate_decisions_concern_the_whole_market() -> None:
    facts = {"target_before": "1.00", "target_after": "0.00-0.25", "scheduled": "true"}
    (event,) = pipeline().process(raw(headline="Fed cuts; Apple waits", facts=facts), NOW).events
    assert event.symbol == "*"
    sure = classify(news(**(facts | {"scheduled": "false"}))).confidence
    assert sure > event.confidence


def test_ranges() -> None:
    assert target_range("0.00-0.25") == (Decimal("0.00"), Decimal("0.25"))
    assert target_range("high") is None
    assert target_range("0.25-0.00") is None
    assert midpoint_change("1.00", "0.00-0.25") == Decimal("-0.875")


@pytest.mark.parametrize(
    ("form", "items", "kind", "sign"),
    [
        ("8-K", "2.02,9.01", "earnings", 0),
        ("8-K", "9.01, 1.03", "bankruptcy", -1),
        ("8-K/A", "4.02", "restatement", -1),
        ("8-K", "5.02,2.02", "earnings", 0),
        ("8-K", "9.01", "filing_8k", 0),
        ("8-K", "", "filing_8k", 0),
        ("10-Q", "", "filing_10q", 0),
        ("10-K/A", "", "filing_10k", 0),
        ("S-1", "", "filing_other", 0),
    ],
)
def test_filings_by_form_and_items(form: str, items: str, kind: str, sign: int) -> None:
    judged = classify(news("Apple files", form=form, items=items))
    assert judged.type == kind
    assert (judged.impact > 0) - (judged.impact < 0) == sign


@pytest.mark.parametrize(
    ("headline", "kind", "sign"),
    [
        ("Acme beats Wall Street estimates", "earnings", 1),
        ("Acme misses quarterly expectations", "earnings", -1),
        ("Acme cuts full-year outlook", "guidance", -1),
        ("Analyst downgrades Acme", "rating", -1),
        ("Acme to acquire Beta", "acquisition", 1),
        ("Acme files for bankruptcy", "bankruptcy", -1),
        ("Acme suspends its dividend", "dividend", -1),
        ("Acme opens an office", "headline", 0),
    ],
)
def test_headlines(headline: str, kind: str, sign: int) -> None:
    judged = classify(news(headline))
    assert judged.type == kind
    assert (judged.impact > 0) - (judged.impact < 0) == sign


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2020-01-01T00:00:00Z", None, NOW),
        ("2020-01-01T00:00:00.250+00:00", None, NOW + 250_000_000),
        ("2019-12-31T19:00:00-05:00", None, NOW),
        ("2019-12-31T19:00:00Z", "America/New_York", NOW),
        ("2019-12-31T19:00:00", "America/New_York", NOW),
        ("2019-12-31T19:00:00", None, None),
        ("yesterday", None, None),
    ],
)
def test_times_and_zones(text: str, zone: str | None, expected: int | None) -> None:
    assert published_ns(text, zone) == expected
